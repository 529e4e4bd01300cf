//! The form that makes a container, with what it means beside it.

use super::{
    draft::{Draft, MountRow, NetworkRow, Pair, PortRow, is_secret, read_env},
    progress::JobProgress,
    rows::short_id,
    use_engine,
};
use crate::{
    app::{refusal, use_session},
    authentication::policy::Verb,
    deployments::{
        api::{container, list_images, operate_containers},
        explain::{docker_run, explain},
        model::{Answer, ContainerDetail, ContainerOperation, ContainerSpec},
    },
    error::{Error, Problem},
    i18n::{say, t, t_string, use_i18n},
    id::Id,
    jobs::model::Job,
    storage::item::ui::use_names,
    ui::{
        ActionButton, ButtonLook, CheckField, CopyButton, Dialog, Icon, LinkButton, Live, LiveView, PageHead, Panel,
        SelectField, TextAreaField, TextField, use_address, use_toasts,
    },
};
use icondata_lu as lu;
use leptos::prelude::*;
use std::collections::BTreeMap;

/// The form of a new container; `?from=ID` fills it with another one's specification, `?image=NAME` with an image.
#[component]
pub fn CreatePage() -> impl IntoView {
    let engine = use_engine();
    let (from, image) = (use_address().get("from"), use_address().get("image"));
    move || {
        let (engine, from) = (engine.get(), from.get());
        if from.is_empty() {
            let spec = ContainerSpec { image: image.get(), ..ContainerSpec::default() };
            view! { <CreateForm engine spec from=None /> }.into_any()
        } else {
            view! { <CopyOf engine from /> }.into_any()
        }
    }
}

#[component]
fn CopyOf(engine: String, from: String) -> impl IntoView {
    let i18n = use_i18n();
    let (engine, from) = (StoredValue::new(engine), StoredValue::new(from));
    view! {
        <LiveView
            fetch=move || container(engine.get_value(), from.get_value())
            changes=Signal::stored(0)
            head=move || view! { <PageHead title=say!(i18n, deployments.create.title) /> }
            view=move |live| view! { <Copied live engine /> }
        />
    }
}

#[component]
fn Copied(live: Live<ContainerDetail>, engine: StoredValue<String>) -> impl IntoView {
    let detail = live.value().get_untracked();
    let spec = ContainerSpec { name: None, image: detail.container.image.clone(), ..detail.spec };
    view! { <CreateForm engine=engine.get_value() spec from=Some(detail.container.name) /> }
}

/// What the parts of the form share.
#[derive(Clone, Copy)]
struct Form {
    draft: Draft,
    problems: Memo<Vec<Problem>>,
    elevate: Signal<Option<String>>,
}

impl Form {
    /// What is wrong at a field.
    fn at(self, field: &'static str) -> Signal<Option<String>> {
        self.with(move |name| {
            name == field || name.strip_prefix(field).is_some_and(|rest| rest.starts_with(['[', '.']))
        })
    }

    /// What is wrong at exactly the fields that a test admits.
    fn with(self, admits: impl Fn(&str) -> bool + Send + Sync + 'static) -> Signal<Option<String>> {
        Signal::derive(move || {
            self.problems.with(|problems| problems.iter().find(|it| admits(&it.field)).map(|it| it.message.clone()))
        })
    }
}

