//! Two badges: what a container is doing, and what its health check says.

use crate::{
    deployments::model::{ContainerState, Health},
    i18n::{Locale, td_string, use_i18n},
    ui::{Badge, Tone},
};
use icondata_lu as lu;
use leptos::prelude::*;

/// A state as a word.
pub(super) fn state_word(locale: Locale, state: ContainerState) -> &'static str {
    match state {
        ContainerState::Created => td_string!(locale, deployments.containers.state.created),
        ContainerState::Running => td_string!(locale, deployments.containers.state.running),
        ContainerState::Paused => td_string!(locale, deployments.containers.state.paused),
        ContainerState::Restarting => td_string!(locale, deployments.containers.state.restarting),
        ContainerState::Removing => td_string!(locale, deployments.containers.state.removing),
        ContainerState::Exited => td_string!(locale, deployments.containers.state.exited),
        ContainerState::Dead => td_string!(locale, deployments.containers.state.dead),
    }
}

/// A health as a word.
pub(super) fn health_word(locale: Locale, health: Health) -> &'static str {
    match health {
        Health::None => td_string!(locale, deployments.containers.health.none),
        Health::Starting => td_string!(locale, deployments.containers.health.starting),
        Health::Healthy => td_string!(locale, deployments.containers.health.healthy),
        Health::Unhealthy => td_string!(locale, deployments.containers.health.unhealthy),
    }
}

/// What a container is doing, with its exit status once it has ended.
#[component]
pub(super) fn StateBadge(
    /// The state and the exit status.
    #[prop(into)]
    state: Signal<(ContainerState, Option<i64>)>,
) -> impl IntoView {
    let i18n = use_i18n();
    let tone = Signal::derive(move || match state.get() {
        (ContainerState::Running, _) => Tone::Good,
        (ContainerState::Paused | ContainerState::Restarting, _) => Tone::Warn,
        (ContainerState::Exited, None | Some(0)) | (ContainerState::Created, _) => Tone::Idle,
        (ContainerState::Removing, _) => Tone::Busy,
        (ContainerState::Exited | ContainerState::Dead, _) => Tone::Bad,
    });
    let icon = Signal::derive(move || match state.get() {
        (ContainerState::Running, _) => lu::LuPlay,
        (ContainerState::Paused, _) => lu::LuPause,
        (ContainerState::Restarting, _) => lu::LuRotateCcw,
        (ContainerState::Created, _) => lu::LuCircleDashed,
        (ContainerState::Removing, _) => lu::LuLoaderCircle,
        (ContainerState::Exited, None | Some(0)) => lu::LuSquare,
        (ContainerState::Exited | ContainerState::Dead, _) => lu::LuCircleAlert,
    });
    let label = Signal::derive(move || {
        let (state, exit_code) = state.get();
        let word = state_word(i18n.get_locale(), state);
        match exit_code.filter(|_| state == ContainerState::Exited) {
            Some(code) => format!("{word} ({code})"),
            None => word.to_owned(),
        }
    });
    view! { <Badge tone icon label /> }
}

/// What a container's health check says; a dash where it has none.
#[component]
pub(super) fn HealthBadge(
    /// The health.
    #[prop(into)]
    health: Signal<Health>,
) -> impl IntoView {
    let i18n = use_i18n();
    let known = move || {
        let (tone, icon) = match health.get() {
            Health::None => return None,
            Health::Starting => (Tone::Busy, lu::LuActivity),
            Health::Healthy => (Tone::Good, lu::LuHeartPulse),
            Health::Unhealthy => (Tone::Bad, lu::LuHeartCrack),
        };
        let label = Signal::derive(move || health_word(i18n.get_locale(), health.get()).to_owned());
        Some(view! { <Badge tone=Signal::stored(tone) icon=Signal::stored(icon) label /> })
    };
    view! {
        {move || match known() {
            Some(badge) => badge.into_any(),
            None => {
                view! {
                    <span class="faint" aria-hidden="true">
                        "–"
                    </span>
                    <span class="visually-hidden">{move || health_word(i18n.get_locale(), Health::None)}</span>
                }
                    .into_any()
            }
        }}
    }
}
