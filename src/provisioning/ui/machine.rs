//! What a machine's page shows beside its record: its connection and keys, its facts, its runs, and *wake*.

use super::{
    RUNS_OF_MACHINE,
    keys::{KeyList, KeyQuestion, KeysPanel},
};
use crate::{
    app::{beside::Tab, refusal},
    authentication::policy::Verb,
    error::Error,
    events::{client::use_changes, model::Topic},
    i18n::{Locale, t, t_string, td_string, use_i18n},
    id::Id,
    provisioning::{
        machines::{CheckReport, CheckStep, FactDifference, KeyOwner, MachineFacts, StepResult, StepState},
        machines_api::{adopt_facts, check_connection, get_facts, wake_machine},
    },
    storage::{
        Machine, entry,
        item::{RawRecord, ui::RecordPicker},
    },
    text,
    ui::{
        ActionButton, Ago, ButtonLook, Empty, Icon, LinkButton, LiveView, Notice, Panel, Pick, Tone, bytes, use_toasts,
    },
};
use icondata_lu as lu;
use leptos::prelude::*;
use serde_json::Value;

/// The tabs of a machine's page.
pub const TABS: &[Tab] = &[
    Tab { name: "ssh", label: text!(machines.keys.tab), view: ssh },
    Tab { name: "facts", label: text!(machines.facts.tab), view: facts },
    RUNS_OF_MACHINE,
];

/// The buttons at the head of a machine's page.
pub fn actions(record: &RawRecord) -> AnyView {
    let has_mac = record.item.get("mac").is_some_and(Value::is_string);
    view! { <WakeButton id=record.base.id.cast() has_mac /> }.into_any()
}

fn name_of(record: &RawRecord) -> String {
    record.item.get("name").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn ssh(record: &RawRecord) -> AnyView {
    let whose = record.base.customer.map(|customer| customer.to_string());
    view! { <SshTab id=record.base.id.cast() name=name_of(record) whose /> }.into_any()
}

fn facts(record: &RawRecord) -> AnyView {
    view! { <FactsTab id=record.base.id.cast() revision=record.base.revision /> }.into_any()
}

#[component]
fn WakeButton(id: Id<Machine>, has_mac: bool) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let busy = RwSignal::new(false);
    let refused = refusal(Verb::Operate, "machine");
    let refused = Signal::derive(move || {
        refused.get().or_else(|| (!has_mac).then(|| t_string!(i18n, machines.wake.no_mac).to_owned()))
    });
    let wake = Callback::new(move |()| {
        busy.set(true);
        leptos::task::spawn_local(async move {
            match wake_machine(id).await {
                Ok(()) => toasts.done(t_string!(i18n, machines.wake.sent)),
                Err(error) => toasts.failed(&error),
            }
            busy.try_set(false);
        });
    });
    view! {
        <ActionButton
            label=Signal::derive(move || t_string!(i18n, machines.wake.button).to_owned())
            icon=lu::LuAlarmClock
            refused
            busy
            on_press=wake
        />
    }
}