#[component]
fn CreateForm(engine: String, spec: ContainerSpec, from: Option<String>) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let address = use_address();
    let engine = StoredValue::new(engine);
    let draft = Draft::of(&spec);
    let read = Memo::new(move |_| draft.read(i18n.get_locale()));
    let told = RwSignal::new(Vec::<Problem>::new());
    let tried = RwSignal::new(false);
    let problems = Memo::new(move |_| {
        let mut all = if tried.get() { read.with(|(_, problems)| problems.clone()) } else { Vec::new() };
        all.extend(told.get());
        all
    });
    let elevate = refusal(Verb::Elevate, "container");
    let form = Form { draft, problems, elevate };
    let explained =
        Memo::new(move |_| read.with(|(spec, _)| explain(spec, elevate.get().is_none(), i18n.get_locale())));
    let operate = refusal(Verb::Operate, "container");
    let refused = Signal::derive(move || {
        operate.get().or_else(|| {
            explained.with(|it| {
                it.warnings
                    .iter()
                    .find(|warning| warning.refused)
                    .map(|warning| t_string!(i18n, deployments.spec.refused, risk = warning.text.clone()))
            })
        })
    });
    let busy = RwSignal::new(None::<bool>);
    let job = RwSignal::new(None::<Id<Job>>);
    let running = RwSignal::new(false);
    let send = move |runs: bool| {
        tried.set(true);
        told.set(Vec::new());
        let (spec, wrong) = read.get_untracked();
        if !wrong.is_empty() || spec.image.is_empty() {
            if spec.image.is_empty() {
                told.set(vec![Problem::at("image", t_string!(i18n, deployments.create.problem.no_image))]);
            }
            show_first_problem();
            return;
        }
        busy.set(Some(runs));
        let spec = Box::new(spec);
        let operation = if runs { ContainerOperation::Run(spec) } else { ContainerOperation::Create(spec) };
        leptos::task::spawn_local(async move {
            match operate_containers(engine.get_value(), operation, Vec::new()).await {
                Ok(Answer::Job { id }) => {
                    job.try_set(Some(id));
                    running.try_set(true);
                }
                Ok(Answer::Result(value)) => {
                    let id = container_of(&value);
                    address.go(&id.map_or_else(|| "/containers".to_owned(), |id| format!("/containers/{}", short_id(&id))));
                }
                Ok(Answer::Results(_)) => address.go("/containers"),
                Err(Error::Invalid { problems }) => {
                    told.try_set(problems);
                    show_first_problem();
                }
                Err(error) => toasts.failed(&error),
            }
            busy.try_set(None);
        });
    };
    let title = Signal::derive(move || match &from {
        Some(name) => t_string!(i18n, deployments.create.title_copy, name = name.clone()),
        None => t_string!(i18n, deployments.create.title).to_owned(),
    });
    view! {
        <PageHead title />
        <form
            class="create"
            novalidate
            on:submit=move |event| {
                event.prevent_default();
                if refused.get_untracked().is_none() && busy.get_untracked().is_none() {
                    send(true);
                }
            }
        >
            <div class="create__form">
                <ImagePart form engine />
                <CommandPart form />
                <EnvironmentPart form />
                <PortsPart form />
                <MountsPart form />
                <NetworkPart form />
                <BehaviourPart form />
                <HealthPart form />
                <LabelsPart form />
                <AdvancedPart form />
                <ProblemList problems />
                <div class="form__actions">
                    <ActionButton
                        label=say!(i18n, deployments.create.run)
                        icon=lu::LuPlay
                        look=ButtonLook::Primary
                        kind="submit"
                        refused
                        busy=Signal::derive(move || busy.get() == Some(true))
                    />
                    <ActionButton
                        label=say!(i18n, deployments.create.create)
                        refused
                        busy=Signal::derive(move || busy.get() == Some(false))
                        on_press=Callback::new(move |()| {
                            if busy.get_untracked().is_none() {
                                send(false);
                            }
                        })
                    />
                    <LinkButton
                        href="/containers"
                        label=say!(i18n, common.cancel)
                        look=ButtonLook::Quiet
                    />
                </div>
            </div>
            <Beside read explained />
        </form>
        <Dialog open=running title=say!(i18n, deployments.create.running)>
            <div class="dialog__body">
                <JobProgress id=job outcome=run_outcome />
            </div>
            <div class="dialog__actions">
                <ActionButton
                    label=say!(i18n, deployments.create.back)
                    on_press=Callback::new(move |()| running.set(false))
                />
                <LinkButton href="/containers" label=say!(i18n, deployments.detail.to_list) />
            </div>
        </Dialog>
    }
}

/// The identifier of the container in an answer.
fn container_of(value: &serde_json::Value) -> Option<String> {
    let value = value.get("result").unwrap_or(value);
    let value = value.get("container").unwrap_or(value);
    value.get("id").and_then(|id| id.as_str()).or_else(|| value.as_str()).map(str::to_owned)
}

/// The way to the container that a job has made.
fn run_outcome(outcome: &serde_json::Value) -> AnyView {
    let i18n = use_i18n();
    let href =
        container_of(outcome).map_or_else(|| "/containers".to_owned(), |id| format!("/containers/{}", short_id(&id)));
    view! {
        <LinkButton
            href
            label=say!(i18n, deployments.create.to_container)
            icon=lu::LuArrowRight
            look=ButtonLook::Primary
        />
    }
    .into_any()
}

/// Takes the person to the first field that is wrong, once it is marked.
fn show_first_problem() {
    #[cfg(feature = "hydrate")]
    request_animation_frame(|| {
        use wasm_bindgen::JsCast as _;

        let wrong = document().query_selector(".create [aria-invalid=\"true\"]").ok().flatten();
        if let Some(field) = wrong.and_then(|field| field.dyn_into::<web_sys::HtmlElement>().ok()) {
            drop(field.focus());
        }
    });
}

