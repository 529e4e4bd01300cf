//! Icons: one set (Lucide), drawn in line with text and hidden from screen readers.

use leptos::prelude::*;

/// An icon. It says nothing to a screen reader: the text beside it, or the button's label, does.
#[component]
pub fn Icon(
    /// Which one, such as `icondata_lu::LuPlay`.
    #[prop(into)]
    icon: Signal<icondata_core::Icon>,
) -> impl IntoView {
    view! {
        <span class="icon" aria-hidden="true">
            <leptos_icons::Icon icon width="100%" height="100%" />
        </span>
    }
}
