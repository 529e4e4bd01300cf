//! The form that starts a run: where, what, and how, with what it would do beside it.

use super::{
    draft::{Draft, Row},
    history::name_of,
};
use crate::{
    app::refusal,
    authentication::policy::Verb,
    error::{Error, Problem, Result},
    i18n::{t, t_string, use_i18n},
    id::Id,
    jobs::model::Job,
    provisioning::{
        api::{get_run, preview_run, start_run},
        books_api::{playbook_questions, playbook_tags},
        model::{AnswerKind, Preview, Question, RunOptions, RunRequest},
    },
    storage::{
        Playbook,
        item::{calls::get_record, ui::RecordPicker},
    },
    ui::{
        ActionButton, ButtonLook, CheckField, CopyButton, Icon, LinkButton, LiveView, Notice, PageHead, Panel, Pick,
        PickerField, SelectField, Skeleton, TextField, Tone, Trouble, UnsavedGuard, use_address, use_toasts,
    },
};
use icondata_lu as lu;
use leptos::{leptos_dom::helpers::TimeoutHandle, prelude::*};
use leptos_router::hooks::use_params_map;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// How long after the last change the server is asked what it would do.
const PAUSE: Duration = Duration::from_millis(400);
/// Hosts that are named; more are counted.
const NAMED: usize = 60;

/// What a form begins with.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Beginning {
    playbook: Option<Id<Playbook>>,
    /// The playbook of the run that the form is filled from.
    from: Option<String>,
    request: RunRequest,
    names: BTreeMap<String, String>,
    asked: Asked,
}

/// What a playbook asks, and whose it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Asked {
    questions: Vec<Question>,
    /// The customer, or that it is the platform's own; `None` while no playbook is chosen.
    customer: Option<Option<String>>,
}

async fn asked(playbook: Id<Playbook>) -> Result<Asked> {
    let record = get_record("playbook".to_owned(), playbook.to_string()).await?.record;
    Ok(Asked {
        questions: playbook_questions(playbook).await?,
        customer: Some(record.base.customer.map(|customer| customer.to_string())),
    })
}

/// What the address asks for.
#[derive(Clone, Debug, Default, PartialEq)]
struct Wanted {
    playbook: Option<Id<Playbook>>,
    hosts: Vec<String>,
    machines: Vec<String>,
    from: Option<Id<Job>>,
    failed: bool,
}

async fn begin(wanted: Wanted) -> Result<Beginning> {
    let mut request = RunRequest {
        // Is set as soon as the playbook is known.
        playbook: wanted.playbook.unwrap_or_default(),
        hosts: wanted.hosts.iter().filter_map(|id| id.parse().ok()).collect(),
        machines: wanted.machines.iter().filter_map(|id| id.parse().ok()).collect(),
        options: RunOptions::default(),
    };
    let (mut playbook, mut from) = (wanted.playbook, None);
    if let Some(id) = wanted.from {
        let earlier = get_run(id).await?;
        playbook = Some(earlier.run.playbook);
        from = Some(earlier.run.playbook_name.clone());
        request = earlier.run.request;
        if wanted.failed {
            let recap = if earlier.run.recap.is_empty() { earlier.tree.recap_so_far() } else { earlier.run.recap };
            let open = earlier.tree.under_way();
            let failed = recap.iter().filter(|it| it.is_bad() || open.contains(&it.host)).map(|it| it.host.clone());
            request.options.limit = failed.collect::<Vec<_>>().join(",");
        }
    }
    let wanted_names = (playbook.iter().map(|id| ("playbook", id.to_string())))
        .chain(request.hosts.iter().map(|id| ("host", id.to_string())))
        .chain(request.machines.iter().map(|id| ("machine", id.to_string())))
        .chain(request.options.credentials.iter().map(|id| ("credential", id.to_string())));
    let mut names = BTreeMap::new();
    for (kind, id) in wanted_names.collect::<Vec<_>>() {
        match name_of(kind, id.clone()).await {
            Ok(name) => drop(names.insert(id, name)),
            // What is gone since then is left out of the form.
            Err(Error::NotFound { .. }) if kind != "playbook" => {}
            Err(error) => return Err(error),
        }
    }
    let asked = match playbook {
        Some(playbook) => asked(playbook).await?,
        None => Asked::default(),
    };
    Ok(Beginning { playbook, from, request, names, asked })
}

