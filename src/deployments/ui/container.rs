//! One container in full.

use super::{
    actions::{ActionDialogs, Actions, Target, is_alive},
    badges::{HealthBadge, StateBadge},
    containers::ActionMenu,
    draft::{is_secret, join_words, memory_text},
    logs::Logs,
    rows::{port_texts, short_id},
    use_engine,
};
use crate::{
    deployments::{
        api::container,
        model::{ContainerDetail, ContainerOperation, ContainerState, Health, HealthSpec, MountSpec, Probe},
    },
    error::Error,
    events::{client::use_changes, model::Topic},
    i18n::{say, t, t_string, use_i18n},
    ui::{
        ActionButton, Ago, ButtonLook, CopyButton, DocumentTitle, Icon, Live, LiveView, Menu, Notice, Outdated,
        PageHead, Panel, Tone, ansi, answer_with, use_address,
    },
};
use icondata_lu as lu;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// What hides a secret.
const MASK: &str = "••••••••";

/// The page of the container that the address names.
#[component]
pub fn ContainerPage() -> impl IntoView {
    let engine = use_engine();
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()));
    move || view! { <ContainerOf engine=engine.get() id=id.get() /> }
}

#[component]
fn ContainerOf(engine: String, id: String) -> impl IntoView {
    let changes = use_changes(vec![Topic::Containers(engine.clone()), Topic::Engine(engine.clone())]);
    let (engine, id) = (StoredValue::new(engine), StoredValue::new(id));
    view! {
        <LiveView
            fetch=move || container(engine.get_value(), id.get_value())
            changes
            head=move || view! { <PageHead title=Signal::stored(id.get_value()) /> }
            trouble=|error| matches!(error, Error::NotFound { .. }).then(|| view! { <Gone /> }.into_any())
            view=move |live| view! { <Detail live engine /> }
        />
    }
}

