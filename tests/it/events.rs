//! Stories of the streams that tell browsers what changed.

use crate::{
    door::{Door, form},
    support::{ADMIN, PASSWORD, Person, REGULAR, ROOT, STRANGER, SYSTEM, TestApp, VIEWER, kind, on_both},
};
use axum::{
    body::{Body, BodyDataStream},
    http::Request,
};
use futures::StreamExt as _;
use muelle::{
    authentication::server::Context,
    events::{model::Topic, server::sse},
    id::Id,
    platform::{db::sql, state::State},
    time::Timestamp,
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tower::ServiceExt as _;

/// As long as something may take that should happen at once.
pub const SOON: Duration = Duration::from_secs(5);

/// One event as a browser gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    /// Its name.
    pub name: String,
    /// What the browser would send back.
    pub id: String,
    /// Its data.
    pub data: Value,
}

/// A browser's end of a stream.
pub struct Listener {
    body: BodyDataStream,
    text: String,
}

impl Listener {
    /// Opens `/events?{query}` as somebody, from `cursor` on.
    pub async fn open(context: &Context, query: &str, cursor: Option<&str>) -> Result<Self, u16> {
        let mut request = Request::get(format!("/events?{query}"));
        if let Some(cursor) = cursor {
            request = request.header("last-event-id", cursor);
        }
        let mut request = request.body(Body::empty()).expect("the request is good");
        request.extensions_mut().insert(context.clone());
        let routes = sse::routes().with_state(context.state.clone());
        let response = routes.oneshot(request).await.expect("the route answers");
        if response.status() != 200 {
            return Err(response.status().as_u16());
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Ok(Self { body: response.into_body().into_data_stream(), text: String::new() })
    }

    /// The next event; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Received> {
        loop {
            while let Some(end) = self.text.find("\n\n") {
                let frame: String = self.text.drain(..end + 2).collect();
                let field = |name: &str| {
                    let lines = frame.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    lines.collect::<Vec<_>>().join("\n")
                };
                let name = field("event");
                if !name.is_empty() {
                    let data = serde_json::from_str(&field("data")).expect("events hold JSON");
                    return Some(Received { name, id: field("id"), data });
                }
            }
            let chunk = self.body.next().await?.expect("the body can be read");
            self.text.push_str(std::str::from_utf8(&chunk).expect("events are text"));
        }
    }

    /// The next event, soon.
    pub async fn soon(&mut self) -> Received {
        timeout(SOON, self.next()).await.expect("an event comes soon").expect("the stream is open")
    }

    /// Whether nothing is heard for a moment.
    async fn is_quiet(&mut self) -> bool {
        timeout(Duration::from_millis(300), self.next()).await.is_err()
    }
}

