//! How a run, a task on a host, and a host in a run stand: a colour, an icon and a word.

use crate::{
    i18n::{Locale, td_string, use_i18n},
    provisioning::model::{HostRecap, RunState, TaskState},
    ui::{Badge, Tone},
};
use icondata_lu as lu;
use leptos::prelude::*;

/// The state of a run as a word.
pub fn state_word(locale: Locale, state: RunState) -> &'static str {
    match state {
        RunState::Queued => td_string!(locale, run_page.state.queued),
        RunState::Running => td_string!(locale, run_page.state.running),
        RunState::Succeeded => td_string!(locale, run_page.state.succeeded),
        RunState::Changed => td_string!(locale, run_page.state.changed),
        RunState::Failed => td_string!(locale, run_page.state.failed),
        RunState::Unreachable => td_string!(locale, run_page.state.unreachable),
        RunState::NothingMatched => td_string!(locale, run_page.state.nothing_matched),
        RunState::SyntaxError => td_string!(locale, run_page.state.syntax_error),
        RunState::Cancelled => td_string!(locale, run_page.state.cancelled),
        RunState::TimedOut => td_string!(locale, run_page.state.timed_out),
        RunState::Lost => td_string!(locale, run_page.state.lost),
    }
}

/// What the colour of a run's state means.
pub(super) const fn state_tone(state: RunState) -> Tone {
    match state {
        RunState::Queued => Tone::Idle,
        RunState::Running => Tone::Busy,
        RunState::Succeeded | RunState::Changed => Tone::Good,
        RunState::NothingMatched | RunState::Cancelled => Tone::Warn,
        RunState::Failed | RunState::Unreachable | RunState::SyntaxError | RunState::TimedOut | RunState::Lost => {
            Tone::Bad
        }
    }
}

const fn state_icon(state: RunState) -> icondata_core::Icon {
    match state {
        RunState::Queued => lu::LuClock,
        RunState::Running => lu::LuLoaderCircle,
        RunState::Succeeded => lu::LuCheck,
        RunState::Changed => lu::LuPencil,
        RunState::Failed => lu::LuX,
        RunState::Unreachable => lu::LuWifiOff,
        RunState::NothingMatched => lu::LuCircleSlash,
        RunState::SyntaxError => lu::LuFileWarning,
        RunState::Cancelled => lu::LuBan,
        RunState::TimedOut => lu::LuTimerOff,
        RunState::Lost => lu::LuUnplug,
    }
}

/// Where a run stands.
#[component]
pub fn RunBadge(
    /// Its state.
    #[prop(into)]
    state: Signal<RunState>,
) -> impl IntoView {
    let i18n = use_i18n();
    view! {
        <Badge
            tone=Signal::derive(move || state_tone(state.get()))
            icon=Signal::derive(move || state_icon(state.get()))
            label=Signal::derive(move || state_word(i18n.get_locale(), state.get()).to_owned())
        />
    }
}

/// How a task ended on a host, as a word; `None` where it did not run.
pub(super) fn task_word(locale: Locale, state: Option<TaskState>) -> &'static str {
    match state {
        Some(TaskState::Running) => td_string!(locale, run_page.task.running),
        Some(TaskState::Ok) => td_string!(locale, run_page.task.ok),
        Some(TaskState::Changed) => td_string!(locale, run_page.task.changed),
        Some(TaskState::Skipped) => td_string!(locale, run_page.task.skipped),
        Some(TaskState::Failed) => td_string!(locale, run_page.task.failed),
        Some(TaskState::Ignored) => td_string!(locale, run_page.task.ignored),
        Some(TaskState::Unreachable) => td_string!(locale, run_page.task.unreachable),
        None => td_string!(locale, run_page.task.absent),
    }
}

/// The colour and the icon of a task on a host.
pub(super) const fn task_look(state: TaskState) -> (Tone, icondata_core::Icon) {
    match state {
        TaskState::Running => (Tone::Busy, lu::LuLoaderCircle),
        TaskState::Ok => (Tone::Good, lu::LuCheck),
        TaskState::Changed => (Tone::Warn, lu::LuPencil),
        TaskState::Skipped => (Tone::Idle, lu::LuMinus),
        TaskState::Failed => (Tone::Bad, lu::LuX),
        TaskState::Ignored => (Tone::Warn, lu::LuCircleAlert),
        TaskState::Unreachable => (Tone::Bad, lu::LuWifiOff),
    }
}

