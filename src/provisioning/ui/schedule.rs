//! What the pages of a schedule show beside its fields: what its rule means, when it comes next, what came of
//! it, and its runs.

use super::{RunList, id_of, text_of};
use crate::{
    app::{
        beside::{Input, Tab},
        refusal,
    },
    authentication::policy::Verb,
    error::{Error, Result},
    i18n::{Locale, say, t, t_string, td_string, use_i18n},
    id::Id,
    jobs::model::Job,
    json::resource,
    provisioning::{
        model::RunQuery,
        schedules_api::{SchedulePreview, preview_schedule, run_schedule, schedule_of_run},
    },
    storage::{
        Schedule,
        item::{
            Item as _, RawRecord, Record, Shape, Text,
            calls::{Begun, typed},
        },
        schedule::LastResult,
    },
    text,
    ui::{ActionButton, Ago, Awaited, Badge, ButtonLook, Panel, Skeleton, TextField, Tone, Trouble, use_toasts},
};
use icondata_core::Icon;
use icondata_lu as lu;
use leptos::{prelude::*, task::spawn_local};
use serde::Deserialize as _;
use serde_json::Value;

/// Milliseconds without a letter until the server is asked what a rule means.
const PAUSE: f64 = 250.0;

/// Rules that many people want, with their names.
const PRESETS: [(&str, Text); 5] = [
    ("0 * * * *", text!(schedules.page.hourly)),
    ("0 3 * * *", text!(schedules.page.nightly)),
    ("30 7 * * MON-FRI", text!(schedules.page.on_weekdays)),
    ("0 3 * * SUN", text!(schedules.page.weekly)),
    ("0 3 1 * *", text!(schedules.page.monthly)),
];

/// The tabs of a schedule's page.
pub const TABS: &[Tab] = &[Tab {
    name: "runs",
    label: text!(schedules.page.runs),
    view: |record| {
        let fixed = RunQuery { schedule: Some(id_of(record)), ..RunQuery::default() };
        view! { <RunList fixed /> }.into_any()
    },
}];

/// What stands first on a schedule's page.
pub fn overview(record: Signal<RawRecord>) -> AnyView {
    // A record that this program cannot read has no plan to show.
    let record = Memo::new(move |_| typed::<Schedule>(record.get()).ok());
    let is_read = Memo::new(move |_| record.with(Option::is_some));
    (move || is_read.get().then(|| view! { <Plan record /> })).into_any()
}

/// The buttons of a schedule's page.
pub fn actions(record: Signal<RawRecord>) -> AnyView {
    view! { <RunNow id=id_of(record) name=text_of(record, "name") /> }.into_any()
}

/// What came of a schedule's last time, in the list: a badge that leads to the run.
pub fn last_result(record: &RawRecord) -> Option<AnyView> {
    let result = LastResult::deserialize(record.item.get("last_result")?).ok()?;
    let badge = view! { <ResultBadge result /> };
    Some(match record.item.get("last_run").and_then(Value::as_str) {
        Some(run) => view! { <a class="badge-link" href=format!("/runs/{run}")>{badge}</a> }.into_any(),
        None => badge.into_any(),
    })
}

/// The first values of a schedule that does again what a run did.
///
/// # Errors
/// [`Error::NotFound`] when the run is not in reach.
pub async fn begin(from: String) -> Result<Begun> {
    let run: Id<Job> = from.parse().map_err(|_| Error::not_found("run"))?;
    schedule_of_run(run).await
}

/// The input of the rule: below it stands what the rule means, while it is typed.
pub fn cron_input(input: Input) -> AnyView {
    view! { <CronInput input /> }.into_any()
}

/// The input of the time zone, with those that the browser knows.
pub fn zone_input(input: Input) -> AnyView {
    view! { <ZoneInput input /> }.into_any()
}

