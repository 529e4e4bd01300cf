//! The home page: what needs attention first, then how everything stands.

use crate::{
    app::use_session,
    deployments::model::EngineState,
    error::Result,
    events::{client::use_changes, model::Topic},
    i18n::{Locale, say, t, t_string, td_string, use_i18n},
    id::Id,
    jobs::{
        model::{Job, JobState},
        ui::{JobBadge, page_of},
    },
    json::Json,
    provisioning::{
        model::RunState,
        ui::{RunBadge, short, state_word},
    },
    storage::{self, Schedule, kinds},
    time::Timestamp,
    ui::{Ago, Badge, ButtonLook, Icon, LinkButton, Live, LiveView, Outdated, PageHead, Panel, Tone, bytes},
};
use icondata_lu as lu;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// How everything stands, within the person's reach.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// What needs attention, the worst first.
    pub attention: Vec<Attention>,
    /// Every engine.
    pub engines: Vec<Engine>,
    /// The database.
    pub database: Part,
    /// Ansible.
    pub ansible: Part,
    /// How many records of each kind: the kind's name and the count.
    pub records: Vec<(String, u64)>,
    /// The last jobs.
    pub jobs: Vec<Job>,
    /// The last runs.
    pub runs: Vec<LastRun>,
    /// The schedules that come next, the soonest first.
    pub next: Vec<NextSchedule>,
    /// The last changes of records; `None` for people who may not see the audit trail.
    pub changes: Option<Vec<LastChange>>,
}

/// A part that the server leans on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Whether it is there.
    pub is_up: bool,
    /// What it is called: `SQLite`, `ansible-core`.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
    /// Its size in bytes.
    pub size: Option<i64>,
    /// How to get it, while it is missing.
    pub hint: Option<String>,
}

/// An engine, as far as home tells of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Engine {
    /// Its name.
    pub name: String,
    /// How the connection stands.
    pub state: EngineState,
    /// Why it is not up, in words for a person, with what to do.
    pub problem: Option<String>,
    /// Its version and that of its API; the last known while it is away, as what follows.
    pub version: Option<String>,
    /// Containers that run.
    pub running: i64,
    /// Containers that do not.
    pub stopped: i64,
    /// Images.
    pub images: i64,
    /// Bytes that all of it takes on the disk.
    pub on_disk: Option<i64>,
}

/// A run, as far as home tells of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastRun {
    /// The run.
    pub id: Id<Job>,
    /// The playbook's name then.
    pub playbook: String,
    /// How it stands.
    pub state: RunState,
    /// When it was asked for.
    pub at: Timestamp,
}

/// A schedule, as far as home tells of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NextSchedule {
    /// The schedule.
    pub id: Id<Schedule>,
    /// Its name.
    pub name: String,
    /// When it comes next.
    pub at: Timestamp,
}

/// One thing that needs attention.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attention {
    /// An engine does not answer.
    EngineAway {
        /// Its name.
        name: String,
        /// Why, and what to do.
        problem: Option<String>,
    },
    /// A container is not as it should be.
    Container {
        /// Its engine.
        engine: String,
        /// Its identifier.
        id: String,
        /// Its name.
        name: String,
        /// Its image.
        image: String,
        /// What is wrong with it.
        trouble: Trouble,
    },
    /// A job ended badly within the last day.
    Job {
        /// The job.
        id: Id<Job>,
        /// What it was.
        title: String,
        /// How it ended.
        state: JobState,
        /// When.
        at: Timestamp,
        /// Why.
        reason: Option<String>,
    },
    /// A disk is nearly full.
    LowDisk {
        /// The engine whose data it holds; `None` for our own data.
        engine: Option<String>,
        /// The folder.
        path: String,
        /// Bytes left.
        free: i64,
        /// Bytes in all.
        total: i64,
    },
    /// A run ended badly within the last day.
    Run {
        /// The run.
        id: Id<Job>,
        /// The playbook's name then.
        playbook: String,
        /// How it ended.
        state: RunState,
        /// When.
        at: Timestamp,
        /// Why, or where.
        reason: Option<String>,
    },
    /// Playbooks cannot be run.
    AnsibleAway {
        /// How to get it.
        hint: Option<String>,
    },
}

/// What is wrong with a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// Its health check fails.
    Unhealthy,
    /// It is restarted again and again.
    Restarting,
    /// It is broken.
    Dead,
}