/// How a task stands on a host; `None` where it did not run.
#[component]
pub fn TaskBadge(
    /// Its state.
    #[prop(into)]
    state: Signal<Option<TaskState>>,
) -> impl IntoView {
    let i18n = use_i18n();
    let look = move || state.get().map_or((Tone::Idle, lu::LuMinus), task_look);
    view! {
        <Badge
            tone=Signal::derive(move || look().0)
            icon=Signal::derive(move || look().1)
            label=Signal::derive(move || task_word(i18n.get_locale(), state.get()).to_owned())
        />
    }
}

/// The counts of one host, or of several added up, in words: `6 ok · 1 changed · 1 failed`.
pub fn recap_words(locale: Locale, recap: &HostRecap) -> String {
    let told = |count: u32, words: String| (count > 0).then_some(words);
    let count = |count: u32| count.to_string();
    let words: Vec<String> = [
        told(recap.ok, td_string!(locale, run_page.count.ok, count = count(recap.ok))),
        told(recap.changed, td_string!(locale, run_page.count.changed, count = count(recap.changed))),
        told(recap.failed, td_string!(locale, run_page.count.failed, count = count(recap.failed))),
        told(recap.unreachable, td_string!(locale, run_page.count.unreachable, count = count(recap.unreachable))),
        told(recap.skipped, td_string!(locale, run_page.count.skipped, count = count(recap.skipped))),
        told(recap.rescued, td_string!(locale, run_page.count.rescued, count = count(recap.rescued))),
        told(recap.ignored, td_string!(locale, run_page.count.ignored, count = count(recap.ignored))),
    ]
    .into_iter()
    .flatten()
    .collect();
    if words.is_empty() { td_string!(locale, run_page.count.none).to_owned() } else { words.join(" · ") }
}

/// All hosts of a run added up.
pub(super) fn total(recap: &[HostRecap]) -> HostRecap {
    recap.iter().fold(HostRecap::default(), |sum, host| HostRecap {
        host: String::new(),
        machine: None,
        ok: sum.ok + host.ok,
        changed: sum.changed + host.changed,
        unreachable: sum.unreachable + host.unreachable,
        failed: sum.failed + host.failed,
        skipped: sum.skipped + host.skipped,
        rescued: sum.rescued + host.rescued,
        ignored: sum.ignored + host.ignored,
    })
}

/// The counts of a host as a bar; the words stand beside it.
#[component]
pub fn RecapBar(
    /// The counts.
    #[prop(into)]
    recap: Signal<HostRecap>,
) -> impl IntoView {
    let parts = Memo::new(move |_| {
        recap.with(|it| {
            [
                (Tone::Good, it.ok.saturating_sub(it.changed)),
                (Tone::Warn, it.changed),
                (Tone::Bad, it.failed + it.unreachable),
                (Tone::Idle, it.skipped),
            ]
        })
    });
    view! { <PartsBar parts=Signal::from(parts) /> }
}

/// A bar of parts in their colours.
#[component]
pub(super) fn PartsBar(parts: Signal<[(Tone, u32); 4]>) -> impl IntoView {
    view! {
        <svg class="recap-bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
            {move || {
                let parts = parts.get();
                let all: u32 = parts.iter().map(|(_, count)| count).sum();
                let scale = 100.0 / f64::from(all.max(1));
                let mut left = 0.0;
                parts
                    .into_iter()
                    .filter(|(_, count)| *count > 0)
                    .map(|(tone, count)| {
                        let (x, width) = (left, f64::from(count) * scale);
                        left += width;
                        view! { <rect data-tone=tone.name() x=x.to_string() y="0" width=width.to_string() height="6" /> }
                    })
                    .collect_view()
            }}
        </svg>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_names_only_what_there_is() {
        let recap = HostRecap { ok: 6, changed: 1, failed: 1, ..HostRecap::default() };

        assert_eq!(recap_words(Locale::en, &recap), "6 ok · 1 changed · 1 failed");
        assert_eq!(recap_words(Locale::en, &HostRecap::default()), "nothing yet");
        assert_eq!(total(&[recap.clone(), recap]).ok, 12);
    }
}
