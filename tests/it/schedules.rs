//! Stories of schedules: kept, told, claimed once, and started with the rights that their person has then.
//! The clock is ours: every round is told what time it is.

use crate::{
    contract::sample,
    support::{ADMIN, Person, REGULAR, ROOT, STRANGER, SYSTEM, TestApp, VIEWER, fields, kind, on_both},
};
use futures::future::BoxFuture;
use muelle::{
    authentication::server::{Creating, Operating, Permit, Proof as _, Reading, Removing, Updating},
    error::{Error, Result},
    id::Id,
    jobs::{
        model::Job,
        server::{self as jobs, NewJob},
    },
    platform::{db::sql, state::State},
    provisioning::{model::RunRequest, server::schedules},
    storage::{
        Schedule, User,
        item::{Record, calls::typed, server::store},
        schedule::LastResult,
    },
    time::Timestamp,
};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

/// When the schedules of these stories are due.
const DUE: &str = "2026-06-01T03:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().expect("it is a time")
}

/// A few seconds after it was due.
fn soon() -> Timestamp {
    at(DUE) + Duration::from_secs(4)
}

/// Who started what.
type Started = Arc<Mutex<Vec<(Option<Id<User>>, RunRequest)>>>;

/// Starts runs that are only rows, and remembers who asked.
fn starter(
    state: &State,
    started: &Started,
) -> impl Fn(Permit<Operating>, RunRequest, Id<Schedule>) -> BoxFuture<'static, Result<Id<Job>>> + Send + Sync + use<> {
    let (state, started) = (state.clone(), started.clone());
    move |permit, request, schedule| {
        let (state, started) = (state.clone(), started.clone());
        Box::pin(async move {
            let customer = permit.scope().customer();
            let new = NewJob { kind: "test.run", title: "A run".to_owned(), operation: json!({}), key: None, customer };
            let id = jobs::enqueue(&state, &permit, new).await?;
            let statement = sql("insert into runs
                   (id, customer, playbook, playbook_name, revision, request, target, command, state, isolation, person,
                    person_name, schedule, recap, created_at, last_event, events_offset)
                 values ($1, $2, $3, 'site', 1, $4, '[]', 'ansible-playbook', 'running', 'none', $5, $6, $7, '[]', $8, 0, 0)")
            .bind(id.to_string())
            .bind(customer.map(|customer| customer.to_string()))
            .bind(request.playbook.to_string())
            .bind(json!(request).to_string())
            .bind(permit.person().map(|person| person.to_string()))
            .bind(permit.person_name())
            .bind(schedule.to_string())
            .bind(Timestamp::now().millis());
            state.db.execute(&permit, statement).await?;
            started.lock().expect("nobody panicked").push((permit.person(), request));
            Ok(id)
        })
    }
}

/// A schedule of Acme that somebody made, due at [`DUE`].
async fn due(app: &TestApp, person: Person, more: Value) -> Id<Schedule> {
    let kind = kind("schedule");
    let mut input = sample(app, kind, 0).await;
    input.insert("name".to_owned(), json!(Id::<()>::new()));
    input.insert("cron".to_owned(), json!("0 3 * * *"));
    input.insert("time_zone".to_owned(), json!("UTC"));
    input.insert("overlap".to_owned(), json!("skip"));
    input.insert("catch_up".to_owned(), json!("none"));
    input.extend(fields(more));
    if person.customer.is_none() {
        input.insert("customer".to_owned(), json!(app.customer_id("acme")));
    }
    let id = app.make(person, kind, Value::Object(input)).await.base.id.cast();
    is_due(app, id, at(DUE)).await;
    id
}

async fn is_due(app: &TestApp, id: Id<Schedule>, at: Timestamp) {
    let statement = sql("update schedules set next_at = $1 where id = $2").bind(at.millis()).bind(id.to_string());
    app.state.db.execute(&SYSTEM, statement).await.expect("it is written");
}

async fn read(app: &TestApp, id: Id<Schedule>) -> Record<Schedule> {
    let record = store::get(&app.state, &SYSTEM, kind("schedule"), id.cast(), false).await;
    typed(record.expect("the schedule is there")).expect("it is a schedule")
}

async fn tick(app: &TestApp, now: Timestamp, started: &Started) {
    schedules::tick(&app.state, now, &starter(&app.state, started)).await.expect("the round is done");
}

fn count(started: &Started) -> usize {
    started.lock().expect("nobody panicked").len()
}