/// One change of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastChange {
    /// The audit line.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// Who, or why the system acted.
    pub person_name: String,
    /// The kind of the thing.
    pub kind: String,
    /// Which one: a record's id, a container's name.
    pub record: String,
    /// The record's name, while there is one.
    pub name: Option<String>,
    /// What was done.
    pub action: String,
}

/// How everything stands.
///
/// # Errors
/// [`Error::Unauthenticated`](crate::error::Error::Unauthenticated).
#[server(name = GetOverview, prefix = "/api/fn", endpoint = "overview", input = Json, output = Json)]
pub async fn overview() -> Result<Overview> {
    server::overview(&crate::authentication::server::Context::current()?).await
}

#[cfg(feature = "ssr")]
mod server {
    use super::{Attention, Engine, LastChange, LastRun, NextSchedule, Overview, Part, Trouble};
    use crate::{
        authentication::server::{Context, Proof, Reading, Scope},
        deployments::{
            model::{Container, ContainerState, EngineState, EngineStatus, Health},
            server::lists,
        },
        error::Result,
        i18n::td_string,
        jobs::{api::JobQuery, model::JobState, server::store as jobs, ui::is_run},
        platform::{
            db::sql,
            disk::Room,
            health::{self, Status},
        },
        provisioning::{
            model::{Run, RunQuery, RunState},
            server::store as runs,
        },
        storage::{
            Schedule,
            item::{Filter, Item as _, Query, Record, Sort, calls::typed, server::store},
            kinds,
        },
        time::Timestamp,
    };
    use std::{
        collections::{BTreeMap, BTreeSet},
        path::Path,
        time::{Duration, Instant},
    };
    use tokio::sync::Mutex;

    /// How long a failed job needs attention.
    const FRESH: Duration = Duration::from_secs(24 * 3600);
    /// The ends of a run that somebody should know of.
    const ENDED_BADLY: [RunState; 5] =
        [RunState::Failed, RunState::Unreachable, RunState::SyntaxError, RunState::TimedOut, RunState::Lost];
    /// Entries of each list.
    const FEW: u32 = 6;
    /// How long the look at the disks may take.
    const DISK_PATIENCE: Duration = Duration::from_secs(1);
    /// How long what was found out about database and Ansible is good for; asking Ansible takes a second.
    const STATUS_HOLDS: Duration = Duration::from_secs(60);

    pub(super) async fn overview(context: &Context) -> Result<Overview> {
        let state = &context.state;
        let permit = context.permit::<Reading>("engine")?;
        let engines = lists::engines(&permit);
        let mut attention = Vec::new();
        let container_permit = context.permit::<Reading>("container")?;
        for engine in &engines {
            if matches!(engine.state, EngineState::Down | EngineState::Stale) {
                attention.push(Attention::EngineAway { name: engine.name.clone(), problem: engine.problem.clone() });
            } else if let Ok(listing) = lists::containers(&container_permit, &engine.name) {
                attention.extend(listing.items.iter().filter_map(|container| wants_attention(&engine.name, container)));
            }
        }
        if permit.scope() == Scope::Platform {
            attention.extend(low_disks(context, &engines).await);
        }
        let job_permit = context.permit::<Reading>("job")?;
        let oldest = Timestamp::now() - FRESH;
        for ended_badly in [JobState::Failed, JobState::Lost] {
            let query = JobQuery { state: Some(ended_badly), per_page: FEW, ..JobQuery::default() };
            let page = jobs::list(state, &job_permit, &query).await?;
            // A run is told as such, below.
            attention.extend(page.items.into_iter().filter(|job| !is_run(&job.kind)).filter_map(|job| {
                let at = job.finished_at.filter(|at| *at > oldest)?;
                let reason = job.outcome.as_ref().and_then(|it| it["error"]["message"].as_str().map(str::to_owned));
                Some(Attention::Job { id: job.id, title: job.title, state: job.state, at, reason })
            }));
        }
        let run_permit = context.permit::<Reading>("run")?;
        for ended_badly in ENDED_BADLY {
            let query =
                RunQuery { state: Some(ended_badly), since: Some(oldest), per_page: FEW, ..RunQuery::default() };
            let page = runs::list(state, &run_permit, &query).await?;
            attention.extend(page.items.into_iter().map(failed_run));
        }
        let last_runs = RunQuery { per_page: FEW, ..RunQuery::default() };
        let status = status(context).await;
        let ansible = state.ansible.look();
        let missing = || td_string!(context.locale, ansible.hint).to_owned();
        let hint = ansible.is_missing.then(missing);
        if ansible.is_missing {
            attention.push(Attention::AnsibleAway { hint: hint.clone() });
        }
        let query = JobQuery { per_page: FEW, ..JobQuery::default() };
        Ok(Overview {
            attention,
            engines: engines.into_iter().map(engine).collect(),
            database: Part {
                is_up: status.database.is_up,
                name: if status.database.kind == "postgres" { "PostgreSQL" } else { "SQLite" }.to_owned(),
                version: status.database.version,
                size: status.database.size,
                hint: None,
            },
            ansible: Part {
                is_up: ansible.is_up,
                name: "ansible-core".to_owned(),
                version: ansible.version,
                size: None,
                hint,
            },
            records: records(context).await?,
            jobs: jobs::list(state, &job_permit, &query).await?.items,
            runs: runs::list(state, &run_permit, &last_runs).await?.items.into_iter().map(last_run).collect(),
            next: next(context).await?,
            changes: changes(context).await?,
        })
    }

