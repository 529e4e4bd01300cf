//! Schedules followed: a time that has come is claimed once among all servers, and started with the rights
//! that its person has now.

use super::{cron, launch, store as runs, survey};
use crate::{
    authentication::server::{Actor, Context, Operating, Permit, Proof, Reading, System, context::Parts, person},
    error::{Error, Problem, Result},
    events::model::Topic,
    i18n::{Locale, td_string},
    id::Id,
    jobs::{
        model::Job,
        server::{self as jobs, language, locale},
    },
    platform::{db::sql, state::State, telemetry},
    provisioning::model::{AnswerKind, Question, RunOptions, RunRequest},
    storage::{
        Customer, Schedule,
        item::{
            Check, Fields, Item as _, RawRecord, Record,
            calls::{Begun, typed},
            server::{
                audit,
                hooks::{Preparing, Removing, Saving},
                store,
            },
        },
        schedule::{CatchUp, LastResult, Overlap},
        yaml,
    },
    time::Timestamp,
};
use anyhow::Context as _;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// A time that is later than this was missed: the server was down.
const GRACE: Duration = Duration::from_secs(120);

/// How long schedules that were changed elsewhere are not looked at.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Schedules that are looked at in one round.
const AT_ONCE: i64 = 200;

/// What starts a run; tests bring their own.
pub type Starter<'a> =
    dyn Fn(Permit<Operating>, RunRequest, Id<Schedule>) -> BoxFuture<'static, Result<Id<Job>>> + Send + Sync + 'a;

/// The real starter: the run is launched as from a button.
pub fn launched(
    permit: Permit<Operating>,
    request: RunRequest,
    id: Id<Schedule>,
) -> BoxFuture<'static, Result<Id<Job>>> {
    Box::pin(async move { launch::start(&permit, request, Some(id)).await })
}

