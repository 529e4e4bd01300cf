//! The form that starts a run: where, what, and how, with what it would do beside it.

use super::{
    draft::Draft,
    history::name_of,
    run_fields::{
        AnswerFields, Asked, LimitField, OptionFields, Shared, TagFields, VariableFields, asked, follow_playbook,
        has_options,
    },
};
use crate::{
    app::refusal,
    authentication::policy::Verb,
    error::{Error, Problem, Result},
    i18n::{say, t, t_string, use_i18n},
    id::Id,
    jobs::model::Job,
    provisioning::{
        api::{get_run, preview_run, start_run},
        model::{Preview, RunOptions, RunRequest},
    },
    storage::{Playbook, item::ui::RecordPicker},
    ui::{
        ActionButton, ButtonLook, CopyButton, Icon, LinkButton, LiveView, Notice, PageHead, Panel, Skeleton, Tone,
        Trouble, UnsavedGuard, use_address, use_toasts,
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
        view! { <PageHead title=say!(i18n, run_page.form.title_new) /> }
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
    let (asked, tags) = follow_playbook(draft, first);
    let whose = Signal::derive(move || asked.with(|asked| asked.customer.clone()));

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
    let shared = Shared { draft, problems };
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
                <WherePart shared whose is_fixed />
                <AnswersPart shared />
                <Panel title=say!(i18n, run_page.form.what)>
                    <div class="panel__body form__grid"><TagFields shared tags /></div>
                </Panel>
                <Panel title=say!(i18n, run_page.form.variables)>
                    <div class="panel__body stack"><VariableFields shared /></div>
                </Panel>
                <details class="panel create__advanced" open=has_options(draft)>
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
                        <OptionFields shared />
                    </div>
                </details>
                <Rest problems draft />
                <div class="form__actions">
                    <ActionButton
                        label=say!(i18n, run_page.form.check)
                        icon=lu::LuFlaskConical
                        look=ButtonLook::Primary
                        kind="submit"
                        refused
                        busy=Signal::derive(move || busy.get() == Some(true))
                    />
                    <ActionButton
                        label=say!(i18n, run_page.form.run)
                        icon=lu::LuPlay
                        refused
                        busy=Signal::derive(move || busy.get() == Some(false))
                        on_press=Callback::new(move |()| send(false))
                    />
                    <LinkButton
                        href=back
                        label=say!(i18n, run_page.form.cancel)
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

#[component]
fn WherePart(shared: Shared, whose: Signal<Option<Option<String>>>, is_fixed: bool) -> impl IntoView {
    let i18n = use_i18n();
    let draft = shared.draft;
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
                <LimitField shared />
            </div>
        </Panel>
    }
}

/// The playbook's own questions, where it has some.
#[component]
fn AnswersPart(shared: Shared) -> impl IntoView {
    let i18n = use_i18n();
    let draft = shared.draft;
    let has_some = Memo::new(move |_| !draft.questions.with(Vec::is_empty));
    move || {
        has_some.get().then(|| {
            view! {
                <Panel title=say!(i18n, run_page.form.answers)>
                    <div class="panel__body form__grid"><AnswerFields shared /></div>
                </Panel>
            }
        })
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
        <aside class="create__beside" aria-label=t!(i18n, run_page.form.beside)>
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
                        <pre class="console console--wrap" tabindex="0" aria-label=t!(i18n, run_page.form.command)>
                            <code class="console__line">{move || command.get()}</code>
                        </pre>
                    }.into_any()
                }}
            </Panel>
        </aside>
    }
}