    /// The disks of our data folder and of the engines of this machine that are nearly full, each once.
    async fn low_disks(context: &Context, engines: &[EngineStatus]) -> Vec<Attention> {
        let own = (None, context.state.config.data.dir.display().to_string());
        let of_engines = engines.iter().filter(|engine| engine.address.starts_with("unix:")).filter_map(|engine| {
            let root = engine.info.as_ref().map(|info| info.root_dir.clone())?;
            (!root.is_empty()).then(|| (Some(engine.name.clone()), root))
        });
        let places: Vec<(Option<String>, String)> = std::iter::once(own).chain(of_engines).collect();
        // A file system that hangs, such as one over the network, hangs the look at it.
        let look = tokio::task::spawn_blocking(move || {
            let mut seen = BTreeSet::new();
            let mut low = Vec::new();
            for (engine, path) in places {
                let Some(room) = Room::around(Path::new(&path)) else { continue };
                if seen.insert(room.device) && room.is_low() {
                    let bytes = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
                    low.push(Attention::LowDisk { engine, path, free: bytes(room.free), total: bytes(room.total) });
                }
            }
            low
        });
        tokio::time::timeout(DISK_PATIENCE, look).await.ok().and_then(Result::ok).unwrap_or_default()
    }

    fn engine(status: EngineStatus) -> Engine {
        let EngineStatus { name, state, problem, info, data_usage, .. } = status;
        let version = info.as_ref().map(|info| format!("{} · API {}", info.version, info.api_version));
        let info = info.unwrap_or_default();
        Engine {
            name,
            state,
            problem,
            version,
            running: info.containers_running,
            stopped: info.containers_stopped,
            images: info.images,
            on_disk: data_usage
                .map(|usage| usage.images.size + usage.containers.size + usage.volumes.size + usage.build_cache.size),
        }
    }

    fn last_run(run: Run) -> LastRun {
        LastRun { id: run.id, playbook: run.playbook_name, state: run.state, at: run.created_at }
    }

    /// The schedules that come next.
    async fn next(context: &Context) -> Result<Vec<NextSchedule>> {
        let permit = context.permit::<Reading>(Schedule::KIND.name)?;
        let query = Query {
            filter: vec![Filter { field: "enabled".to_owned(), values: vec!["true".to_owned()] }],
            sort: vec![Sort { field: "next_at".to_owned(), descending: false }],
            per_page: FEW,
            ..Query::default()
        };
        let page = store::find(&context.state, &permit, &Schedule::KIND, &query).await?;
        let read = |record| {
            let record: Record<Schedule> = typed(record)?;
            Ok(record.item.next_at.map(|at| NextSchedule { id: record.id(), name: record.item.name, at }))
        };
        page.items.into_iter().filter_map(|record| read(record).transpose()).collect()
    }

    fn failed_run(run: Run) -> Attention {
        let bad: Vec<&str> = run.recap.iter().filter(|it| it.is_bad()).map(|it| it.host.as_str()).take(5).collect();
        let reason = run.reason.or_else(|| (!bad.is_empty()).then(|| bad.join(", ")));
        let at = run.finished_at.unwrap_or(run.created_at);
        Attention::Run { id: run.id, playbook: run.playbook_name, state: run.state, at, reason }
    }