/// Changes a schedule as somebody; the rest stays as it was read.
async fn change(app: &TestApp, person: Person, id: Id<Schedule>, more: Value) -> Result<Record<Schedule>> {
    let kind = kind("schedule");
    let permit = app.context(person).permit::<Updating>("schedule")?;
    let reading = app.permit::<Reading>(person, kind);
    let record = store::get(&app.state, &reading, kind, id.cast(), false).await?;
    let mut input = record.item;
    input.insert("revision".to_owned(), json!(record.base.revision));
    input.extend(fields(more));
    typed(store::update(&app.state, &permit, kind, id.cast(), input).await?)
}

async fn run_ends(app: &TestApp, id: Id<Job>, state: &'static str) {
    let statement = sql("update runs set state = $1 where id = $2").bind(state).bind(id.to_string());
    app.state.db.execute(&SYSTEM, statement).await.expect("it is written");
}

async fn disable(app: &TestApp, person: Person) {
    let statement =
        sql("update users set enabled = $1 where id = $2").bind(false).bind(app.session(person).user.to_string());
    app.state.db.execute(&SYSTEM, statement).await.expect("it is written");
}

#[tokio::test]
async fn a_time_that_has_come_starts_one_run_and_sets_the_next_time() {
    on_both(async |app: TestApp| {
        let started = Started::default();
        let id = due(&app, REGULAR, json!({ "options": "check: true\ntags: [a]" })).await;

        tick(&app, at(DUE) - Duration::from_secs(1), &started).await;
        assert_eq!(count(&started), 0, "it is not due yet");
        tick(&app, soon(), &started).await;
        tick(&app, soon() + Duration::from_secs(5), &started).await;

        let (person, request) = started.lock().expect("nobody panicked").first().cloned().expect("it was started");
        assert_eq!(count(&started), 1);
        assert_eq!(person, Some(app.session(REGULAR).user));
        assert!(request.options.check && request.options.tags == ["a"]);
        let schedule = read(&app, id).await.item;
        assert_eq!(request.playbook, schedule.playbook.expect("it has a playbook"));
        assert_eq!((request.hosts, request.machines), (schedule.hosts.clone(), schedule.machines.clone()));
        assert_eq!(schedule.next_at, Some(at("2026-06-02T03:00:00Z")));
        assert_eq!((schedule.last_at, schedule.last_result), (Some(soon()), Some(LastResult::Started)));
        assert!(schedule.last_run.is_some());
        assert_eq!(read(&app, id).await.base.revision, 1, "the clock makes no revision");
    })
    .await;
}

#[tokio::test]
async fn several_servers_start_a_time_once() {
    on_both(async |app: TestApp| {
        let started = Started::default();
        for _ in 0..3 {
            due(&app, ADMIN, json!({})).await;
        }

        futures::future::join_all((0..4).map(|_| tick(&app, soon(), &started))).await;

        assert_eq!(count(&started), 3);
    })
    .await;
}

#[tokio::test]
async fn a_time_is_skipped_while_the_run_before_is_under_way() {
    on_both(async |app: TestApp| {
        let started = Started::default();
        let id = due(&app, ADMIN, json!({ "overlap": "skip" })).await;
        tick(&app, soon(), &started).await;
        let first = read(&app, id).await.item.last_run.expect("it was started");

        is_due(&app, id, at(DUE)).await;
        tick(&app, soon(), &started).await;

        let schedule = read(&app, id).await.item;
        assert_eq!(count(&started), 1);
        assert_eq!((schedule.last_result, schedule.last_run), (Some(LastResult::Skipped), Some(first)));
        run_ends(&app, first, "succeeded").await;
        tick(&app, soon(), &started).await;
        assert_eq!(count(&started), 1, "a skipped time does not come back");
    })
    .await;
}

#[tokio::test]
async fn times_that_wait_are_one_and_come_after_the_run_before() {
    on_both(async |app: TestApp| {
        let started = Started::default();
        let id = due(&app, ADMIN, json!({ "overlap": "queue" })).await;
        tick(&app, soon(), &started).await;
        let first = read(&app, id).await.item.last_run.expect("it was started");

        for _ in 0..2 {
            is_due(&app, id, at(DUE)).await;
            tick(&app, soon(), &started).await;
        }
        assert_eq!(count(&started), 1);
        assert_eq!(read(&app, id).await.item.last_result, Some(LastResult::Waiting));
        run_ends(&app, first, "failed").await;
        tick(&app, soon(), &started).await;
        tick(&app, soon(), &started).await;

        assert_eq!(count(&started), 2);
        assert_ne!(read(&app, id).await.item.last_run, Some(first));
    })
    .await;
}

