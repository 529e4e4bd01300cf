//! Keeping what somebody has typed from being lost by a press on a link or a closed tab.

use super::{
    button::{ActionButton, ButtonLook},
    dialog::Dialog,
};
use crate::i18n::{t, t_string, use_i18n};
use leptos::prelude::*;
use leptos_router::hooks::use_navigate;

/// Asks before a page with unsaved changes is left: by a link within the application with a dialog of
/// ours, by closing or reloading the tab with the browser's own.
#[component]
pub fn UnsavedGuard(
    /// Whether there is something to lose.
    #[prop(into)]
    dirty: Signal<bool>,
) -> impl IntoView {
    let i18n = use_i18n();
    let open = RwSignal::new(false);
    let wanted = RwSignal::new(String::new());
    let leaving = RwSignal::new(false);
    let holds = move || dirty.get_untracked() && !leaving.get_untracked();
    #[cfg(feature = "hydrate")]
    {
        let closing = window_event_listener(leptos::ev::beforeunload, move |event| {
            if holds() {
                event.prevent_default();
            }
        });
        on_cleanup(move || closing.remove());
        catch_links(move |address| {
            let held = holds();
            if held {
                wanted.set(address);
                open.set(true);
            }
            held
        });
    }
    #[cfg(not(feature = "hydrate"))]
    let _ = holds;
    let navigate = StoredValue::new(use_navigate());
    view! {
        <Dialog open title=Signal::derive(move || t_string!(i18n, common.unsaved.title).to_owned())>
            <div class="dialog__body">
                <p>{t!(i18n, common.unsaved.text)}</p>
            </div>
            <div class="dialog__actions">
                <ActionButton
                    label=Signal::derive(move || t_string!(i18n, common.unsaved.leave).to_owned())
                    look=ButtonLook::Danger
                    on_press=Callback::new(move |()| {
                        leaving.set(true);
                        open.set(false);
                        let target = wanted.get_untracked();
                        navigate.with_value(|navigate| navigate(&target, leptos_router::NavigateOptions::default()));
                    })
                />
                <ActionButton
                    label=Signal::derive(move || t_string!(i18n, common.unsaved.stay).to_owned())
                    look=ButtonLook::Primary
                    on_press=Callback::new(move |()| open.set(false))
                />
            </div>
        </Dialog>
    }
}

/// Asks `holds` about every press on a link within the application, before the router sees it.
#[cfg(feature = "hydrate")]
fn catch_links(holds: impl Fn(String) -> bool + 'static) {
    use leptos::{
        wasm_bindgen::{JsCast as _, closure::Closure},
        web_sys::{Element, HtmlAnchorElement, MouseEvent},
    };

    let listener = Closure::<dyn Fn(MouseEvent)>::new(move |event: MouseEvent| {
        let link = event
            .target()
            .and_then(|target| target.dyn_into::<Element>().ok())
            .and_then(|element| element.closest("a[href]").ok().flatten())
            .and_then(|link| link.dyn_into::<HtmlAnchorElement>().ok());
        let Some(link) = link else { return };
        let elsewhere = event.ctrl_key() || event.meta_key() || event.shift_key() || !link.target().is_empty();
        let address = link.get_attribute("href").unwrap_or_default();
        let leaves = address.starts_with('/') && !link.has_attribute("download");
        if !elsewhere && leaves && holds(address) {
            event.prevent_default();
            event.stop_propagation();
        }
    });
    let node = document();
    // The browser refuses neither call for an event and a function that exist.
    drop(node.add_event_listener_with_callback_and_bool("click", listener.as_ref().unchecked_ref(), true));
    let listener = StoredValue::new_local(Some(listener));
    on_cleanup(move || {
        listener.try_update_value(|slot| {
            if let Some(listener) = slot.take() {
                let function = listener.as_ref().unchecked_ref();
                drop(document().remove_event_listener_with_callback_and_bool("click", function, true));
            }
        });
    });
}