    fn wants_attention(engine: &str, container: &Container) -> Option<Attention> {
        let trouble = match (container.state, container.health) {
            (ContainerState::Dead, _) => Trouble::Dead,
            (ContainerState::Restarting, _) => Trouble::Restarting,
            (ContainerState::Running, Health::Unhealthy) => Trouble::Unhealthy,
            _ => return None,
        };
        Some(Attention::Container {
            engine: engine.to_owned(),
            id: container.id.clone(),
            name: container.name.clone(),
            image: container.image.clone(),
            trouble,
        })
    }

    /// How database and Ansible are, found out at most once a minute.
    async fn status(context: &Context) -> Status {
        static LAST: Mutex<Option<(Instant, Status)>> = Mutex::const_new(None);

        let mut last = LAST.lock().await;
        if let Some((at, status)) = last.as_ref()
            && at.elapsed() < STATUS_HOLDS
            && status.database.is_up
            && (status.database.kind == "postgres") == context.state.db.is_postgres()
        {
            return status.clone();
        }
        let status = health::status(&context.state, Vec::new()).await;
        *last = Some((Instant::now(), status.clone()));
        status
    }

    /// How many records there are of each kind that the person may see.
    async fn records(context: &Context) -> Result<Vec<(String, u64)>> {
        let mut counts = Vec::new();
        for kind in kinds().filter(|kind| kind.name != "login") {
            let Ok(permit) = context.permit::<Reading>(kind.name) else { continue };
            let query = Query { per_page: 1, ..Query::default() };
            counts.push((kind.name.to_owned(), store::find(&context.state, &permit, kind, &query).await?.total));
        }
        Ok(counts)
    }