/// The equivalent command and what to think of.
#[component]
fn Beside(
    read: Memo<(ContainerSpec, Vec<Problem>)>,
    explained: Memo<crate::deployments::model::Explanation>,
) -> impl IntoView {
    let i18n = use_i18n();
    // On the screen secrets are covered; what is copied is complete.
    let shown = Memo::new(move |_| {
        read.with(|(spec, _)| {
            let mut spec = spec.clone();
            for (name, value) in &mut spec.env {
                if is_secret(name) && !value.is_empty() {
                    "•••".clone_into(value);
                }
            }
            docker_run(&spec)
        })
    });
    let copied = Signal::derive(move || explained.with(|it| it.docker_run.clone()));
    view! {
        <aside class="create__beside" aria-label=t!(i18n, deployments.create.beside)>
            <Panel
                title=say!(i18n, deployments.create.docker_run)
                end=ViewFn::from(move || view! { <CopyButton text=copied /> })
            >
                <pre class="console console--wrap" tabindex="0">
                    <code class="console__line">{move || shown.get()}</code>
                </pre>
            </Panel>
            <div role="status">
                {move || {
                    let warnings = explained.with(|it| it.warnings.clone());
                    (!warnings.is_empty()).then(|| view! {
                        <Panel title=say!(i18n, deployments.create.warnings)>
                            <ul class="warnings">
                                {warnings.into_iter().map(|warning| view! {
                                    <li data-tone=if warning.refused { "bad" } else { "warn" }>
                                        <Icon icon=if warning.refused { lu::LuOctagonX } else { lu::LuTriangleAlert } />
                                        <span>{warning.text}</span>
                                    </li>
                                }).collect_view()}
                            </ul>
                        </Panel>
                    })
                }}
            </div>
        </aside>
    }
}

#[component]
fn ProblemList(problems: Memo<Vec<Problem>>) -> impl IntoView {
    let i18n = use_i18n();
    move || {
        problems.with(|problems| {
            (!problems.is_empty()).then(|| {
                view! {
                    <div class="notice" data-tone="bad" role="alert">
                        <Icon icon=lu::LuCircleAlert />
                        <div>
                            <p>{t!(i18n, deployments.create.problem.list)}</p>
                            <ul class="problems">
                                {problems
                                    .iter()
                                    .map(|problem| view! { <li><code>{problem.field.clone()}</code> " " {problem.message.clone()}</li> })
                                    .collect_view()}
                            </ul>
                        </div>
                    </div>
                }
            })
        })
    }
}

/// A heading and the fields under it.
#[component]
fn Part(title: Signal<String>, children: Children) -> impl IntoView {
    view! {
        <fieldset class="panel create__part">
            <legend class="visually-hidden">{move || title.get()}</legend>
            <header aria-hidden="true">
                <strong>{move || title.get()}</strong>
            </header>
            <div class="panel__body stack">{children()}</div>
        </fieldset>
    }
}

#[component]
fn ImagePart(form: Form, engine: StoredValue<String>) -> impl IntoView {
    let i18n = use_i18n();
    let names = RwSignal::new(Vec::<String>::new());
    Effect::new(move || {
        leptos::task::spawn_local(async move {
            // Without the names there is only no completion; the form works.
            if let Ok(listing) = list_images(engine.get_value()).await {
                names.try_set(listing.items.into_iter().flat_map(|image| image.tags).collect());
            }
        });
    });
    let is_platform = use_session().is_some_and(|session| session.is_platform());
    let known = if is_platform { use_names("customer") } else { Signal::derive(BTreeMap::new) };
    let customers = Signal::derive(move || {
        let platform = (String::new(), t_string!(i18n, records.page.platform).to_owned());
        std::iter::once(platform).chain(known.get()).collect::<Vec<_>>()
    });
    let pulls = Signal::derive(move || {
        vec![
            (String::new(), t_string!(i18n, deployments.create.pull.missing).to_owned()),
            ("always".to_owned(), t_string!(i18n, deployments.create.pull.always).to_owned()),
            ("never".to_owned(), t_string!(i18n, deployments.create.pull.never).to_owned()),
        ]
    });
    view! {
        <Part title=say!(i18n, deployments.create.part.image)>
            <div class="form__grid">
                <TextField
                    name="image"
                    label=say!(i18n, deployments.containers.column.image)
                    value=form.draft.image
                    required=true
                    placeholder="nginx:1.27"
                    list="local-images"
                    problem=form.at("image")
                />
                <SelectField
                    name="pull"
                    label=say!(i18n, deployments.create.pull.label)
                    value=form.draft.pull
                    options=pulls
                    required=true
                    problem=form.at("pull")
                />
                <TextField
                    name="container-name"
                    label=say!(i18n, deployments.containers.column.name)
                    value=form.draft.name
                    hint=say!(i18n, deployments.create.name_hint)
                    problem=form.at("name")
                />
                {is_platform.then(|| view! {
                    <SelectField
                        name="customer"
                        label=say!(i18n, deployments.containers.column.customer)
                        value=form.draft.customer
                        options=customers
                        problem=form.at("labels.muelle.customer")
                    />
                })}
            </div>
            <datalist id="local-images">
                {move || names.get().into_iter().map(|name| view! { <option value=name></option> }).collect_view()}
            </datalist>
        </Part>
    }
}