/// Runs the playbook that the address names.
#[component]
pub fn RunPlaybookPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<Id<Playbook>>().ok())));
    move || match id.get() {
        Some(id) => view! { <Prepared playbook=Some(id) /> }.into_any(),
        None => view! { <Trouble error=Signal::stored(Error::not_found("playbook")) /> }.into_any(),
    }
}

/// Runs a playbook of one's choice; `?playbook=`, `?hosts=`, `?machines=` and `?from=RUN` fill the form.
#[component]
pub fn NewRunPage() -> impl IntoView {
    view! { <Prepared playbook=None /> }
}

#[component]
fn Prepared(playbook: Option<Id<Playbook>>) -> impl IntoView {
    let i18n = use_i18n();
    let address = use_address();
    let keys = ["playbook", "hosts", "machines", "from", "failed"].map(|key| address.get(key));
    let wanted = Memo::new(move |_| {
        let [chosen, hosts, machines, from, failed] = keys.map(|key| key.get());
        let list = |text: &str| text.split(',').filter(|id| !id.is_empty()).map(str::to_owned).collect();
        Wanted {
            playbook: playbook.or_else(|| chosen.parse().ok()),
            hosts: list(&hosts),
            machines: list(&machines),
            from: from.parse().ok(),
            failed: failed == "true",
        }
    });
    let is_fixed = playbook.is_some();
    let head = move || {
        view! { <PageHead title=Signal::derive(move || t_string!(i18n, run_page.form.title_new).to_owned()) /> }
    };
    view! {
        <LiveView
            fetch=move || begin(wanted.get_untracked())
            changes=Signal::stored(0_u64)
            head=head
            view=move |live| {
                let beginning = live.value().get_untracked();
                view! { <Form beginning is_fixed /> }
            }
        />
    }
}

/// What the parts of the form share. Cheap to copy.
#[derive(Clone, Copy)]
struct Shared {
    draft: Draft,
    problems: Memo<Vec<Problem>>,
    whose: Signal<Option<Option<String>>>,
}

impl Shared {
    /// What is wrong at a field.
    fn at(self, field: impl Into<String>) -> Signal<Option<String>> {
        let field = field.into();
        Signal::derive(move || {
            self.problems.with(|all| all.iter().find(|it| it.field == field).map(|it| it.message.clone()))
        })
    }
}

