//! Keeping what somebody has typed from being lost by a press on a link, a step in the history or a closed tab.

use super::{
    button::{ActionButton, ButtonLook},
    dialog::Dialog,
};
use crate::i18n::{say, t, use_i18n};
use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

/// Where somebody was about to go.
#[derive(Clone, Default)]
#[cfg_attr(not(feature = "hydrate"), expect(dead_code, reason = "only a browser is left"))]
enum Way {
    /// Nowhere.
    #[default]
    None,
    /// Along a link, to this address.
    Link(String),
    /// A step in the browser's history, which one step back makes again.
    History,
}

/// Asks before a page with unsaved changes is left: by a link within the application or the browser's own
/// *Back* and *Forward* with a dialog of ours, by closing or reloading the tab with the browser's.
#[component]
pub fn UnsavedGuard(
    /// Whether there is something to lose.
    #[prop(into)]
    dirty: Signal<bool>,
) -> impl IntoView {
    let i18n = use_i18n();
    let open = RwSignal::new(false);
    let wanted = RwSignal::new(Way::None);
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
        let ask = move |way: Way| {
            let held = holds();
            if held {
                wanted.set(way);
                open.set(true);
            }
            held
        };
        catch_links(move |address| ask(Way::Link(address)));
        catch_history(move || ask(Way::History));
    }
    #[cfg(not(feature = "hydrate"))]
    let _ = holds;
    let navigate = StoredValue::new(use_navigate());
    let leave = move || match wanted.get_untracked() {
        Way::None => {}
        Way::Link(target) => navigate.with_value(|navigate| navigate(&target, NavigateOptions::default())),
        Way::History => step_back(),
    };
    view! {
        <Dialog open title=say!(i18n, common.unsaved.title)>
            <div class="dialog__body">
                <p>{t!(i18n, common.unsaved.text)}</p>
            </div>
            <div class="dialog__actions">
                <ActionButton
                    label=say!(i18n, common.unsaved.leave)
                    look=ButtonLook::Danger
                    on_press=Callback::new(move |()| {
                        leaving.set(true);
                        open.set(false);
                        leave();
                    })
                />
                <ActionButton
                    label=say!(i18n, common.unsaved.stay)
                    look=ButtonLook::Primary
                    on_press=Callback::new(move |()| open.set(false))
                />
            </div>
        </Dialog>
    }
}

/// One step back in the browser's history.
fn step_back() {
    #[cfg(feature = "hydrate")]
    if let Ok(history) = window().history() {
        // Refused only in a document that is not shown any more.
        drop(history.back());
    }
}

/// Asks `holds` about every press on a link within the application, before the router sees it.
#[cfg(feature = "hydrate")]
fn catch_links(holds: impl Fn(String) -> bool + 'static) {
    use leptos::web_sys::{Element, HtmlAnchorElement, MouseEvent};
    use wasm_bindgen::JsCast as _;

    catch(document().into(), "click", move |event: MouseEvent| {
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
}

/// What asks about a step in the browser's history; true when it holds the page.
#[cfg(feature = "hydrate")]
type Ask = std::rc::Rc<dyn Fn() -> bool>;

#[cfg(feature = "hydrate")]
thread_local! {
    /// Who asks on the page that is open.
    static STEPS: std::cell::RefCell<Option<Ask>> = const { std::cell::RefCell::new(None) };
}

/// Listens to steps in the browser's history before the router does: a window tells its listeners in the order
/// in which they came, so this one comes with the program.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen(start)]
pub fn listen_to_steps() {
    use leptos::web_sys::PopStateEvent;
    use wasm_bindgen::{JsCast as _, closure::Closure};

    let hear = Closure::<dyn Fn(PopStateEvent)>::new(|event: PopStateEvent| {
        let ask = STEPS.with_borrow(Clone::clone);
        if ask.is_some_and(|ask| ask()) {
            event.stop_immediate_propagation();
        }
    });
    // The browser does not refuse an event and a function that exist.
    drop(window().add_event_listener_with_callback("popstate", hear.as_ref().unchecked_ref()));
    hear.forget();
}

/// Asks `holds` about every step in the browser's history to another page of the application.
///
/// The browser tells of such a step when it is made. So it is kept from the router, and the page's own
/// address is put on top of where the step led: the page stays, and one step back leads there again,
/// whichever direction it was.
#[cfg(feature = "hydrate")]
fn catch_history(holds: impl Fn() -> bool + 'static) {
    use leptos_router::{hooks::use_location, location::Location};
    use wasm_bindgen::JsValue;

    let Location { pathname, search, hash, .. } = use_location();
    let page = move || {
        let (path, search) = (pathname.get_untracked(), search.get_untracked());
        if search.is_empty() { path } else { format!("{path}?{search}") }
    };
    let ask: Ask = std::rc::Rc::new(move || {
        let location = window().location();
        let [path, search] = [location.pathname(), location.search()].map(Result::unwrap_or_default);
        let page = page();
        // A step between two places of one page loses nothing.
        let held = format!("{path}{search}") != page && holds();
        if held && let Ok(history) = window().history() {
            let address = format!("{page}{}", hash.get_untracked());
            // Refused only for an address of another origin.
            drop(history.push_state_with_url(&JsValue::NULL, "", Some(&address)));
        }
        held
    });
    STEPS.set(Some(ask.clone()));
    let ask = StoredValue::new_local(ask);
    on_cleanup(move || {
        // The page that comes next may ask already.
        ask.try_with_value(|ask| {
            STEPS.with_borrow_mut(|steps| drop(steps.take_if(|known| std::rc::Rc::ptr_eq(known, ask))));
        });
    });
}

/// Hears an event of `target` before everybody else does, for as long as the caller's owner lives.
#[cfg(feature = "hydrate")]
fn catch<E>(target: leptos::web_sys::EventTarget, name: &'static str, hear: impl Fn(E) + 'static)
where
    E: wasm_bindgen::convert::FromWasmAbi + 'static,
{
    use wasm_bindgen::{JsCast as _, closure::Closure};

    let listener = Closure::<dyn Fn(E)>::new(hear);
    // The browser refuses neither call for an event and a function that exist.
    drop(target.add_event_listener_with_callback_and_bool(name, listener.as_ref().unchecked_ref(), true));
    let caught = StoredValue::new_local(Some((target, listener)));
    on_cleanup(move || {
        caught.try_update_value(|slot| {
            if let Some((target, listener)) = slot.take() {
                let function = listener.as_ref().unchecked_ref();
                drop(target.remove_event_listener_with_callback_and_bool(name, function, true));
            }
        });
    });
}