#[component]
fn CommandPart(form: Form) -> impl IntoView {
    let i18n = use_i18n();
    view! {
        <Part title=say!(i18n, deployments.create.part.command)>
            <div class="form__grid">
                <TextField
                    name="command"
                    label=say!(i18n, deployments.containers.column.command)
                    value=form.draft.command
                    hint=say!(i18n, deployments.create.words_hint)
                    placeholder="sh -c 'echo hello'"
                    problem=form.at("command")
                />
                <TextField
                    name="entrypoint"
                    label=say!(i18n, deployments.create.entrypoint)
                    value=form.draft.entrypoint
                    problem=form.at("entrypoint")
                />
                <TextField name="workdir" label=say!(i18n, deployments.create.workdir) value=form.draft.workdir placeholder="/app" problem=form.at("workdir") />
                <TextField name="user" label=say!(i18n, deployments.create.user) value=form.draft.user placeholder="1000:1000" problem=form.at("user") />
                <TextField name="hostname" label=say!(i18n, deployments.create.hostname) value=form.draft.hostname problem=form.at("hostname") />
            </div>
        </Part>
    }
}

/// One input of a row; its label is spoken and its problem stands under the row.
#[component]
fn Cell(
    #[prop(into)] label: Signal<String>,
    value: RwSignal<String>,
    #[prop(into, optional)] problem: Signal<Option<String>>,
    #[prop(default = "")] placeholder: &'static str,
    #[prop(into, optional)] secret: Signal<bool>,
    #[prop(default = "")] size: &'static str,
) -> impl IntoView {
    view! {
        <input
            class=format!("input {size}")
            type=move || if secret.get() { "password" } else { "text" }
            autocomplete="off"
            spellcheck="false"
            aria-label=move || label.get()
            title=move || problem.get()
            aria-invalid=move || problem.get().is_some().then_some("true")
            placeholder=placeholder
            prop:value=move || value.get()
            value=value.get_untracked()
            on:input=move |event| value.set(event_target_value(&event))
        />
    }
}

/// One choice of a row.
#[component]
fn CellChoice(
    label: Signal<String>,
    value: RwSignal<String>,
    options: &'static [(&'static str, &'static str)],
) -> impl IntoView {
    view! {
        <select
            class="input input--narrow"
            aria-label=move || label.get()
            prop:value=move || value.get()
            on:change=move |event| value.set(event_target_value(&event))
        >
            {options
                .iter()
                .map(|(it, words)| view! { <option value=*it selected=move || value.get() == *it>{*words}</option> })
                .collect_view()}
        </select>
    }
}

/// Takes a row away.
#[component]
fn DropRow(label: Signal<String>, on_press: Callback<()>) -> impl IntoView {
    view! { <ActionButton label icon=lu::LuX look=ButtonLook::Icon on_press /> }
}

/// What is wrong in a row, under it.
#[component]
fn RowProblem(problem: Signal<Option<String>>) -> impl IntoView {
    move || {
        problem.get().map(|problem| {
            view! {
                <span class="field__problem">
                    <Icon icon=lu::LuCircleAlert />
                    {problem}
                </span>
            }
        })
    }
}