#[tokio::test]
async fn a_run_that_is_replaced_is_cancelled_first() {
    on_both(async |app: TestApp| {
        let started = Started::default();
        let id = due(&app, ADMIN, json!({ "overlap": "replace" })).await;
        tick(&app, soon(), &started).await;
        let first = read(&app, id).await.item.last_run.expect("it was started");

        is_due(&app, id, at(DUE)).await;
        tick(&app, soon(), &started).await;

        let job = jobs::store::job(&app.state, &SYSTEM, first).await.expect("the job is there");
        assert!(job.cancel_requested);
        assert_eq!(count(&started), 1, "the new one waits until the old one has ended");
        run_ends(&app, first, "cancelled").await;
        tick(&app, soon(), &started).await;
        assert_eq!(count(&started), 2);
    })
    .await;
}

#[tokio::test]
async fn what_is_paused_neither_comes_nor_waits() {
    on_both(async |app: TestApp| {
        let started = Started::default();
        let id = due(&app, ADMIN, json!({ "overlap": "queue" })).await;
        tick(&app, soon(), &started).await;
        let first = read(&app, id).await.item.last_run.expect("it was started");
        is_due(&app, id, at(DUE)).await;
        tick(&app, soon(), &started).await;

        let paused = change(&app, ADMIN, id, json!({ "enabled": false })).await.expect("it is paused");
        run_ends(&app, first, "succeeded").await;
        tick(&app, soon(), &started).await;

        assert_eq!(paused.item.next_at, None);
        assert_eq!(count(&started), 1);
        let resumed = change(&app, ADMIN, id, json!({ "enabled": true })).await.expect("it is resumed");
        assert!(resumed.item.next_at.expect("it has a next time") > Timestamp::now());
        tick(&app, soon(), &started).await;
        assert_eq!(count(&started), 1, "what waited before the pause does not come back");
    })
    .await;
}

#[tokio::test]
async fn the_platform_pauses_and_resumes_a_customers_schedule() {
    on_both(async |app: TestApp| {
        let id = due(&app, REGULAR, json!({})).await;

        change(&app, ROOT, id, json!({ "enabled": false })).await.expect("the platform pauses it");
        let resumed = change(&app, ROOT, id, json!({ "enabled": true })).await.expect("and resumes it");
        assert_eq!(resumed.item.owner, Some(app.session(ROOT).user));
        assert_eq!(resumed.base.customer, Some(app.customer_id("acme")));

        let described = change(&app, REGULAR, id, json!({ "description": "nightly" })).await;
        assert_eq!(described.expect("its customer still saves it").item.owner, Some(app.session(REGULAR).user));
    })
    .await;
}

#[tokio::test]
async fn a_schedule_runs_with_the_rights_its_person_has_now() {
    on_both(async |app: TestApp| {
        let started = Started::default();
        let of_admin = due(&app, ADMIN, json!({})).await;
        let of_regular = due(&app, REGULAR, json!({})).await;
        disable(&app, ADMIN).await;
        let viewer = sql("update users set role = 'viewer' where id = $1").bind(app.session(REGULAR).user.to_string());
        app.state.db.execute(&SYSTEM, viewer).await.expect("it is written");

        for _ in 0..2 {
            tick(&app, soon(), &started).await;
            is_due(&app, of_admin, at(DUE)).await;
            is_due(&app, of_regular, at(DUE)).await;
        }

        assert_eq!(count(&started), 0);
        let (admins, regulars) = (read(&app, of_admin).await.item, read(&app, of_regular).await.item);
        assert_eq!(admins.last_result, Some(LastResult::Nobody));
        assert!(admins.last_reason.is_some_and(|reason| reason.contains("Save it again")));
        assert_eq!(regulars.last_result, Some(LastResult::Forbidden));
        assert!(regulars.last_reason.is_some_and(|reason| reason.contains("iewer")));
        let trail = sql("select count(*) as total from audit where record = $1 and action = 'not_run'")
            .bind(of_admin.to_string());
        let trail = app.state.db.row(&SYSTEM, trail).await.expect("it can be read").expect("there is a count");
        assert_eq!(trail.int("total").expect("it is a number"), 1, "the same reason is told once");
    })
    .await;
}