#[component]
fn Form(
    beginning: Beginning,
    /// Whether the address has decided the playbook.
    is_fixed: bool,
) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let address = use_address();
    let Beginning { playbook, from, request, names, asked: first } = beginning;
    let draft = Draft::of(playbook, &request, &names, first.questions.clone());
    let owner = RwSignal::new(first.customer);
    let (tags, tags_of) = (RwSignal::new(Vec::<String>::new()), StoredValue::new(None::<Id<Playbook>>));
    let whose = Signal::derive(move || owner.get());
    let chosen = Memo::new(move |_| draft.playbook_id());
    // Another playbook asks other questions.
    Effect::watch(
        move || chosen.get(),
        move |chosen, _, _| {
            let Some(chosen) = *chosen else {
                draft.questions.set(Vec::new());
                return;
            };
            leptos::task::spawn_local(async move {
                match asked(chosen).await {
                    Ok(asked) if draft.playbook.try_with_untracked(|_| ()).is_some() => {
                        draft.ask(asked.questions);
                        owner.set(asked.customer);
                    }
                    Ok(_) => {}
                    Err(error) => toasts.failed(&error),
                }
            });
        },
        false,
    );
    // Ansible itself is asked for the tags, which may take a second.
    Effect::new(move || {
        let Some(chosen) = chosen.get() else { return };
        if tags_of.get_value() == Some(chosen) {
            return;
        }
        tags_of.set_value(Some(chosen));
        leptos::task::spawn_local(async move {
            // Without an answer tags are typed freely.
            if let Ok(found) = playbook_tags(chosen).await {
                tags.try_set(found);
            }
        });
    });

    let read = Memo::new(move |_| draft.read(i18n.get_locale(), false));
    let (stands, sent) = (StoredValue::new(read.get_untracked().0), RwSignal::new(false));
    let dirty = Memo::new(move |_| !sent.get() && read.with(|(request, _)| stands.with_value(|it| it != request)));
    let told = RwSignal::new(Vec::<Problem>::new());
    let tried = RwSignal::new(false);
    let problems = Memo::new(move |_| {
        let mut all = if tried.get() { read.with(|(_, problems)| problems.clone()) } else { Vec::new() };
        for problem in told.get() {
            if !all.iter().any(|known| known.field == problem.field) {
                all.push(problem);
            }
        }
        all
    });
    let shared = Shared { draft, problems, whose };
    let refused = refusal(Verb::Operate, "run");
    let busy = RwSignal::new(None::<bool>);
    let send = move |check: bool| {
        if refused.get_untracked().is_some() || busy.get_untracked().is_some() {
            return;
        }
        tried.set(true);
        told.set(Vec::new());
        let (request, wrong) = untrack(|| draft.read(i18n.get_locale_untracked(), check));
        let Some(request) = request.filter(|_| wrong.is_empty()) else {
            show_first_problem();
            return;
        };
        busy.set(Some(check));
        leptos::task::spawn_local(async move {
            match start_run(request).await {
                Ok(id) => {
                    sent.try_set(true);
                    address.go(&format!("/runs/{id}"));
                }
                Err(Error::Invalid { problems }) => {
                    told.try_set(problems);
                    show_first_problem();
                }
                Err(error) => toasts.failed(&error),
            }
            busy.try_set(None);
        });
    };
    // What the server refused may be mended by any change.
    Effect::watch(move || read.get(), move |_, _, _| told.set(Vec::new()), false);
    let name = Memo::new(move |_| draft.playbook.with(|picks| picks.first().map(|pick| pick.label.clone())));
    let title = Signal::derive(move || match name.get() {
        Some(name) => t_string!(i18n, run_page.form.title, playbook = name),
        None => t_string!(i18n, run_page.form.title_new).to_owned(),
    });
    let back = playbook.map_or_else(|| "/runs".to_owned(), |id| format!("/playbooks/{id}"));
    view! {
        <UnsavedGuard dirty />
        <PageHead title />
        {move || refused.get().map(|reason| view! { <Notice tone=Signal::stored(Tone::Warn)>{reason}</Notice> })}
        {from.map(|name| view! {
            <Notice tone=Signal::stored(Tone::Idle)>{move || t_string!(i18n, run_page.form.from, playbook = name.clone())}</Notice>
        })}
        <form
            class="create run-form"
            novalidate
            on:submit=move |event| {
                event.prevent_default();
                send(true);
            }
        >
            <fieldset class="create__form" disabled=move || refused.get().is_some()>
                <legend class="visually-hidden">{move || title.get()}</legend>
                <WherePart shared is_fixed />
                <AnswersPart shared />
                <WhatPart shared tags />
                <VariablesPart shared />
                <OptionsPart shared />
                <Rest problems draft />
                <div class="form__actions">
                    <ActionButton
                        label=Signal::derive(move || t_string!(i18n, run_page.form.check).to_owned())
                        icon=lu::LuFlaskConical
                        look=ButtonLook::Primary
                        kind="submit"
                        refused
                        busy=Signal::derive(move || busy.get() == Some(true))
                    />
                    <ActionButton
                        label=Signal::derive(move || t_string!(i18n, run_page.form.run).to_owned())
                        icon=lu::LuPlay
                        refused
                        busy=Signal::derive(move || busy.get() == Some(false))
                        on_press=Callback::new(move |()| send(false))
                    />
                    <LinkButton
                        href=back
                        label=Signal::derive(move || t_string!(i18n, run_page.form.cancel).to_owned())
                        look=ButtonLook::Quiet
                    />
                    <span class="soft run-form__hint">{t!(i18n, run_page.form.check_hint)}</span>
                </div>
            </fieldset>
            <Beside draft read refused />
        </form>
    }
}

/// Takes the person to the first field that is wrong, once it is marked.
fn show_first_problem() {
    #[cfg(feature = "hydrate")]
    request_animation_frame(|| {
        use wasm_bindgen::JsCast as _;

        let wrong = document().query_selector(".run-form :is(input, select)[aria-invalid=\"true\"]").ok().flatten();
        if let Some(field) = wrong.and_then(|field| field.dyn_into::<web_sys::HtmlElement>().ok()) {
            // A field in a folded part is shown first.
            if let Some(folded) = field.closest("details").ok().flatten() {
                drop(folded.set_attribute("open", ""));
            }
            drop(field.focus());
        }
    });
}