#[component]
fn SshTab(id: Id<Machine>, name: String, whose: Option<String>) -> impl IntoView {
    let i18n = use_i18n();
    let owner = KeyOwner::Machine(id);
    let name = Signal::stored(name);
    let toasts = use_toasts();
    let chosen = RwSignal::new(Vec::<Pick>::new());
    let report = RwSignal::new(None::<CheckReport>);
    let problem = RwSignal::new(None::<String>);
    let busy = RwSignal::new(false);
    let check = Callback::new(move |()| {
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        problem.set(None);
        let credentials =
            chosen.with_untracked(|chosen| chosen.iter().filter_map(|pick| pick.id.parse().ok()).collect());
        leptos::task::spawn_local(async move {
            match check_connection(id, credentials).await {
                Ok(found) => drop(report.try_set(Some(found))),
                Err(Error::Invalid { problems }) => {
                    problem.try_set(problems.into_iter().next().map(|problem| problem.message));
                }
                Err(error) => toasts.failed(&error),
            }
            busy.try_set(false);
        });
    });
    // A key that was decided over changes what a check finds: it is made again where one was made.
    let decided = Callback::new(move |()| {
        if report.with_untracked(Option::is_some) {
            check.run(());
        }
    });
    let asked = RwSignal::new(None);
    let keys = Signal::derive(move || report.with(|it| it.as_ref().map(|it| it.keys.clone()).unwrap_or_default()));
    view! {
        <div class="stack">
            <Panel title=Signal::derive(move || t_string!(i18n, machines.check.title).to_owned())>
                <div class="panel__body stack">
                    <p class="soft">{t!(i18n, machines.check.hint)}</p>
                    <div class="check-form">
                        <RecordPicker
                            name="check-credentials".to_owned()
                            label=Signal::derive(move || t_string!(i18n, machines.check.credentials).to_owned())
                            kind="credential"
                            chosen
                            whose=Signal::stored(Some(whose))
                            many=true
                            hint=Signal::derive(move || t_string!(i18n, machines.check.credentials_hint).to_owned())
                            problem
                        />
                        <ActionButton
                            label=Signal::derive(move || {
                                if busy.get() {
                                    t_string!(i18n, machines.check.running)
                                } else if report.with(Option::is_some) {
                                    t_string!(i18n, machines.check.again)
                                } else {
                                    t_string!(i18n, machines.check.button)
                                }
                                .to_owned()
                            })
                            icon=lu::LuPlugZap
                            look=ButtonLook::Primary
                            refused=refusal(Verb::Operate, "machine")
                            busy
                            on_press=check
                        />
                    </div>
                    <div class="stack" aria-live="polite">
                        {move || report.get().map(|report| view! { <Report report /> })}
                        <KeyList keys asked />
                    </div>
                </div>
            </Panel>
            <KeysPanel owner name on_decided=decided />
            <KeyQuestion owner name asked on_decided=Some(decided) />
        </div>
    }
}

#[component]
fn Report(report: CheckReport) -> impl IntoView {
    let i18n = use_i18n();
    let ok = report.ok;
    view! {
        <Notice tone=if ok { Tone::Good } else { Tone::Bad }>
            {move || if ok { t_string!(i18n, machines.check.ok) } else { t_string!(i18n, machines.check.failed) }}
            " "
            <Ago at=report.at />
        </Notice>
        <ol class="check-steps" aria-label=move || t_string!(i18n, machines.check.title)>
            {report.steps.into_iter().map(|step| view! { <Step step /> }).collect_view()}
        </ol>
    }
}

#[component]
fn Step(step: StepResult) -> impl IntoView {
    let i18n = use_i18n();
    let (tone, icon) = match step.state {
        StepState::Passed => (Tone::Good, lu::LuCircleCheck),
        StepState::Failed => (Tone::Bad, lu::LuCircleX),
        StepState::NotTried => (Tone::Idle, lu::LuCircleDashed),
    };
    let StepResult { step, state, detail, remedy, took_ms } = step;
    view! {
        <li class="check-steps__step" data-tone=tone.name()>
            <span class="check-steps__icon"><Icon icon /></span>
            <span class="check-steps__name">{move || step_name(step, i18n.get_locale())}</span>
            <span class="visually-hidden">{move || step_state(state, i18n.get_locale())}</span>
            <span class="check-steps__detail">
                {detail}
                {remedy.map(|remedy| view! { <span class="check-steps__remedy">{remedy}</span> })}
            </span>
            {(state != StepState::NotTried).then(|| view! { <span class="soft number">{format!("{took_ms} ms")}</span> })}
        </li>
    }
}

fn step_name(step: CheckStep, locale: Locale) -> &'static str {
    match step {
        CheckStep::Address => td_string!(locale, machines.check.step.address),
        CheckStep::Port => td_string!(locale, machines.check.step.port),
        CheckStep::HostKey => td_string!(locale, machines.check.step.host_key),
        CheckStep::Login => td_string!(locale, machines.check.step.login),
        CheckStep::Python => td_string!(locale, machines.check.step.python),
        CheckStep::Become => td_string!(locale, machines.check.step.root),
    }
}

