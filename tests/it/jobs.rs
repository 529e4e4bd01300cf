//! Stories of long work: queued, run, watched, cancelled, and true after a restart.

use crate::{
    events::{Listener, SOON, sign_in},
    support::{ADMIN, Database, REGULAR, ROOT, STRANGER, SYSTEM, TestApp, VIEWER, on_both},
};
use muelle::{
    authentication::server::{Operating, Reading},
    error::{Error, Result},
    id::Id,
    jobs::{
        api::JobQuery,
        model::{Job, JobState, Line, Part, Progress, Voice},
        server::{self, NewJob, Run, Worker, store},
    },
    platform::{
        db::{Db, sql},
        state::State,
    },
};
use serde_json::{Value, json};
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// The work of these stories, by the last word of its kind.
async fn work(run: Arc<Run>) -> Result<Value> {
    match run.kind.as_str() {
        "test.echo" => {
            run.progress(Progress {
                fraction: Some(0.5),
                note: "half".to_owned(),
                parts: vec![Part { name: "layer".to_owned(), note: "Downloading".to_owned(), done: 5, total: 10 }],
            });
            run.line(Voice::Out, "began").await;
            Ok(run.operation.clone())
        }
        "test.fail" => Err(Error::conflict("the port is taken")),
        "test.panic" => panic!("on purpose"),
        "test.wait" => {
            run.line(Voice::Note, "waits").await;
            run.cancelled.cancelled().await;
            Err(Error::conflict("was cancelled"))
        }
        "test.again" | "test.once" if !run.resumed => {
            run.line(Voice::Out, "first attempt").await;
            std::future::pending().await
        }
        "test.again" => {
            run.line(Voice::Out, "second attempt").await;
            Ok(json!("resumed"))
        }
        "test.lines" => {
            let count = run.operation["count"].as_i64().unwrap_or(0);
            for number in 1..=count {
                run.line(Voice::Out, &format!("line {number}")).await;
            }
            Ok(json!({ "count": count }))
        }
        "test.written" => {
            for number in 1..=400 {
                run.line(Voice::Out, &format!("{number}: {}", "x".repeat(10_000))).await;
            }
            run.written().await;
            Ok(json!(store::last_sequence(run.state(), &SYSTEM, run.id).await?))
        }
        "test.output" => {
            run.secret("hunter22\nsecond-secret");
            run.line(Voice::Out, "the password is hunter22\r\nand second-secret\0").await;
            run.line(Voice::Err, &"é".repeat(20_000)).await;
            Ok(json!({"said": "hunter22"}))
        }
        other => Err(Error::conflict(format!("unknown {other}"))),
    }
}

fn add_workers(state: &State) {
    state.jobs.add(Worker::new("test", |kind| kind == "test.again", |run| Box::pin(work(run))));
}

fn new(app: &TestApp, kind: &'static str, operation: Value) -> NewJob {
    let customer = Some(app.customer_id("acme"));
    NewJob { kind, title: format!("Story of {kind}"), operation, key: None, customer }
}

async fn enqueue(app: &TestApp, kind: &'static str, operation: Value) -> Id<Job> {
    let permit = app.context(REGULAR).permit::<Operating>("job").expect("a regular user may");
    server::enqueue(&app.state, &permit, new(app, kind, operation)).await.expect("it is queued")
}

async fn job(app: &TestApp, id: Id<Job>) -> Job {
    store::job(&app.state, &SYSTEM, id).await.expect("the job is there")
}

async fn lines(app: &TestApp, id: Id<Job>) -> Vec<Line> {
    store::lines(&app.state, &SYSTEM, id, 0, 1000).await.expect("the lines can be read")
}