#[component]
fn CronInput(input: Input) -> impl IntoView {
    let i18n = use_i18n();
    let Input { name, label, value, required, hint, problem, other, .. } = input;
    let zone = other.run("time_zone");
    let told = RwSignal::new(None::<Result<SchedulePreview>>);
    let is_asking = RwSignal::new(false);
    let left = RwSignal::new(false);
    let asked = Memo::new(move |_| {
        (value.get().trim().to_owned(), zone.map(|zone| zone.get().trim().to_owned()).unwrap_or_default())
    });
    let ask = leptos_use::use_debounce_fn(
        move || {
            let now = asked.get_untracked();
            if now.0.is_empty() {
                return;
            }
            spawn_local(async move {
                let answer = preview_schedule(now.0.clone(), now.1.clone()).await;
                // An answer to what does not stand there any more comes too late.
                if asked.try_get_untracked() == Some(now) {
                    told.set(Some(answer));
                    is_asking.set(false);
                }
            });
        },
        PAUSE,
    );
    Effect::new(move || {
        let is_empty = asked.with(|(cron, _)| cron.is_empty());
        is_asking.set(!is_empty);
        if is_empty {
            told.set(None);
        }
        ask();
    });
    let wrong = move || told.with(|told| told.as_ref().and_then(|told| told.as_ref().err().and_then(wrong_cron)));
    // While somebody types, half a rule is no mistake yet.
    let shown = Signal::derive(move || {
        let is_settled = left.get() && !is_asking.get();
        problem.get().or_else(|| is_settled.then(wrong).flatten())
    });
    view! {
        <div class="cron" on:focusout=move |_| left.set(true)>
            <TextField name label value required hint problem=shown placeholder="0 3 * * *" />
            <div class="cron__presets" role="group" aria-label=t!(i18n, schedules.page.presets)>
                {PRESETS
                    .into_iter()
                    .map(|(rule, word)| view! {
                        <ActionButton
                            label=Signal::derive(move || word(i18n.get_locale()).to_owned())
                            look=ButtonLook::Plain
                            pressed=Signal::derive(move || asked.with(|(cron, _)| cron == rule))
                            on_press=Callback::new(move |()| value.set(rule.to_owned()))
                        />
                    })
                    .collect_view()}
            </div>
            <div class="cron__told" aria-live="polite" aria-busy=move || is_asking.get().then_some("true")>
                {move || told.get().map(|told| match told {
                    Ok(told) => view! { <Told told /> }.into_any(),
                    Err(error) => {
                        // What stands at the input already is not said twice.
                        let text = error.message(i18n.get_locale());
                        let at_input = shown.get().is_some();
                        let own = sentences(&error).unwrap_or(text);
                        (!at_input).then(|| view! { <p class="soft">{own}</p> }).into_any()
                    }
                })}
            </div>
        </div>
    }
}

fn wrong_cron(error: &Error) -> Option<String> {
    error.problems().iter().find(|problem| problem.field == "cron").map(|problem| problem.message.clone())
}

fn sentences(error: &Error) -> Option<String> {
    let all: Vec<&str> = error.problems().iter().map(|problem| problem.message.as_str()).collect();
    (!all.is_empty()).then(|| all.join(" "))
}

#[component]
fn ZoneInput(input: Input) -> impl IntoView {
    let Input { name, label, value, required, hint, problem, .. } = input;
    let zones = RwSignal::new(Vec::<String>::new());
    Effect::new(move || zones.set(known_zones()));
    view! {
        <TextField name label value required hint problem list="time-zones" />
        <datalist id="time-zones">
            {move || zones.get().into_iter().map(|zone| view! { <option value=zone></option> }).collect_view()}
        </datalist>
    }
}

/// The time zones that the browser knows.
#[cfg(feature = "hydrate")]
fn known_zones() -> Vec<String> {
    use leptos::wasm_bindgen::{JsCast as _, JsValue};

    let ask = || -> Result<js_sys::Array, JsValue> {
        let intl = js_sys::Reflect::get(&js_sys::global(), &"Intl".into())?;
        let supported = js_sys::Reflect::get(&intl, &"supportedValuesOf".into())?.dyn_into::<js_sys::Function>()?;
        supported.call1(&intl, &"timeZone".into())?.dyn_into()
    };
    // An old browser knows none to offer.
    let mut zones: Vec<String> =
        ask().map(|zones| zones.iter().filter_map(|zone| zone.as_string()).collect()).unwrap_or_default();
    if zones.iter().all(|zone| zone != "UTC") {
        zones.insert(0, "UTC".to_owned());
    }
    zones
}

#[cfg(not(feature = "hydrate"))]
const fn known_zones() -> Vec<String> {
    Vec::new()
}

/// A rule in words, the next times, and what the clocks do to it.
#[component]
fn Told(told: SchedulePreview) -> impl IntoView {
    let i18n = use_i18n();
    let SchedulePreview { sentence, time_zone, times, notes } = told;
    view! {
        <p class="cron__sentence">{sentence}</p>
        <p class="cron__zone">{move || t_string!(i18n, schedules.page.next_times_in, zone = time_zone.clone())}</p>
        <ol class="cron__times">
            {times
                .into_iter()
                .map(|next| view! {
                    <li>
                        <time class="number" datetime=next.at.to_string()>{next.local}</time>
                        " "
                        <span class="soft number">{next.offset}</span>
                    </li>
                })
                .collect_view()}
        </ol>
        {notes.into_iter().map(|note| view! { <p class="cron__note">{note}</p> }).collect_view()}
    }
}

