//! Dialogs, on the browser's own `<dialog>`: focus stays inside, Escape closes, focus returns.

use super::button::{ActionButton, ButtonLook};
use crate::i18n::{say, t_string, use_i18n};
use leptos::{html, prelude::*};

/// A dialog over the page.
#[component]
pub fn Dialog(
    /// Whether it is shown; set to false when the person closes it.
    open: RwSignal<bool>,
    /// Its heading.
    #[prop(into)]
    title: Signal<String>,
    /// More room for a form.
    #[prop(optional)]
    wide: bool,
    /// What is in it; made anew each time it opens.
    children: ChildrenFn,
) -> impl IntoView {
    let i18n = use_i18n();
    let node = NodeRef::<html::Dialog>::new();
    Effect::new(move || {
        let Some(dialog) = node.get() else { return };
        if open.get() && !dialog.open() {
            // Fails only when it is shown already, which was just looked at.
            drop(dialog.show_modal());
        } else if !open.get() && dialog.open() {
            dialog.close();
        }
    });
    let heading = StoredValue::new(crate::ui::dialog::heading_id());
    view! {
        <dialog
            node_ref=node
            class=if wide { "dialog dialog--wide" } else { "dialog" }
            aria-labelledby=heading.get_value()
            on:close=move |_| open.set(false)
            on:click=move |event| {
                // A press on the backdrop has the dialog itself as its target.
                let on_backdrop = node.get_untracked().is_some_and(|dialog| {
                    let element: &web_element::Element = dialog.as_ref();
                    event.target().is_some_and(|target| web_element::is_same(&target, element))
                });
                if on_backdrop {
                    open.set(false);
                }
            }
        >
            <div class="dialog__head">
                <h2 id=heading.get_value()>{move || title.get()}</h2>
                <ActionButton
                    label=say!(i18n, common.close)
                    icon=icondata_lu::LuX
                    look=ButtonLook::Icon
                    on_press=Callback::new(move |()| open.set(false))
                />
            </div>
            {move || open.get().then(|| children())}
        </dialog>
    }
}

/// A question before something is destroyed. It names what goes, the first ten and the count.
#[component]
pub fn ConfirmDialog(
    /// Whether it is shown.
    open: RwSignal<bool>,
    /// The question.
    #[prop(into)]
    title: Signal<String>,
    /// What is lost, in a sentence.
    #[prop(into)]
    text: Signal<String>,
    /// The names of what goes.
    #[prop(into)]
    names: Signal<Vec<String>>,
    /// What the button says, such as "Remove".
    #[prop(into)]
    action: Signal<String>,
    /// True while it is being done.
    #[prop(into, optional)]
    busy: Signal<bool>,
    /// Why it cannot be done yet, such as a box that must be ticked first.
    #[prop(into, optional)]
    refused: Signal<Option<String>>,
    /// Does it.
    on_confirm: Callback<()>,
    /// Further choices between the names and the buttons.
    #[prop(optional)]
    children: Option<ChildrenFn>,
) -> impl IntoView {
    let i18n = use_i18n();
    let children = StoredValue::new(children);
    view! {
        <Dialog open title>
            <div class="dialog__body">
                <p>{move || text.get()}</p>
                <ul class="dialog__names mono">
                    {move || names.get().into_iter().take(10).map(|name| view! { <li>{name}</li> }).collect_view()}
                    {move || {
                        let more = names.get().len().saturating_sub(10);
                        (more > 0).then(|| view! { <li class="soft">{t_string!(i18n, common.and_more, count = more.to_string())}</li> })
                    }}
                </ul>
                {move || children.get_value().map(|children| children())}
            </div>
            <div class="dialog__actions">
                <ActionButton
                    label=say!(i18n, common.cancel)
                    on_press=Callback::new(move |()| open.set(false))
                />
                <ActionButton label=action look=ButtonLook::Destroy refused busy on_press=on_confirm />
            </div>
        </Dialog>
    }
}

/// How many dialogs there were on the page.
#[derive(Clone, Copy)]
struct Count(StoredValue<u32>);

/// Makes the one count of dialogs; called once by the frame, because it outlives every page.
pub fn provide_count() {
    provide_context(Count(StoredValue::new(0)));
}

/// A further identifier for a heading, the same on the server and at the first rendering because
/// both count the dialogs of a page in the same order.
fn heading_id() -> String {
    let Count(count) = use_context::<Count>().expect("the frame provides the count");
    count.update_value(|count| *count += 1);
    format!("dialog-{}", count.get_value())
}

/// Comparison of elements, which only the browser can make.
mod web_element {
    pub use leptos::web_sys::Element;

    /// Whether an event's target is that element.
    pub fn is_same(target: &leptos::web_sys::EventTarget, element: &Element) -> bool {
        use leptos::wasm_bindgen::JsCast as _;
        target.dyn_ref::<Element>().is_some_and(|target| target == element)
    }
}
