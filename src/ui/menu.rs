//! Menus on the browser's own popover: above everything, closed by Escape and a press elsewhere.

use super::icon::Icon;
use leptos::{html, prelude::*};

/// A button that opens a menu.
#[component]
pub fn Menu(
    /// The popover's id, unique on the page.
    #[prop(into)]
    id: String,
    /// What the menu is for; spoken, and shown unless there is only an icon.
    #[prop(into)]
    label: Signal<String>,
    /// The button's icon.
    #[prop(into)]
    icon: Signal<icondata_core::Icon>,
    /// The button shows its label beside the icon.
    #[prop(optional)]
    with_label: bool,
    /// The button looks like a further chip in a row of filters.
    #[prop(optional)]
    as_chip: bool,
    /// Stays open while something in it is pressed, as a set of choices should.
    #[prop(optional)]
    stays: bool,
    /// The items.
    children: ChildrenFn,
) -> impl IntoView {
    let with_label = with_label || as_chip;
    let class = match (as_chip, with_label) {
        (true, _) => "chip chip--add",
        (false, true) => "button button--quiet",
        (false, false) => "button button--quiet button--icon",
    };
    let button = NodeRef::<html::Button>::new();
    let popover = NodeRef::<html::Div>::new();
    let open = RwSignal::new(false);
    let place = move || {
        #[cfg(feature = "hydrate")]
        if let (Some(button), Some(popover)) = (button.get_untracked(), popover.get_untracked()) {
            place_beside(&button, &popover);
        }
    };
    view! {
        <button
            type="button"
            node_ref=button
            class=class
            popovertarget=id.clone()
            aria-haspopup=if stays { "dialog" } else { "true" }
            aria-expanded=move || if open.get() { "true" } else { "false" }
            aria-label=move || (!with_label).then(|| label.get())
            title=move || (!with_label).then(|| label.get())
        >
            <Icon icon />
            {with_label.then_some(move || label.get())}
        </button>
        <div
            node_ref=popover
            id=id
            class=if stays { "menu menu--stays" } else { "menu" }
            popover="auto"
            role=stays.then_some("dialog")
            aria-label=move || stays.then(|| label.get())
            on:toggle=move |_| {
                let shown = popover
                    .get_untracked()
                    .is_some_and(|popover| popover.matches(":popover-open").unwrap_or(false));
                open.set(shown);
                if shown {
                    place();
                }
            }
            on:click=move |_| {
                if let Some(popover) = popover.get_untracked().filter(|_| !stays) {
                    hide_popover(&popover);
                }
            }
        >
            {move || open.get().then(|| children())}
        </div>
    }
}

/// Puts a popover under its button, or above it where there is no room; always within the window.
#[cfg(feature = "hydrate")]
fn place_beside(button: &leptos::web_sys::HtmlElement, popover: &leptos::web_sys::HtmlElement) {
    let at = button.get_bounding_client_rect();
    let own = popover.get_bounding_client_rect();
    let width = window().inner_width().ok().and_then(|width| width.as_f64()).unwrap_or(0.0);
    let height = window().inner_height().ok().and_then(|height| height.as_f64()).unwrap_or(0.0);
    let left = (at.right() - own.width()).clamp(8.0, (width - own.width() - 8.0).max(8.0));
    let below = at.bottom() + 4.0;
    let top = if below + own.height() > height - 8.0 { (at.top() - own.height() - 4.0).max(8.0) } else { below };
    // Positions are set through the object model, which the content security policy allows.
    let style = popover.style();
    drop(style.set_property("left", &format!("{left}px")));
    drop(style.set_property("top", &format!("{top}px")));
}

/// Closes a popover; the browser's bindings have no method for it yet.
pub fn hide_popover(popover: &leptos::web_sys::HtmlElement) {
    use leptos::wasm_bindgen::{JsCast as _, JsValue};

    let method = js_method(popover.as_ref(), "hidePopover");
    if let Some(method) = method.and_then(|value: JsValue| value.dyn_into::<leptos::web_sys::js_sys::Function>().ok()) {
        drop(method.call0(popover.as_ref()));
    }
}

fn js_method(object: &leptos::wasm_bindgen::JsValue, name: &str) -> Option<leptos::wasm_bindgen::JsValue> {
    leptos::web_sys::js_sys::Reflect::get(object, &name.into()).ok()
}

/// One entry of a menu.
#[component]
pub fn MenuItem(
    /// What it does.
    #[prop(into)]
    label: Signal<String>,
    /// Its icon.
    #[prop(into)]
    icon: Signal<icondata_core::Icon>,
    /// Leads to something being destroyed.
    #[prop(optional)]
    danger: bool,
    /// Why it cannot be chosen now.
    #[prop(into, optional)]
    refused: Signal<Option<String>>,
    /// Does it.
    on_press: Callback<()>,
) -> impl IntoView {
    view! {
        <button
            type="button"
            class="menu__item"
            data-tone=danger.then_some("bad")
            aria-disabled=move || refused.get().is_some().then_some("true")
            aria-label=move || refused.get().map(|reason| format!("{}. {reason}", label.get()))
            title=move || refused.get()
            on:click=move |event| {
                if refused.get_untracked().is_some() {
                    event.stop_propagation();
                } else {
                    on_press.run(());
                }
            }
        >
            <Icon icon />
            {move || label.get()}
        </button>
    }
}

/// One entry of a menu that leads somewhere.
#[component]
pub fn MenuLink(
    /// What is there.
    #[prop(into)]
    label: Signal<String>,
    /// Its icon.
    #[prop(into)]
    icon: Signal<icondata_core::Icon>,
    /// Where it leads.
    #[prop(into)]
    href: Signal<String>,
    /// True where the server answers with a file.
    #[prop(optional)]
    download: bool,
    /// Why it leads nowhere at the moment.
    #[prop(into, optional)]
    refused: Signal<Option<String>>,
) -> impl IntoView {
    view! {
        <a
            class="menu__item"
            href=move || refused.get().is_none().then(|| href.get())
            role=move || refused.get().is_some().then_some("link")
            aria-disabled=move || refused.get().is_some().then_some("true")
            title=move || refused.get()
            rel=download.then_some("external")
            download=download.then_some("")
        >
            <Icon icon />
            {move || label.get()}
        </a>
    }
}