    /// The last changes, for people who may see the audit trail.
    async fn changes(context: &Context) -> Result<Option<Vec<LastChange>>> {
        let Ok(permit) = context.permit::<Reading>("audit") else { return Ok(None) };
        let customer = permit.scope().customer().map(|customer| customer.to_string());
        let rows = context
            .state
            .db
            .rows(
                &permit,
                sql("select id, at, person_name, kind, record, action from audit
                     where ($1 is null or customer = $1) and action <> 'asked'
                     order by id desc
                     limit $2")
                .bind(customer)
                .bind(i64::from(FEW)),
            )
            .await?;
        let read = |row: &crate::platform::db::Row| {
            anyhow::Ok(LastChange {
                id: row.text("id")?,
                at: Timestamp::from_millis(row.int("at")?),
                person_name: row.text("person_name")?,
                kind: row.text("kind")?,
                record: row.text("record")?,
                name: None,
                action: row.text("action")?,
            })
        };
        let mut changes = rows.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
        let mut ids: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        // A login has no name but that of its person, who stands beside it.
        for change in changes.iter().filter(|change| change.kind != "login") {
            ids.entry(&change.kind).or_default().insert(change.record.clone());
        }
        let names = store::names(&context.state, &permit, ids).await?;
        for change in &mut changes {
            change.name = names.get(&change.record).cloned();
        }
        Ok(Some(changes))
    }
}

/// The home page.
#[component]
pub fn HomePage() -> impl IntoView {
    let mut topics: Vec<Topic> = kinds().map(|kind| Topic::Records(kind.name.to_owned())).collect();
    let engine = crate::deployments::model::LOCAL.to_owned();
    topics.extend([
        Topic::Jobs,
        Topic::Engine(engine.clone()),
        Topic::Containers(engine.clone()),
        Topic::Images(engine),
    ]);
    let changes = use_changes(topics);
    view! {
        <LiveView
            fetch=overview
            changes
            head=|| view! { <Head count=Signal::stored(None) /> }
            view=|live| view! { <Everything live /> }
        />
    }
}

#[component]
fn Head(count: Signal<Option<usize>>) -> impl IntoView {
    let i18n = use_i18n();
    let name = use_session().map(|session| session.name).unwrap_or_default();
    let title = Signal::derive(move || t_string!(i18n, work.home.welcome, name = name.clone()));
    let line = move || {
        Some(match count.get()? {
            0 => t_string!(i18n, work.home.all_well).to_owned(),
            1 => t_string!(i18n, work.home.look_one).to_owned(),
            count => t_string!(i18n, work.home.look_many, count = count.to_string()),
        })
    };
    view! {
        <PageHead title line=ViewFn::from(line)>
            <LinkButton
                href="/containers/new"
                label=say!(i18n, work.home.new_container)
                icon=lu::LuPlus
                look=ButtonLook::Primary
                refused=crate::app::refusal(crate::authentication::policy::Verb::Operate, "container")
            />
        </PageHead>
    }
}

#[component]
fn Everything(live: Live<Overview>) -> impl IntoView {
    let i18n = use_i18n();
    let all = live.value();
    let attention = Memo::new(move |_| all.with(|all| all.attention.clone()));
    let engines = Memo::new(move |_| all.with(|all| all.engines.clone()));
    let database = Memo::new(move |_| all.with(|all| all.database.clone()));
    let ansible = Memo::new(move |_| all.with(|all| all.ansible.clone()));
    let records = Memo::new(move |_| all.with(|all| all.records.clone()));
    let jobs = Memo::new(move |_| all.with(|all| all.jobs.clone()));
    let runs = Memo::new(move |_| all.with(|all| all.runs.clone()));
    let next = Memo::new(move |_| all.with(|all| all.next.clone()));
    let changes = Memo::new(move |_| all.with(|all| all.changes.clone()));
    view! {
        <Head count=Signal::derive(move || Some(attention.with(Vec::len))) />
        <Outdated live />
        <div class="home">
            {move || {
                let attention = attention.get();
                (!attention.is_empty()).then(|| view! {
                    <section class="panel home__wide" aria-labelledby="attention">
                        <header><h2 id="attention">{t!(i18n, work.home.attention)}</h2></header>
                        <ul class="home__attention">{attention.into_iter().map(|it| view! { <Wanting it /> }).collect_view()}</ul>
                    </section>
                })
            }}
            <EnginesPanel engines />
            <Panel title=say!(i18n, work.home.records)>
                <ul class="panel__body home__stats">
                    {move || records.get().into_iter().filter_map(|(kind, count)| {
                        let kind = storage::kind(&kind)?;
                        Some(view! {
                            <li>
                                <a class="stat" href=format!("/{}", kind.plural)>
                                    <b>{count}</b>
                                    <span>{move || (kind.many)(i18n.get_locale())}</span>
                                </a>
                            </li>
                        })
                    }).collect_view()}
                </ul>
            </Panel>
            <Panel title=say!(i18n, work.home.database) end=ViewFn::from(move || view! { <UpBadge is_up=Signal::derive(move || database.get().is_up) /> })>
                <div class="panel__body home__stats">
                    {move || {
                        let database = database.get();
                        view! {
                            <div class="stat">
                                <b>{database.name}</b>
                                <span>{database.version}</span>
                            </div>
                            {database.size.map(|size| view! {
                                <div class="stat">
                                    <b>{bytes(size, i18n.get_locale())}</b>
                                    <span>{t!(i18n, work.home.size)}</span>
                                </div>
                            })}
                        }
                    }}
                </div>
            </Panel>
            <Panel title=say!(i18n, work.home.ansible) end=ViewFn::from(move || view! { <UpBadge is_up=Signal::derive(move || ansible.get().is_up) /> })>
                <div class="panel__body">
                    {move || {
                        let ansible = ansible.get();
                        match ansible.version {
                            Some(version) => view! {
                                <div class="stat">
                                    <b>{version}</b>
                                    <span>{ansible.name}</span>
                                </div>
                            }.into_any(),
                            None => view! { <p class="soft">{ansible.hint}</p> }.into_any(),
                        }
                    }}
                </div>
            </Panel>
            <Panel
                title=say!(i18n, run_page.home.last)
                end=ViewFn::from(move || view! { <a class="link" href="/runs">{t!(i18n, run_page.home.all)}</a> })
            >
                <LastRuns runs />
            </Panel>
            {move || {
                let next = next.get();
                (!next.is_empty()).then(|| view! {
                    <Panel
                        title=say!(i18n, schedules.page.next_runs)
                        end=ViewFn::from(move || view! { <a class="link" href="/schedules">{t!(i18n, schedules.page.all)}</a> })
                    >
                        <NextSchedules next />
                    </Panel>
                })
            }}
            <Panel
                title=say!(i18n, work.home.last_jobs)
                end=ViewFn::from(move || view! { <a class="link" href="/jobs">{t!(i18n, work.drawer.all)}</a> })
            >
                <LastJobs jobs />
            </Panel>
            {move || changes.with(Option::is_some).then(|| view! {
                <Panel title=say!(i18n, work.home.last_changes)>
                    <LastChanges changes=Signal::derive(move || changes.get().unwrap_or_default()) />
                </Panel>
            })}
        </div>
    }
}

/// Whether something is there.
#[component]
fn UpBadge(is_up: Signal<bool>) -> impl IntoView {
    let i18n = use_i18n();
    let tone = Signal::derive(move || if is_up.get() { Tone::Good } else { Tone::Warn });
    let icon = Signal::derive(move || if is_up.get() { lu::LuCheck } else { lu::LuTriangleAlert });
    let label = Signal::derive(move || {
        if is_up.get() { t_string!(i18n, work.home.up) } else { t_string!(i18n, work.home.missing) }.to_owned()
    });
    view! { <Badge tone icon label /> }
}

/// One thing that needs attention, with the way to it.
#[component]
fn Wanting(it: Attention) -> impl IntoView {
    let i18n = use_i18n();
    let tone = match &it {
        Attention::AnsibleAway { .. } | Attention::LowDisk { .. } => Tone::Warn,
        Attention::Container { trouble: Trouble::Restarting, .. } => Tone::Warn,
        Attention::EngineAway { .. } | Attention::Container { .. } | Attention::Job { .. } | Attention::Run { .. } => {
            Tone::Bad
        }
    };
    let href = match &it {
        Attention::EngineAway { .. } => Some("/containers".to_owned()),
        Attention::Container { id, .. } => Some(format!("/containers/{id}")),
        Attention::Job { id, .. } => Some(format!("/jobs/{id}")),
        Attention::Run { id, .. } => Some(format!("/runs/{id}")),
        // What nothing uses takes most of the room of an engine.
        Attention::LowDisk { engine: Some(_), .. } => Some("/images?use=unused".to_owned()),
        Attention::LowDisk { engine: None, .. } | Attention::AnsibleAway { .. } => None,
    };
    let at = match &it {
        Attention::Job { at, .. } | Attention::Run { at, .. } => Some(*at),
        Attention::EngineAway { .. }
        | Attention::Container { .. }
        | Attention::LowDisk { .. }
        | Attention::AnsibleAway { .. } => None,
    };
    let it = StoredValue::new(it);
    let title = Signal::derive(move || it.with_value(|it| attention_title(it, i18n.get_locale())));
    let more = move || {
        it.with_value(|it| match it {
            Attention::EngineAway { problem, .. } => {
                Some(problem.clone().unwrap_or_else(|| t_string!(i18n, work.home.away_usual).to_owned()))
            }
            Attention::Container { engine, image, .. } => Some(format!("{engine} · {image}")),
            Attention::Job { reason, .. } | Attention::Run { reason, .. } => reason.clone(),
            Attention::LowDisk { path, free, total, .. } => {
                let (free, total) = (bytes(*free, i18n.get_locale()), bytes(*total, i18n.get_locale()));
                Some(t_string!(i18n, work.home.disk_left, path = path.clone(), free = free, total = total))
            }
            Attention::AnsibleAway { hint } => hint.clone(),
        })
    };
    view! {
        <li data-tone=tone.name()>
            <span class="tone"><Icon icon=lu::LuCircleAlert /></span>
            <div>
                <strong>{move || title.get()}</strong>
                <p class="soft">{more} {at.map(|at| view! { " · " <Ago at /> })}</p>
            </div>
            {href.map(|href| view! {
                <LinkButton
                    href
                    label=say!(i18n, work.home.open)
                />
            })}
        </li>
    }
}

fn attention_title(it: &Attention, locale: Locale) -> String {
    match it {
        Attention::EngineAway { name, .. } => td_string!(locale, work.home.engine_away, name = name.clone()),
        Attention::Container { name, trouble, .. } => match trouble {
            Trouble::Unhealthy => td_string!(locale, work.home.unhealthy, name = name.clone()),
            Trouble::Restarting => td_string!(locale, work.home.restarting, name = name.clone()),
            Trouble::Dead => td_string!(locale, work.home.dead, name = name.clone()),
        },
        Attention::Job { title, state: JobState::Lost, .. } => {
            td_string!(locale, work.home.job_lost, title = title.clone())
        }
        Attention::Job { title, .. } => td_string!(locale, work.home.job_failed, title = title.clone()),
        Attention::Run { playbook, state, .. } => {
            let playbook = playbook.clone();
            match state {
                RunState::Failed => td_string!(locale, run_page.home.failed, playbook = playbook),
                RunState::Unreachable => td_string!(locale, run_page.home.unreachable, playbook = playbook),
                RunState::Lost => td_string!(locale, run_page.home.lost, playbook = playbook),
                other => {
                    let state = state_word(locale, *other).to_lowercase();
                    td_string!(locale, run_page.home.other, playbook = playbook, state = state)
                }
            }
        }
        Attention::LowDisk { engine: Some(name), .. } => {
            td_string!(locale, work.home.disk_of_engine, name = name.clone())
        }
        Attention::LowDisk { engine: None, .. } => td_string!(locale, work.home.disk_of_data).to_owned(),
        Attention::AnsibleAway { .. } => td_string!(locale, work.home.ansible_away).to_owned(),
    }
}

#[component]
fn EnginesPanel(engines: Memo<Vec<Engine>>) -> impl IntoView {
    let i18n = use_i18n();
    view! {
        <Panel
            title=say!(i18n, work.home.engines)
            end=ViewFn::from(move || engines.get().into_iter().map(|engine| view! { <EngineBadge state=engine.state /> }).collect_view())
        >
            {move || engines.with(Vec::is_empty).then(|| view! { <p class="panel__body soft">{t!(i18n, work.home.no_engine)}</p> })}
            {move || engines.get().into_iter().map(|engine| {
                view! {
                    <div class="panel__body home__engine">
                        <p>
                            <strong>{engine.name.clone()}</strong>
                            " "
                            <span class="soft">{engine.version.clone()}</span>
                        </p>
                        {match engine.version {
                            Some(_) => view! {
                                <div class="home__stats">
                                    <a class="stat" href="/containers?state=running">
                                        <b>{engine.running}</b>
                                        <span>{t!(i18n, work.home.running)}</span>
                                    </a>
                                    <a class="stat" href="/containers">
                                        <b>{engine.stopped}</b>
                                        <span>{t!(i18n, work.home.stopped)}</span>
                                    </a>
                                    <a class="stat" href="/images">
                                        <b>{engine.images}</b>
                                        <span>{t!(i18n, work.home.images)}</span>
                                    </a>
                                    {engine.on_disk.map(|size| view! {
                                        <div class="stat">
                                            <b>{bytes(size, i18n.get_locale())}</b>
                                            <span>{t!(i18n, work.home.on_disk)}</span>
                                        </div>
                                    })}
                                </div>
                            }.into_any(),
                            None => view! {
                                <p class="soft">{engine.problem.unwrap_or_else(|| t_string!(i18n, work.home.away_usual).to_owned())}</p>
                            }.into_any(),
                        }}
                    </div>
                }
            }).collect_view()}
        </Panel>
    }
}

#[component]
fn EngineBadge(state: EngineState) -> impl IntoView {
    let i18n = use_i18n();
    let (tone, icon) = match state {
        EngineState::Up => (Tone::Good, lu::LuCheck),
        EngineState::Connecting => (Tone::Busy, lu::LuLoaderCircle),
        EngineState::Stale => (Tone::Warn, lu::LuTriangleAlert),
        EngineState::Down => (Tone::Bad, lu::LuUnplug),
    };
    let label = Signal::derive(move || {
        let locale = i18n.get_locale();
        match state {
            EngineState::Up => td_string!(locale, work.home.up),
            EngineState::Connecting => td_string!(locale, work.home.connecting),
            EngineState::Stale => td_string!(locale, work.home.slow),
            EngineState::Down => td_string!(locale, work.home.away),
        }
        .to_owned()
    });
    view! { <Badge tone=Signal::stored(tone) icon=Signal::stored(icon) label /> }
}

#[component]
fn LastJobs(jobs: Memo<Vec<Job>>) -> impl IntoView {
    let i18n = use_i18n();
    view! {
        {move || jobs.with(Vec::is_empty).then(|| view! { <p class="panel__body soft">{t!(i18n, work.home.no_jobs)}</p> })}
        <ul class="home__list">
            {move || jobs.get().into_iter().map(|job| view! {
                <li>
                    <a class="truncate" href=page_of(&job)>{job.title.clone()}</a>
                    <span class="faint"><Ago at=job.created_at /></span>
                    <JobBadge state=Signal::stored(job.state) />
                </li>
            }).collect_view()}
        </ul>
    }
}

#[component]
fn LastRuns(runs: Memo<Vec<LastRun>>) -> impl IntoView {
    let i18n = use_i18n();
    view! {
        {move || runs.with(Vec::is_empty).then(|| view! { <p class="panel__body soft">{t!(i18n, run_page.home.none)}</p> })}
        <ul class="home__list">
            {move || runs.get().into_iter().map(|run| view! {
                <li>
                    <a class="truncate" href=format!("/runs/{}", run.id)>{run.playbook}</a>
                    <span class="faint"><Ago at=run.at /></span>
                    <RunBadge state=Signal::stored(run.state) />
                </li>
            }).collect_view()}
        </ul>
    }
}

#[component]
fn NextSchedules(next: Vec<NextSchedule>) -> impl IntoView {
    view! {
        <ul class="home__list">
            {next.into_iter().map(|schedule| view! {
                <li>
                    <a class="truncate" href=format!("/schedules/{}", schedule.id)>{schedule.name}</a>
                    <span class="faint"><Ago at=schedule.at /></span>
                </li>
            }).collect_view()}
        </ul>
    }
}

#[component]
fn LastChanges(changes: Signal<Vec<LastChange>>) -> impl IntoView {
    let i18n = use_i18n();
    view! {
        {move || changes.with(Vec::is_empty).then(|| view! { <p class="panel__body soft">{t!(i18n, work.home.no_changes)}</p> })}
        <ul class="home__list home__changes">
            {move || changes.get().into_iter().map(|change| {
                let locale = i18n.get_locale();
                let kind = storage::kind(&change.kind);
                let what = match change.kind.as_str() {
                    "container" => td_string!(locale, work.home.kind.container).to_owned(),
                    "image" => td_string!(locale, work.home.kind.image).to_owned(),
                    "job" => td_string!(locale, work.home.kind.job).to_owned(),
                    "run" => td_string!(locale, run_page.one).to_owned(),
                    other => kind.map_or_else(|| other.to_owned(), |kind| (kind.one)(locale).to_owned()),
                };
                let done = done_word(&change.action, locale);
                // What is no record goes by its own name, and a run or another job by its number.
                let name = if matches!(change.kind.as_str(), "run" | "job") {
                    change.record.parse().ok().map(short)
                } else if kind.is_some() { change.name } else { Some(change.record.clone()) };
                let text = match name {
                    Some(name) => format!("{what} {name}: {done}"),
                    None => format!("{what}: {done}"),
                };
                let pages = match change.kind.as_str() {
                    "run" => Some("runs"),
                    "job" => Some("jobs"),
                    _ => kind.map(|kind| kind.plural),
                };
                view! {
                    <li>
                        {match pages {
                            Some(pages) => view! { <a class="truncate" href=format!("/{pages}/{}", change.record)>{text}</a> }.into_any(),
                            None => view! { <span class="truncate">{text}</span> }.into_any(),
                        }}
                        <span class="faint">{change.person_name} " · " <Ago at=change.at /></span>
                    </li>
                }
            }).collect_view()}
        </ul>
    }
}

/// What was done, as a word.
fn done_word(action: &str, locale: Locale) -> String {
    let word = match action {
        "sign_in" => td_string!(locale, work.home.changed.sign_in),
        "sign_out" => td_string!(locale, work.home.changed.sign_out),
        "create" => td_string!(locale, work.home.changed.create),
        "update" => td_string!(locale, work.home.changed.update),
        "remove" => td_string!(locale, work.home.changed.remove),
        "restore" => td_string!(locale, work.home.changed.restore),
        "purge" => td_string!(locale, work.home.changed.purge),
        "change_password" => td_string!(locale, work.home.changed.change_password),
        "reset_link" => td_string!(locale, work.home.changed.reset_link),
        "reset_password" => td_string!(locale, work.home.changed.reset_password),
        "sign_out_elsewhere" => td_string!(locale, work.home.changed.sign_out_elsewhere),
        "run" => td_string!(locale, work.home.changed.run),
        "start" => td_string!(locale, work.home.changed.start),
        "stop" => td_string!(locale, work.home.changed.stop),
        "restart" => td_string!(locale, work.home.changed.restart),
        "pause" => td_string!(locale, work.home.changed.pause),
        "unpause" => td_string!(locale, work.home.changed.unpause),
        "kill" => td_string!(locale, work.home.changed.kill),
        "rename" => td_string!(locale, work.home.changed.rename),
        "pull" => td_string!(locale, work.home.changed.pull),
        "tag" => td_string!(locale, work.home.changed.tag),
        "prune" => td_string!(locale, work.home.changed.prune),
        "cancel" => td_string!(locale, work.home.changed.cancel),
        other => return other.replace('_', " "),
    };
    word.to_owned()
}
