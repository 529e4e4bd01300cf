//! Where a job stands, as a colour, an icon and a word.

use crate::{
    i18n::{Locale, td_string, use_i18n},
    jobs::model::JobState,
    ui::{Badge, Tone},
};
use icondata_lu as lu;
use leptos::prelude::*;

/// A state as a word.
pub(super) fn state_word(locale: Locale, state: JobState) -> &'static str {
    match state {
        JobState::Queued => td_string!(locale, work.state.queued),
        JobState::Running => td_string!(locale, work.state.running),
        JobState::Succeeded => td_string!(locale, work.state.succeeded),
        JobState::Failed => td_string!(locale, work.state.failed),
        JobState::Cancelled => td_string!(locale, work.state.cancelled),
        JobState::Lost => td_string!(locale, work.state.lost),
    }
}

/// Where a job stands.
#[component]
pub fn JobBadge(
    /// Its state.
    #[prop(into)]
    state: Signal<JobState>,
) -> impl IntoView {
    let i18n = use_i18n();
    let look = move || match state.get() {
        JobState::Queued => (Tone::Idle, lu::LuClock),
        JobState::Running => (Tone::Busy, lu::LuLoaderCircle),
        JobState::Succeeded => (Tone::Good, lu::LuCheck),
        JobState::Cancelled => (Tone::Warn, lu::LuBan),
        JobState::Failed => (Tone::Bad, lu::LuX),
        JobState::Lost => (Tone::Bad, lu::LuUnplug),
    };
    let label = Signal::derive(move || state_word(i18n.get_locale(), state.get()).to_owned());
    view! { <Badge tone=Signal::derive(move || look().0) icon=Signal::derive(move || look().1) label /> }
}