#[tokio::test]
async fn a_schedule_whose_person_is_purged_tells_that_nobody_is_there() {
    on_both(async |app: TestApp| {
        let started = Started::default();
        let users = kind("user");
        let guest = json!({ "username": "guest", "role": "regular", "password": "a sentence that nobody knows" });
        let guest = app.make(ADMIN, users, guest).await.base.id;
        let id = due(&app, ADMIN, json!({})).await;
        let owned = sql("update schedules set owner = $1 where id = $2").bind(guest.to_string()).bind(id.to_string());
        app.state.db.execute(&SYSTEM, owned).await.expect("it is written");

        let permit = app.permit::<Removing>(ADMIN, users);
        store::remove(&app.state, &permit, users, guest).await.expect("it is removed");
        store::purge(&app.state, &permit, users, guest).await.expect("a schedule does not hold a person");
        tick(&app, soon(), &started).await;

        let schedule = read(&app, id).await.item;
        assert_eq!((schedule.owner, schedule.last_result), (None, Some(LastResult::Nobody)));
    })
    .await;
}

#[tokio::test]
async fn nothing_of_a_disabled_customer_runs() {
    on_both(async |app: TestApp| {
        let started = Started::default();
        let id = due(&app, ROOT, json!({})).await;
        let off = sql("update customers set enabled = $1 where id = $2")
            .bind(false)
            .bind(app.customer_id("acme").to_string());
        app.state.db.execute(&SYSTEM, off).await.expect("it is written");

        tick(&app, soon(), &started).await;

        assert_eq!(count(&started), 0);
        assert_eq!(read(&app, id).await.item.last_result, Some(LastResult::Forbidden));
    })
    .await;
}

#[tokio::test]
async fn times_that_passed_while_no_server_was_up_are_caught_up_once_or_not() {
    on_both(async |app: TestApp| {
        let started = Started::default();
        let none = due(&app, ADMIN, json!({ "catch_up": "none" })).await;
        let once = due(&app, ADMIN, json!({ "catch_up": "once" })).await;
        let days_later = at("2026-06-04T12:00:00Z");

        tick(&app, days_later, &started).await;
        tick(&app, days_later + Duration::from_secs(5), &started).await;

        assert_eq!(count(&started), 1, "three times were missed, one run makes up for them");
        let (none, once) = (read(&app, none).await.item, read(&app, once).await.item);
        assert_eq!(none.last_result, Some(LastResult::Missed));
        assert_eq!(once.last_result, Some(LastResult::Started));
        for schedule in [none, once] {
            assert_eq!(schedule.next_at, Some(at("2026-06-05T03:00:00Z")));
        }
    })
    .await;
}