/// Words in the person's language that follow it.
macro_rules! say {
    ($i18n:ident, $($key:tt)+) => {
        Signal::derive(move || t_string!($i18n, $($key)+).to_owned())
    };
}

#[component]
fn WherePart(shared: Shared, is_fixed: bool) -> impl IntoView {
    let i18n = use_i18n();
    let Shared { draft, whose, .. } = shared;
    view! {
        <Panel title=say!(i18n, run_page.form.place)>
            <div class="panel__body form__grid">
                {(!is_fixed).then(|| view! {
                    <div class="form__wide">
                        <RecordPicker
                            name="run-playbook".to_owned()
                            label=say!(i18n, run_page.form.playbook)
                            kind="playbook"
                            chosen=draft.playbook
                            required=true
                            problem=shared.at("playbook")
                        />
                    </div>
                })}
                <RecordPicker
                    name="run-hosts".to_owned()
                    label=say!(i18n, run_page.form.hosts)
                    kind="host"
                    chosen=draft.hosts
                    whose
                    many=true
                    problem=shared.at("hosts")
                />
                <RecordPicker
                    name="run-machines".to_owned()
                    label=say!(i18n, run_page.form.machines)
                    kind="machine"
                    chosen=draft.machines
                    whose
                    many=true
                    problem=shared.at("machines")
                />
                <div class="form__wide">
                    <TextField
                        name="run-limit"
                        label=say!(i18n, run_page.form.limit)
                        value=draft.limit
                        hint=say!(i18n, run_page.form.limit_hint)
                        problem=shared.at("options.limit")
                    />
                </div>
            </div>
        </Panel>
    }
}

/// The playbook's own questions.
#[component]
fn AnswersPart(shared: Shared) -> impl IntoView {
    let i18n = use_i18n();
    let draft = shared.draft;
    let has_some = Memo::new(move |_| !draft.questions.with(Vec::is_empty));
    move || {
        has_some.get().then(|| {
            view! {
                <Panel title=say!(i18n, run_page.form.answers)>
                    <div class="panel__body form__grid">
                        <For each=move || draft.questions.get() key=|it| it.variable.clone() let:question>
                            <Answer shared question />
                        </For>
                    </div>
                </Panel>
            }
        })
    }
}

#[component]
fn Answer(shared: Shared, question: Question) -> impl IntoView {
    let i18n = use_i18n();
    let Question { variable, question, answer, choices, required, .. } = question;
    let value = shared.draft.answer(&variable);
    let name = format!("answer-{variable}");
    let problem = shared.at(format!("options.variables.{variable}"));
    let label = Signal::stored(if question.is_empty() { variable.clone() } else { question });
    match answer {
        AnswerKind::Choice => {
            let options = Signal::derive(move || {
                let none = (String::new(), t_string!(i18n, run_page.form.choose).to_owned());
                std::iter::once(none)
                    .chain(choices.iter().map(|choice| (choice.clone(), choice.clone())))
                    .collect::<Vec<_>>()
            });
            view! { <SelectField name label value options required problem /> }.into_any()
        }
        AnswerKind::Secret => view! {
            <TextField
                name
                label
                value
                kind="password"
                autocomplete="new-password"
                required
                hint=say!(i18n, run_page.form.secret_hint)
                problem
            />
        }
        .into_any(),
        AnswerKind::Number | AnswerKind::Text => view! { <TextField name label value required problem /> }.into_any(),
    }
}

#[component]
fn WhatPart(shared: Shared, tags: RwSignal<Vec<String>>) -> impl IntoView {
    let i18n = use_i18n();
    let draft = shared.draft;
    view! {
        <Panel title=say!(i18n, run_page.form.what)>
            <div class="panel__body form__grid">
                <TagsField
                    name="run-tags"
                    label=say!(i18n, run_page.form.tags)
                    chosen=draft.tags
                    tags
                    problem=shared.at("options.tags")
                />
                <TagsField
                    name="run-skip-tags"
                    label=say!(i18n, run_page.form.skip_tags)
                    chosen=draft.skip_tags
                    tags
                    problem=shared.at("options.skip_tags")
                />
            </div>
        </Panel>
    }
}