#[component]
fn EnvironmentPart(form: Form) -> impl IntoView {
    let i18n = use_i18n();
    let draft = form.draft;
    let pasting = RwSignal::new(false);
    let pasted = RwSignal::new(String::new());
    let shown = RwSignal::new(false);
    let has_secret = Memo::new(move |_| draft.env.get().iter().any(|row| is_secret(&row.name.get())));
    let take = Callback::new(move |()| {
        let read = read_env(&pasted.get_untracked());
        draft.env.update(|rows| {
            rows.retain(|row| !row.name.with_untracked(String::is_empty));
            for (name, value) in read {
                match rows.iter().find(|row| row.name.with_untracked(|it| *it == name)) {
                    Some(row) => row.value.set(value),
                    None => rows.push(draft.pair(&name, &value)),
                }
            }
        });
        pasted.set(String::new());
        pasting.set(false);
    });
    view! {
        <Part title=say!(i18n, deployments.create.env)>
            <Pairs form rows=draft.env field="env" name_hint="NAME" shown />
            <div class="row">
                <ActionButton
                    label=say!(i18n, deployments.create.add_env)
                    icon=lu::LuPlus
                    on_press=Callback::new(move |()| draft.env.update(|rows| rows.push(draft.pair("", ""))))
                />
                <ActionButton
                    label=say!(i18n, deployments.create.paste_env)
                    icon=lu::LuClipboardPaste
                    look=ButtonLook::Quiet
                    pressed=pasting
                    on_press=Callback::new(move |()| pasting.update(|pasting| *pasting = !*pasting))
                />
                {move || has_secret.get().then(|| view! {
                    <ActionButton
                        label=Signal::derive(move || {
                            if shown.get() { t_string!(i18n, deployments.detail.hide) } else { t_string!(i18n, deployments.detail.reveal) }.to_owned()
                        })
                        icon=Signal::derive(move || if shown.get() { lu::LuEyeOff } else { lu::LuEye })
                        look=ButtonLook::Quiet
                        pressed=shown
                        on_press=Callback::new(move |()| shown.update(|shown| *shown = !*shown))
                    />
                })}
            </div>
            {move || pasting.get().then(|| view! {
                <div class="stack">
                    <TextAreaField
                        name="env-text"
                        label=say!(i18n, deployments.create.env_text)
                        hint=say!(i18n, deployments.create.env_text_hint)
                        placeholder="DB_HOST=db\nDB_PASSWORD='s3cret'"
                        value=pasted
                        rows=6
                        code=true
                    />
                    <div class="row">
                        <ActionButton label=say!(i18n, deployments.create.take_env) on_press=take />
                    </div>
                </div>
            })}
        </Part>
    }
}

/// Rows of a name and a value.
#[component]
fn Pairs(
    form: Form,
    rows: RwSignal<Vec<Pair>>,
    field: &'static str,
    name_hint: &'static str,
    /// Whether values that look like secrets are shown.
    shown: RwSignal<bool>,
) -> impl IntoView {
    let i18n = use_i18n();
    view! {
        <div class="form__rows">
            <For each=move || rows.get() key=|row| row.key let:row>
                {
                    let secret = Signal::derive(move || field == "env" && is_secret(&row.name.get()) && !shown.get());
                    let problem = form.with(move |it| it == format!("{field}.{}", row.name.get().trim()));
                    view! {
                        <div class="form__row">
                            <Cell label=say!(i18n, deployments.containers.column.name) value=row.name placeholder=name_hint problem size="mono" />
                            <Cell label=say!(i18n, deployments.create.value) value=row.value secret size="mono" />
                            <DropRow
                                label=Signal::derive(move || t_string!(i18n, deployments.create.drop, name = row.name.get()))
                                on_press=Callback::new(move |()| rows.update(|rows| rows.retain(|it| it.key != row.key)))
                            />
                        </div>
                        <RowProblem problem />
                    }
                }
            </For>
            <RowProblem problem=form.with(move |it| it == field) />
        </div>
    }
}

#[component]
fn PortsPart(form: Form) -> impl IntoView {
    let i18n = use_i18n();
    let draft = form.draft;
    view! {
        <Part title=say!(i18n, deployments.containers.column.ports)>
            <div class="form__rows">
                <For each=move || draft.ports.get() key=|row| row.key let:row>
                    <PortLine form row />
                </For>
            </div>
            <div class="row">
                <ActionButton
                    label=say!(i18n, deployments.create.add_port)
                    icon=lu::LuPlus
                    on_press=Callback::new(move |()| draft.ports.update(|rows| rows.push(draft.port())))
                />
            </div>
        </Part>
    }
}