fn step_state(state: StepState, locale: Locale) -> &'static str {
    match state {
        StepState::Passed => td_string!(locale, machines.check.state.passed),
        StepState::Failed => td_string!(locale, machines.check.state.failed),
        StepState::NotTried => td_string!(locale, machines.check.state.not_tried),
    }
}

#[component]
fn FactsTab(id: Id<Machine>, revision: i64) -> impl IntoView {
    let i18n = use_i18n();
    let changes = use_changes(vec![Topic::Records("machine".to_owned())]);
    view! {
        <LiveView
            fetch=move || get_facts(id)
            changes
            view=move |live| {
                let known = live.value();
                move || match known.get() {
                    Some(facts) => view! { <Facts id revision facts /> }.into_any(),
                    None => view! {
                        <Empty icon=lu::LuScanEye text=Signal::derive(move || t_string!(i18n, machines.facts.none).to_owned())>
                            <LinkButton
                                href="/playbooks"
                                label=Signal::derive(move || t_string!(i18n, machines.facts.playbooks).to_owned())
                            />
                        </Empty>
                    }
                    .into_any(),
                }
            }
        />
    }
}

#[component]
fn Facts(id: Id<Machine>, revision: i64, facts: MachineFacts) -> impl IntoView {
    let i18n = use_i18n();
    let MachineFacts { run, gathered_at, facts, differences } = facts;
    let pretty = serde_json::to_string_pretty(&facts).unwrap_or_default();
    let facts = StoredValue::new(facts);
    let text = move |name: &str| {
        facts.with_value(|facts| {
            let found = facts.get(&format!("ansible_{name}")).or_else(|| facts.get(name))?;
            match found {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            }
        })
    };
    let list = move |name: &str| {
        facts.with_value(|facts| {
            let found = facts.get(&format!("ansible_{name}")).or_else(|| facts.get(name));
            let list = found.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            list.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
        })
    };
    let of = move |section: &str, name: &str| {
        facts.with_value(|facts| {
            let found = facts.get(&format!("ansible_{section}")).or_else(|| facts.get(section))?;
            found.get(name)?.as_str().map(str::to_owned)
        })
    };
    let joined = |parts: [Option<String>; 2]| {
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    };
    let system = joined([text("distribution").or_else(|| text("system")), text("distribution_version")]);
    let addresses = [list("all_ipv4_addresses"), list("all_ipv6_addresses")].concat();
    let addresses = (!addresses.is_empty()).then(|| addresses.join(", "));
    // The model stands third in what the kernel tells of each core.
    let model = list("processor").into_iter().nth(2);
    let cores = text("processor_vcpus").or_else(|| text("processor_count"));
    let memory = text("memtotal_mb").and_then(|mebibytes| mebibytes.parse::<i64>().ok());
    let mac = of("default_ipv4", "macaddress");
    let told = move |value: Option<String>| match value {
        Some(value) => view! { {value} }.into_any(),
        None => view! { <span class="soft">{t!(i18n, machines.facts.unknown)}</span> }.into_any(),
    };
    view! {
        <div class="record">
            <Panel title=Signal::derive(move || t_string!(i18n, machines.facts.title).to_owned())>
                <dl class="facts panel__body">
                    <dt>{t!(i18n, machines.facts.gathered)}</dt>
                    <dd>
                        <Ago at=gathered_at /> " · "
                        <a class="link" href=format!("/runs/{run}")>{t!(i18n, machines.facts.run)}</a>
                    </dd>
                    <dt>{t!(i18n, machines.facts.name)}</dt>
                    <dd>{told(text("fqdn").or_else(|| text("hostname")))}</dd>
                    <dt>{t!(i18n, machines.facts.system)}</dt>
                    <dd>{told(system)}</dd>
                    <dt>{t!(i18n, machines.facts.kernel)}</dt>
                    <dd>{told(text("kernel"))}</dd>
                    <dt>{t!(i18n, machines.facts.architecture)}</dt>
                    <dd>{told(text("architecture"))}</dd>
                    <dt>{t!(i18n, machines.facts.cpu)}</dt>
                    <dd>
                        {move || {
                            let cores = cores.clone().map(|count| t_string!(i18n, machines.facts.cores, count = count));
                            let parts: Vec<String> = model.clone().into_iter().chain(cores).collect();
                            told((!parts.is_empty()).then(|| parts.join(" · ")))
                        }}
                    </dd>
                    <dt>{t!(i18n, machines.facts.memory)}</dt>
                    <dd>{move || told(memory.map(|mebibytes| bytes(mebibytes.saturating_mul(1 << 20), i18n.get_locale())))}</dd>
                    <dt>{t!(i18n, machines.facts.addresses)}</dt>
                    <dd class="mono">{told(addresses)}</dd>
                    <dt>{t!(i18n, machines.facts.mac)}</dt>
                    <dd class="mono">{told(mac)}</dd>
                    <dt>{t!(i18n, machines.facts.python)}</dt>
                    <dd>{told(text("python_version"))}</dd>
                </dl>
            </Panel>
            <Differences id revision differences />
            <details class="record__wide job-json">
                <summary>{t!(i18n, machines.facts.all)}</summary>
                <pre class="console console--wrap" tabindex="0">{pretty}</pre>
            </details>
        </div>
    }
}

