//! Toasts: what just happened, for a few seconds; failures stay until they are read.

use super::{
    badge::Tone,
    button::{ActionButton, ButtonLook},
    icon::Icon,
};
use crate::{
    error::Error,
    i18n::{say, use_i18n},
};
use leptos::prelude::*;
use std::time::Duration;

/// How long good news stays.
const STAYS: Duration = Duration::from_secs(6);

/// One message.
#[derive(Clone, Debug)]
pub struct Toast {
    number: u32,
    tone: Tone,
    text: String,
    link: Option<(String, String)>,
    undo: Option<Callback<()>>,
}

/// The messages that are shown now. Cheap to copy.
#[derive(Clone, Copy)]
pub struct Toasts {
    shown: RwSignal<Vec<Toast>>,
    next: StoredValue<u32>,
    // Toasts are pushed after waiting for the server, where there is no context to ask.
    locale: Signal<crate::i18n::Locale>,
}

impl Toasts {
    /// Tells that something worked.
    pub fn done(self, text: impl Into<String>) {
        self.push(Tone::Good, text.into(), None, None);
    }

    /// Tells that something worked, and takes it back on request.
    pub fn done_with_undo(self, text: impl Into<String>, undo: Callback<()>) {
        self.push(Tone::Good, text.into(), None, Some(undo));
    }

    /// Tells that something was begun, with a link to where it goes on: `(label, address)`.
    pub fn begun(self, text: impl Into<String>, link: (String, String)) {
        self.push(Tone::Busy, text.into(), Some(link), None);
    }

    /// Tells that something failed, in the error's own words.
    pub fn failed(self, error: &Error) {
        #[cfg(feature = "hydrate")]
        if matches!(error, Error::Unauthenticated) {
            return crate::app::end_session();
        }
        self.push(Tone::Bad, error.message(self.locale.get_untracked()), None, None);
    }

    /// Tells something that failed in words of one's own.
    pub fn warn(self, text: impl Into<String>) {
        self.push(Tone::Warn, text.into(), None, None);
    }

    fn push(self, tone: Tone, text: String, link: Option<(String, String)>, undo: Option<Callback<()>>) {
        let number = self.next.get_value();
        self.next.set_value(number + 1);
        self.shown.update(|shown| {
            shown.push(Toast { number, tone, text, link, undo });
            let surplus = shown.len().saturating_sub(5);
            shown.drain(..surplus);
        });
        if matches!(tone, Tone::Good | Tone::Busy) {
            set_timeout(move || self.dismiss(number), STAYS);
        }
    }

    fn dismiss(self, number: u32) {
        // The page may be gone by then.
        self.shown.try_update(|shown| shown.retain(|toast| toast.number != number));
    }
}

/// Makes the toasts of the application; called once by the frame.
pub fn provide_toasts() {
    let i18n = use_i18n();
    provide_context(Toasts {
        shown: RwSignal::new(Vec::new()),
        next: StoredValue::new(0),
        locale: Signal::derive(move || i18n.get_locale()),
    });
}

/// The toasts of the application.
pub fn use_toasts() -> Toasts {
    use_context().expect("the frame provides the toasts")
}

/// Where the toasts appear; stands once in the frame.
#[component]
pub fn ToastStack() -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    view! {
        <div class="toasts" role="status" aria-live="polite">
            <For each=move || toasts.shown.get() key=|toast| toast.number let:toast>
                <div class="toast" data-tone=toast.tone.name()>
                    <Icon icon=match toast.tone {
                        Tone::Good => icondata_lu::LuCheck,
                        Tone::Busy => icondata_lu::LuLoaderCircle,
                        Tone::Warn | Tone::Bad | Tone::Idle => icondata_lu::LuTriangleAlert,
                    } />
                    <div class="toast__text">
                        {toast.text.clone()} {toast.link.clone().map(|(label, href)| view! { " " <a class="link" href=href>{label}</a> })}
                    </div>
                    {toast.undo.map(|undo| view! {
                        <ActionButton
                            label=say!(i18n, common.undo)
                            look=ButtonLook::Quiet
                            on_press=Callback::new(move |()| {
                                toasts.dismiss(toast.number);
                                undo.run(());
                            })
                        />
                    })}
                    <ActionButton
                        label=say!(i18n, common.close)
                        icon=icondata_lu::LuX
                        look=ButtonLook::Icon
                        on_press=Callback::new(move |()| toasts.dismiss(toast.number))
                    />
                </div>
            </For>
        </div>
    }
}