#[component]
fn Plan(record: Memo<Option<Record<Schedule>>>) -> impl IntoView {
    let i18n = use_i18n();
    let rule = Memo::new(move |_| {
        record.with(|record| {
            let item = record.as_ref().map(|record| &record.item);
            item.map(|item| (item.cron.clone(), item.time_zone.clone().unwrap_or_default())).unwrap_or_default()
        })
    });
    // The sentence is in the language that the page is read in.
    let told = resource(move || (i18n.get_locale(), rule.get()), |(_, (cron, zone))| preview_schedule(cron, zone));
    let is_paused = Memo::new(move |_| {
        let base = record.with(|record| record.as_ref().map(|record| record.base.clone()));
        base.is_some_and(|base| !base.enabled && base.deleted_at.is_none())
    });
    let last = Memo::new(move |_| record.with(|record| record.as_ref().map(|record| record.item.clone())));
    view! {
        <Panel title=say!(i18n, schedules.page.plan)>
            <div class="panel__body plan">
                <div>
                    {move || is_paused.get().then(|| view! {
                        <p class="plan__paused">{t!(i18n, schedules.page.paused_times)}</p>
                    })}
                    <Awaited
                        resource=told
                        fallback=|| view! { <Skeleton rows=5 /> }
                        view=move || move || told.get().map(|answer| match answer {
                            Ok(told) => view! { <Told told /> }.into_any(),
                            Err(error) => {
                                let retry = Callback::new(move |()| told.refetch());
                                view! { <Trouble error=Signal::derive(move || error.clone()) retry /> }.into_any()
                            }
                        })
                    />
                </div>
                {move || last.get().map(|item| view! { <Last item /> })}
            </div>
        </Panel>
    }
}

/// What came of the last time.
#[component]
fn Last(item: Schedule) -> impl IntoView {
    let i18n = use_i18n();
    let Schedule { last_at, last_run, last_result, last_reason, .. } = item;
    let Some(result) = last_result else {
        return view! {
            <div class="plan__last">
                <h3>{t!(i18n, schedules.page.last)}</h3>
                <p class="soft">{t!(i18n, schedules.page.never_ran)}</p>
            </div>
        }
        .into_any();
    };
    view! {
        <div class="plan__last">
            <h3>{t!(i18n, schedules.page.last)}</h3>
            <p>
                <ResultBadge result />
                " "
                {last_at.map(|at| view! { <span class="soft"><Ago at /></span> })}
            </p>
            {last_reason.map(|reason| view! { <p class="plan__reason">{reason}</p> })}
            {last_run.map(|run| view! {
                <p><a class="reference" href=format!("/runs/{run}")>{t!(i18n, schedules.page.see_run)}</a></p>
            })}
        </div>
    }
    .into_any()
}

#[component]
fn ResultBadge(result: LastResult) -> impl IntoView {
    let i18n = use_i18n();
    let (tone, icon) = look_of(result);
    view! { <Badge tone icon label=Signal::derive(move || result_word(&result_name(result), i18n.get_locale())) /> }
}

fn look_of(result: LastResult) -> (Tone, Icon) {
    match result {
        LastResult::Started => (Tone::Busy, lu::LuLoaderCircle),
        LastResult::Waiting => (Tone::Busy, lu::LuHourglass),
        LastResult::Succeeded | LastResult::Changed => (Tone::Good, lu::LuCircleCheck),
        LastResult::Failed | LastResult::Unreachable | LastResult::SyntaxError | LastResult::TimedOut => {
            (Tone::Bad, lu::LuCircleX)
        }
        LastResult::NothingMatched
        | LastResult::Cancelled
        | LastResult::Lost
        | LastResult::Skipped
        | LastResult::Missed
        | LastResult::Nobody
        | LastResult::Forbidden
        | LastResult::Refused => (Tone::Warn, lu::LuTriangleAlert),
    }
}

fn result_name(result: LastResult) -> String {
    serde_json::to_value(result).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A result in words.
fn result_word(name: &str, locale: Locale) -> String {
    let field = Schedule::KIND.field("last_result").map(|field| field.shape);
    let Some(Shape::Choice(choices)) = field else { return name.to_owned() };
    choices
        .iter()
        .find(|choice| choice.value == name)
        .map_or_else(|| name.to_owned(), |choice| (choice.label)(locale).to_owned())
}

#[component]
fn RunNow(id: Id<Schedule>, name: Memo<String>) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let run = Action::new(move |(): &()| run_schedule(id));
    Effect::new(move || {
        let Some(answer) = run.value().get() else { return };
        let locale = i18n.get_locale_untracked();
        match answer {
            Ok(job) => {
                let text = td_string!(locale, schedules.page.started, name = name.get_untracked());
                let link = td_string!(locale, schedules.page.see_run).to_owned();
                toasts.begun(text, (link, format!("/runs/{job}")));
            }
            Err(error) => toasts.failed(&error),
        }
    });
    view! {
        <ActionButton
            label=say!(i18n, schedules.page.run_now)
            icon=lu::LuPlay
            refused=refusal(Verb::Operate, "run")
            busy=run.pending()
            on_press=Callback::new(move |()| drop(run.dispatch(())))
        />
    }
}