#[component]
fn Differences(id: Id<Machine>, revision: i64, differences: Vec<FactDifference>) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let busy = RwSignal::new(false);
    let refused = refusal(Verb::Update, "machine");
    let adopt = move |fields: Vec<String>| {
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        leptos::task::spawn_local(async move {
            match adopt_facts(id, fields, Some(revision)).await {
                Ok(_) => toasts.done(t_string!(i18n, machines.facts.adopted)),
                Err(error) => toasts.failed(&error),
            }
            busy.try_set(false);
        });
    };
    let all: Vec<String> = differences.iter().map(|difference| difference.field.clone()).collect();
    let rows = differences
        .into_iter()
        .map(|difference| {
            let FactDifference { field, recorded, found } = difference;
            let name = StoredValue::new(field.clone());
            view! {
                <dt>{move || label_of(&name.get_value(), i18n.get_locale())}</dt>
                <dd class="difference">
                    <span class="mono">
                        {match recorded {
                            Some(recorded) => view! { <del class="history__value">{recorded}</del> }.into_any(),
                            None => view! { <span class="soft">{t!(i18n, machines.facts.empty)}</span> }.into_any(),
                        }}
                        " → "
                        <ins class="history__value">{found}</ins>
                    </span>
                    <ActionButton
                        label=Signal::derive(move || {
                            let field = label_of(&name.get_value(), i18n.get_locale());
                            t_string!(i18n, machines.facts.adopt_of, field = field)
                        })
                        look=ButtonLook::Quiet
                        refused
                        busy
                        on_press=Callback::new(move |()| adopt(vec![name.get_value()]))
                    />
                </dd>
            }
        })
        .collect_view();
    view! {
        <Panel title=Signal::derive(move || t_string!(i18n, machines.facts.differences).to_owned())>
            {if all.is_empty() {
                view! { <p class="panel__body soft">{t!(i18n, machines.facts.same)}</p> }.into_any()
            } else {
                view! {
                    <div class="panel__body stack">
                        <dl class="facts">{rows}</dl>
                        <div class="row">
                            <ActionButton
                                label=Signal::derive(move || t_string!(i18n, machines.facts.adopt_all).to_owned())
                                icon=lu::LuCheckCheck
                                look=ButtonLook::Primary
                                refused
                                busy
                                on_press=Callback::new(move |()| adopt(all.clone()))
                            />
                        </div>
                    </div>
                }
                .into_any()
            }}
        </Panel>
    }
}

fn label_of(field: &str, locale: Locale) -> String {
    let known = entry("machine").and_then(|entry| entry.kind.field(field));
    known.map_or_else(|| field.to_owned(), |field| (field.label)(locale).to_owned())
}