/// Follows the schedules until the state stops. Every server may: a time is claimed by one of them.
pub async fn run(state: State) {
    loop {
        let now = Timestamp::now();
        let pause = match tick(&state, now, &launched).await {
            Ok(()) => until_next(&state, now).await.unwrap_or(LONGEST_PAUSE),
            Err(error) => {
                tracing::warn!("following the schedules: {error:#}");
                LONGEST_PAUSE
            }
        };
        tokio::select! {
            () = state.stopping.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// One round at `now`: notes how runs ended, starts what is due, and what waited and need not any more.
///
/// # Errors
/// When the database does not answer. What concerns one schedule is noted with it.
pub async fn tick(state: &State, now: Timestamp, starter: &Starter<'_>) -> anyhow::Result<()> {
    settle(state).await?;
    for due in due(state, now).await? {
        let done = match claim(state, &due, now).await {
            Ok(Some(record)) => come(state, &record, due.at, now, starter).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        unless_well(due.id, done);
    }
    for id in waiting(state).await? {
        let done = match claim_waiting(state, id).await {
            Ok(Some(record)) => begin(state, &record, now, starter).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        unless_well(id, done);
    }
    Ok(())
}

/// One schedule that is in trouble does not hold up the others.
fn unless_well(id: Id<Schedule>, done: anyhow::Result<()>) {
    if let Err(error) = done {
        tracing::warn!("the schedule {id}: {error:#}");
    }
}

async fn until_next(state: &State, now: Timestamp) -> anyhow::Result<Duration> {
    let statement = sql("select min(next_at) as next from schedules
                         where next_at is not null and enabled = $1 and deleted_at is null");
    let row = state.db.row(&proof(), statement.bind(true)).await?;
    let next = row.map_or(Ok(None), |row| row.opt_int("next"))?;
    let pause = next.map_or(LONGEST_PAUSE, |next| now.age(Timestamp::from_millis(next)));
    Ok(pause.clamp(Duration::from_millis(50), LONGEST_PAUSE))
}

const fn proof() -> System {
    System::because("follow the schedules")
}

/// A schedule whose time has come.
struct Due {
    id: Id<Schedule>,
    at: Timestamp,
}

async fn due(state: &State, now: Timestamp) -> anyhow::Result<Vec<Due>> {
    let rows = state
        .db
        .rows(
            &proof(),
            sql("select id, next_at from schedules
                 where next_at <= $1 and enabled = $2 and deleted_at is null
                 order by next_at, id
                 limit $3")
            .bind(now.millis())
            .bind(true)
            .bind(AT_ONCE),
        )
        .await?;
    let read = |row: &crate::platform::db::Row| -> anyhow::Result<Due> {
        Ok(Due { id: row.parsed("id")?, at: Timestamp::from_millis(row.int("next_at")?) })
    };
    rows.iter().map(read).collect()
}

/// Takes a time that has come and sets the next one. `None` when another server was faster, or somebody
/// paused or changed it meanwhile.
async fn claim(state: &State, due: &Due, now: Timestamp) -> anyhow::Result<Option<Record<Schedule>>> {
    let Some(record) = read(state, due.id).await? else { return Ok(None) };
    let next = next(&record.item, now);
    let claimed = state
        .db
        .execute(
            &proof(),
            sql("update schedules
                 set next_at = $1, last_at = $2
                 where id = $3 and next_at = $4 and enabled = $5 and deleted_at is null")
            .bind(next.map(Timestamp::millis))
            .bind(now.millis())
            .bind(due.id.to_string())
            .bind(due.at.millis())
            .bind(true),
        )
        .await?;
    Ok((claimed == 1).then_some(record))
}

/// Schedules that wait and whose run before has ended.
async fn waiting(state: &State) -> anyhow::Result<Vec<Id<Schedule>>> {
    let rows = state
        .db
        .rows(
            &proof(),
            sql("select id from schedules
                 where waits_since is not null and enabled = $1 and deleted_at is null
                   and not exists (
                     select 1 from runs
                     where runs.schedule = schedules.id and runs.state in ('queued', 'running'))
                 order by waits_since, id
                 limit $2")
            .bind(true)
            .bind(AT_ONCE),
        )
        .await?;
    rows.iter().map(|row| row.parsed("id")).collect()
}

async fn claim_waiting(state: &State, id: Id<Schedule>) -> anyhow::Result<Option<Record<Schedule>>> {
    let Some(record) = read(state, id).await? else { return Ok(None) };
    let claimed = state
        .db
        .execute(
            &proof(),
            sql("update schedules
                 set waits_since = null
                 where id = $1 and waits_since is not null and enabled = $2 and deleted_at is null")
            .bind(id.to_string())
            .bind(true),
        )
        .await?;
    Ok((claimed == 1).then_some(record))
}

async fn read(state: &State, id: Id<Schedule>) -> anyhow::Result<Option<Record<Schedule>>> {
    match store::get(state, &proof(), const { &Schedule::KIND }, id.cast(), false).await.and_then(typed) {
        Ok(record) => Ok(Some(record)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error).context("reading a schedule"),
    }
}

/// When a schedule comes after `now`.
fn next(schedule: &Schedule, now: Timestamp) -> Option<Timestamp> {
    let rule = cron::Rule::read(&schedule.cron, Locale::en).ok()?;
    let (_, zone) = cron::zone(schedule.time_zone.as_deref().unwrap_or("UTC"), Locale::en).ok()?;
    rule.next(&zone, now)
}

/// Does what a time that has come asks for.
async fn come(
    state: &State,
    record: &Record<Schedule>,
    at: Timestamp,
    now: Timestamp,
    starter: &Starter<'_>,
) -> anyhow::Result<()> {
    if at.age(now) > GRACE && record.item.catch_up == CatchUp::None {
        return note(state, record, Came::without(LastResult::Missed), now).await;
    }
    let before = under_way(state, record.id()).await?;
    if before.is_empty() {
        return begin(state, record, now, starter).await;
    }
    match record.item.overlap {
        Overlap::Skip => note(state, record, Came::without(LastResult::Skipped), now).await,
        Overlap::Queue => wait(state, record, now).await,
        Overlap::Replace => {
            let permit = match permit(state, record).await {
                Ok(permit) => permit,
                Err(came) => return note(state, record, came, now).await,
            };
            for run in before {
                // One that has ended meanwhile is what was wanted.
                if let Err(error) = jobs::cancel(permit.context(), run).await
                    && !matches!(error, Error::Conflict { .. } | Error::NotFound { .. })
                {
                    return note(state, record, Came::refused(&error, permit.locale()), now).await;
                }
            }
            wait(state, record, now).await
        }
    }
}

async fn under_way(state: &State, id: Id<Schedule>) -> anyhow::Result<Vec<Id<Job>>> {
    let rows = state
        .db
        .rows(
            &proof(),
            sql("select id from runs
                 where schedule = $1 and state in ('queued', 'running')
                 order by id")
            .bind(id.to_string()),
        )
        .await?;
    rows.iter().map(|row| row.parsed("id")).collect()
}

/// Lets the time that has come wait for the run before; several that come meanwhile are one.
async fn wait(state: &State, record: &Record<Schedule>, now: Timestamp) -> anyhow::Result<()> {
    state
        .db
        .execute(
            &proof(),
            sql("update schedules
                 set waits_since = coalesce(waits_since, $1)
                 where id = $2 and enabled = $3 and deleted_at is null")
            .bind(now.millis())
            .bind(record.id().to_string())
            .bind(true),
        )
        .await?;
    note(state, record, Came::without(LastResult::Waiting), now).await
}

/// Starts a run with the rights that the schedule's person has now.
async fn begin(state: &State, record: &Record<Schedule>, now: Timestamp, starter: &Starter<'_>) -> anyhow::Result<()> {
    let came = match permit(state, record).await {
        Err(came) => came,
        Ok(permit) => {
            let locale = permit.locale();
            match request(&record.item, locale) {
                Err(error) => Came::refused(&error, locale),
                Ok(request) => match starter(permit, request, record.id()).await {
                    Ok(run) => Came { result: LastResult::Started, reason: None, run: Some(run) },
                    Err(error) => Came::refused(&error, locale),
                },
            }
        }
    };
    note(state, record, came, now).await
}

/// The permit of the schedule's person as they are now, or why there is none.
async fn permit(state: &State, record: &Record<Schedule>) -> Result<Permit<Operating>, Came> {
    let locale = record.item.language.as_deref().map_or(Locale::en, locale);
    let nobody = || Came {
        result: LastResult::Nobody,
        reason: Some(td_string!(locale, schedules.reason.nobody).to_owned()),
        run: None,
    };
    let forbidden = |reason: &str| Came { result: LastResult::Forbidden, reason: Some(reason.to_owned()), run: None };
    let Some(owner) = record.item.owner else { return Err(nobody()) };
    let session = match person(state, owner).await {
        Ok(session) => session,
        Err(Error::Unauthenticated) => return Err(nobody()),
        Err(error) => return Err(Came::refused(&error, locale)),
    };
    match customer_works(state, record.base.customer).await {
        Ok(true) => {}
        Ok(false) => return Err(forbidden(td_string!(locale, schedules.reason.customer_off))),
        Err(error) => return Err(Came::refused(&error.into(), locale)),
    }
    let context = Context::new(Parts {
        actor: Actor::Person(session),
        locale,
        request: telemetry::new_request_number(),
        address: None,
        agent: "schedule".to_owned(),
        state: state.clone(),
    });
    let permit = context.permit::<Operating>("run").map_err(|error| Came::refused(&error, locale))?;
    if !permit.scope().reaches(record.base.customer) {
        return Err(forbidden(td_string!(locale, schedules.reason.other_customer)));
    }
    Ok(permit)
}

/// Whether a customer is there and enabled; the platform always is.
async fn customer_works(state: &State, customer: Option<Id<Customer>>) -> anyhow::Result<bool> {
    let Some(customer) = customer else { return Ok(true) };
    let statement = sql("select id from customers
                         where id = $1 and enabled = $2 and deleted_at is null");
    Ok(state.db.row(&proof(), statement.bind(customer.to_string()).bind(true)).await?.is_some())
}

/// What came of a time.
struct Came {
    result: LastResult,
    reason: Option<String>,
    run: Option<Id<Job>>,
}

impl Came {
    const fn without(result: LastResult) -> Self {
        Self { result, reason: None, run: None }
    }

    fn refused(error: &Error, locale: Locale) -> Self {
        let result = match error {
            Error::Forbidden { .. } => LastResult::Forbidden,
            _ => LastResult::Refused,
        };
        let said = match error {
            Error::Invalid { problems } => {
                problems.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join(" ")
            }
            other => other.message(locale),
        };
        Self { result, reason: Some(said), run: None }
    }
}

/// Keeps what came of a time, tells those who look, and writes into the trail why nothing was run.
async fn note(state: &State, record: &Record<Schedule>, came: Came, now: Timestamp) -> anyhow::Result<()> {
    let proof = proof();
    let result = name_of(came.result)?;
    // A schedule that fails the same way every minute tells it once.
    let is_news = record.item.last_result != Some(came.result) || record.item.last_reason != came.reason;
    let mut transaction = state.db.begin(&proof).await?;
    transaction
        .execute(
            sql("update schedules
                 set last_at = $1, last_result = $2, last_reason = $3, last_run = coalesce($4, last_run)
                 where id = $5")
            .bind(now.millis())
            .bind(result.clone())
            .bind(came.reason.as_deref().map(|reason| reason.chars().take(500).collect::<String>()))
            .bind(came.run.map(|run| run.to_string()))
            .bind(record.id().to_string()),
        )
        .await?;
    if came.run.is_none() && is_news {
        let mut after = Fields::new();
        after.insert("last_result".to_owned(), json!(result));
        if let Some(reason) = &came.reason {
            after.insert("last_reason".to_owned(), json!(reason));
        }
        write(&mut transaction, &proof, record, "not_run", &after).await?;
    }
    transaction.commit().await?;
    tell(state, record);
    Ok(())
}

async fn write(
    transaction: &mut crate::platform::db::Transaction,
    proof: &dyn Proof,
    record: &Record<Schedule>,
    action: &str,
    after: &Fields,
) -> anyhow::Result<()> {
    let line = audit::Line {
        kind: Schedule::KIND.name,
        record: &record.base.id.to_string(),
        customer: record.base.customer,
        action,
        before: &Fields::new(),
        after,
    };
    audit::write(transaction, proof, line).await
}

fn tell(state: &State, record: &Record<Schedule>) {
    let data = json!({ "id": record.base.id, "action": "update" });
    state.bus.publish(Topic::Records(Schedule::KIND.name.to_owned()), record.base.customer, data);
}

fn name_of(result: LastResult) -> anyhow::Result<String> {
    let name = serde_json::to_value(result).context("writing a result")?;
    Ok(name.as_str().unwrap_or_default().to_owned())
}

/// Takes over how the last runs ended.
async fn settle(state: &State) -> anyhow::Result<()> {
    let proof = proof();
    let rows = state
        .db
        .rows(
            &proof,
            sql("select schedules.id as id, schedules.last_run as run, runs.state as state from schedules
                 join runs on runs.id = schedules.last_run
                 where schedules.last_result = 'started' and runs.state not in ('queued', 'running')
                 limit $1")
            .bind(AT_ONCE),
        )
        .await?;
    for row in rows {
        let id: Id<Schedule> = row.parsed("id")?;
        let settled = state
            .db
            .execute(
                &proof,
                sql("update schedules
                     set last_result = $1
                     where id = $2 and last_run = $3 and last_result = 'started'")
                .bind(row.text("state")?)
                .bind(id.to_string())
                .bind(row.text("run")?),
            )
            .await?;
        if settled == 1
            && let Some(record) = read(state, id).await?
        {
            tell(state, &record);
        }
    }
    Ok(())
}

/// Starts a schedule at once, as the person who asks; its next time stays.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], and what the start of the run says.
pub async fn run_now(context: &Context, id: Id<Schedule>, starter: &Starter<'_>) -> Result<Id<Job>> {
    let reading = context.permit::<Reading>("schedule")?;
    let record: Record<Schedule> =
        typed(store::get(&context.state, &reading, const { &Schedule::KIND }, id.cast(), false).await?)?;
    let permit = context.permit::<Operating>("run")?;
    let request = request(&record.item, context.locale)?;
    let run = starter(permit.clone(), request, id).await?;
    let mut transaction = context.state.db.begin(&permit).await?;
    transaction
        .execute(
            sql("update schedules
                 set last_at = $1, last_result = 'started', last_reason = null, last_run = $2
                 where id = $3")
            .bind(Timestamp::now().millis())
            .bind(run.to_string())
            .bind(id.to_string()),
        )
        .await?;
    let mut after = Fields::new();
    after.insert("last_run".to_owned(), json!(run));
    write(&mut transaction, &permit, &record, "run", &after).await?;
    transaction.commit().await?;
    tell(&context.state, &record);
    Ok(run)
}

/// What a schedule asks for.
///
/// # Errors
/// [`Error::Invalid`] when its options cannot be read any more.
pub fn request(schedule: &Schedule, locale: Locale) -> Result<RunRequest> {
    let playbook = schedule.playbook.ok_or_else(|| Error::not_found("playbook"))?;
    let mut options = options(schedule.options.as_deref().unwrap_or_default(), locale).map_err(|message| {
        Error::invalid("options", td_string!(locale, schedules.reason.options, message = message))
    })?;
    options.credentials.clone_from(&schedule.credentials);
    Ok(RunRequest { playbook, hosts: schedule.hosts.clone(), machines: schedule.machines.clone(), options })
}

/// Reads the options of a run as YAML, for a form.
///
/// # Errors
/// [`Error::Invalid`] at `options`.
pub fn read_options(text: &str, locale: Locale) -> Result<RunOptions> {
    options(text, locale)
        .map_err(|message| Error::invalid("options", td_string!(locale, schedules.problem.options, message = message)))
}

/// Reads the options of a run as YAML.
fn options(text: &str, locale: Locale) -> Result<RunOptions, String> {
    yaml::mapping(text, locale)?;
    yaml::value::<RunOptions>(text, locale).map(Option::unwrap_or_default)
}

/// Values that are wrong, as an error.
pub fn wrong(problems: Vec<(&'static str, String)>) -> Error {
    Error::Invalid { problems: problems.into_iter().map(|(field, message)| Problem::at(field, message)).collect() }
}

/// Checks a schedule before it is saved: the rule, the options, and that the run is possible.
///
/// One that is being paused need not be: it may refer to what is gone.
///
/// # Errors
/// [`Error::Invalid`] with every wrong value.
pub async fn check(preparing: Preparing<'_>) -> Result<()> {
    let Preparing { state, proof, is_new, enabled, fields } = preparing;
    let locale = proof.locale();
    let mut check = Check::new(locale, is_new);
    let text = |fields: &Fields, name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    match cron::Rule::read(&text(fields, "cron"), locale) {
        Ok(rule) => drop(fields.insert("cron".to_owned(), rule.text().into())),
        Err(message) => check.problem("cron", message),
    }
    let zone = Some(text(fields, "time_zone")).filter(|zone| !zone.is_empty()).unwrap_or_else(cron::own_zone);
    match cron::zone(&zone, locale) {
        Ok((zone, _)) => drop(fields.insert("time_zone".to_owned(), zone.into())),
        Err(message) => check.problem("time_zone", message),
    }
    let is_empty = |name: &str| fields.get(name).and_then(Value::as_array).is_none_or(Vec::is_empty);
    if is_empty("hosts") && is_empty("machines") {
        check.problem("hosts", td_string!(locale, schedules.problem.target));
    }
    match options(&text(fields, "options"), locale) {
        Ok(options) if !options.credentials.is_empty() => {
            check.problem("options", td_string!(locale, schedules.problem.options_credentials));
        }
        Ok(_) => {}
        Err(message) => {
            check.problem("options", td_string!(locale, schedules.problem.options, message = message));
        }
    }
    check.finish()?;
    if enabled == Some(false) {
        return Ok(());
    }
    let mut complete = fields.clone();
    complete.insert("name".to_owned(), "-".into());
    let schedule: Schedule = serde_json::from_value(Value::Object(complete)).context("reading a schedule")?;
    let request = request(&schedule, locale)?;
    check_survey(state, proof, &request).await?;
    check_run(state, proof, &request).await
}

/// Nobody is there at night to answer a secret question, and answers are kept in the open.
async fn check_survey(state: &State, proof: &dyn Proof, request: &RunRequest) -> Result<()> {
    let locale = proof.locale();
    for question in questions(state, proof, request).await? {
        if question.answer != AnswerKind::Secret {
            continue;
        }
        let asked = if question.question.is_empty() { &question.variable } else { &question.question };
        let asked = format!("“{asked}”");
        if question.required {
            return Err(Error::invalid(
                "playbook",
                td_string!(locale, schedules.problem.secret_required, question = asked),
            ));
        }
        if request.options.variables.contains_key(&question.variable) {
            return Err(Error::invalid(
                "options",
                td_string!(locale, schedules.problem.secret_answer, question = asked),
            ));
        }
    }
    Ok(())
}

/// The questions of a request's playbook. One that is not in reach has none, which the reference tells; and
/// a survey that cannot be read is the playbook's own matter.
async fn questions(state: &State, proof: &dyn Proof, request: &RunRequest) -> Result<Vec<Question>> {
    match survey::of(state, proof, request.playbook).await {
        Err(Error::NotFound { .. } | Error::Invalid { .. }) => Ok(Vec::new()),
        questions => questions,
    }
}

/// The same rules as for a run that is started by hand.
async fn check_run(state: &State, proof: &dyn Proof, request: &RunRequest) -> Result<()> {
    let Some(session) = proof.session() else { return Ok(()) };
    let context = Context::new(Parts {
        actor: Actor::Person(session.clone()),
        locale: proof.locale(),
        request: proof.request().map_or_else(telemetry::new_request_number, str::to_owned),
        address: proof.address(),
        agent: "schedule".to_owned(),
        state: state.clone(),
    });
    let permit = context.permit::<Operating>("run")?;
    match launch::preview(&permit, request).await {
        Ok(_) => Ok(()),
        // What is not there is told by the references; and Ansible may be installed before the time comes.
        Err(Error::NotFound { .. } | Error::Unavailable { .. }) => Ok(()),
        Err(Error::Invalid { problems }) => {
            let problems: Vec<_> = problems
                .into_iter()
                .map(at_field)
                // To the platform's people all records are in reach; whose they are is told by the references.
                .filter(|problem| !session.is_platform() || !is_reference(&problem.field))
                .collect();
            if problems.is_empty() { Ok(()) } else { Err(Error::Invalid { problems }) }
        }
        Err(error) => Err(error),
    }
}

fn is_reference(field: &str) -> bool {
    matches!(field, "playbook" | "hosts" | "machines")
}

/// A problem of a run at the schedule's own field.
fn at_field(problem: Problem) -> Problem {
    let field = match problem.field.as_str() {
        "playbook" | "hosts" | "machines" => return problem,
        "options.credentials" => "credentials",
        field if field.starts_with("options") => "options",
        _ => "",
    };
    let message = match problem.field.strip_prefix("options.").filter(|_| field == "options") {
        Some(name) => format!("{name}: {}", problem.message),
        None => problem.message,
    };
    Problem::at(field, message)
}

/// Notes who saved a schedule, in which language, and when it comes next.
///
/// # Errors
/// When the database refuses.
pub async fn stamp(saving: Saving<'_>) -> Result<()> {
    let Saving { proof, transaction, before, after, .. } = saving;
    if let Some(person) = proof.person() {
        after.item.insert("owner".to_owned(), json!(person));
        after.item.insert("language".to_owned(), language(proof.locale()).into());
    }
    let stays = before.is_some_and(|before| {
        before.base.enabled
            && ["cron", "time_zone"].iter().all(|name| before.item.get(*name) == after.item.get(*name))
            && before.item.get("next_at").is_some_and(|next| !next.is_null())
    });
    if !after.base.enabled {
        after.item.insert("next_at".to_owned(), Value::Null);
        transaction
            .execute(
                sql("update schedules
                     set waits_since = null
                     where id = $1")
                .bind(after.base.id.to_string()),
            )
            .await?;
    } else if !stays {
        after.item.insert("next_at".to_owned(), json!(next_of(after, Timestamp::now())));
    }
    Ok(())
}

fn next_of(record: &RawRecord, now: Timestamp) -> Option<Timestamp> {
    next(&typed::<Schedule>(record.clone()).ok()?.item, now)
}

/// Takes the time from a schedule that is being removed.
///
/// # Errors
/// When the database refuses.
pub async fn stop(removing: Removing<'_>) -> Result<()> {
    let statement = sql("update schedules
                         set next_at = null, waits_since = null
                         where id = $1");
    removing.transaction.execute(statement.bind(removing.record.base.id.to_string())).await?;
    Ok(())
}

/// Gives a schedule that was brought back its next time.
pub async fn resume(state: &State, record: &RawRecord) {
    let is_without = record.item.get("next_at").is_none_or(Value::is_null);
    if !record.base.enabled || record.base.deleted_at.is_some() || !is_without {
        return;
    }
    let statement = sql("update schedules
                         set next_at = $1
                         where id = $2 and next_at is null and enabled = $3 and deleted_at is null")
    .bind(next_of(record, Timestamp::now()).map(Timestamp::millis))
    .bind(record.base.id.to_string())
    .bind(true);
    if let Err(error) = state.db.execute(&proof(), statement).await {
        tracing::warn!("giving a schedule its next time: {error:#}");
    }
}

/// The values of a schedule that does again what a run did. Answers to secret questions stay behind.
///
/// # Errors
/// [`Error::NotFound`] when the run is not in reach.
pub async fn of_run(context: &Context, id: Id<Job>) -> Result<Begun> {
    let permit = context.permit::<Reading>("run")?;
    let state = &context.state;
    let run = runs::run(state, &permit, id).await?;
    let RunRequest { playbook, hosts, machines, mut options } = run.request;
    let credentials = std::mem::take(&mut options.credentials);
    let request = RunRequest { playbook, hosts, machines, options };
    let mut options = request.options.clone();
    for question in questions(state, &permit, &request).await? {
        if question.answer == AnswerKind::Secret {
            options.variables.shift_remove(&question.variable);
        }
    }
    let mut ids: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    ids.entry("playbook").or_default().insert(playbook.to_string());
    ids.entry("host").or_default().extend(request.hosts.iter().map(ToString::to_string));
    ids.entry("machine").or_default().extend(request.machines.iter().map(ToString::to_string));
    ids.entry("credential").or_default().extend(credentials.iter().map(ToString::to_string));
    ids.entry("customer").or_default().extend(run.customer.map(|customer| customer.to_string()));
    let labels = store::names(state, &permit, ids).await?;
    // What is gone, or what somebody else named, is not taken along.
    let known = |id: String| labels.contains_key(&id).then_some(id);
    let mut fields = Fields::new();
    fields.insert("name".to_owned(), run.playbook_name.into());
    fields.insert("playbook".to_owned(), json!(known(playbook.to_string())));
    let list = |ids: Vec<String>| json!(ids.into_iter().filter_map(known).collect::<Vec<_>>());
    fields.insert("hosts".to_owned(), list(request.hosts.iter().map(ToString::to_string).collect()));
    fields.insert("machines".to_owned(), list(request.machines.iter().map(ToString::to_string).collect()));
    fields.insert("credentials".to_owned(), list(credentials.iter().map(ToString::to_string).collect()));
    fields.insert("options".to_owned(), written(&options)?.into());
    let customer = run.customer.map(|customer| {
        let id = customer.to_string();
        let name = labels.get(&id).cloned().unwrap_or_default();
        (id, name)
    });
    Ok(Begun { fields, labels, customer })
}

/// Options as YAML, without what stands there anyway.
fn written(options: &RunOptions) -> anyhow::Result<Option<String>> {
    let (Value::Object(options), Value::Object(usual)) = (
        serde_json::to_value(options).context("writing options")?,
        serde_json::to_value(RunOptions::default()).context("writing options")?,
    ) else {
        return Ok(None);
    };
    let chosen: Fields = options.into_iter().filter(|(name, value)| usual.get(name) != Some(value)).collect();
    if chosen.is_empty() {
        return Ok(None);
    }
    serde_saphyr::to_string(&chosen).context("writing options").map(Some)
}