/// Words of one's own, with those of the playbook offered.
#[component]
fn TagsField(
    name: &'static str,
    label: Signal<String>,
    chosen: RwSignal<Vec<Pick>>,
    tags: RwSignal<Vec<String>>,
    problem: Signal<Option<String>>,
) -> impl IntoView {
    let i18n = use_i18n();
    let words = RwSignal::new(String::new());
    let offers = Memo::new(move |_| {
        let typed = words.get().trim().to_owned();
        let known = tags.get();
        let own = (!typed.is_empty() && !known.contains(&typed)).then(|| typed.clone());
        let found = known.into_iter().filter(|tag| tag.contains(&typed));
        found.chain(own).map(|tag| Pick { id: tag.clone(), label: tag }).collect::<Vec<_>>()
    });
    view! {
        <PickerField
            name
            label
            chosen
            many=true
            words
            offers
            hint=say!(i18n, run_page.form.tags_hint)
            problem
        />
    }
}

#[component]
fn VariablesPart(shared: Shared) -> impl IntoView {
    let i18n = use_i18n();
    let draft = shared.draft;
    view! {
        <Panel title=say!(i18n, run_page.form.variables)>
            <div class="panel__body stack">
                <p class="soft">{t!(i18n, run_page.form.variables_hint)}</p>
                <div class="form__rows">
                    <For each=move || draft.variables.get() key=|row| row.number let:row>
                        <VariableRow shared row />
                    </For>
                </div>
                <div>
                    <ActionButton
                        label=say!(i18n, run_page.form.add_variable)
                        icon=lu::LuPlus
                        on_press=Callback::new(move |()| draft.add("", ""))
                    />
                </div>
            </div>
        </Panel>
    }
}

#[component]
fn VariableRow(shared: Shared, row: Row) -> impl IntoView {
    let i18n = use_i18n();
    let draft = shared.draft;
    let Row { number, name, value } = row;
    let own = shared.at(format!("variable-{number}"));
    let problem = Signal::derive(move || {
        own.get().or_else(|| {
            let field = format!("options.variables.{}", name.get().trim());
            shared.problems.with(|all| all.iter().find(|it| it.field == field).map(|it| it.message.clone()))
        })
    });
    let place = Memo::new(move |_| {
        draft.variables.with(|rows| rows.iter().position(|row| row.number == number).unwrap_or_default() + 1)
    });
    let (described, problem_id) = (format!("variable-{number}-problem"), format!("variable-{number}-problem"));
    view! {
        <div class="run-variable">
            <div class="form__row">
                <input
                    class="input mono"
                    autocomplete="off"
                    spellcheck="false"
                    placeholder=move || t_string!(i18n, run_page.form.name)
                    aria-label=move || t_string!(i18n, run_page.form.variable_name, number = place.get().to_string())
                    aria-invalid=move || problem.get().is_some().then_some("true")
                    aria-describedby=move || problem.get().is_some().then(|| described.clone())
                    prop:value=move || name.get()
                    value=name.get_untracked()
                    on:input=move |event| name.set(event_target_value(&event))
                />
                <input
                    class="input mono"
                    autocomplete="off"
                    spellcheck="false"
                    placeholder=move || t_string!(i18n, run_page.form.value)
                    aria-label=move || t_string!(i18n, run_page.form.variable_value, number = place.get().to_string())
                    prop:value=move || value.get()
                    value=value.get_untracked()
                    on:input=move |event| value.set(event_target_value(&event))
                />
                <ActionButton
                    label=Signal::derive(move || t_string!(i18n, run_page.form.drop_variable, name = name.get()))
                    icon=lu::LuX
                    look=ButtonLook::Icon
                    on_press=Callback::new(move |()| draft.variables.update(|rows| rows.retain(|row| row.number != number)))
                />
            </div>
            {move || problem.get().map(|problem| view! {
                <span class="field__problem" id=problem_id.clone()><Icon icon=lu::LuCircleAlert />{problem}</span>
            })}
        </div>
    }
}

