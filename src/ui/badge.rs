//! Badges: a colour, an icon and a word.

use super::icon::Icon;
use leptos::prelude::*;

/// What a colour means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Wants a look.
    Warn,
    /// Broken.
    Bad,
    /// At rest.
    Idle,
    /// Under way.
    Busy,
}

impl Tone {
    /// Its name in the style sheets: the value of `data-tone`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Idle => "idle",
            Self::Busy => "busy",
        }
    }
}

/// A badge.
#[component]
pub fn Badge(
    /// What its colour means.
    #[prop(into)]
    tone: Signal<Tone>,
    /// The icon that says the same without colour.
    #[prop(into)]
    icon: Signal<icondata_core::Icon>,
    /// The word.
    #[prop(into)]
    label: Signal<String>,
) -> impl IntoView {
    view! {
        <span class="badge" data-tone=move || tone.get().name()>
            <Icon icon />
            {move || label.get()}
        </span>
    }
}