#[component]
fn PortLine(form: Form, row: PortRow) -> impl IntoView {
    let i18n = use_i18n();
    let place = Memo::new(move |_| form.draft.filled_ports().iter().position(|it| it.key == row.key));
    let at = move |part: &'static str| {
        form.with(move |field| place.get().is_some_and(|place| field == format!("ports[{place}]{part}")))
    };
    let any = form.with(move |field| place.get().is_some_and(|place| field.starts_with(&format!("ports[{place}]"))));
    view! {
        <div class="form__row form__row--ports">
            <Cell label=say!(i18n, deployments.create.host_ip) value=row.host_ip placeholder="0.0.0.0" problem=at(".host_ip") size="mono input--address" />
            <span class="faint" aria-hidden="true">":"</span>
            <Cell label=say!(i18n, deployments.create.host_port) value=row.host_port placeholder="8080" problem=at(".host_port") size="mono input--port" />
            <span class="faint" aria-hidden="true">"→"</span>
            <Cell label=say!(i18n, deployments.create.container_port) value=row.container_port placeholder="80" problem=at(".container_port") size="mono input--port" />
            <CellChoice
                label=say!(i18n, deployments.create.protocol)
                value=row.protocol
                options=&[("", "tcp"), ("udp", "udp"), ("sctp", "sctp")]
            />
            <DropRow
                label=Signal::derive(move || t_string!(i18n, deployments.create.drop, name = row.container_port.get()))
                on_press=Callback::new(move |()| form.draft.ports.update(|rows| rows.retain(|it| it.key != row.key)))
            />
        </div>
        <RowProblem problem=any />
    }
}

#[component]
fn MountsPart(form: Form) -> impl IntoView {
    let i18n = use_i18n();
    let draft = form.draft;
    view! {
        <Part title=say!(i18n, deployments.create.mounts)>
            <div class="form__rows">
                <For each=move || draft.mounts.get() key=|row| row.key let:row>
                    <MountLine form row />
                </For>
            </div>
            <div class="row">
                <ActionButton
                    label=say!(i18n, deployments.create.add_mount)
                    icon=lu::LuPlus
                    on_press=Callback::new(move |()| draft.mounts.update(|rows| rows.push(draft.mount())))
                />
            </div>
        </Part>
    }
}

#[component]
fn MountLine(form: Form, row: MountRow) -> impl IntoView {
    let i18n = use_i18n();
    let place = Memo::new(move |_| form.draft.filled_mounts().iter().position(|it| it.key == row.key));
    let at = move |part: &'static str| {
        form.with(move |field| place.get().is_some_and(|place| field == format!("mounts[{place}]{part}")))
    };
    let any = form.with(move |field| place.get().is_some_and(|place| field.starts_with(&format!("mounts[{place}]"))));
    view! {
        <div class="form__row form__row--mounts">
            <CellChoice
                label=say!(i18n, deployments.create.mount_kind)
                value=row.kind
                options=&[("volume", "volume"), ("bind", "bind"), ("tmpfs", "tmpfs")]
            />
            {move || (row.kind.get() != "tmpfs").then(|| view! {
                <Cell
                    label=Signal::derive(move || {
                        if row.kind.get() == "bind" { t_string!(i18n, deployments.create.folder) } else { t_string!(i18n, deployments.create.volume) }.to_owned()
                    })
                    value=row.source
                    placeholder="data"
                    problem=at(".source")
                    size="mono"
                />
                <span class="faint" aria-hidden="true">"→"</span>
            })}
            <Cell label=say!(i18n, deployments.create.target) value=row.target placeholder="/data" problem=at(".target") size="mono" />
            <label class="cell-check">
                <input type="checkbox" prop:checked=move || row.read_only.get() on:change=move |event| row.read_only.set(event_target_checked(&event)) />
                {t!(i18n, deployments.create.read_only_short)}
            </label>
            <DropRow
                label=Signal::derive(move || t_string!(i18n, deployments.create.drop, name = row.target.get()))
                on_press=Callback::new(move |()| form.draft.mounts.update(|rows| rows.retain(|it| it.key != row.key)))
            />
        </div>
        <RowProblem problem=any />
    }
}

#[component]
fn NetworkPart(form: Form) -> impl IntoView {
    let i18n = use_i18n();
    view! {
        <Part title=say!(i18n, deployments.create.part.network)>
            <div class="form__grid">
                <TextField
                    name="network"
                    label=say!(i18n, deployments.create.network)
                    value=form.draft.network
                    placeholder="bridge"
                    list="usual-networks"
                    problem=form.at("network")
                />
                <TextField name="aliases" label=say!(i18n, deployments.create.aliases) value=form.draft.aliases problem=form.at("networks") />
                <TextField name="ipv4" label=say!(i18n, deployments.create.ipv4) value=form.draft.ipv4 placeholder="172.20.0.10" problem=form.at("networks[0].ipv4") />
            </div>
            <div class="form__rows">
                <For each=move || form.draft.networks.get() key=|row| row.key let:row>
                    <NetworkLine form row />
                </For>
            </div>
            <div class="row">
                <ActionButton
                    label=say!(i18n, deployments.create.add_network)
                    icon=lu::LuPlus
                    on_press=Callback::new(move |()| form.draft.networks.update(|rows| rows.push(form.draft.network_row())))
                />
            </div>
            <datalist id="usual-networks">
                <option value="bridge"></option>
                <option value="host"></option>
                <option value="none"></option>
            </datalist>
        </Part>
    }
}