#[component]
fn OptionsPart(shared: Shared) -> impl IntoView {
    let i18n = use_i18n();
    let Shared { draft, whose, .. } = shared;
    let is_open = untrack(|| {
        draft.becomes.get()
            || !draft.forks.with(String::is_empty)
            || !draft.timeout.with(String::is_empty)
            || !draft.credentials.with(Vec::is_empty)
            || draft.verbosity.with(|it| it != "0")
    });
    let verbosity = Signal::derive(move || {
        let usual = ("0".to_owned(), t_string!(i18n, run_page.form.verbosity_usual).to_owned());
        let more = (1..=4_usize).map(|level| {
            let flag = format!("-{}", "v".repeat(level));
            (level.to_string(), t_string!(i18n, run_page.form.verbosity_more, flag = flag))
        });
        std::iter::once(usual).chain(more).collect::<Vec<_>>()
    });
    view! {
        <details class="panel create__advanced" open=is_open>
            <summary>{t!(i18n, run_page.form.options)}</summary>
            <div class="panel__body form__grid">
                <div class="form__wide">
                    <RecordPicker
                        name="run-credentials".to_owned()
                        label=say!(i18n, run_page.form.credentials)
                        kind="credential"
                        chosen=draft.credentials
                        whose
                        many=true
                        hint=say!(i18n, run_page.form.credentials_hint)
                        problem=shared.at("options.credentials")
                    />
                </div>
                <CheckField
                    name="run-become"
                    label=say!(i18n, run_page.form.becomes)
                    value=draft.becomes
                    hint=say!(i18n, run_page.form.become_hint)
                    problem=shared.at("options.become")
                />
                {move || draft.becomes.get().then(|| view! {
                    <TextField
                        name="run-become-name"
                        label=say!(i18n, run_page.form.become_name)
                        value=draft.become_name
                        hint=say!(i18n, run_page.form.become_name_hint)
                        problem=shared.at("options.become_name")
                    />
                })}
                <CheckField
                    name="run-diff"
                    label=say!(i18n, run_page.form.diff)
                    value=draft.diff
                    hint=say!(i18n, run_page.form.diff_hint)
                />
                <SelectField
                    name="run-verbosity"
                    label=say!(i18n, run_page.form.verbosity)
                    value=draft.verbosity
                    options=verbosity
                    required=true
                    problem=shared.at("options.verbosity")
                />
                <TextField
                    name="run-forks"
                    label=say!(i18n, run_page.form.forks)
                    value=draft.forks
                    hint=say!(i18n, run_page.form.forks_hint)
                    problem=shared.at("options.forks")
                />
                <TextField
                    name="run-timeout"
                    label=say!(i18n, run_page.form.timeout)
                    value=draft.timeout
                    hint=say!(i18n, run_page.form.timeout_hint)
                    problem=shared.at("options.timeout")
                />
            </div>
        </details>
    }
}

/// Fields that have an input; what concerns others stands above the buttons.
const SHOWN: [&str; 12] = [
    "playbook",
    "hosts",
    "machines",
    "options.limit",
    "options.tags",
    "options.skip_tags",
    "options.credentials",
    "options.become",
    "options.become_name",
    "options.verbosity",
    "options.forks",
    "options.timeout",
];

/// What is wrong and stands at no input.
#[component]
fn Rest(problems: Memo<Vec<Problem>>, draft: Draft) -> impl IntoView {
    let is_shown = move |field: &str| {
        let variable = field.strip_prefix("options.variables.");
        SHOWN.contains(&field)
            || field.starts_with("variable-")
            || variable.is_some_and(|variable| {
                draft.questions.with(|all| all.iter().any(|it| it.variable == variable))
                    || draft.variables.with(|rows| rows.iter().any(|row| row.name.get().trim() == variable))
            })
    };
    move || {
        let rest: Vec<String> =
            problems.with(|all| all.iter().filter(|it| !is_shown(&it.field)).map(|it| it.message.clone()).collect());
        (!rest.is_empty()).then(|| {
            view! {
                <div role="alert">
                    <Notice tone=Signal::stored(Tone::Bad)>
                        <ul class="problems">{rest.into_iter().map(|text| view! { <li>{text}</li> }).collect_view()}</ul>
                    </Notice>
                </div>
            }
        })
    }
}

