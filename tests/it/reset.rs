//! A new password for somebody who cannot sign in, with a link that an administrator makes.

use crate::{
    credentials::all_that_is_kept,
    door::{Ask, Door, Reply, ask, form, get, json},
    support::{ADMIN, Database, PASSWORD, Person, REGULAR, ROOT, STRANGER, SYSTEM, TestApp, VIEWER, kind, on_both},
};
use muelle::{
    authentication::server::{reset, secret, users},
    i18n::Locale,
    id::Id,
    platform::db::sql,
    storage::{User, item::server::store},
    time::Timestamp,
};
use serde_json::{Value, json as value};
use std::sync::{Arc, Mutex};

const OTHER: &str = "quay-wall-gull-42";

/// Somewhere that nobody of the tests has signed in from.
const ELSEWHERE: &str = "203.0.113.1";

/// A link for a user, as somebody asks for it over the API.
async fn link(app: &TestApp, maker: Person, user: Id<User>) -> Reply {
    let token = app.client(maker).await.token().expect("they are signed in").to_owned();
    Door::of(&app.state).send(ask("POST", format!("/api/v1/users/{user}/reset-link")).bearer(&token)).await
}

/// The token of a link that Acme's administrator makes for one of its people.
async fn token(app: &TestApp, person: Person) -> String {
    let made = link(app, ADMIN, app.session(person).user).await;
    assert_eq!(made.status, 201, "{}", made.text);
    token_of(&made)
}

fn url_of(made: &Reply) -> String {
    made.json()["url"].as_str().expect("there is a link").to_owned()
}

fn token_of(made: &Reply) -> String {
    url_of(made).split_once("/reset?token=").expect("the link has a token").1.to_owned()
}

/// Sends the form of the page behind a link.
fn set(token: &str, password: &str) -> Ask {
    form("/reset", &format!("token={token}&password={password}&password_again={password}"))
}

/// Signs Acme's regular user in.
fn attempt(password: &str) -> Ask {
    json("POST", "/api/v1/login", &value!({ "customer": "acme", "username": "acme-regular", "password": password }))
}

async fn run(app: &TestApp, statement: &'static str) {
    app.state.db.execute(&SYSTEM, sql(statement)).await.expect("the statement runs");
}

/// Changes a field of a user, as an administrator does.
async fn change(app: &TestApp, person: Person, field: &str, to: Value) {
    let (users, id) = (kind("user"), app.session(person).user.cast());
    let read = store::get(&app.state, &SYSTEM, users, id, false).await.expect("they are there");
    let mut input = read.item.clone();
    input.insert("revision".to_owned(), read.base.revision.into());
    input.insert(field.to_owned(), to);
    store::update(&app.state, &SYSTEM, users, id, input).await.expect("it can be changed");
}