/// A network beside the first.
#[component]
fn NetworkLine(form: Form, row: NetworkRow) -> impl IntoView {
    let i18n = use_i18n();
    // The first network stands in fields of its own and counts, where it is named.
    let place = Memo::new(move |_| {
        let first = usize::from(!form.draft.network.with(|name| name.trim().is_empty()));
        form.draft.filled_networks().iter().position(|it| it.key == row.key).map(|place| place + first)
    });
    let at = move |part: &'static str| {
        form.with(move |field| place.get().is_some_and(|place| field == format!("networks[{place}]{part}")))
    };
    let any = form.with(move |field| place.get().is_some_and(|place| field.starts_with(&format!("networks[{place}]"))));
    view! {
        <div class="form__row form__row--networks">
            <Cell label=say!(i18n, deployments.create.network) value=row.name placeholder="backend" problem=at(".name") size="mono" />
            <Cell label=say!(i18n, deployments.create.aliases) value=row.aliases placeholder="db" problem=at(".aliases") size="mono" />
            <Cell label=say!(i18n, deployments.create.ipv4) value=row.ipv4 placeholder="172.20.0.10" problem=at(".ipv4") size="mono input--address" />
            <DropRow
                label=Signal::derive(move || t_string!(i18n, deployments.create.drop, name = row.name.get()))
                on_press=Callback::new(move |()| form.draft.networks.update(|rows| rows.retain(|it| it.key != row.key)))
            />
        </div>
        <RowProblem problem=any />
    }
}

#[component]
fn BehaviourPart(form: Form) -> impl IntoView {
    let i18n = use_i18n();
    let draft = form.draft;
    let policies = Signal::derive(move || {
        vec![
            (String::new(), t_string!(i18n, deployments.create.restart.no).to_owned()),
            ("on-failure".to_owned(), t_string!(i18n, deployments.create.restart.on_failure).to_owned()),
            ("unless-stopped".to_owned(), t_string!(i18n, deployments.create.restart.unless_stopped).to_owned()),
            ("always".to_owned(), t_string!(i18n, deployments.create.restart.always).to_owned()),
        ]
    });
    view! {
        <Part title=say!(i18n, deployments.create.part.behaviour)>
            <div class="form__grid">
                <SelectField
                    name="restart"
                    label=say!(i18n, deployments.create.restart.label)
                    value=draft.restart
                    options=policies
                    required=true
                    problem=form.at("restart")
                />
                {move || (draft.restart.get() == "on-failure").then(|| view! {
                    <TextField name="retries" label=say!(i18n, deployments.create.restart.retries) value=draft.retries placeholder="5" />
                })}
                <TextField name="memory" label=say!(i18n, deployments.create.memory) value=draft.memory placeholder="512m" hint=say!(i18n, deployments.create.memory_hint) problem=form.at("memory") />
                <TextField name="cpus" label=say!(i18n, deployments.create.cpus) value=draft.cpus placeholder="1.5" problem=form.at("cpus") />
                <TextField name="pids" label=say!(i18n, deployments.create.pids) value=draft.pids placeholder="200" problem=form.at("pids_limit") />
            </div>
            <div class="checks">
                <CheckField name="init" label=say!(i18n, deployments.create.init) value=draft.init problem=form.at("init") />
                <CheckField name="read-only" label=say!(i18n, deployments.create.read_only) value=draft.read_only problem=form.at("read_only") />
                <CheckField name="auto-remove" label=say!(i18n, deployments.create.auto_remove) value=draft.auto_remove problem=form.at("auto_remove") />
                <CheckField name="tty" label=say!(i18n, deployments.create.tty) value=draft.tty />
                <CheckField name="stdin-open" label=say!(i18n, deployments.create.stdin_open) value=draft.stdin_open />
            </div>
        </Part>
    }
}

