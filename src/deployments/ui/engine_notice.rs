//! What a page says when its engine is away: why, since when what it shows is old, and the way out.

use crate::{
    deployments::model::{EngineState, EngineStatus},
    error::Error,
    i18n::{say, t, t_string, use_i18n},
    time::Timestamp,
    ui::{ActionButton, Ago, Icon, Notice, Tone},
};
use icondata_lu as lu;
use leptos::prelude::*;

/// Above a list that may be out of date.
#[component]
pub(super) fn EngineNotice(
    /// The engine, as the list told.
    engine: Memo<EngineStatus>,
    /// When the list was true.
    at: Memo<Timestamp>,
    /// Why asking anew failed.
    trouble: RwSignal<Option<Error>>,
    /// Asks anew.
    retry: Callback<()>,
) -> impl IntoView {
    let i18n = use_i18n();
    let words = Memo::new(move |_| {
        let failed = trouble.get().map(|error| error.message(i18n.get_locale()));
        failed.or_else(|| {
            engine.with(|engine| {
                let usual = || t_string!(i18n, deployments.containers.away.usual).to_owned();
                (!engine.is_up).then(|| engine.problem.clone().unwrap_or_else(usual))
            })
        })
    });
    let tone = Signal::derive(move || match engine.with(|engine| engine.state) {
        EngineState::Connecting => Tone::Busy,
        EngineState::Up | EngineState::Stale => Tone::Warn,
        EngineState::Down => Tone::Bad,
    });
    move || {
        words.get().map(|words| {
            view! {
                <Notice tone>
                    <p>{words}</p>
                    <div class="row">
                        <span class="soft">{t!(i18n, deployments.containers.away.as_of)} " " <Ago at=at /></span>
                        <ActionButton
                            label=say!(i18n, common.retry)
                            icon=lu::LuRotateCw
                            on_press=retry
                        />
                    </div>
                </Notice>
            }
        })
    }
}

/// Instead of a list, where nothing is known yet because there is no engine.
#[component]
pub(super) fn NoEngine(
    /// The engine, as the list told.
    engine: Memo<EngineStatus>,
    /// Asks anew.
    retry: Callback<()>,
) -> impl IntoView {
    let i18n = use_i18n();
    view! {
        <div class="trouble" role="alert">
            <Icon icon=lu::LuUnplug />
            <strong>{t!(i18n, deployments.containers.away.title)}</strong>
            <p>
                {move || engine.get().problem.unwrap_or_else(|| t_string!(i18n, deployments.containers.away.usual).to_owned())}
            </p>
            <ActionButton
                label=say!(i18n, common.retry)
                icon=lu::LuRotateCw
                on_press=retry
            />
        </div>
    }
}
