//! What a machine's page shows beside its record: its connection and keys, its facts, its runs, and *wake*.

use super::{
    RUNS_OF_MACHINE, id_of,
    keys::{KeyList, KeyQuestion, KeysPanel},
    text_of, whose,
};
use crate::{
    app::{beside::Tab, refusal},
    authentication::policy::Verb,
    error::Error,
    events::{
        client::{hear_check, use_changes},
        model::Topic,
    },
    i18n::{Locale, say, t, t_string, td_string, use_i18n},
    id::Id,
    provisioning::{
        machines::{CheckReport, CheckStep, FactDifference, KeyOwner, MachineFacts, StepResult, StepState},
        machines_api::{adopt_facts, check_connection, get_facts, wake_machine},
    },
    storage::{
        Machine,
        item::{RawRecord, ui::RecordPicker},
        kind,
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
pub fn actions(record: Signal<RawRecord>) -> AnyView {
    view! { <WakeButton id=id_of(record) mac=text_of(record, "mac") /> }.into_any()
}

fn ssh(record: Signal<RawRecord>) -> AnyView {
    view! { <SshTab id=id_of(record) name=text_of(record, "name") whose=whose(record) /> }.into_any()
}

fn facts(record: Signal<RawRecord>) -> AnyView {
    let revision = Memo::new(move |_| record.with(|record| record.base.revision));
    view! { <FactsTab id=id_of(record) revision /> }.into_any()
}

#[component]
fn WakeButton(id: Id<Machine>, mac: Memo<String>) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let busy = RwSignal::new(false);
    let refused = refusal(Verb::Operate, "machine");
    let refused = Signal::derive(move || {
        refused.get().or_else(|| mac.with(String::is_empty).then(|| t_string!(i18n, machines.wake.no_mac).to_owned()))
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
            label=say!(i18n, machines.wake.button)
            icon=lu::LuAlarmClock
            refused
            busy
            on_press=wake
        />
    }
}

#[component]
fn SshTab(id: Id<Machine>, name: Memo<String>, whose: Signal<Option<Option<String>>>) -> impl IntoView {
    let i18n = use_i18n();
    let owner = KeyOwner::Machine(id);
    let toasts = use_toasts();
    let chosen = RwSignal::new(Vec::<Pick>::new());
    let report = RwSignal::new(None::<CheckReport>);
    // What has ended of a check that is under way.
    let ended = RwSignal::new(Vec::<StepResult>::new());
    let told_as = Id::new();
    hear_check(
        told_as,
        Callback::new(move |step| {
            ended.try_update(|ended| ended.push(step));
        }),
    );
    let problem = RwSignal::new(None::<String>);
    let busy = RwSignal::new(false);
    let check = Callback::new(move |()| {
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        problem.set(None);
        ended.set(Vec::new());
        let credentials =
            chosen.with_untracked(|chosen| chosen.iter().filter_map(|pick| pick.id.parse().ok()).collect());
        leptos::task::spawn_local(async move {
            match check_connection(id, credentials, Some(told_as)).await {
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
            <Panel title=say!(i18n, machines.check.title)>
                <div class="panel__body stack">
                    <p class="soft">{t!(i18n, machines.check.hint)}</p>
                    <div class="check-form">
                        <RecordPicker
                            name="check-credentials".to_owned()
                            label=say!(i18n, machines.check.credentials)
                            kind="credential"
                            chosen
                            whose
                            many=true
                            hint=say!(i18n, machines.check.credentials_hint)
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
                        {move || if busy.get() {
                            let steps = Signal::derive(move || with_open(&ended.get()));
                            view! { <Steps steps /> }.into_any()
                        } else {
                            report.get().map(|report| view! { <Report report /> }).into_any()
                        }}
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
        <Steps steps=Signal::stored(report.steps.into_iter().map(Stage::Ended).collect::<Vec<_>>()) />
    }
}

/// How far a step of a check is.
#[derive(Clone, PartialEq)]
enum Stage {
    Ended(StepResult),
    UnderWay(CheckStep),
    ToCome(CheckStep),
}

impl Stage {
    const fn step(&self) -> CheckStep {
        match self {
            Self::Ended(StepResult { step, .. }) | Self::UnderWay(step) | Self::ToCome(step) => *step,
        }
    }

    fn state(&self, locale: Locale) -> &'static str {
        match self {
            Self::Ended(ended) => match ended.state {
                StepState::Passed => td_string!(locale, machines.check.state.passed),
                StepState::Failed => td_string!(locale, machines.check.state.failed),
                StepState::NotTried => td_string!(locale, machines.check.state.not_tried),
            },
            Self::UnderWay(_) => td_string!(locale, machines.check.state.under_way),
            Self::ToCome(_) => td_string!(locale, machines.check.state.to_come),
        }
    }

    const fn look(&self) -> (Tone, icondata_core::Icon) {
        match self {
            Self::Ended(ended) => match ended.state {
                StepState::Passed => (Tone::Good, lu::LuCircleCheck),
                StepState::Failed => (Tone::Bad, lu::LuCircleX),
                StepState::NotTried => (Tone::Idle, lu::LuCircleDashed),
            },
            Self::UnderWay(_) => (Tone::Busy, lu::LuLoaderCircle),
            Self::ToCome(_) => (Tone::Idle, lu::LuCircleDashed),
        }
    }
}

/// All steps of a check of which these have ended. After one that failed no other is taken.
fn with_open(ended: &[StepResult]) -> Vec<Stage> {
    let mut is_open = ended.iter().any(|step| step.state == StepState::Failed);
    CheckStep::ALL
        .into_iter()
        .map(|step| match ended.iter().find(|ended| ended.step == step) {
            Some(ended) => Stage::Ended(ended.clone()),
            None if is_open => Stage::ToCome(step),
            None => {
                is_open = true;
                Stage::UnderWay(step)
            }
        })
        .collect()
}

#[component]
fn Steps(steps: Signal<Vec<Stage>>) -> impl IntoView {
    let i18n = use_i18n();
    view! {
        <ol class="check-steps" aria-label=t!(i18n, machines.check.title)>
            {CheckStep::ALL
                .into_iter()
                .map(|step| {
                    let stage = Memo::new(move |_| steps.with(|all| all.iter().find(|it| it.step() == step).cloned()));
                    move || stage.get().map(|stage| view! { <Step stage /> })
                })
                .collect_view()}
        </ol>
    }
}

#[component]
fn Step(stage: Stage) -> impl IntoView {
    let i18n = use_i18n();
    let (tone, icon) = stage.look();
    let step = stage.step();
    let is_busy = tone == Tone::Busy;
    let ended = match &stage {
        Stage::Ended(ended) => Some(ended.clone()),
        Stage::UnderWay(_) | Stage::ToCome(_) => None,
    };
    let is_said = ended.is_some();
    view! {
        <li class="check-steps__step" data-tone=tone.name()>
            <span class="check-steps__icon" data-busy=is_busy.then_some("true")><Icon icon /></span>
            <span class="check-steps__name">{move || step_name(step, i18n.get_locale())}</span>
            <span class=if is_said { "visually-hidden" } else { "check-steps__detail" }>
                {move || stage.state(i18n.get_locale())}
            </span>
            {ended.map(|StepResult { state, detail, remedy, took_ms, .. }| view! {
                <span class="check-steps__detail">
                    {detail}
                    {remedy.map(|remedy| view! { <span class="check-steps__remedy">{remedy}</span> })}
                </span>
                {(state != StepState::NotTried).then(|| view! { <span class="soft number">{format!("{took_ms} ms")}</span> })}
            })}
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

#[component]
fn FactsTab(id: Id<Machine>, revision: Memo<i64>) -> impl IntoView {
    let i18n = use_i18n();
    let changes = use_changes(vec![Topic::Records("machine".to_owned())]);
    view! {
        <LiveView
            fetch=move || get_facts(id)
            changes
            view=move |live| {
                // What is unfolded stays so when another machine has changed.
                let known = Memo::new(move |_| live.value().get());
                move || match known.get() {
                    Some(facts) => view! { <Facts id revision facts /> }.into_any(),
                    None => view! {
                        <Empty icon=lu::LuScanEye text=say!(i18n, machines.facts.none)>
                            <LinkButton
                                href="/playbooks"
                                label=say!(i18n, machines.facts.playbooks)
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
fn Facts(id: Id<Machine>, revision: Memo<i64>, facts: MachineFacts) -> impl IntoView {
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
            <Panel title=say!(i18n, machines.facts.title)>
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
fn Differences(id: Id<Machine>, revision: Memo<i64>, differences: Vec<FactDifference>) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let busy = RwSignal::new(false);
    let refused = refusal(Verb::Update, "machine");
    let adopt = move |fields: Vec<String>| {
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        let revision = revision.get_untracked();
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
        <Panel title=say!(i18n, machines.facts.differences)>
            {if all.is_empty() {
                view! { <p class="panel__body soft">{t!(i18n, machines.facts.same)}</p> }.into_any()
            } else {
                view! {
                    <div class="panel__body stack">
                        <dl class="facts">{rows}</dl>
                        <div class="row">
                            <ActionButton
                                label=say!(i18n, machines.facts.adopt_all)
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
    let known = kind("machine").and_then(|kind| kind.field(field));
    known.map_or_else(|| field.to_owned(), |field| (field.label)(locale).to_owned())
}