/// Waits until the job is as wished.
async fn until(app: &TestApp, id: Id<Job>, wished: impl Fn(&Job) -> bool) -> Job {
    let limit = Instant::now() + Duration::from_secs(20);
    loop {
        let job = job(app, id).await;
        if wished(&job) {
            return job;
        }
        assert!(Instant::now() < limit, "the job stays {job:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn ended(app: &TestApp, id: Id<Job>) -> Job {
    until(app, id, |job| job.state.is_finished()).await
}

/// What the audit trail tells of a job, oldest first.
async fn trail(app: &TestApp, id: Id<Job>) -> Vec<String> {
    let statement = sql("select action from audit where kind = 'job' and record = $1 order by id").bind(id.to_string());
    let lines = app.state.db.rows(&SYSTEM, statement).await.expect("the trail can be read");
    lines.iter().map(|line| line.text("action").expect("it has an action")).collect()
}

/// Lets the leases of all running jobs run out, as if their time had passed.
async fn expire_leases(app: &TestApp) {
    let statement = sql("update jobs set lease_until = 1 where state = 'running'");
    app.state.db.execute(&SYSTEM, statement).await.expect("it is written");
}

#[tokio::test]
async fn a_job_runs_and_tells_what_came_of_it() {
    on_both(async |app| {
        add_workers(&app.state);
        let good = enqueue(&app, "test.echo", json!({"env": {"TOKEN": "s3cret"}, "image": "web"})).await;
        let bad = enqueue(&app, "test.fail", json!({})).await;
        let worst = enqueue(&app, "test.panic", json!({})).await;
        let strange = enqueue(&app, "weather.report", json!({})).await;
        assert_eq!(job(&app, good).await.state, JobState::Queued);
        assert_eq!(job(&app, good).await.operation["env"]["TOKEN"], store::MASK, "secrets are not shown");

        let _runner = server::start(&app.state);

        let job = ended(&app, good).await;
        assert_eq!(job.state, JobState::Succeeded);
        assert_eq!(job.outcome, Some(json!({"env": {"TOKEN": "s3cret"}, "image": "web"})), "the work sees all of it");
        assert_eq!(job.progress.map(|progress| progress.parts.len()), Some(1));
        assert!(job.started_at >= Some(job.created_at) && job.finished_at >= job.started_at);
        assert_eq!(lines(&app, good).await[0].text, "began");
        let stored = app.state.db.row(&SYSTEM, sql("select operation from jobs where id = $1").bind(good.to_string()));
        let stored = stored.await.expect("it answers").expect("it is there").text("operation").expect("a text");
        assert!(!stored.contains("s3cret"), "the secret is gone from the store");

        let job = ended(&app, bad).await;
        assert_eq!(job.state, JobState::Failed);
        assert_eq!(job.outcome, Some(json!({"error": {"code": "conflict", "message": "the port is taken"}})));
        let job = ended(&app, worst).await;
        assert_eq!(
            (job.state, &job.outcome.expect("there is one")["error"]["code"]),
            (JobState::Failed, &json!("internal"))
        );
        assert_eq!(ended(&app, strange).await.state, JobState::Failed, "nobody knows such work");
        assert_eq!(trail(&app, good).await, ["succeeded"]);
        for id in [bad, worst, strange] {
            assert_eq!(trail(&app, id).await, ["failed"]);
        }
    })
    .await;
}

#[tokio::test]
async fn one_live_job_holds_a_key() {
    on_both(async |app| {
        add_workers(&app.state);
        let state = &app.state;
        let permit = app.context(REGULAR).permit::<Operating>("job").expect("a regular user may");
        let keyed = || NewJob { key: Some("pull/web".to_owned()), ..new(&app, "test.echo", json!({})) };

        let tries = futures::future::join_all((0..50).map(|_| server::enqueue(state, &permit, keyed()))).await;
        let won: Vec<_> = tries.iter().filter_map(|tried| tried.as_ref().ok().copied()).collect();
        let busy = |tried: &Result<Id<Job>>, job: &str| matches!(tried, Err(Error::Busy { job: Some(held), .. }) if held == job);
        assert_eq!(won.len(), 1);
        let holder = won[0].to_string();
        assert_eq!(tries.iter().filter(|tried| busy(tried, &holder)).count(), 49);

        let stranger = app.context(STRANGER).permit::<Operating>("job").expect("an administrator may");
        let refused = server::enqueue(state, &stranger, keyed()).await;
        assert!(matches!(refused, Err(Error::Busy { job: None, .. })), "another customer's job stays unnamed");

        let _runner = server::start(state);
        ended(&app, won[0]).await;
        server::enqueue(state, &permit, keyed()).await.expect("the key is free again");
    })
    .await;
}

#[tokio::test]
async fn a_job_is_part_of_the_transaction_that_causes_it() {
    on_both(async |app| {
        let permit = app.context(REGULAR).permit::<Operating>("job").expect("a regular user may");

        let mut transaction = app.state.db.begin(&permit).await.expect("it begins");
        let id =
            server::enqueue_in(&mut transaction, &permit, new(&app, "test.echo", json!({}))).await.expect("queued");
        drop(transaction);

        let found = store::job(&app.state, &SYSTEM, id).await;
        assert!(matches!(found, Err(Error::NotFound { .. })));
    })
    .await;
}

#[tokio::test]
async fn a_job_can_be_cancelled_from_before_its_start_to_its_end() {
    on_both(async |app| {
        add_workers(&app.state);
        let regular = app.context(REGULAR);
        let waiting = enqueue(&app, "test.wait", json!({})).await;
        let running = enqueue(&app, "test.wait", json!({})).await;

        let refused = server::cancel(&app.context(VIEWER), waiting).await;
        assert!(matches!(refused, Err(Error::Forbidden { .. })));
        let unknown = server::cancel(&app.context(STRANGER), waiting).await;
        assert!(matches!(unknown, Err(Error::NotFound { .. })));
        let before = server::cancel(&regular, waiting).await.expect("it can be cancelled");
        assert_eq!(before.state, JobState::Cancelled);

        let _runner = server::start(&app.state);
        until(&app, running, |job| job.state == JobState::Running).await;
        server::cancel(&app.context(ADMIN), running).await.expect("an administrator may");
        let job = ended(&app, running).await;
        assert_eq!(job.state, JobState::Cancelled);
        assert!(job.cancel_requested);
        assert_eq!(lines(&app, running).await.len(), 1, "what it said is kept");

        let after = server::cancel(&regular, running).await;
        assert!(matches!(after, Err(Error::Conflict { .. })));
        assert!(lines(&app, waiting).await.is_empty(), "it never began");
        for id in [waiting, running] {
            assert_eq!(trail(&app, id).await, ["cancel", "cancelled"]);
        }
    })
    .await;
}

#[tokio::test]
async fn after_a_crash_a_job_is_resumed_or_lost_and_never_forgotten() {
    on_both(async |app| {
        add_workers(&app.state);
        let again = enqueue(&app, "test.again", json!({})).await;
        let once = enqueue(&app, "test.once", json!({})).await;
        let cancelled = enqueue(&app, "test.wait", json!({})).await;
        let runner = server::start(&app.state);
        for id in [again, once, cancelled] {
            until(&app, id, |job| job.state == JobState::Running).await;
        }
        sleep(Duration::from_millis(500)).await;
        runner.crash().await;
        let ask = sql("update jobs set cancel_requested = $1 where id = $2").bind(true).bind(cancelled.to_string());
        app.state.db.execute(&SYSTEM, ask).await.expect("it is written");

        let _next = server::start(&app.state);
        assert_eq!(job(&app, again).await.state, JobState::Running, "the lease still holds");
        expire_leases(&app).await;

        let resumed = ended(&app, again).await;
        assert_eq!((resumed.state, resumed.outcome), (JobState::Succeeded, Some(json!("resumed"))));
        let said: Vec<_> = lines(&app, again).await.into_iter().map(|line| (line.sequence, line.text)).collect();
        assert_eq!(said, [(1, "first attempt".to_owned()), (2, "second attempt".to_owned())]);
        assert_eq!(ended(&app, once).await.state, JobState::Lost);
        assert_eq!(ended(&app, cancelled).await.state, JobState::Cancelled);
        for (id, end) in [(again, "succeeded"), (once, "lost"), (cancelled, "cancelled")] {
            assert_eq!(trail(&app, id).await, [end]);
        }
    })
    .await;
}

#[tokio::test]
async fn the_secrets_of_a_job_leave_the_files_with_its_end() {
    let app = TestApp::start().await;
    add_workers(&app.state);
    // The first fits between others, the second fills pages of its own.
    let secrets = ["canary-in-a-cell", "canary-over-many-pages"];
    let operation = json!({"count": 1, "env": {"TOKEN": secrets[0], "KEYS": secrets[1].repeat(2000)}});
    let run = enqueue(&app, "test.lines", operation.clone()).await;
    let never = enqueue(&app, "test.lines", operation).await;

    assert_eq!(held_by_files(&app, &secrets).await, secrets, "they are there while the jobs wait");
    server::cancel(&app.context(REGULAR), never).await.expect("it can be cancelled");
    let runner = server::start(&app.state);
    ended(&app, run).await;
    runner.crash().await;

    assert!(held_by_files(&app, &secrets).await.is_empty());
}

/// Which of the texts stand in a file of the server after everything written has reached the database.
async fn held_by_files<'a>(app: &TestApp, texts: &[&'a str]) -> Vec<&'a str> {
    let Db::Sqlite { writer, .. } = &app.state.db else { panic!("the story is one of files") };
    let limit = Instant::now() + SOON;
    loop {
        let checkpoint = sqlx::query_as::<_, (i64, i64, i64)>("pragma wal_checkpoint(truncate)");
        // A reader keeps the log for a moment.
        let (busy, _, _) = checkpoint.fetch_one(writer).await.expect("it answers");
        if busy == 0 {
            break;
        }
        assert!(Instant::now() < limit, "the log cannot be emptied");
        sleep(Duration::from_millis(20)).await;
    }
    let files = std::fs::read_dir(&app.state.config.data.dir).expect("the folder is there");
    let contents: Vec<String> = files
        .map(|file| std::fs::read(file.expect("an entry").path()).expect("it can be read"))
        .map(|content| String::from_utf8_lossy(&content).into_owned())
        .collect();
    texts.iter().copied().filter(|text| contents.iter().any(|content| content.contains(text))).collect()
}