#[tokio::test]
async fn a_link_sets_a_password_once_and_ends_every_login() {
    on_both(|app| async move {
        let door = Door::of(&app.state);
        let before = door.token("acme", "acme-regular", PASSWORD).await;
        for from in ["127.0.0.1", ELSEWHERE] {
            for _ in 0..5 {
                door.send(attempt("guess").from(from)).await;
            }
        }
        run(&app, "update sign_in_attempts set blocked_until = blocked_until + 60000 where blocked_until > 0").await;
        assert_eq!(door.send(attempt(PASSWORD)).await.status, 429);
        assert_eq!(door.send(attempt(PASSWORD).from(ELSEWHERE)).await.status, 429);

        let made = link(&app, ADMIN, app.session(REGULAR).user).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let token = token_of(&made);
        let page = door.send(get(format!("/reset?token={token}"))).await;
        let weak = door.send(set(&token, "password1234")).await;
        let differing = format!("token={token}&password={OTHER}&password_again={OTHER}3");
        let differing = door.send(form("/reset", &differing)).await;
        let done = door.send(set(&token, OTHER)).await;
        let again = door.send(set(&token, "another-quay-wall-7")).await;
        let sign_in = door.send(get("/sign-in?reset")).await;

        let until: Timestamp = made.json()["expires_at"].as_str().expect("a text").parse().expect("a time");
        assert!((14 * 60..=15 * 60).contains(&Timestamp::now().age(until).as_secs()), "{until}");
        assert_eq!((page.status, page.header("referrer-policy")), (200, Some("same-origin")));
        assert!(page.text.contains(&format!("value=\"{token}\"")), "{}", page.text);
        assert_eq!((weak.status, differing.status), (422, 422));
        assert!(weak.text.contains("tried first") && weak.text.contains(&token), "{}", weak.text);
        assert!(differing.text.contains("The two passwords differ"), "{}", differing.text);
        assert_eq!((done.status, done.location()), (303, Some("/sign-in?reset")));
        assert_eq!(done.cookie(), None);
        assert!(sign_in.text.contains("Your new password is set."), "{}", sign_in.text);
        assert_eq!(again.status, 403);
        assert_eq!(door.send(get("/api/v1/status").bearer(&before)).await.status, 401);
        assert_eq!(door.send(attempt(PASSWORD)).await.status, 401);
        assert_eq!(door.send(attempt(OTHER)).await.status, 200, "the guesses are forgotten");
        assert_eq!(door.send(attempt(OTHER).from(ELSEWHERE)).await.status, 200, "those of strangers too");

        let statement = sql("select action, person_name, record, customer from audit
             where action in ('reset_link', 'reset_password') order by id");
        let rows = app.state.db.rows(&SYSTEM, statement).await.expect("the database answers");
        let told = |name: &str| rows.iter().map(|row| row.text(name).expect("a text")).collect::<Vec<_>>();
        assert_eq!(told("action"), ["reset_link", "reset_password"]);
        assert_eq!(told("person_name"), ["acme-admin", "acme-regular"]);
        assert_eq!(told("record"), [app.session(REGULAR).user.to_string(), app.session(REGULAR).user.to_string()]);
        assert_eq!(told("customer"), [app.customer_id("acme").to_string(), app.customer_id("acme").to_string()]);
    })
    .await;
}

#[tokio::test]
async fn a_link_ends_by_time_by_the_next_one_and_by_whatever_else_changes_the_password() {
    on_both(|app| async move {
        let door = Door::of(&app.state);

        let expired = token(&app, REGULAR).await;
        run(&app, "update reset_links set expires_at = 1").await;
        let expired = door.send(set(&expired, OTHER)).await;
        let (first, second) = (token(&app, REGULAR).await, token(&app, REGULAR).await);
        let first = door.send(set(&first, OTHER)).await;
        change(&app, REGULAR, "password", value!("a gull on the ninth pier")).await;
        let second = door.send(set(&second, OTHER)).await;
        let third = token(&app, REGULAR).await;
        let by_command = "a gull on the tenth pier";
        users::reset_password(&app.state, Some("acme"), "acme-regular", by_command, Locale::en).await.expect("set");
        let third = door.send(set(&third, OTHER)).await;
        let fourth = token(&app, REGULAR).await;
        change(&app, REGULAR, "enabled", value!(false)).await;
        change(&app, REGULAR, "enabled", value!(true)).await;
        let fourth = door.send(set(&fourth, OTHER)).await;

        assert_eq!([expired, first, second, third, fourth].map(|reply| reply.status), [403; 5]);
        assert_eq!(door.send(attempt(OTHER)).await.status, 401);
        token(&app, REGULAR).await;
        run(&app, "update reset_links set expires_at = 1").await;
        token(&app, VIEWER).await;
        reset::sweep(&app.state).await.expect("swept");
        let left = app.state.db.rows(&SYSTEM, sql("select person from reset_links")).await.expect("asked");
        let left: Vec<_> = left.iter().map(|row| row.text("person").expect("a text")).collect();
        assert_eq!(left, [app.session(VIEWER).user.to_string()]);
    })
    .await;
}

#[tokio::test]
async fn nobody_can_tell_why_a_link_was_refused() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    let used = token(&app, REGULAR).await;
    assert_eq!(door.send(set(&used, OTHER)).await.status, 303);
    let (replaced, expired) = (token(&app, REGULAR).await, token(&app, REGULAR).await);
    run(&app, "update reset_links set expires_at = 1").await;
    let of_the_disabled = token(&app, VIEWER).await;
    run(&app, "update users set enabled = false where username = 'acme-viewer'").await;
    let guessed = "A".repeat(43);

    let mut answers = Vec::new();
    for token in ["", &guessed, &used, &replaced, &expired, &of_the_disabled] {
        let reply = door.send(set(token, OTHER)).await;
        let alert = reply.text.split_once("role=\"alert\"").and_then(|(_, rest)| rest.split_once('>'));
        let sentence = alert.and_then(|(_, rest)| rest.split('<').next());
        answers.push((reply.status, sentence.map(str::to_owned)));
    }

    let sentence = "This link does not work, or no longer. Ask your administrator for a new one.";
    assert_eq!(answers, vec![(403, Some(sentence.to_owned())); 6]);
}