/// Somebody with a login that stands in the database.
pub async fn sign_in(app: &TestApp, person: Person) -> Context {
    let context = app.context(person);
    let session = context.session().expect("somebody is there").clone();
    let now = Timestamp::now();
    app.state
        .db
        .execute(
            &SYSTEM,
            sql("insert into logins
                   (id, customer, revision, enabled, created_at, updated_at, \"user\", login_time, exp, last_seen, token_hash)
                 values ($1, $2, 1, $3, $4, $4, $5, $4, $6, $4, $1)
                 on conflict do nothing")
            .bind(session.login.to_string())
            .bind(session.customer.map(|customer| customer.id.to_string()))
            .bind(true)
            .bind(now.millis())
            .bind(session.user.to_string())
            .bind((now + Duration::from_secs(3600)).millis()),
        )
        .await
        .expect("the login can be written");
    context
}

/// Lets something happen while somebody listens; it must end their stream, and within two seconds.
async fn ends_the_stream(app: &TestApp, person: Person, happen: impl AsyncFnOnce()) {
    let context = sign_in(app, person).await;
    // Nothing happens to jobs here, so the end is all there is to be heard.
    let mut listener = Listener::open(&context, "topic=jobs", None).await.expect("it opens");
    assert!(listener.is_quiet().await);

    let began = Instant::now();
    happen().await;
    let end = listener.soon().await;
    let took = began.elapsed();

    assert_eq!((end.name.as_str(), &end.data["reason"]), ("end", &json!("session")));
    assert!(took < Duration::from_secs(2), "it took {took:?}");
    assert_eq!(listener.next().await, None);
}

/// Changes one value of somebody's record over the API.
async fn change(app: &TestApp, person: Person, field: &str, to: Value) {
    let root = app.client(ROOT).await;
    let path = format!("/api/v1/users/{}", app.session(person).user);
    let mut user = root.get(&path).await.expect(200).json();
    user[field] = to;
    root.put(&path, &user).await.expect(200);
}

/// Changes somebody's record as another process does, of which this server is told nothing.
async fn change_untold(app: &TestApp, person: Person, statement: &'static str) {
    let statement = sql(statement).bind(app.session(person).user.to_string());
    app.state.db.execute(&SYSTEM, statement).await.expect("it is written");
}

fn machines() -> Topic {
    Topic::Records("machine".to_owned())
}

#[tokio::test]
async fn a_stream_asks_for_a_right_to_each_topic() {
    let app = TestApp::start().await;
    let viewer = sign_in(&app, VIEWER).await;

    let unknown = Listener::open(&viewer, "topic=weather", None).await;
    let unknown_kind = Listener::open(&viewer, "topic=records/weather", None).await;
    let nothing = Listener::open(&viewer, "", None).await;
    let no_job = Listener::open(&viewer, "topic=job/019acb6a-0000-7000-8000-000000000000", None).await;
    let allowed = Listener::open(&viewer, "topic=records/machine&topic=containers/local&topic=jobs", None).await;

    assert_eq!(unknown.err(), Some(422));
    assert_eq!(unknown_kind.err(), Some(422));
    assert_eq!(nothing.err(), Some(422));
    assert_eq!(no_job.err(), Some(404));
    assert!(allowed.is_ok());
    assert_eq!(app.anonymous().get("/events?topic=all").await.status, 401);
}

#[tokio::test]
async fn changes_are_heard_by_those_who_reach_them_and_nobody_else() {
    let app = TestApp::start().await;
    let mut regular = Listener::open(&sign_in(&app, REGULAR).await, "topic=all", None).await.expect("it opens");
    let mut root = Listener::open(&sign_in(&app, ROOT).await, "topic=records/machine", None).await.expect("it opens");
    let mut stranger = Listener::open(&sign_in(&app, STRANGER).await, "topic=all", None).await.expect("it opens");

    app.state.bus.publish(machines(), Some(app.customer_id("acme")), json!({"n": 1}));
    app.state.bus.publish(Topic::Jobs, None, json!({}));

    let heard = regular.soon().await;
    assert_eq!((heard.name.as_str(), &heard.data), ("change", &json!({"topic": "records/machine", "data": {"n": 1}})));
    assert_eq!(root.soon().await.data["topic"], "records/machine");
    assert!(regular.is_quiet().await, "the platform's own jobs are not Acme's");
    assert!(stranger.is_quiet().await, "Globex hears nothing of Acme");
}

#[tokio::test]
async fn the_steps_of_a_check_are_heard_by_those_who_may_make_one_and_nobody_else() {
    let app = TestApp::start().await;
    // Nobody listens on the first port, so the check ends at its second step.
    let input = json!({"name": "db-1", "type": "remote", "ipv4": "127.0.0.1", "ssh_port": 1});
    let check = format!("/api/v1/machines/{}/check", app.make(ADMIN, kind("machine"), input).await.base.id);
    let asking = app.client(REGULAR).await;
    let told_as = Id::<()>::new();
    let (topic, own) = (format!("check/{told_as}"), format!("topic=check/{told_as}"));
    let regular = sign_in(&app, REGULAR).await;
    let mut one = Listener::open(&regular, &own, None).await.expect("it opens");
    let mut all = Listener::open(&regular, "topic=all", None).await.expect("it opens");
    let mut stranger = Listener::open(&sign_in(&app, STRANGER).await, &own, None).await.expect("it opens");
    let viewer = sign_in(&app, VIEWER).await;
    let refused = Listener::open(&viewer, &own, None).await;
    let mut viewer = Listener::open(&viewer, "topic=all", None).await.expect("it opens");

    let nonsense = asking.post(&check, &json!({"told_as": "db-1"})).await;
    asking.post(&check, &json!({"told_as": told_as})).await.expect(200);

    for listener in [&mut one, &mut all] {
        for step in ["address", "port"] {
            let heard = listener.soon().await.data;
            assert_eq!((heard["topic"].as_str(), &heard["data"]["step"]), (Some(topic.as_str()), &json!(step)));
        }
    }
    assert_eq!(nonsense.problem_fields(), ["told_as"]);
    assert_eq!(refused.err(), Some(403));
    assert!(viewer.is_quiet().await, "viewers make no checks");
    assert!(stranger.is_quiet().await, "Globex hears nothing of Acme");
}

#[tokio::test]
async fn who_comes_back_gets_what_was_missed_and_nothing_twice() {
    let app = TestApp::start().await;
    let admin = sign_in(&app, ADMIN).await;
    let acme = Some(app.customer_id("acme"));
    let publish = |n: i64| app.state.bus.publish(machines(), acme, json!({"n": n}));
    let mut listener = Listener::open(&admin, "topic=records/machine", None).await.expect("it opens");
    publish(1);
    let seen = listener.soon().await;
    drop(listener);
    publish(2);
    publish(3);

    let mut back = Listener::open(&admin, "topic=records/machine", Some(&seen.id)).await.expect("it opens");
    let mut heard = vec![back.soon().await, back.soon().await];
    publish(4);
    heard.push(back.soon().await);

    let numbers: Vec<_> = heard.iter().map(|event| event.data["data"]["n"].clone()).collect();
    assert_eq!(numbers, [2, 3, 4]);
    assert!(back.is_quiet().await);
}

#[tokio::test]
async fn a_gap_is_told_as_resync() {
    let app = TestApp::start().await;
    let admin = sign_in(&app, ADMIN).await;

    let mut stale = Listener::open(&admin, "topic=all&last_event_id=12345", None).await.expect("it opens");
    let mut slow = Listener::open(&admin, "topic=jobs", None).await.expect("it opens");
    let first = slow.body.next().await;
    for _ in 0..3000 {
        app.state.bus.publish(Topic::Jobs, Some(app.customer_id("acme")), json!({}));
    }

    assert!(first.is_some(), "the stream began");
    assert_eq!(stale.soon().await.name, "resync");
    assert_eq!(slow.soon().await.name, "resync");
}

#[tokio::test]
async fn a_revoked_login_ends_its_streams_within_two_seconds() {
    on_both(async |app: TestApp| {
        for (person, is_told) in [(REGULAR, true), (VIEWER, false)] {
            let login = app.session(person).login;
            ends_the_stream(&app, person, async || {
                let revoke = sql("update logins set deleted_at = $1 where id = $2").bind(1_i64).bind(login.to_string());
                app.state.db.execute(&SYSTEM, revoke).await.expect("it is written");
                if is_told {
                    app.state.bus.publish(Topic::Session, Some(app.customer_id("acme")), json!({"login": login}));
                }
            })
            .await;
        }
    })
    .await;
}

#[tokio::test]
async fn disabling_a_user_ends_the_stream() {
    on_both(async |app: TestApp| {
        ends_the_stream(&app, REGULAR, async || change(&app, REGULAR, "enabled", json!(false)).await).await;
        ends_the_stream(&app, VIEWER, async || {
            change_untold(&app, VIEWER, "update users set enabled = false where id = $1").await;
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_changed_role_ends_the_stream() {
    on_both(async |app: TestApp| {
        ends_the_stream(&app, REGULAR, async || change(&app, REGULAR, "role", json!("viewer")).await).await;
        ends_the_stream(&app, VIEWER, async || {
            change_untold(&app, VIEWER, "update users set role = 'regular' where id = $1").await;
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_changed_password_ends_the_stream_whoever_changed_it() {
    const NEW: &str = "quay-wall-gull-42";
    on_both(async |app: TestApp| {
        let door = Door::of(&app.state);
        let cookie = door.cookie("acme", "acme-viewer", PASSWORD).await;
        let passwords = format!("current={}&password={NEW}&password_again={NEW}", PASSWORD.replace(' ', "+"));

        ends_the_stream(&app, REGULAR, async || change(&app, REGULAR, "password", json!(NEW)).await).await;
        ends_the_stream(&app, VIEWER, async || {
            let changed = door.send(form("/account", &passwords).cookie(&cookie)).await;
            assert_eq!(changed.location(), Some("/account?changed"), "{}", changed.text);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_stopping_server_tells_and_closes_every_stream_within_two_seconds() {
    let app = TestApp::start().await;
    let context = sign_in(&app, ADMIN).await;
    let mut listeners = Vec::new();
    for _ in 0..20 {
        listeners.push(Listener::open(&context, "topic=all", None).await.expect("it opens"));
    }
    let one_more = Listener::open(&context, "topic=all", None).await;

    let began = Instant::now();
    app.state.stopping.cancel();
    for listener in &mut listeners {
        assert_eq!(listener.soon().await.data["reason"], "stopping");
        assert_eq!(listener.next().await, None);
    }

    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(one_more.err(), Some(429), "the twenty-first stream of one person");
}

#[tokio::test]
async fn a_closed_page_gives_its_place_back() {
    let app = TestApp::start().await;
    let context = sign_in(&app, ADMIN).await;

    for _ in 0..50 {
        drop(Listener::open(&context, "topic=all", None).await.expect("there is room"));
    }
}

#[tokio::test]
async fn servers_of_one_postgresql_hear_each_other() {
    let app = TestApp::start_on(crate::support::Database::Postgres).await;
    let other = State::start(app.state.config.clone()).await.expect("a second server starts");
    let mut listener =
        Listener::open(&sign_in(&app, ADMIN).await, "topic=records/machine", None).await.expect("it opens");
    assert!(listener.is_quiet().await);

    // The second server's own listening may take a moment to begin; telling does not wait for it.
    other.bus.publish(machines(), Some(app.customer_id("acme")), json!({"from": "other"}));
    other.bus.publish(machines(), Some(app.customer_id("globex")), json!({"from": "other"}));

    assert_eq!(listener.soon().await.data["data"]["from"], "other");
    assert!(listener.is_quiet().await);
    other.stopping.cancel();
}

#[tokio::test]
async fn a_stream_hears_of_the_containers_of_its_own_customer_alone() {
    let app = TestApp::start().await;
    let containers = || Topic::Containers("local".to_owned());
    let (acme, globex) = (Some(app.customer_id("acme")), Some(app.customer_id("globex")));
    let query = "topic=containers/local&topic=engine/local&topic=images/local";
    let mut regular = Listener::open(&sign_in(&app, REGULAR).await, query, None).await.expect("it opens");
    let mut stranger = Listener::open(&sign_in(&app, STRANGER).await, "topic=all", None).await.expect("it opens");
    let mut root = Listener::open(&sign_in(&app, ROOT).await, query, None).await.expect("it opens");
    let bus = &app.state.bus;

    bus.publish(containers(), globex, json!({"n": 1}));
    bus.publish(containers(), None, json!({"n": 2}));
    bus.publish(containers(), acme, json!({"n": 3}));
    bus.publish_shared(Topic::Engine("local".to_owned()), json!({"n": 4}));
    bus.publish_shared(Topic::Images("local".to_owned()), json!({"n": 5}));
    let mut heard = Vec::new();
    for (listener, count) in [(&mut regular, 3), (&mut stranger, 3), (&mut root, 5)] {
        let mut numbers = Vec::new();
        for _ in 0..count {
            numbers.push(listener.soon().await.data["data"]["n"].as_i64().expect("a number"));
        }
        assert!(listener.is_quiet().await);
        heard.push(numbers);
    }

    assert_eq!(heard, [vec![3, 4, 5], vec![1, 4, 5], vec![1, 2, 3, 4, 5]]);
}

#[tokio::test]
async fn a_great_import_is_heard_by_each_customer_it_concerns() {
    let app = TestApp::start().await;
    let query = "topic=records/machine";
    let mut acme = Listener::open(&sign_in(&app, REGULAR).await, query, None).await.expect("it opens");
    let mut globex = Listener::open(&sign_in(&app, STRANGER).await, query, None).await.expect("it opens");
    let mut root = Listener::open(&sign_in(&app, ROOT).await, query, None).await.expect("it opens");
    let client = app.client(ROOT).await;
    let csv = |domains: &[&str]| {
        let line = |n: usize| format!("m-{n},remote,{}\n", app.customer_id(domains[n % domains.len()]));
        std::iter::once("name,type,customer\n".to_owned()).chain((0..30).map(line)).collect::<String>()
    };
    let import = async |text: String| {
        client.send("POST", "/api/v1/machines/import", Some(("text/csv", text.into_bytes()))).await.expect(200);
    };

    import(csv(&["acme"])).await;
    assert_eq!(acme.soon().await.data["data"], json!({ "action": "import" }));
    assert!(globex.is_quiet().await, "nothing of Globex was imported");
    import(csv(&["globex"])).await;
    assert_eq!(globex.soon().await.data["data"], json!({ "action": "import" }));
    assert!(acme.is_quiet().await);
    assert_eq!([root.soon().await, root.soon().await].map(|event| event.name), ["change", "change"]);
}