#[component]
fn HealthPart(form: Form) -> impl IntoView {
    let i18n = use_i18n();
    let draft = form.draft;
    let kinds = Signal::derive(move || {
        vec![
            (String::new(), t_string!(i18n, deployments.create.health.of_image).to_owned()),
            ("shell".to_owned(), t_string!(i18n, deployments.create.health.shell).to_owned()),
            ("command".to_owned(), t_string!(i18n, deployments.create.health.command).to_owned()),
            ("none".to_owned(), t_string!(i18n, deployments.create.health.off).to_owned()),
        ]
    });
    let has_command = Memo::new(move |_| matches!(draft.health_kind.get().as_str(), "shell" | "command"));
    view! {
        <Part title=say!(i18n, deployments.create.part.health)>
            <div class="form__grid">
                <SelectField name="health-kind" label=say!(i18n, deployments.create.health.kind) value=draft.health_kind options=kinds required=true />
                {move || has_command.get().then(|| view! {
                    <TextField
                        name="health-command"
                        label=say!(i18n, deployments.containers.column.command)
                        value=draft.health_command
                        placeholder="wget -q -O /dev/null http://localhost/"
                        required=true
                        problem=form.at("health.test")
                    />
                    <TextField name="health-interval" label=say!(i18n, deployments.create.health.interval) value=draft.health_interval placeholder="30" problem=form.at("health.interval") />
                    <TextField name="health-timeout" label=say!(i18n, deployments.create.health.timeout) value=draft.health_timeout placeholder="30" problem=form.at("health.timeout") />
                    <TextField name="health-retries" label=say!(i18n, deployments.create.health.retries) value=draft.health_retries placeholder="3" problem=form.at("health.retries") />
                    <TextField name="health-start" label=say!(i18n, deployments.create.health.start_period) value=draft.health_start placeholder="0" problem=form.at("health.start_period") />
                })}
            </div>
        </Part>
    }
}

#[component]
fn LabelsPart(form: Form) -> impl IntoView {
    let i18n = use_i18n();
    let draft = form.draft;
    view! {
        <Part title=say!(i18n, deployments.create.labels)>
            <Pairs form rows=draft.labels field="labels" name_hint="team" shown=RwSignal::new(true) />
            <div class="row">
                <ActionButton
                    label=say!(i18n, deployments.create.add_label)
                    icon=lu::LuPlus
                    on_press=Callback::new(move |()| draft.labels.update(|rows| rows.push(draft.pair("", ""))))
                />
            </div>
        </Part>
    }
}

#[component]
fn AdvancedPart(form: Form) -> impl IntoView {
    let i18n = use_i18n();
    let draft = form.draft;
    let refused = form.elevate;
    view! {
        <details class="panel create__advanced">
            <summary>{t!(i18n, deployments.create.part.advanced)}</summary>
            <div class="panel__body stack">
                <div class="form__grid">
                    <TextField name="cap-add" label=say!(i18n, deployments.create.cap_add) value=draft.cap_add placeholder="NET_BIND_SERVICE" problem=form.at("cap_add") />
                    <TextField name="cap-drop" label=say!(i18n, deployments.create.cap_drop) value=draft.cap_drop placeholder="ALL" problem=form.at("cap_drop") />
                    <TextField name="dns" label=say!(i18n, deployments.create.dns) value=draft.dns placeholder="9.9.9.9" problem=form.at("dns") />
                    <TextField name="ulimits" label=say!(i18n, deployments.create.ulimits) value=draft.ulimits placeholder="nofile=1024:2048" problem=form.at("ulimits") />
                    <TextField name="log-driver" label=say!(i18n, deployments.create.log_driver) value=draft.log_driver placeholder="json-file" problem=form.at("log_driver") />
                </div>
                <div class="form__grid">
                    <TextAreaField name="extra-hosts" label=say!(i18n, deployments.create.extra_hosts) value=draft.extra_hosts placeholder="db:10.0.0.5" rows=2 problem=form.at("extra_hosts") />
                    <TextAreaField name="devices" label=say!(i18n, deployments.create.devices) value=draft.devices placeholder="/dev/fuse" rows=2 problem=form.at("devices") />
                    <TextAreaField name="log-options" label=say!(i18n, deployments.create.log_options) value=draft.log_options placeholder="max-size=10m" rows=2 problem=form.at("log_options") />
                </div>
                <div class="checks">
                    <CheckField name="privileged" label=say!(i18n, deployments.create.privileged) value=draft.privileged refused problem=form.at("privileged") />
                    <CheckField name="pid-host" label=say!(i18n, deployments.create.pid_host) value=draft.pid_host refused problem=form.at("pid_mode") />
                    <CheckField name="ipc-host" label=say!(i18n, deployments.create.ipc_host) value=draft.ipc_host refused problem=form.at("ipc_mode") />
                </div>
            </div>
        </details>
    }
}