/// What it would do: whom it reaches, what to know before, and the command line.
#[component]
fn Beside(
    draft: Draft,
    read: Memo<(Option<RunRequest>, Vec<Problem>)>,
    refused: Signal<Option<String>>,
) -> impl IntoView {
    let i18n = use_i18n();
    let preview = RwSignal::new(None::<Result<Preview>>);
    let asking = RwSignal::new(false);
    let round = StoredValue::new(0_u32);
    let timer = StoredValue::new(None::<TimeoutHandle>);
    let stop = move || {
        timer.try_update_value(|timer| timer.take().map(|timer| timer.clear()));
    };
    on_cleanup(stop);
    let ask = move |request: RunRequest| {
        let this = round.get_value() + 1;
        round.set_value(this);
        leptos::task::spawn_local(async move {
            let answer = preview_run(request).await;
            // An answer to what has changed since is none.
            if round.try_get_value() == Some(this) {
                preview.try_set(Some(answer));
                asking.try_set(false);
            }
        });
    };
    Effect::new(move || {
        let request = read.with(|(request, _)| request.clone());
        stop();
        round.try_update_value(|round| *round += 1);
        let Some(request) = request.filter(|_| draft.has_target() && refused.get().is_none()) else {
            preview.set(None);
            asking.set(false);
            return;
        };
        asking.set(true);
        let later = set_timeout_with_handle(move || ask(request.clone()), PAUSE);
        timer.set_value(later.ok());
    });
    let told = Memo::new(move |_| preview.with(|it| it.as_ref().and_then(|it| it.as_ref().ok().cloned())));
    let wrong = Memo::new(move |_| {
        preview.with(|it| match it {
            Some(Err(Error::Invalid { problems })) => problems.iter().map(|it| it.message.clone()).collect(),
            Some(Err(error)) => vec![error.message(i18n.get_locale())],
            Some(Ok(_)) | None => Vec::new(),
        })
    });
    let command = Signal::derive(move || told.with(|it| it.as_ref().map(|it| it.command.clone()).unwrap_or_default()));
    view! {
        <aside class="create__beside" aria-label=move || t_string!(i18n, run_page.form.beside)>
            <Panel
                title=say!(i18n, run_page.form.reached)
                end=ViewFn::from(move || told.with(|it| it.as_ref().map(|it| it.hosts.len())).map(|count| view! {
                    <span class="soft number" role="status">
                        {match count {
                            1 => t_string!(i18n, run_page.count.host).to_owned(),
                            count => t_string!(i18n, run_page.count.hosts, count = count.to_string()),
                        }}
                    </span>
                }))
            >
                <div class="panel__body" aria-busy=move || asking.get().then_some("true")>
                    {move || {
                        let wrong = wrong.get();
                        if !wrong.is_empty() {
                            return view! {
                                <div class="stack" data-tone="warn">
                                    <p>{t!(i18n, run_page.form.problems)}</p>
                                    <ul class="problems">{wrong.into_iter().map(|text| view! { <li>{text}</li> }).collect_view()}</ul>
                                </div>
                            }.into_any();
                        }
                        match told.get() {
                            None if asking.get() => view! { <Skeleton rows=1 /> }.into_any(),
                            None => view! { <p class="soft">{t!(i18n, run_page.form.reached_none)}</p> }.into_any(),
                            Some(it) if it.hosts.is_empty() => view! { <p data-tone="warn" class="tone">{t!(i18n, run_page.form.reached_nobody)}</p> }.into_any(),
                            Some(it) => {
                                let more = it.hosts.len().saturating_sub(NAMED);
                                view! {
                                    <ul class="run-reached mono">
                                        {it.hosts.into_iter().take(NAMED).map(|host| view! { <li>{host}</li> }).collect_view()}
                                        {(more > 0).then(|| view! { <li class="soft">{t_string!(i18n, common.and_more, count = more.to_string())}</li> })}
                                    </ul>
                                }.into_any()
                            }
                        }
                    }}
                </div>
            </Panel>
            <div role="status">
                {move || {
                    let warnings = told.with(|it| it.as_ref().map(|it| it.warnings.clone()).unwrap_or_default());
                    (!warnings.is_empty()).then(|| view! {
                        <Panel title=say!(i18n, run_page.form.warnings)>
                            <ul class="warnings">
                                {warnings.into_iter().map(|warning| view! {
                                    <li data-tone="warn"><Icon icon=lu::LuTriangleAlert /><span>{warning}</span></li>
                                }).collect_view()}
                            </ul>
                        </Panel>
                    })
                }}
            </div>
            <Panel
                title=say!(i18n, run_page.form.command)
                end=ViewFn::from(move || (!command.with(String::is_empty)).then(|| view! { <CopyButton text=command /> }))
            >
                {move || if command.with(String::is_empty) {
                    view! { <p class="panel__body soft">{t!(i18n, run_page.form.command_none)}</p> }.into_any()
                } else {
                    view! {
                        <pre class="console console--wrap" tabindex="0" aria-label=move || t_string!(i18n, run_page.form.command)>
                            <code class="console__line">{move || command.get()}</code>
                        </pre>
                    }.into_any()
                }}
            </Panel>
        </aside>
    }
}
