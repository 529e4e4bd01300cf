//! Buttons that say what they do, that they are doing it, and why they cannot.

use super::icon::Icon;
use leptos::prelude::*;

/// How a button looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ButtonLook {
    /// One of several.
    #[default]
    Plain,
    /// The one that people come for.
    Primary,
    /// In a toolbar or a row.
    Quiet,
    /// In a row, as an icon alone.
    Icon,
    /// Leads to something being destroyed.
    Danger,
    /// Destroys, after the question.
    Destroy,
}

impl ButtonLook {
    /// Its classes.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Plain => "button",
            Self::Primary => "button button--primary",
            Self::Quiet => "button button--quiet",
            Self::Icon => "button button--quiet button--icon",
            Self::Danger => "button button--danger",
            Self::Destroy => "button button--destroy",
        }
    }
}

/// A button that runs an action and shows that it is running.
///
/// While refused it stays in the tab order and tells its reason as a tooltip and to screen readers;
/// while busy or refused a press does nothing.
#[component]
pub fn ActionButton(
    /// What pressing it does, as the person would say it.
    #[prop(into)]
    label: Signal<String>,
    /// The icon before the label.
    #[prop(into, optional)]
    icon: Option<Signal<icondata_core::Icon>>,
    /// How it looks; with [`ButtonLook::Icon`] the label is spoken and shown as a tooltip only.
    #[prop(optional)]
    look: ButtonLook,
    /// Why it cannot be pressed now; `None` when it can.
    #[prop(into, optional)]
    refused: Signal<Option<String>>,
    /// True while the action is under way.
    #[prop(into, optional)]
    busy: Signal<bool>,
    /// Whether it is pressed in, where it switches something.
    #[prop(into, optional)]
    pressed: MaybeProp<bool>,
    /// `submit` where it sends a form.
    #[prop(default = "button")]
    kind: &'static str,
    /// What it does; not called while refused or busy.
    #[prop(optional)]
    on_press: Option<Callback<()>>,
) -> impl IntoView {
    let icon_only = look == ButtonLook::Icon;
    let spoken = move || match refused.get() {
        Some(reason) => Some(format!("{}. {reason}", label.get())),
        None if icon_only => Some(label.get()),
        None => None,
    };
    let title = move || refused.get().or_else(|| icon_only.then(|| label.get()));
    view! {
        <button
            type=kind
            class=look.class()
            aria-disabled=move || refused.get().is_some().then_some("true")
            aria-busy=move || busy.get().then_some("true")
            aria-pressed=move || pressed.get().map(|is| if is { "true" } else { "false" })
            aria-label=spoken
            title=title
            on:click=move |event| {
                if refused.get_untracked().is_some() || busy.get_untracked() {
                    event.prevent_default();
                } else if let Some(press) = on_press {
                    press.run(());
                }
            }
        >
            {icon.map(|icon| view! { <Icon icon=Signal::derive(move || if busy.get() { icondata_lu::LuLoaderCircle } else { icon.get() }) /> })}
            {(!icon_only).then_some(move || label.get())}
        </button>
    }
}

/// A link that looks like a button.
#[component]
pub fn LinkButton(
    /// Where it leads.
    #[prop(into)]
    href: Signal<String>,
    /// What is there.
    #[prop(into)]
    label: Signal<String>,
    /// The icon before the label.
    #[prop(into, optional)]
    icon: Option<Signal<icondata_core::Icon>>,
    /// How it looks.
    #[prop(optional)]
    look: ButtonLook,
    /// Why it leads nowhere now; `None` when it does.
    #[prop(into, optional)]
    refused: Signal<Option<String>>,
    /// True where the server answers with a file, so that the router leaves it alone.
    #[prop(optional)]
    download: bool,
) -> impl IntoView {
    let icon_only = look == ButtonLook::Icon;
    view! {
        <a
            class=look.class()
            href=move || refused.get().is_none().then(|| href.get())
            role=move || refused.get().is_some().then_some("link")
            tabindex=move || refused.get().is_some().then_some("0")
            aria-disabled=move || refused.get().is_some().then_some("true")
            aria-label=move || match refused.get() {
                Some(reason) => Some(format!("{}. {reason}", label.get())),
                None => icon_only.then(|| label.get()),
            }
            title=move || refused.get().or_else(|| icon_only.then(|| label.get()))
            rel=download.then_some("external")
            download=download.then_some("")
        >
            {icon.map(|icon| view! { <Icon icon /> })}
            {(!icon_only).then_some(move || label.get())}
        </a>
    }
}