#[tokio::test]
async fn a_stopping_server_gives_its_jobs_back_at_once() {
    on_both(async |app| {
        add_workers(&app.state);
        let id = enqueue(&app, "test.again", json!({})).await;
        let runner = server::start(&app.state);
        until(&app, id, |job| job.state == JobState::Running).await;

        let began = Instant::now();
        app.state.stopping.cancel();
        runner.stopped().await;
        assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
        assert_eq!(job(&app, id).await.state, JobState::Running, "it waits to be resumed");

        let next = State::start(app.state.config.clone()).await.expect("the server starts again");
        add_workers(&next);
        let _runner = server::start(&next);
        assert_eq!(ended(&app, id).await.state, JobState::Succeeded);
        next.stopping.cancel();
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_lost_its_claim_changes_nothing() {
    on_both(async |app| {
        add_workers(&app.state);
        let id = enqueue(&app, "test.wait", json!({})).await;
        let _runner = server::start(&app.state);
        until(&app, id, |job| job.state == JobState::Running).await;
        sleep(Duration::from_millis(500)).await;

        let statement = sql("update jobs set fence = fence + 1, lease_until = $1").bind(i64::MAX);
        app.state.db.execute(&SYSTEM, statement).await.expect("it is written");
        server::cancel(&app.context(REGULAR), id).await.expect("it is asked to end");
        sleep(Duration::from_secs(1)).await;

        let job = job(&app, id).await;
        assert_eq!((job.state, job.outcome), (JobState::Running, None), "the late worker's end is refused");
    })
    .await;
}

#[tokio::test]
async fn who_lost_the_right_has_their_job_refused_with_the_reason() {
    let app = TestApp::start().await;
    add_workers(&app.state);
    let demoted = enqueue(&app, "test.echo", json!({})).await;
    let user = app.session(REGULAR).user.to_string();
    let demote = sql("update users set role = 'viewer' where id = $1").bind(user.clone());
    app.state.db.execute(&SYSTEM, demote).await.expect("it is written");

    let _runner = server::start(&app.state);
    let job = ended(&app, demoted).await;
    assert_eq!(job.state, JobState::Failed);
    let message = job.outcome.expect("there is one")["error"]["message"].as_str().expect("a sentence").to_owned();
    assert!(message.starts_with("Viewers"), "{message}");

    let disable = sql("update users set role = 'regular', enabled = $1 where id = $2").bind(false).bind(user);
    app.state.db.execute(&SYSTEM, disable).await.expect("it is written");
    let disabled = ended(&app, enqueue(&app, "test.echo", json!({})).await).await;
    assert_eq!(disabled.outcome.expect("there is one")["error"]["code"], "forbidden");
}

#[tokio::test]
async fn output_is_redacted_split_and_bounded() {
    let app = TestApp::start_with(Database::Sqlite, "jobs.output_limit = 1048576").await;
    add_workers(&app.state);
    let _runner = server::start(&app.state);
    let said = enqueue(&app, "test.output", json!({})).await;
    let flood = enqueue(&app, "test.lines", json!({"count": 200_000})).await;

    let job = ended(&app, said).await;
    let lines = lines(&app, said).await;
    assert_eq!(lines[0].text, format!("the password is {}", store::MASK));
    assert_eq!(lines[1].text, format!("and {}\u{fffd}", store::MASK));
    assert_eq!(lines[2].stream, "err");
    assert!(lines[2].text.ends_with(" …") && !lines[4].text.ends_with(" …"), "the long line goes on");
    assert_eq!(lines[2..].iter().map(|line| line.text.matches('é').count()).sum::<usize>(), 20_000);
    assert_eq!(job.outcome, Some(json!({"said": store::MASK})));

    let job = ended(&app, flood).await;
    assert_eq!(job.state, JobState::Succeeded, "a flood ends well");
    let last = store::last_sequence(&app.state, &SYSTEM, flood).await.expect("it answers");
    let end = store::lines(&app.state, &SYSTEM, flood, last - 2, 10).await.expect("it answers");
    assert!(end.iter().all(|line| line.stream == "note"), "{end:?}");
    assert!(end[1].text.contains("further lines were not kept"), "{}", end[1].text);
}

#[tokio::test]
async fn a_hundred_thousand_lines_reach_a_viewer_who_is_cut_off_fifty_times() {
    const COUNT: i64 = 100_000;
    on_both(async |app| {
        add_workers(&app.state);
        let viewer = sign_in(&app, VIEWER).await;
        let id = enqueue(&app, "test.lines", json!({"count": COUNT})).await;
        let _runner = server::start(&app.state);

        let (mut seen, mut cursor, mut cuts) = (Vec::new(), None::<String>, 0);
        'viewing: loop {
            let mut listener =
                Listener::open(&viewer, &format!("topic=job/{id}"), cursor.as_deref()).await.expect("opens");
            // Cut off after a few events, early and late ones alike, until it was done fifty times.
            for _ in 0..=(cuts * 7) % 5 {
                let event = listener.soon().await;
                match event.name.as_str() {
                    "lines" => {
                        let batch = event.data["lines"].as_array().expect("a list");
                        seen.extend(batch.iter().filter_map(|line| line["sequence"].as_i64()));
                    }
                    "end" => break 'viewing assert_eq!(event.data["reason"], "finished"),
                    _ => {}
                }
                cursor = Some(event.id);
            }
            if cuts < 50 {
                cuts += 1;
                continue;
            }
            while let Some(event) = listener.next().await {
                match event.name.as_str() {
                    "lines" => {
                        let batch = event.data["lines"].as_array().expect("a list");
                        seen.extend(batch.iter().filter_map(|line| line["sequence"].as_i64()));
                    }
                    "end" => break 'viewing assert_eq!(event.data["reason"], "finished"),
                    _ => {}
                }
            }
        }

        assert_eq!(cuts, 50);
        assert!(seen.iter().copied().eq(1..=COUNT), "{} lines, complete and in order", seen.len());
        assert_eq!(ended(&app, id).await.state, JobState::Succeeded);
    })
    .await;
}

#[tokio::test]
async fn work_can_wait_until_all_it_said_is_kept_and_long_lines_are_read_in_small_parts() {
    on_both(async |app| {
        add_workers(&app.state);
        let _runner = server::start(&app.state);

        let id = enqueue(&app, "test.written", json!({})).await;

        assert_eq!(ended(&app, id).await.outcome, Some(json!(400)));
        let first = lines(&app, id).await;
        assert_eq!(first.len(), 26, "as many as 256 KiB hold");
        let next = store::lines(&app.state, &SYSTEM, id, 26, 1000).await.expect("the lines can be read");
        assert_eq!(next.first().map(|line| line.sequence), Some(27));
    })
    .await;
}

#[tokio::test]
async fn words_are_found_in_all_of_a_jobs_output() {
    on_both(async |app| {
        add_workers(&app.state);
        let id = enqueue(&app, "test.lines", json!({ "count": 1500 })).await;
        let _runner = server::start(&app.state);
        ended(&app, id).await;
        let found = async |words: &str| {
            let found = store::search(&app.state, &SYSTEM, id, words).await.expect("it can be searched");
            (found.total, found.matches.first().map(|line| line.text.clone()), found.matches.len())
        };

        assert_eq!(found("LINE 77").await, (11, Some("line 77".to_owned()), 11));
        // Of too many the last ones, and signs of the database's own mean nothing.
        assert_eq!(found("line").await, (1500, Some("line 1001".to_owned()), 500));
        assert_eq!(found("line%7").await.0, 0);
        assert_eq!(found("line_7").await.0, 0);
        assert_eq!(found("!").await.0, 0);
        assert_eq!(found("  ").await.0, 0);
    })
    .await;
}

#[tokio::test]
async fn a_stream_of_a_job_goes_on_over_a_restart_of_the_server() {
    let app = TestApp::start().await;
    add_workers(&app.state);
    let viewer = sign_in(&app, VIEWER).await;
    let id = enqueue(&app, "test.again", json!({})).await;
    let runner = server::start(&app.state);
    let mut listener = Listener::open(&viewer, &format!("topic=job/{id}"), None).await.expect("it opens");
    let cursor = loop {
        let event = listener.soon().await;
        if event.name == "lines" {
            break event.id;
        }
    };
    app.state.stopping.cancel();
    runner.stopped().await;

    let next = State::start(app.state.config.clone()).await.expect("the server starts again");
    add_workers(&next);
    let _runner = server::start(&next);
    let viewer = muelle::authentication::server::Context::new(muelle::authentication::server::context::Parts {
        actor: viewer.actor.clone(),
        locale: viewer.locale,
        request: viewer.request.clone(),
        address: None,
        agent: String::new(),
        state: next.clone(),
    });
    let mut listener = Listener::open(&viewer, &format!("topic=job/{id}"), Some(&cursor)).await.expect("it opens");
    let mut said = Vec::new();
    loop {
        let event = listener.soon().await;
        match event.name.as_str() {
            "lines" => said.extend(event.data["lines"].as_array().expect("a list").clone()),
            "end" => break,
            _ => {}
        }
    }

    let said: Vec<_> = said.iter().map(|line| (line["sequence"].as_i64(), line["text"].as_str())).collect();
    assert_eq!(said, [(Some(2), Some("second attempt"))], "nothing twice, nothing missing");
    next.stopping.cancel();
}

#[tokio::test]
async fn several_servers_run_each_job_once() {
    let app = TestApp::start_on(Database::Postgres).await;
    add_workers(&app.state);
    let mut ids = Vec::new();
    for _ in 0..200 {
        ids.push(enqueue(&app, "test.echo", json!({})).await);
    }
    let others = [
        State::start(app.state.config.clone()).await.expect("a second server starts"),
        State::start(app.state.config.clone()).await.expect("a third server starts"),
    ];
    others.iter().for_each(add_workers);

    let _runners: Vec<_> = others.iter().chain([&app.state]).map(server::start).collect();

    for id in ids {
        assert_eq!(ended(&app, id).await.state, JobState::Succeeded);
        assert_eq!(lines(&app, id).await.len(), 1, "it ran once");
    }
    others.iter().for_each(|other| other.stopping.cancel());
}

#[tokio::test]
async fn a_job_cancelled_at_one_server_ends_at_another() {
    let app = TestApp::start_on(Database::Postgres).await;
    let worker = State::start(app.state.config.clone()).await.expect("a second server starts");
    add_workers(&worker);
    let _runner = server::start(&worker);
    let id = enqueue(&app, "test.wait", json!({})).await;
    until(&app, id, |job| job.state == JobState::Running).await;

    let began = Instant::now();
    server::cancel(&app.context(REGULAR), id).await.expect("it can be cancelled");

    assert_eq!(ended(&app, id).await.state, JobState::Cancelled);
    assert!(began.elapsed() < SOON);
    worker.stopping.cancel();
}

#[tokio::test]
async fn jobs_are_listed_by_page_within_reach() {
    on_both(async |app| {
        let mut ids = Vec::new();
        for number in 0..5 {
            let kind = if number % 2 == 0 { "test.echo" } else { "image.pull" };
            ids.push(enqueue(&app, kind, json!({})).await);
        }
        let query = |query: JobQuery| {
            let permit = app.context(VIEWER).permit::<Reading>("job").expect("viewers see jobs");
            let state = app.state.clone();
            async move { store::list(&state, &permit, &query).await.expect("it answers") }
        };
        let base = JobQuery { per_page: 2, ..JobQuery::default() };

        let first = query(base.clone()).await;
        let second = query(JobQuery { before: first.next, ..base.clone() }).await;
        let third = query(JobQuery { before: second.next, ..base.clone() }).await;
        let paged: Vec<_> =
            [first, second, third.clone()].iter().flat_map(|page| page.items.clone()).map(|job| job.id).collect();
        assert_eq!(paged, ids.iter().rev().copied().collect::<Vec<_>>());
        assert_eq!(third.next, None);

        let wide = JobQuery { per_page: 50, ..JobQuery::default() };
        assert_eq!(query(JobQuery { kind: Some("image".to_owned()), ..wide.clone() }).await.items.len(), 2);
        assert_eq!(query(JobQuery { kind: Some("image.pull".to_owned()), ..wide.clone() }).await.items.len(), 2);
        assert_eq!(query(JobQuery { state: Some(JobState::Failed), ..wide.clone() }).await.items.len(), 0);
        assert_eq!(query(JobQuery { mine: true, ..wide.clone() }).await.items.len(), 0, "the viewer asked for none");
        assert_eq!(query(JobQuery { search: Some("STORY of test".to_owned()), ..wide.clone() }).await.items.len(), 3);

        let sorted = async |sort: &str, before| {
            let page = query(JobQuery { sort: sort.to_owned(), before, per_page: 3, ..JobQuery::default() }).await;
            (page.items.iter().map(|job| (job.kind.clone(), job.id)).collect::<Vec<_>>(), page.next)
        };
        let (mut by_kind, next) = sorted("kind", None).await;
        by_kind.extend(sorted("kind", next).await.0);
        let in_order = [1, 3, 0, 2, 4].map(|number: usize| ids[number]);
        assert_eq!(by_kind.iter().map(|(_, id)| *id).collect::<Vec<_>>(), in_order, "{by_kind:?}");
        let (mut turned, next) = sorted("-kind", None).await;
        turned.extend(sorted("-kind", next).await.0);
        by_kind.reverse();
        assert_eq!(turned, by_kind);
        assert_eq!(sorted("created", None).await.0[0].1, ids[0]);
        let of = |domain: &str| JobQuery { customer: Some(app.customer_id(domain)), ..wide.clone() };
        assert_eq!([query(of("acme")).await.items.len(), query(of("globex")).await.items.len()], [5, 0]);
        let permit = app.context(VIEWER).permit::<Reading>("job").expect("viewers see jobs");
        let nonsense = JobQuery { sort: "colour".to_owned(), ..wide.clone() };
        let refused = store::list(&app.state, &permit, &nonsense).await.expect_err("there is no such order");
        assert_eq!(refused.problems()[0].field, "sort");

        let stranger = app.context(STRANGER).permit::<Reading>("job").expect("administrators see jobs");
        assert!(store::list(&app.state, &stranger, &wide).await.expect("it answers").items.is_empty());
        assert!(store::running(&app.state, &stranger).await.expect("it answers").is_empty());
        let root = app.context(ROOT).permit::<Reading>("job").expect("administrators see jobs");
        assert_eq!(store::running(&app.state, &root).await.expect("it answers").len(), 5);
    })
    .await;
}

#[tokio::test]
async fn old_jobs_are_forgotten_and_live_ones_are_not() {
    let app = TestApp::start_with(Database::Sqlite, "jobs.keep_count = 3").await;
    add_workers(&app.state);
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(enqueue(&app, "test.echo", json!({})).await);
    }
    let runner = server::start(&app.state);
    for id in &ids {
        ended(&app, *id).await;
    }
    runner.crash().await;
    let waiting = enqueue(&app, "weather.report", json!({})).await;

    // A runner sweeps when it starts.
    let runner = server::start(&app.state);
    let limit = Instant::now() + SOON;
    let kept = loop {
        let query = JobQuery { per_page: 50, ..JobQuery::default() };
        let page = store::list(&app.state, &SYSTEM, &query).await.expect("it answers");
        if page.items.len() <= 4 {
            break page.items.iter().map(|job| job.id).collect::<HashSet<_>>();
        }
        assert!(Instant::now() < limit, "{} jobs are kept", page.items.len());
        sleep(Duration::from_millis(20)).await;
    };
    runner.crash().await;

    assert!(kept.contains(&waiting) && kept.contains(&ids[5]) && !kept.contains(&ids[0]), "{kept:?}");
}