/// The container is not there, or no more.
#[component]
fn Gone() -> impl IntoView {
    let i18n = use_i18n();
    answer_with(&Error::not_found("container"));
    view! {
        <DocumentTitle text=say!(i18n, deployments.detail.gone) />
        <div class="empty">
            <Icon icon=lu::LuContainer />
            <h1>{t!(i18n, deployments.detail.gone)}</h1>
            <p>{t!(i18n, deployments.detail.gone_text)}</p>
            <a class="button" href="/containers">{t!(i18n, deployments.detail.to_list)}</a>
        </div>
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tab {
    Overview,
    Logs,
    Health,
    Inspect,
}

impl Tab {
    const ALL: [Self; 4] = [Self::Overview, Self::Logs, Self::Health, Self::Inspect];

    const fn name(self) -> &'static str {
        match self {
            Self::Overview => "",
            Self::Logs => "logs",
            Self::Health => "health",
            Self::Inspect => "inspect",
        }
    }
}

#[component]
fn Detail(live: Live<ContainerDetail>, engine: StoredValue<String>) -> impl IntoView {
    let i18n = use_i18n();
    let address = use_address();
    let detail = live.value();
    let id = StoredValue::new(detail.with_untracked(|detail| detail.container.id.clone()));
    let name = Signal::derive(move || detail.with(|detail| detail.container.name.clone()));
    let state = Memo::new(move |_| detail.with(|detail| (detail.container.state, detail.container.exit_code)));
    let health = Memo::new(move |_| detail.with(|detail| detail.container.health));
    let since = Memo::new(move |_| {
        detail.with(|detail| match is_alive(detail.container.state) {
            true => detail.started_at.map(|at| (true, at)),
            false => detail.finished_at.map(|at| (false, at)),
        })
    });
    let alive = Memo::new(move |_| is_alive(state.get().0));
    let after = Callback::new(move |operation: ContainerOperation| match operation {
        ContainerOperation::Remove { .. } => address.go("/containers"),
        _ => live.again(),
    });
    let actions = Actions::new(engine.get_value(), after);
    let tab = address.get("tab");
    let tab = Memo::new(move |_| Tab::ALL.into_iter().find(|it| it.name() == tab.get()).unwrap_or(Tab::Overview));
    let is_gone = Memo::new(move |_| matches!(live.trouble().get(), Some(Error::NotFound { .. })));
    view! {
        {move || is_gone.get().then(|| view! {
            <Notice tone=Tone::Bad>
                <p>{t!(i18n, deployments.detail.removed)} " " <a class="link" href="/containers">{t!(i18n, deployments.detail.to_list)}</a></p>
            </Notice>
        })}
        <Outdated live />
        <PageHead
            title=name
            line=ViewFn::from(move || view! {
                <span class="row detail-line">
                    <StateBadge state />
                    {move || (health.get() != Health::None).then(|| view! { <HealthBadge health /> })}
                    <code>{move || detail.with(|detail| detail.container.image.clone())}</code>
                    {move || since.get().map(|(is_up, at)| view! {
                        <span class="soft">
                            {if is_up { t_string!(i18n, deployments.detail.started) } else { t_string!(i18n, deployments.detail.finished) }}
                            " " <Ago at />
                        </span>
                    })}
                </span>
            })
        >
            <DetailActions actions id name state />
        </PageHead>
        <Tabs tab />
        {move || match tab.get() {
            Tab::Overview => view! { <Overview detail /> }.into_any(),
            Tab::Logs => view! { <Logs engine id name alive /> }.into_any(),
            Tab::Health => view! { <HealthTab detail /> }.into_any(),
            Tab::Inspect => view! { <Inspect value=Signal::derive(move || detail.with(|detail| detail.inspect.clone())) /> }.into_any(),
        }}
        <ActionDialogs actions />
    }
}

#[component]
fn Tabs(tab: Memo<Tab>) -> impl IntoView {
    let i18n = use_i18n();
    let address = use_address();
    view! {
        <nav class="tabs" aria-label=t!(i18n, deployments.detail.tabs)>
            {Tab::ALL
                .into_iter()
                .map(|it| {
                    let words = move || match it {
                        Tab::Overview => t_string!(i18n, deployments.detail.tab.overview),
                        Tab::Logs => t_string!(i18n, deployments.detail.tab.logs),
                        Tab::Health => t_string!(i18n, deployments.detail.tab.health),
                        Tab::Inspect => t_string!(i18n, deployments.detail.tab.inspect),
                    };
                    view! {
                        <a
                            href=move || address.with(&[("tab", it.name())])
                            aria-current=move || (tab.get() == it).then_some("page")
                        >
                            {words}
                        </a>
                    }
                })
                .collect_view()}
        </nav>
    }
}

#[component]
fn DetailActions(
    actions: Actions,
    id: StoredValue<String>,
    name: Signal<String>,
    state: Memo<(ContainerState, Option<i64>)>,
) -> impl IntoView {
    let i18n = use_i18n();
    let target =
        move || Target { id: id.get_value(), name: name.get_untracked(), is_alive: is_alive(state.get_untracked().0) };
    let busy = Signal::derive(move || id.with_value(|id| actions.is_busy(id)));
    let refused = actions.refused;
    let main = Callback::new(move |()| {
        let operation = match state.get_untracked().0 {
            ContainerState::Paused => ContainerOperation::Unpause {},
            state if is_alive(state) => ContainerOperation::Stop { timeout: None },
            _ => ContainerOperation::Start {},
        };
        actions.run(operation, vec![target()]);
    });
    let stops = Memo::new(move |_| is_alive(state.get().0) && state.get().0 != ContainerState::Paused);
    let label = Signal::derive(move || {
        match state.get().0 {
            ContainerState::Paused => t_string!(i18n, deployments.containers.act.unpause),
            state if is_alive(state) => t_string!(i18n, deployments.containers.act.stop),
            _ => t_string!(i18n, deployments.containers.act.start),
        }
        .to_owned()
    });
    view! {
        <ActionButton
            label
            icon=Signal::derive(move || if stops.get() { lu::LuSquare } else { lu::LuPlay })
            refused
            busy
            on_press=main
        />
        <ActionButton
            label=say!(i18n, deployments.containers.act.restart)
            icon=lu::LuRotateCcw
            refused
            busy
            on_press=Callback::new(move |()| actions.run(ContainerOperation::Restart { timeout: None }, vec![target()]))
        />
        <Menu
            id="detail-menu"
            label=say!(i18n, deployments.containers.act.more)
            icon=lu::LuEllipsis
            with_label=true
        >
            <ActionMenu actions id name state inspect=false />
        </Menu>
    }
}

/// A name and its value in a list of facts; nothing where the value is empty.
#[component]
fn Fact(label: Signal<String>, value: Signal<String>, #[prop(optional)] code: bool) -> impl IntoView {
    move || {
        (!value.get().is_empty()).then(|| {
            view! {
                <dt>{label.get()}</dt>
                <dd class=if code { "mono" } else { "" }>{value.get()}</dd>
            }
        })
    }
}

#[component]
fn Overview(detail: RwSignal<ContainerDetail>) -> impl IntoView {
    let i18n = use_i18n();
    let text = move |read: fn(&ContainerDetail) -> String| Signal::derive(move || detail.with(read));
    let created = Memo::new(move |_| detail.with(|detail| detail.container.created_at));
    let started = Memo::new(move |_| detail.with(|detail| detail.started_at));
    let finished =
        Memo::new(move |_| detail.with(|detail| detail.finished_at.filter(|_| !is_alive(detail.container.state))));
    view! {
        <div class="detail">
            <Panel title=say!(i18n, deployments.detail.facts)>
                <dl class="facts panel__body">
                    <dt>{t!(i18n, deployments.detail.id)}</dt>
                    <dd class="mono row">
                        <span title=move || detail.with(|detail| detail.container.id.clone())>
                            {move || detail.with(|detail| short_id(&detail.container.id))}
                        </span>
                        <CopyButton text=text(|detail| detail.container.id.clone()) look=ButtonLook::Icon />
                    </dd>
                    <dt>{t!(i18n, deployments.containers.column.image)}</dt>
                    <dd class="mono">
                        <a class="link" href=move || detail.with(|detail| format!("/images/{}", short_id(&detail.container.image_id)))>
                            {move || detail.with(|detail| detail.container.image.clone())}
                        </a>
                    </dd>
                    <Fact label=say!(i18n, deployments.containers.column.command) value=text(|detail| join_words(&detail.spec.command)) code=true />
                    <Fact label=say!(i18n, deployments.create.entrypoint) value=text(|detail| join_words(&detail.spec.entrypoint)) code=true />
                    <Fact label=say!(i18n, deployments.create.user) value=text(|detail| detail.spec.user.clone().unwrap_or_default()) code=true />
                    <Fact label=say!(i18n, deployments.create.workdir) value=text(|detail| detail.spec.workdir.clone().unwrap_or_default()) code=true />
                    <Fact label=say!(i18n, deployments.create.hostname) value=text(|detail| detail.spec.hostname.clone().unwrap_or_default()) code=true />
                    <dt>{t!(i18n, deployments.containers.column.created)}</dt>
                    <dd><Ago at=created /></dd>
                    {move || started.get().map(|at| view! { <dt>{t!(i18n, deployments.detail.started)}</dt><dd><Ago at=Signal::stored(at) /></dd> })}
                    {move || finished.get().map(|at| view! { <dt>{t!(i18n, deployments.detail.finished)}</dt><dd><Ago at=Signal::stored(at) /></dd> })}
                    <Fact label=say!(i18n, deployments.detail.exit_code) value=text(|detail| {
                        detail.container.exit_code.filter(|_| !is_alive(detail.container.state)).map(|code| code.to_string()).unwrap_or_default()
                    }) />
                    <Fact label=say!(i18n, deployments.detail.error) value=text(|detail| detail.error.clone()) />
                    <Fact label=say!(i18n, deployments.create.restart.label) value=text(|detail| detail.spec.restart.clone().unwrap_or_else(|| "no".to_owned())) code=true />
                    <Fact label=say!(i18n, deployments.detail.restarts) value=text(|detail| detail.restart_count.to_string()) />
                    <Fact label=say!(i18n, deployments.containers.stack) value=text(|detail| detail.container.stack.clone().unwrap_or_default()) />
                </dl>
            </Panel>
            <Panel title=say!(i18n, deployments.detail.limits)>
                <dl class="facts panel__body">
                    <Fact label=say!(i18n, deployments.create.memory) value=Signal::derive(move || {
                        detail.with(|detail| detail.spec.memory.map(memory_text)).unwrap_or_else(|| t_string!(i18n, deployments.detail.no_limit).to_owned())
                    }) />
                    <Fact label=say!(i18n, deployments.create.cpus) value=Signal::derive(move || {
                        detail.with(|detail| detail.spec.cpus.map(|cpus| cpus.to_string())).unwrap_or_else(|| t_string!(i18n, deployments.detail.no_limit).to_owned())
                    }) />
                    <Fact label=say!(i18n, deployments.create.pids) value=Signal::derive(move || {
                        detail.with(|detail| detail.spec.pids_limit.filter(|n| *n > 0).map(|n| n.to_string())).unwrap_or_else(|| t_string!(i18n, deployments.detail.no_limit).to_owned())
                    }) />
                    <Fact label=say!(i18n, deployments.detail.rights) value=text(rights) code=true />
                    <Fact label=say!(i18n, deployments.create.ulimits) value=text(|detail| detail.spec.ulimits.join(", ")) code=true />
                    <Fact label=say!(i18n, deployments.create.log_driver) value=text(|detail| detail.spec.log_driver.clone().unwrap_or_default()) code=true />
                </dl>
            </Panel>
            <Panel title=say!(i18n, deployments.containers.column.ports)>
                <div class="panel__body">
                    <Lines
                        items=Signal::derive(move || detail.with(|detail| {
                            let published = port_texts(&detail.container.ports);
                            let exposed = detail.container.ports.iter().filter(|port| port.host_port.is_none());
                            let mut all = published;
                            all.extend(exposed.map(|port| format!("{}/{} {}", port.container_port, port.protocol, t_string!(i18n, deployments.detail.exposed))));
                            all
                        }))
                        none=say!(i18n, deployments.detail.no_ports)
                    />
                </div>
            </Panel>
            <Panel title=say!(i18n, deployments.containers.column.networks)>
                <div class="panel__body">
                    <Lines
                        items=Signal::derive(move || detail.with(|detail| {
                            detail.container.networks.iter().map(|(name, address)| {
                                let address = if address.is_empty() { "–" } else { address };
                                format!("{name}  {address}")
                            }).collect()
                        }))
                        none=say!(i18n, deployments.detail.no_networks)
                    />
                </div>
            </Panel>
            <Panel title=say!(i18n, deployments.create.mounts)>
                <div class="panel__body">
                    <Lines
                        items=Signal::derive(move || {
                            detail.with(|detail| detail.spec.mounts.iter().map(|mount| mount_text(mount, t_string!(i18n, deployments.create.read_only_short))).collect())
                        })
                        none=say!(i18n, deployments.detail.no_mounts)
                    />
                </div>
            </Panel>
            <Environment detail />
            <Panel title=say!(i18n, deployments.create.labels)>
                <div class="panel__body">
                    <Lines
                        items=Signal::derive(move || detail.with(|detail| {
                            detail.container.labels.iter().map(|(name, value)| format!("{name}={value}")).collect()
                        }))
                        none=say!(i18n, deployments.detail.no_labels)
                    />
                </div>
            </Panel>
        </div>
    }
}

/// What reaches beyond the container, in one line.
fn rights(detail: &ContainerDetail) -> String {
    let spec = &detail.spec;
    let mut parts = Vec::new();
    if spec.privileged {
        parts.push("--privileged".to_owned());
    }
    parts.extend(spec.pid_mode.iter().map(|mode| format!("--pid {mode}")));
    parts.extend(spec.ipc_mode.iter().filter(|mode| *mode == "host").map(|mode| format!("--ipc {mode}")));
    parts.extend(spec.cap_add.iter().map(|name| format!("+{name}")));
    parts.extend(spec.cap_drop.iter().map(|name| format!("-{name}")));
    parts.extend(spec.devices.iter().cloned());
    parts.join(", ")
}

fn mount_text(mount: &MountSpec, read_only: &str) -> String {
    let source = mount.source.as_deref().filter(|source| !source.is_empty()).map(|source| format!("{source} → "));
    let mode = if mount.read_only { format!(" ({read_only})") } else { String::new() };
    format!("{} {}{}{mode}", mount.kind, source.unwrap_or_default(), mount.target)
}

/// Short texts, one a line, or a word that there are none.
#[component]
fn Lines(#[prop(into)] items: Signal<Vec<String>>, none: Signal<String>) -> impl IntoView {
    move || {
        let items = items.get();
        if items.is_empty() {
            return view! { <p class="soft">{none.get()}</p> }.into_any();
        }
        let lines = items.into_iter().map(|item| view! { <li>{item}</li> }).collect_view();
        view! { <ul class="detail__lines mono">{lines}</ul> }.into_any()
    }
}

/// Environment variables; what looks like a secret is covered until somebody asks.
#[component]
fn Environment(detail: RwSignal<ContainerDetail>) -> impl IntoView {
    let i18n = use_i18n();
    let shown = RwSignal::new(false);
    let has_secret = Memo::new(move |_| detail.with(|detail| detail.spec.env.keys().any(|name| is_secret(name))));
    let end = ViewFn::from(move || {
        has_secret.get().then(|| {
            view! {
                <ActionButton
                    label=Signal::derive(move || {
                        if shown.get() { t_string!(i18n, deployments.detail.hide) } else { t_string!(i18n, deployments.detail.reveal) }.to_owned()
                    })
                    icon=Signal::derive(move || if shown.get() { lu::LuEyeOff } else { lu::LuEye })
                    look=ButtonLook::Quiet
                    pressed=shown
                    on_press=Callback::new(move |()| shown.update(|shown| *shown = !*shown))
                />
            }
        })
    });
    view! {
        <Panel title=say!(i18n, deployments.create.env) end>
            <div class="panel__body">
                <Lines
                    items=Signal::derive(move || detail.with(|detail| {
                        detail.spec.env.iter().map(|(name, value)| {
                            let covered = is_secret(name) && !shown.get() && !value.is_empty();
                            format!("{name}={}", if covered { MASK } else { value })
                        }).collect()
                    }))
                    none=say!(i18n, deployments.detail.no_env)
                />
            </div>
        </Panel>
    }
}

#[component]
fn HealthTab(detail: RwSignal<ContainerDetail>) -> impl IntoView {
    let i18n = use_i18n();
    let check = Memo::new(move |_| detail.with(|detail| detail.spec.health.clone()));
    let probes = Memo::new(move |_| detail.with(|detail| detail.probes.iter().rev().cloned().collect::<Vec<_>>()));
    let health = Memo::new(move |_| detail.with(|detail| detail.container.health));
    let is_checked = Memo::new(move |_| check.with(Option::is_some) || !probes.with(Vec::is_empty));
    move || {
        if !is_checked.get() {
            return view! {
                <crate::ui::Empty
                    icon=lu::LuHeartPulse
                    text=say!(i18n, deployments.detail.no_check)
                />
            }
            .into_any();
        }
        view! {
            <div class="stack">
                <Panel title=say!(i18n, deployments.detail.check)>
                    <dl class="facts panel__body">
                        <dt>{t!(i18n, deployments.containers.column.health)}</dt>
                        <dd><HealthBadge health /></dd>
                        {move || check.get().map(|check| view! { <CheckFacts check /> })}
                    </dl>
                </Panel>
                <Panel title=say!(i18n, deployments.detail.probes)>
                    <ul class="probes">
                        {move || probes.get().into_iter().map(|probe| view! { <ProbeItem probe /> }).collect_view()}
                        {move || probes.with(Vec::is_empty).then(|| view! { <li class="soft">{t!(i18n, deployments.detail.no_probes)}</li> })}
                    </ul>
                </Panel>
            </div>
        }
        .into_any()
    }
}

#[component]
fn CheckFacts(check: HealthSpec) -> impl IntoView {
    let i18n = use_i18n();
    let command = match check.test.split_first() {
        Some((kind, rest)) if kind == "CMD-SHELL" => rest.join(" "),
        Some((kind, rest)) if kind == "CMD" => join_words(rest),
        Some(_) | None => join_words(&check.test),
    };
    let seconds = |value: Option<f64>| Signal::stored(value.map(|value| format!("{value} s")).unwrap_or_default());
    let retries = check.retries.map(|retries| retries.to_string()).unwrap_or_default();
    view! {
        <Fact label=say!(i18n, deployments.containers.column.command) value=Signal::stored(command) code=true />
        <Fact label=say!(i18n, deployments.create.health.interval) value=seconds(check.interval) />
        <Fact label=say!(i18n, deployments.create.health.timeout) value=seconds(check.timeout) />
        <Fact label=say!(i18n, deployments.create.health.retries) value=Signal::stored(retries) />
        <Fact label=say!(i18n, deployments.create.health.start_period) value=seconds(check.start_period) />
    }
}

#[component]
fn ProbeItem(probe: Probe) -> impl IntoView {
    let i18n = use_i18n();
    let tone = if probe.exit_code == 0 { Tone::Good } else { Tone::Bad };
    let icon = if probe.exit_code == 0 { lu::LuCheck } else { lu::LuCircleAlert };
    let code = probe.exit_code.to_string();
    view! {
        <li class="probes__probe">
            <div class="row">
                <crate::ui::Badge
                    tone
                    icon=Signal::stored(icon)
                    label=Signal::derive(move || t_string!(i18n, deployments.detail.probe_code, code = code.clone()))
                />
                {probe.started_at.map(|at| view! { <span class="soft"><Ago at=Signal::stored(at) /></span> })}
            </div>
            {(!probe.output.trim().is_empty()).then(|| view! {
                <pre class="console console--wrap probes__output" tabindex="0">
                    {probe.output.trim_end().lines().map(|line| view! { <div class="console__line">{ansi::view(line)}</div> }).collect_view()}
                </pre>
            })}
        </li>
    }
}

/// Everything the engine says, as a tree whose branches fold.
#[component]
pub(super) fn Inspect(value: Signal<serde_json::Value>) -> impl IntoView {
    let i18n = use_i18n();
    let value = Memo::new(move |_| value.get());
    let text = Memo::new(move |_| value.with(|value| serde_json::to_string_pretty(value).unwrap_or_default()));
    view! {
        <Panel
            title=say!(i18n, deployments.detail.tab.inspect)
            end=ViewFn::from(move || view! { <CopyButton text /> })
        >
            <div class="panel__body inspect mono" tabindex="0" role="region" aria-label=t!(i18n, deployments.detail.tab.inspect)>
                {move || value.with(|value| branches(value, 0))}
            </div>
        </Panel>
    }
}

/// What a mapping or a list holds, a line each; what holds more folds.
fn branches(value: &serde_json::Value, depth: usize) -> AnyView {
    use serde_json::Value;

    let line = |(name, value): (String, &Value)| {
        let (count, brackets) = match value {
            Value::Object(fields) if !fields.is_empty() => (fields.len(), ["{", "}"]),
            Value::Array(items) if !items.is_empty() => (items.len(), ["[", "]"]),
            leaf => {
                let kind = if leaf.is_string() { "text" } else { "other" };
                return view! {
                    <div class="inspect__leaf">
                        <span class="inspect__name">{name}</span>
                        ": "
                        <span data-kind=kind>{leaf.to_string()}</span>
                    </div>
                }
                .into_any();
            }
        };
        let [opening, closing] = brackets;
        view! {
            // The first level is what people look for; deeper ones are opened one by one.
            <details open=depth == 0>
                <summary>
                    <span class="inspect__name">{name}</span>
                    " "
                    <span class="soft">{format!("{opening} {count} {closing}")}</span>
                </summary>
                {branches(value, depth + 1)}
            </details>
        }
        .into_any()
    };
    let lines: Vec<AnyView> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| line((name.clone(), value))).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(place, value)| line((place.to_string(), value))).collect()
        }
        leaf => vec![leaf.to_string().into_any()],
    };
    view! { <div class="inspect__level">{lines}</div> }.into_any()
}