#[tokio::test]
async fn a_link_is_made_by_administrators_for_those_in_their_reach() {
    on_both(|app| async move {
        let user = |person: Person| app.session(person).user;
        let made = async |maker: Person, user: Id<User>| link(&app, maker, user).await.status;

        assert_eq!(made(ADMIN, user(REGULAR)).await, 201);
        assert_eq!(made(ROOT, user(ADMIN)).await, 201);
        assert_eq!(made(REGULAR, user(VIEWER)).await, 403);
        assert_eq!(made(VIEWER, user(REGULAR)).await, 403);
        assert_eq!(made(STRANGER, user(REGULAR)).await, 404);
        assert_eq!(made(ADMIN, user(STRANGER)).await, 404);
        assert_eq!(made(ADMIN, user(ROOT)).await, 404, "nobody opens more than they have");
        assert_eq!(made(ADMIN, Id::new()).await, 404);
        assert_eq!(made(ADMIN, user(ADMIN)).await, 409, "one's own password asks for the old one");

        change(&app, REGULAR, "enabled", value!(false)).await;
        store::remove(&app.state, &SYSTEM, kind("user"), user(VIEWER).cast()).await.expect("removed");
        let disabled = link(&app, ADMIN, user(REGULAR)).await;
        let removed = link(&app, ADMIN, user(VIEWER)).await;
        run(&app, "update customers set enabled = false where domain = 'acme'").await;
        let of_disabled_customer = link(&app, ROOT, user(ADMIN)).await;

        for refused in [disabled, removed, of_disabled_customer] {
            assert_eq!(refused.status, 409, "{}", refused.text);
            assert!(refused.text.contains("may not sign in at present"), "{}", refused.text);
        }
    })
    .await;
}

#[tokio::test]
async fn a_link_leads_to_the_configured_address_whatever_host_a_request_names() {
    let public = "server.public_url = \"https://muelle.example/\"";
    for (app, configured) in [
        (TestApp::start().await, None),
        (TestApp::start_with(Database::Sqlite, public).await, Some("https://muelle.example")),
    ] {
        let bearer = app.client(ADMIN).await.token().expect("they are signed in").to_owned();
        let path = format!("/api/v1/users/{}/reset-link", app.session(REGULAR).user);
        let asked = ask("POST", path).bearer(&bearer);
        let asked = asked.with("host", "evil.example").with("x-forwarded-host", "evil.example");

        let url = url_of(&Door::of(&app.state).send(asked).await);

        let wanted = configured.map_or_else(|| app.url(""), str::to_owned);
        assert!(url.starts_with(&format!("{wanted}/reset?token=")), "{url}");
    }
}

#[tokio::test]
async fn the_token_of_a_link_is_kept_nowhere() {
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("nobody panicked").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    on_both(|app| async move {
        let door = Door::of(&app.state);
        let lines = Lines::default();
        let writer = lines.clone();
        let log = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
        let guard = tracing::subscriber::set_default(log.finish());
        // What other tests have found nobody listening to is asked again.
        tracing::callsite::rebuild_interest_cache();

        let token = token(&app, REGULAR).await;
        let kept = all_that_is_kept(&app).await;
        door.send(get(format!("/reset?token={token}"))).await;
        door.send(set(&token, "too short")).await;
        let elsewhere = door.send(get(format!("/sign-in?token={token}"))).await;
        assert_eq!(door.send(set(&token, OTHER)).await.status, 303);
        let kept_after = all_that_is_kept(&app).await;
        drop(guard);

        assert_eq!(elsewhere.status, 400, "no other page takes a token in its address");
        assert!(kept.contains(&secret::hash(&token)), "the data were looked at");
        let written = String::from_utf8_lossy(&lines.0.lock().expect("nobody panicked")).into_owned();
        assert!(written.contains("/reset"), "the log was listened to");
        for (place, text) in [("the log", &written), ("the data", &kept), ("the data afterwards", &kept_after)] {
            for canary in [token.as_str(), OTHER] {
                assert!(!text.contains(canary), "{canary} stands in {place}");
            }
        }
    })
    .await;
}