#[tokio::test]
async fn the_next_time_follows_the_clocks_of_its_zone() {
    on_both(async |app: TestApp| {
        let started = Started::default();
        let id = due(&app, ADMIN, json!({ "cron": "30 2 * * *", "time_zone": "Europe/Madrid" })).await;
        let mut nexts = Vec::new();

        for begin in ["2026-03-28T01:30:00Z", "2026-10-24T00:30:00Z"] {
            is_due(&app, id, at(begin)).await;
            for _ in 0..3 {
                let now = read(&app, id).await.item.next_at.expect("it has a next time");
                tick(&app, now, &started).await;
                nexts.push(read(&app, id).await.item.next_at.expect("it has a next time").to_string());
            }
        }

        assert_eq!(
            nexts,
            [
                // Spring skips 02:30, so it comes at 03:00, which is 01:00 UTC.
                "2026-03-29T01:00:00Z",
                "2026-03-30T00:30:00Z",
                "2026-03-31T00:30:00Z",
                // Autumn repeats 02:30, and the first one counts.
                "2026-10-25T00:30:00Z",
                "2026-10-26T01:30:00Z",
                "2026-10-27T01:30:00Z",
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn how_a_run_ended_becomes_the_last_result() {
    on_both(async |app: TestApp| {
        let started = Started::default();
        let id = due(&app, ADMIN, json!({})).await;
        tick(&app, soon(), &started).await;
        let run = read(&app, id).await.item.last_run.expect("it was started");

        run_ends(&app, run, "unreachable").await;
        tick(&app, soon(), &started).await;

        assert_eq!(read(&app, id).await.item.last_result, Some(LastResult::Unreachable));
    })
    .await;
}

#[tokio::test]
async fn a_start_that_is_refused_says_why() {
    on_both(async |app: TestApp| {
        let id = due(&app, ADMIN, json!({})).await;
        let refusing = |_: Permit<Operating>, _: RunRequest, _: Id<Schedule>| -> BoxFuture<'static, Result<Id<Job>>> {
            Box::pin(async { Err(Error::invalid("hosts", "No machine is left in the group")) })
        };

        schedules::tick(&app.state, soon(), &refusing).await.expect("the round is done");

        let schedule = read(&app, id).await.item;
        assert_eq!(schedule.last_result, Some(LastResult::Refused));
        assert_eq!(schedule.last_reason.as_deref(), Some("No machine is left in the group"));
    })
    .await;
}

#[tokio::test]
async fn run_now_starts_as_the_person_who_asks_and_leaves_the_next_time() {
    on_both(async |app: TestApp| {
        let started = Started::default();
        let id = due(&app, ADMIN, json!({})).await;
        let start = starter(&app.state, &started);

        let run = schedules::run_now(&app.context(REGULAR), id, &start).await.expect("it is started");
        let refused = schedules::run_now(&app.context(VIEWER), id, &start).await;
        let foreign = schedules::run_now(&app.context(STRANGER), id, &start).await;

        assert!(matches!(refused, Err(Error::Forbidden { .. })));
        assert_eq!(foreign, Err(Error::not_found("schedule")));
        let began = started.lock().expect("nobody panicked").iter().map(|(person, _)| *person).collect::<Vec<_>>();
        assert_eq!(began, [Some(app.session(REGULAR).user)]);
        let schedule = read(&app, id).await.item;
        assert_eq!((schedule.last_run, schedule.next_at), (Some(run), Some(at(DUE))));
        assert_eq!(schedule.owner, Some(app.session(ADMIN).user));
    })
    .await;
}

#[tokio::test]
async fn a_schedule_is_checked_where_it_is_kept() {
    let app = TestApp::start().await;
    let kind = kind("schedule");
    let permit = app.permit::<Creating>(REGULAR, kind);
    let asking = json!({
        "name": "asks", "content": "- hosts: all\n  tasks: []\n",
        "survey": "- variable: pin\n  question: The PIN\n  answer: secret\n  required: true\n",
    });
    let asking = app.make(ADMIN, crate::support::kind("playbook"), asking).await.base.id;
    let may_ask = json!({
        "name": "may-ask", "content": "- hosts: all\n  tasks: []\n", "survey": "- variable: pin\n  answer: secret\n",
    });
    let may_ask = app.make(ADMIN, crate::support::kind("playbook"), may_ask).await.base.id;

    for (wrong, field, words) in [
        (json!({ "cron": "61 3 * * *" }), "cron", "Minute"),
        (json!({ "cron": "0 0 3 * * *" }), "cron", "five parts"),
        (json!({ "cron": "0 0 31 2 *" }), "cron", "never"),
        (json!({ "time_zone": "Nowhere/Atall" }), "time_zone", "Nowhere/Atall"),
        (json!({ "hosts": [], "machines": [] }), "hosts", "at least one"),
        (json!({ "options": "nonsense: 1" }), "options", "nonsense"),
        (json!({ "options": "- check" }), "options", "mapping"),
        (json!({ "options": format!("credentials: [{}]", Id::<()>::new()) }), "options", "above"),
        (json!({ "playbook": asking }), "playbook", "The PIN"),
        (json!({ "playbook": may_ask, "options": "variables: {pin: 1234}" }), "options", "pin"),
    ] {
        let mut input = sample(&app, kind, 1).await;
        input.extend(fields(wrong.clone()));
        let refused = store::create(&app.state, &permit, kind, input).await.expect_err("it is refused");
        let problem = &refused.problems()[0];
        assert_eq!(problem.field, field, "{wrong}: {refused:?}");
        assert!(problem.message.contains(words), "{wrong}: {}", problem.message);
    }
    let mut input = sample(&app, kind, 1).await;
    input.insert("playbook".to_owned(), json!(may_ask));
    input.insert("cron".to_owned(), json!(" 0  7 * * mon-fri "));
    input.insert("time_zone".to_owned(), Value::Null);
    let kept = app.make(REGULAR, kind, Value::Object(input)).await;
    assert_eq!(kept.item["cron"], "0 7 * * MON-FRI");
    assert!(kept.item["time_zone"].is_string(), "the server's own zone is noted");
    assert_eq!(kept.item["owner"], json!(app.session(REGULAR).user));
    assert_eq!(kept.item["language"], "en");
}

#[tokio::test]
async fn a_name_is_taken_within_one_customer() {
    on_both(async |app: TestApp| {
        let kind = kind("schedule");
        let mut input = sample(&app, kind, 1).await;
        app.make(ADMIN, kind, Value::Object(input.clone())).await;
        let playbook = json!({ "name": "theirs", "content": "- hosts: all\n  tasks: []\n" });
        let playbook = app.make(STRANGER, crate::support::kind("playbook"), playbook).await.base.id;
        let host = json!({ "name": "theirs", "addresses": ["10.9.0.1"] });
        let host = app.make(STRANGER, crate::support::kind("host"), host).await.base.id;

        input.insert("playbook".to_owned(), json!(playbook));
        input.insert("hosts".to_owned(), json!([host]));
        input.insert("machines".to_owned(), json!([]));

        app.make(STRANGER, kind, Value::Object(input)).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_gone_does_not_keep_anybody_from_pausing() {
    on_both(async |app: TestApp| {
        let id = due(&app, ADMIN, json!({})).await;
        let playbook = read(&app, id).await.item.playbook.expect("it has a playbook");
        let permit = app.permit::<Removing>(ADMIN, kind("playbook"));
        store::remove(&app.state, &permit, kind("playbook"), playbook.cast()).await.expect("it can be removed");

        change(&app, ADMIN, id, json!({ "enabled": false })).await.expect("it is paused");
        let refused = change(&app, ADMIN, id, json!({ "enabled": true })).await.expect_err("it cannot run");

        assert_eq!(refused.problems()[0].field, "playbook");
    })
    .await;
}

#[tokio::test]
async fn a_schedule_that_was_brought_back_waits_for_its_next_time() {
    on_both(async |app: TestApp| {
        let started = Started::default();
        let kind = kind("schedule");
        let id = due(&app, ADMIN, json!({ "catch_up": "once" })).await;
        let permit = app.permit::<Removing>(ADMIN, kind);

        store::remove(&app.state, &permit, kind, id.cast()).await.expect("it is removed");
        tick(&app, soon(), &started).await;
        store::restore(&app.state, &permit, kind, id.cast()).await.expect("it is back");
        tick(&app, soon(), &started).await;

        assert_eq!(count(&started), 0);
        assert!(read(&app, id).await.item.next_at.expect("it has a next time") > Timestamp::now());
    })
    .await;
}

#[tokio::test]
async fn what_the_system_sets_in_a_schedule_nobody_else_does() {
    let app = TestApp::start().await;
    let client = app.client(REGULAR).await;
    let mut input = sample(&app, kind("schedule"), 1).await;
    input.insert("owner".to_owned(), json!(app.session(ROOT).user));
    let refused = client.post("/api/v1/schedules", &Value::Object(input.clone())).await.expect(422);
    assert_eq!(refused.problem_fields(), ["owner"]);

    input.shift_remove("owner");
    let mut made = client.post("/api/v1/schedules", &Value::Object(input)).await.expect(201).json();
    let id = made["id"].as_str().expect("it has an id").to_owned();
    made["owner"] = json!(app.session(ROOT).user);
    made["next_at"] = json!("2000-01-01T00:00:00Z");
    made["description"] = json!("changed");
    let changed = client.put(&format!("/api/v1/schedules/{id}"), &made).await.expect(200).json();

    assert_eq!(changed["description"], "changed");
    assert_eq!(changed["owner"], json!(app.session(REGULAR).user));
    assert!(changed["next_at"].as_str().expect("it has a next time") > "2020");
}

#[tokio::test]
async fn a_rule_is_told_over_the_api() {
    let app = TestApp::start().await;
    let viewer = app.client(VIEWER).await;

    let asked = json!({ "cron": "30 7 * * mon-fri", "time_zone": "europe/madrid" });
    let told = viewer.post("/api/v1/schedules/preview", &asked).await.expect(200).json();
    let wrong = json!({ "cron": "0 25 * * *", "time_zone": "Moon" });
    let wrong = viewer.post("/api/v1/schedules/preview", &wrong).await.expect(422);

    assert_eq!(told["sentence"], "Monday to Friday at 07:30.");
    assert_eq!(told["time_zone"], "Europe/Madrid");
    assert_eq!(told["times"].as_array().expect("there are times").len(), 5);
    assert_eq!(wrong.problem_fields(), ["cron", "time_zone"]);
    viewer.post("/api/v1/schedules/preview", &json!({ "cron": "* * * * *", "more": 1 })).await.expect(422);
}
