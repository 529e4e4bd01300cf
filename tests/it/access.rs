//! Who gets in, as whom, and for how long.

use crate::{
    deployments::{service, until},
    door::{Door, Reply, ask, form, get, json},
    support::{ADMIN, Database, PASSWORD, REGULAR, ROOT, SYSTEM, TestApp, VIEWER, fields, kind, on_both},
};
use muelle::{
    authentication::{
        model::Role,
        server::{Creating, Updating, login, password::Cost, person, setup, still_there, users},
    },
    error::Error,
    i18n::Locale,
    platform::{config::Config, db::sql, state::State},
    storage::item::server::{keys, store},
    time::Timestamp,
};
use serde_json::json as value;
use std::time::Duration;

const OTHER: &str = "quay-wall-gull-42";

/// A server on an empty data folder.
async fn fresh(folder: &tempfile::TempDir, more: &str) -> State {
    let text = format!("data.dir = {:?}\n{more}", folder.path().join("data"));
    State::start_with(Config::from_text(&text).expect("good"), Cost::LEAST).await.expect("it starts")
}

async fn run(state: &State, statement: &'static str, values: &[&str]) {
    let bound = values.iter().fold(sql(statement), |statement, value| statement.bind(*value));
    state.db.execute(&SYSTEM, bound).await.expect("the statement runs");
}

/// What must not tell two refusals apart.
fn outside(reply: &Reply) -> (u16, Option<String>, serde_json::Value) {
    let mut body = reply.json();
    body["error"]["request"] = value!(null);
    (reply.status, reply.header("www-authenticate").map(str::to_owned), body)
}

#[tokio::test]
async fn nobody_can_tell_why_a_sign_in_was_refused() {
    on_both(|app| async move {
        let door = Door::of(&app.state);
        run(&app.state, "update users set enabled = false where username = $1", &["acme-viewer"]).await;
        let attempts = [
            ("acme", "acme-regular", "not the password at all"),
            ("acme", "nobody-of-this-name", PASSWORD),
            ("globex", "acme-regular", PASSWORD),
            ("nowhere", "acme-regular", PASSWORD),
            ("", "acme-regular", PASSWORD),
            ("acme", "acme-viewer", PASSWORD),
            ("acme", "platform-admin", PASSWORD),
        ];

        let mut answers = Vec::new();
        for (customer, username, password) in attempts {
            let body = value!({ "customer": customer, "username": username, "password": password });
            answers.push(outside(&door.send(json("POST", "/api/v1/login", &body)).await));
        }

        assert_eq!(answers[0].0, 401);
        assert_eq!(answers[0].2["error"]["message"], "User or password is wrong.");
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    })
    .await;
}

#[tokio::test]
async fn a_person_signs_in_through_the_form_and_out_again() {
    on_both(|app| async move {
        let door = Door::of(&app.state);

        let turned_away = door.send(get("/machines?search=a&page=2")).await;
        let page = door.send(get(turned_away.location().expect("a way"))).await;
        let wrong =
            door.send(form("/sign-in", "customer=acme&username=acme-regular&password=nope&next=/machines")).await;
        let body = format!("customer=ACME&username=Acme-Regular&password={}&next=/account", PASSWORD.replace(' ', "+"));
        let entered = door.send(form("/sign-in", &body)).await;
        let cookie = entered.cookie().expect("a cookie");
        let inside = door.send(get("/account").cookie(&cookie)).await;
        let left = door.send(form("/sign-out", "").cookie(&cookie)).await;
        let after = door.send(get("/account").cookie(&cookie)).await;

        assert_eq!((turned_away.status, page.status), (303, 200));
        assert!(page.text.contains("value=\"/machines?search=a&amp;page=2\""), "{}", page.text);
        assert_eq!(wrong.status, 401);
        for kept in ["User or password is wrong.", "value=\"acme\"", "value=\"acme-regular\"", "value=\"/machines\""] {
            assert!(wrong.text.contains(kept), "{kept} in {}", wrong.text);
        }
        assert!(!wrong.text.contains("nope"));
        assert_eq!((entered.status, entered.location()), (303, Some("/account")));
        let set = entered.header("set-cookie").expect("a cookie");
        assert!(set.starts_with("sid=") && set.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{set}");
        assert_eq!(inside.status, 200);
        assert!(inside.text.contains("acme-regular"));
        assert_eq!((left.status, left.location()), (303, Some("/sign-in")));
        assert_eq!(left.header("clear-site-data"), Some("\"cache\""));
        assert!(left.header("set-cookie").expect("it goes").contains("Max-Age=0"));
        assert_eq!(after.location(), Some("/sign-in?next=/account"));
    })
    .await;
}

#[tokio::test]
async fn the_cookie_is_bound_to_the_host_wherever_the_origin_is_secure() {
    let app = TestApp::start_with(Database::Sqlite, "server.trusted_proxies = [\"10.0.0.0/8\"]").await;
    let door = Door::of(&app.state);
    let body = format!("username=platform-admin&password={}", PASSWORD.replace(' ', "+"));
    let secure = |ask: crate::door::Ask| {
        ask.from("10.0.0.1").with("x-forwarded-proto", "https").with("x-forwarded-for", "203.0.113.9")
    };

    let entered = door.send(secure(form("/sign-in", &body))).await;
    let faked = door.send(form("/sign-in", &body).with("x-forwarded-proto", "https")).await;
    let cookie = entered.cookie().expect("a cookie");
    let inside = door.send(secure(get("/account").cookie(&cookie))).await;
    let renamed = door.send(secure(get("/account").cookie(&cookie.replace("__Host-sid", "sid")))).await;

    let set = entered.header("set-cookie").expect("a cookie");
    assert!(set.starts_with("__Host-sid=") && set.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax"), "{set}");
    assert!(faked.header("set-cookie").expect("a cookie").starts_with("sid="));
    assert_eq!((inside.status, renamed.status), (200, 303));
}

#[tokio::test]
async fn what_a_form_answers_is_in_the_language_and_look_of_the_person() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);

    let spanish = door.send(form("/sign-in", "username=a&password=b").with("accept-language", "es-ES,es;q=0.9")).await;
    let chosen = form("/sign-in", "username=a&password=b").with("cookie", "i18n_pref_locale=es; theme=dark");
    let chosen = door.send(chosen.with("accept-language", "en")).await;

    for answer in [&spanish, &chosen] {
        assert!(answer.text.contains("lang=\"es\"") && answer.text.contains("<h1>Entrar"), "{}", answer.text);
        assert!(answer.text.contains("El usuario o la contraseña no es correcto."), "{}", answer.text);
    }
    assert!(chosen.text.contains("data-theme=\"dark\""), "{}", chosen.text);
}

#[tokio::test]
async fn no_login_without_tls_leaves_this_machine() {
    let more = "server.address = \"0.0.0.0:0\"\nserver.trusted_proxies = [\"10.0.0.0/8\"]";
    let folder = tempfile::tempdir().expect("a folder");
    let state = fresh(&folder, more).await;
    let person = users::NewUser { username: "root".to_owned(), password: PASSWORD.to_owned(), ..Default::default() };
    users::create(&state, person, Locale::en).await.expect("the first user is made");
    let door = Door::of(&state);
    let body = format!("username=root&password={}", PASSWORD.replace(' ', "+"));
    let from_afar = |ask: crate::door::Ask| ask.from("203.0.113.9").with("host", "muelle.example");

    let refused = door.send(from_afar(form("/sign-in", &body))).await;
    let own = door.send(form("/sign-in", &body).with("host", "localhost:3000")).await;

    assert_eq!((refused.status, refused.header("set-cookie")), (403, None));
    assert!(refused.text.contains("https://"), "it says how: {}", refused.text);
    let set = own.header("set-cookie").expect("a browser counts its own machine as secure");
    assert!(set.starts_with("__Host-sid=") && set.contains("; Secure;"), "{set}");
}

#[tokio::test]
async fn a_sub_domain_names_the_customer_at_sign_in() {
    let app = TestApp::start_with(Database::Sqlite, "server.base_domain = \"muelle.example\"").await;
    let door = Door::of(&app.state);
    let body = value!({ "username": "acme-admin", "password": PASSWORD });

    let there = door.send(json("POST", "/api/v1/login", &body).with("host", "acme.muelle.example")).await;
    let elsewhere = door.send(json("POST", "/api/v1/login", &body).with("host", "muelle.example")).await;

    assert_eq!(there.status, 200, "{}", there.text);
    assert_eq!(there.json()["user"]["customer"], "acme");
    assert_eq!(elsewhere.status, 401);
}

#[tokio::test]
async fn the_first_administrator_is_made_once_with_the_printed_link() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = fresh(&folder, "").await;
    let door = Door::of(&state);
    let stale = setup::token(&state).await.expect("asked").expect("nobody is there");
    let token = setup::token(&state).await.expect("asked").expect("nobody is there");
    let with = |token: &str, password: &str| {
        let body = format!("token={token}&username=root&email=&password={password}&password_again={password}");
        form("/setup", &body)
    };

    let page = door.send(get(format!("/setup?token={token}"))).await;
    let no_token = door.send(with("", OTHER)).await;
    let guessed = door.send(with("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", OTHER)).await;
    let replaced = door.send(with(&stale, OTHER)).await;
    let weak = door.send(with(&token, "password1234")).await;
    let made = door.send(with(&token, OTHER)).await;
    let again = door.send(with(&token, OTHER)).await;

    assert_eq!(page.status, 200);
    assert!(page.text.contains(&format!("value=\"{token}\"")));
    assert_eq!([no_token.status, guessed.status, replaced.status], [403; 3]);
    assert_eq!(weak.status, 422);
    assert!(weak.text.contains("tried first") && weak.text.contains(&token), "{}", weak.text);
    assert_eq!((made.status, made.location()), (303, Some("/")));
    let inside = door.send(get("/account").cookie(&made.cookie().expect("signed in"))).await;
    assert!(inside.text.contains("root"));
    assert_eq!(again.status, 403);
    assert_eq!(setup::token(&state).await.expect("asked"), None);
    let kept = state.db.row(&SYSTEM, sql("select token_hash from setup_links")).await.expect("asked").expect("one");
    assert_ne!(kept.text("token_hash").expect("a hash"), token);
}

#[tokio::test]
async fn the_link_of_the_first_start_expires() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = fresh(&folder, "").await;
    let token = setup::token(&state).await.expect("asked").expect("nobody is there");
    run(&state, "update setup_links set expires_at = 1", &[]).await;

    let body = format!("token={token}&username=root&password={OTHER}&password_again={OTHER}");
    let late = Door::of(&state).send(form("/setup", &body)).await;

    assert_eq!(late.status, 403);
    assert!(users::list(&state).await.expect("listed").is_empty());
}

#[tokio::test]
async fn what_ends_a_login_ends_it_at_once() {
    on_both(|app| async move {
        let door = Door::of(&app.state);
        let session = app.session(REGULAR);
        let user = session.user.to_string();
        let customer = app.customer_id("acme").to_string();
        let undo: [(&str, &str, &str); 3] = [
            ("update users set enabled = false where id = $1", "update users set enabled = true where id = $1", &user),
            (
                "update users set deleted_at = 1 where id = $1",
                "update users set deleted_at = null where id = $1",
                &user,
            ),
            (
                "update customers set enabled = false where id = $1",
                "update customers set enabled = true where id = $1",
                &customer,
            ),
        ];

        for (change, back, id) in undo {
            let token = door.token("acme", "acme-regular", PASSWORD).await;
            assert_eq!(door.send(get("/api/v1/status").bearer(&token)).await.status, 200);
            run(&app.state, change, &[id]).await;
            assert_eq!(door.send(get("/api/v1/status").bearer(&token)).await.status, 401, "{change}");
            assert!(person(&app.state, session.user).await.is_err(), "{change}");
            run(&app.state, back, &[id]).await;
            assert!(person(&app.state, session.user).await.is_ok());
        }
        let token = door.token("acme", "acme-regular", PASSWORD).await;
        let other = Door::of(&app.state);
        assert_eq!(door.send(ask("DELETE", "/api/v1/login").bearer(&token)).await.status, 204);
        assert_eq!(other.send(get("/api/v1/status").bearer(&token)).await.status, 401, "another instance");
    })
    .await;
}

#[tokio::test]
async fn a_changed_role_counts_with_the_next_request() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    let cookie = door.cookie("acme", "acme-regular", PASSWORD).await;
    let before = login_of(&app, "acme-regular").await;

    run(&app.state, "update users set role = 'viewer' where username = $1", &["acme-regular"]).await;
    let after = still_there(&app.state, &before).await.expect("still signed in");

    assert_eq!((before.role, after.role), (Role::Regular, Role::Viewer));
    assert_eq!(door.send(get("/account").cookie(&cookie)).await.status, 200);
}

#[tokio::test]
async fn a_regular_user_made_a_viewer_writes_no_more_with_the_same_token_and_still_reads() {
    on_both(|app| async move {
        let door = Door::of(&app.state);
        let token = door.token("acme", "acme-regular", PASSWORD).await;
        let admin = app.client(ADMIN).await;
        let path = format!("/api/v1/users/{}", app.session(REGULAR).user);
        let write =
            |name: &str| json("POST", "/api/v1/machines", &value!({ "name": name, "type": "remote" })).bearer(&token);

        let before = door.send(write("db-1")).await;
        let mut user = admin.get(&path).await.expect(200).json();
        user["role"] = value!("viewer");
        admin.put(&path, &user).await.expect(200);
        let after = door.send(write("db-2")).await;
        let read = door.send(get("/api/v1/machines").bearer(&token)).await;

        assert_eq!(before.status, 201, "{}", before.text);
        assert_eq!((after.status, &after.json()["error"]["code"]), (403, &value!("forbidden")), "{}", after.text);
        assert_eq!((read.status, &read.json()["total"]), (200, &value!(1)), "{}", read.text);
    })
    .await;
}

/// The session of the latest login of that user.
async fn login_of(app: &TestApp, username: &str) -> muelle::authentication::model::Session {
    let statement = sql("select l.id, u.id as person from logins l join users u on u.id = l.\"user\"
         where u.username = $1 order by l.id desc limit 1");
    let row = app.state.db.row(&SYSTEM, statement.bind(username)).await.expect("asked").expect("signed in");
    let session = person(&app.state, row.parsed("person").expect("an id")).await.expect("there");
    muelle::authentication::model::Session { login: row.parsed("id").expect("an id"), ..session }
}

#[tokio::test]
async fn a_login_ends_after_idling_and_in_any_case_after_its_time() {
    on_both(|app| async move {
        let door = Door::of(&app.state);
        let minutes_ago = |minutes: u64| (Timestamp::now() - Duration::from_secs(minutes * 60)).millis();
        for (column, minutes, status) in [("last_seen", 29, 200), ("last_seen", 31, 401), ("exp", 1, 401)] {
            let token = door.token("acme", "acme-regular", PASSWORD).await;
            let statement = match column {
                "last_seen" => sql("update logins set last_seen = $1 where deleted_at is null"),
                _ => sql("update logins set exp = $1 where deleted_at is null"),
            };
            app.state.db.execute(&SYSTEM, statement.bind(minutes_ago(minutes))).await.expect("changed");
            assert_eq!(door.send(get("/api/v1/status").bearer(&token)).await.status, status, "{column} {minutes}");
        }
        let statement = sql("update logins set exp = 1");
        app.state.db.execute(&SYSTEM, statement).await.expect("changed");
        login::sweep(&app.state).await.expect("swept");
        let left = app.state.db.rows(&SYSTEM, sql("select id from logins")).await.expect("asked");
        assert!(left.is_empty());
    })
    .await;
}

#[tokio::test]
async fn using_a_login_is_noted_at_most_once_a_minute() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    let token = door.token("acme", "acme-regular", PASSWORD).await;
    let seen = async || {
        let row = app.state.db.row(&SYSTEM, sql("select last_seen from logins")).await.expect("asked").expect("one");
        row.int("last_seen").expect("a time")
    };
    let fresh = seen().await;
    door.send(get("/api/v1/status").bearer(&token)).await;
    assert_eq!(seen().await, fresh);
    let old = (Timestamp::now() - Duration::from_secs(120)).millis();
    let statement = sql("update logins set last_seen = $1");
    app.state.db.execute(&SYSTEM, statement.bind(old)).await.expect("changed");

    door.send(get("/api/v1/status").bearer(&token)).await;

    // The note is written beside the request.
    for _ in 0..100 {
        if seen().await > old {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the use was not noted");
}

#[tokio::test]
async fn changing_the_password_needs_the_old_one_and_ends_every_other_login() {
    on_both(|app| async move {
        let door = Door::of(&app.state);
        let here = door.cookie("acme", "acme-regular", PASSWORD).await;
        let elsewhere = door.cookie("acme", "acme-regular", PASSWORD).await;
        let old = PASSWORD.replace(' ', "+");
        let change = |current: &str, new: &str| {
            let body = format!("current={current}&password={new}&password_again={new}");
            form("/account", &body).cookie(&here)
        };

        let without = door.send(change("", OTHER)).await;
        let weak = door.send(change(&old, "short")).await;
        let changed = door.send(change(&old, OTHER)).await;
        let cookie = changed.cookie().expect("a new one");

        assert_eq!(without.status, 422);
        assert!(without.text.contains("Is not your current password"));
        assert_eq!(weak.status, 422);
        assert_eq!((changed.status, changed.location()), (303, Some("/account?changed")));
        assert_ne!(cookie, here);
        assert_eq!(door.send(get("/account").cookie(&cookie)).await.status, 200);
        for ended in [&here, &elsewhere] {
            assert_eq!(door.send(get("/account").cookie(ended)).await.status, 303);
        }
        door.token("acme", "acme-regular", OTHER).await;
    })
    .await;
}

#[tokio::test]
async fn one_ends_ones_own_logins_and_nobody_elses() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    let here = door.cookie("acme", "acme-regular", PASSWORD).await;
    let mine = login_of(&app, "acme-regular").await.login;
    let viewer = door.cookie("acme", "acme-viewer", PASSWORD).await;

    let foreign = door.send(form(format!("/account/logins/{mine}/end"), "").cookie(&viewer)).await;
    let still = door.send(get("/account").cookie(&here)).await;
    let own = door.send(form(format!("/account/logins/{mine}/end"), "").cookie(&here)).await;
    let after = door.send(get("/account").cookie(&here)).await;

    assert_eq!((foreign.status, still.status), (404, 200));
    assert_eq!((own.status, after.status), (303, 303));
}

#[tokio::test]
async fn signing_in_again_ends_the_login_that_the_browser_came_with() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    let planted = door.cookie("acme", "acme-regular", PASSWORD).await;

    let body = format!("customer=acme&username=acme-viewer&password={}", PASSWORD.replace(' ', "+"));
    let entered = door.send(form("/sign-in", &body).cookie(&planted)).await;

    assert_eq!(entered.status, 303);
    assert_eq!(door.send(get("/account").cookie(&planted)).await.status, 303);
}

#[tokio::test]
async fn passwords_are_kept_as_hashes_and_rehashed_when_they_cost_too_little() {
    let folder = tempfile::tempdir().expect("a folder");
    let cheap = fresh(&folder, "").await;
    let new = users::NewUser {
        username: "root".to_owned(),
        role: Role::Admin,
        password: OTHER.to_owned(),
        ..users::NewUser::default()
    };
    users::create(&cheap, new, Locale::en).await.expect("made");
    cheap.db.close().await;
    let text = format!("data.dir = {:?}", folder.path().join("data"));
    let cost = Cost { memory_kib: 64, rounds: 2 };
    let state = State::start_with(Config::from_text(&text).expect("good"), cost).await.expect("it starts");
    let hash = async || {
        let row = state.db.row(&SYSTEM, sql("select password from users")).await.expect("asked").expect("one");
        row.text("password").expect("a hash")
    };
    let before = hash().await;

    Door::of(&state).token("", "root", OTHER).await;

    let after = hash().await;
    assert!(before.starts_with("$argon2id$v=19$m=8,t=1,p=1$") && !before.contains(OTHER), "{before}");
    assert!(after.starts_with("$argon2id$v=19$m=64,t=2,p=1$"), "{after}");
    Door::of(&state).token("", "root", OTHER).await;
}

#[tokio::test]
async fn the_platform_keeps_its_last_administrator() {
    on_both(|app| async move {
        let users = kind("user");
        let root = app.session(ROOT).user;
        let read = store::get(&app.state, &SYSTEM, users, root.cast(), false).await.expect("there");
        let change = |field: &str, to: serde_json::Value| {
            let mut input = read.item.clone();
            input.insert("revision".to_owned(), read.base.revision.into());
            input.insert(field.to_owned(), to);
            input
        };

        let demoted = store::update(&app.state, &SYSTEM, users, root.cast(), change("role", value!("regular"))).await;
        let disabled = store::update(&app.state, &SYSTEM, users, root.cast(), change("enabled", value!(false))).await;
        let removed = store::remove(&app.state, &SYSTEM, users, root.cast()).await;

        for refused in [demoted.map(drop), disabled.map(drop), removed] {
            assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
        }
        let input = fields(value!({ "username": "second", "role": "admin", "password": OTHER, "customer": null }));
        store::create(&app.state, &SYSTEM, users, input).await.expect("made");
        store::remove(&app.state, &SYSTEM, users, root.cast()).await.expect("now it may go");
    })
    .await;
}

#[tokio::test]
async fn an_administrator_of_a_customer_gives_no_more_than_it_has() {
    let app = TestApp::start().await;
    let users = kind("user");
    let permit = || app.permit(ADMIN, users);
    let input = |customer: serde_json::Value| {
        let name = format!("new-{customer}").replace('"', "");
        fields(value!({ "username": name, "role": "admin", "password": OTHER, "customer": customer }))
    };

    let platform = store::create(&app.state, &permit(), users, input(value!(null))).await;
    let foreign = store::create(&app.state, &permit(), users, input(value!(app.customer_id("globex")))).await;
    let own = store::create(&app.state, &permit(), users, input(value!(app.customer_id("acme")))).await;

    let made = own.expect("its own customer is its to manage");
    assert_eq!(made.base.customer, Some(app.customer_id("acme")));
    assert!(!made.item.contains_key("password"), "{made:?}");
    assert!(foreign.is_err());
    // Without a customer it becomes a user of the administrator's own, never of the platform.
    if let Ok(made) = platform {
        assert_eq!(made.base.customer, Some(app.customer_id("acme")));
    }
}

#[tokio::test]
async fn a_users_password_is_checked_hashed_and_never_set_past_the_account_page() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    let users = kind("user");
    let token = door.token("acme", "acme-viewer", PASSWORD).await;
    let viewer = app.session(VIEWER).user;
    let read = store::get(&app.state, &SYSTEM, users, viewer.cast(), false).await.expect("there");
    let mut input = read.item.clone();
    input.insert("revision".to_owned(), read.base.revision.into());
    input.insert("password".to_owned(), value!("Password1234"));
    let common = store::update(&app.state, &app.permit(ADMIN, users), users, viewer.cast(), input.clone()).await;
    input.insert("password".to_owned(), value!(OTHER));
    let reset = store::update(&app.state, &app.permit(ADMIN, users), users, viewer.cast(), input).await;
    let admin = app.session(ADMIN).user;
    let read = store::get(&app.state, &SYSTEM, users, admin.cast(), false).await.expect("there");
    let mut input = read.item.clone();
    input.insert("revision".to_owned(), read.base.revision.into());
    input.insert("password".to_owned(), value!(OTHER));
    let own = store::update(&app.state, &app.permit(ADMIN, users), users, admin.cast(), input).await;

    assert_eq!(common.expect_err("refused").problems()[0].field, "password");
    reset.expect("an administrator resets it");
    assert_eq!(door.send(get("/api/v1/status").bearer(&token)).await.status, 401, "its logins ended");
    door.token("acme", "acme-viewer", OTHER).await;
    assert_eq!(own.expect_err("refused").problems()[0].field, "password");
}

#[tokio::test]
async fn users_of_the_command_line_are_checked_like_any_other() {
    on_both(|app| async move {
        let new = |username: &str, customer: Option<&str>, password: &str| users::NewUser {
            username: username.to_owned(),
            customer: customer.map(str::to_owned),
            password: password.to_owned(),
            role: Role::Regular,
            ..users::NewUser::default()
        };
        let create = async |new| users::create(&app.state, new, Locale::en).await;

        create(new("ana", Some("acme"), OTHER)).await.expect("made");
        let twice = create(new("Ana", Some("acme"), OTHER)).await;
        let nowhere = create(new("eva", Some("nowhere"), OTHER)).await;
        let weak = create(new("eva", None, "123456789012")).await;
        users::reset_password(&app.state, Some("acme"), "ana", "another quay wall", Locale::en).await.expect("reset");
        let unknown = users::reset_password(&app.state, None, "ana", "another quay wall", Locale::en).await;

        for (refused, field) in [(twice, "username"), (nowhere, "customer"), (weak, "password")] {
            assert_eq!(refused.expect_err("refused").problems()[0].field, field);
        }
        assert!(matches!(unknown, Err(Error::NotFound { .. })));
        Door::of(&app.state).token("acme", "ana", "another quay wall").await;
        assert!(users::list(&app.state).await.expect("listed").iter().any(|user| user.username == "ana"));
    })
    .await;
}

#[tokio::test]
async fn coming_and_going_stands_in_the_audit_trail() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    let cookie = door.cookie("acme", "acme-regular", PASSWORD).await;
    door.send(form("/sign-out", "").cookie(&cookie)).await;
    door.send(form("/sign-in", "customer=acme&username=acme-regular&password=secret-typed-here")).await;

    let statement = sql(
        "select person_name, action, address from audit where action in ('sign_in', 'sign_out', 'sign_in_refused') order by id",
    );
    let rows = app.state.db.rows(&SYSTEM, statement).await.expect("asked");

    let lines: Vec<_> =
        rows.iter().map(|row| (row.text("action").expect("text"), row.text("person_name").expect("text"))).collect();
    assert_eq!(lines[0], ("sign_in".to_owned(), "acme-regular".to_owned()));
    assert_eq!(lines[1], ("sign_out".to_owned(), "acme-regular".to_owned()));
    assert_eq!(lines[2].0, "sign_in_refused");
    assert_eq!(rows[0].text("address").expect("text"), "127.0.0.1");
}

#[tokio::test]
async fn status_tells_how_things_are_to_those_who_are_signed_in() {
    on_both(|app| async move {
        let door = Door::of(&app.state);
        let token = door.token("acme", "acme-viewer", PASSWORD).await;

        let heartbeat = door.send(get("/api/heartbeat")).await;
        let status = door.send(get("/api/v1/status").bearer(&token)).await;
        let stranger = door.send(get("/api/v1/status")).await;

        assert_eq!((heartbeat.status, heartbeat.text.as_str()), (200, "{\"ok\":true}"));
        assert_eq!(status.json()["database"]["is_up"], true, "{}", status.text);
        assert!(status.json()["database"]["size"].as_i64().is_some_and(|size| size > 0));
        assert!(status.json()["ansible"]["is_up"].is_boolean());
        assert_eq!((stranger.status, stranger.header("www-authenticate")), (401, Some("Bearer")));
        app.state.db.close().await;
        let away = door.send(get("/api/heartbeat")).await;
        assert_eq!((away.status, away.text.as_str()), (503, "{\"ok\":false}"));
    })
    .await;
}

#[tokio::test]
async fn status_tells_that_the_database_and_the_local_engine_are_up() {
    let engine = format!("engine.address = {:?}", service("MUELLE_TEST_ENGINE"));
    for (database, name) in [(Database::Sqlite, "sqlite"), (Database::Postgres, "postgres")] {
        let app = TestApp::start_with(database, &engine).await;
        let viewer = app.client(VIEWER).await;
        let asked = async || viewer.get("/api/v1/status").await.expect(200).json();

        until("the engine is up", Duration::from_secs(5), || async { asked().await["engines"][0]["is_up"] == true })
            .await;
        let status = asked().await;

        let engines = status["engines"].as_array().expect("engines are a list");
        assert_eq!(engines.len(), 1, "{status}");
        assert_eq!((&engines[0]["name"], &engines[0]["is_up"]), (&value!("local"), &value!(true)), "{status}");
        assert_eq!(engines[0]["problem"], value!(null), "{status}");
        assert_eq!((&status["database"]["is_up"], &status["database"]["kind"]), (&value!(true), &value!(name)));
    }
}

#[tokio::test]
async fn a_name_is_the_same_in_whatever_case_beyond_ascii_too() {
    on_both(|app| async move {
        let door = Door::of(&app.state);
        let new = |username: &str, email: &str| {
            fields(value!({ "username": username, "email": email, "role": "regular", "password": OTHER }))
        };
        let permit = app.permit::<Creating>(ADMIN, kind("user"));
        let made = store::create(&app.state, &permit, kind("user"), new("Ángel", "Ñandú@example.org")).await;
        let id = made.expect("a user can be made").base.id;

        for typed in ["Ángel", "ángel", "ÁNGEL", " Ángel ", "A\u{301}ngel"] {
            let body = value!({ "customer": "ACME", "username": typed, "password": OTHER });
            let reply = door.send(json("POST", "/api/v1/login", &body)).await;
            assert_eq!(reply.status, 200, "{typed}: {}", reply.text);
        }
        let plain = value!({ "customer": "acme", "username": "angel", "password": OTHER });
        assert_eq!(door.send(json("POST", "/api/v1/login", &plain)).await.status, 401);
        for (username, email, field) in [("ÁNGEL", "a@example.org", "username"), ("b", "ñANDÚ@example.org", "email")]
        {
            let refused = store::create(&app.state, &permit, kind("user"), new(username, email)).await;
            assert_eq!(refused.expect_err("it is taken").problems()[0].field, field);
        }
        users::reset_password(&app.state, Some("Acme"), "ÁNGEL", "another lantern, on the eighth pier", Locale::en)
            .await
            .expect("the user is found");
        let renamed = fields(value!({
            "username": "Íñigo", "email": null, "first_name": null, "last_name": null, "role": "regular", "revision": 2,
        }));
        let permit = app.permit::<Updating>(ADMIN, kind("user"));
        store::update(&app.state, &permit, kind("user"), id, renamed).await.expect("the user can be renamed");
        let mut statuses = Vec::new();
        for typed in ["íñigo", "ángel"] {
            let password = "another lantern, on the eighth pier";
            let body = value!({ "customer": "acme", "username": typed, "password": password });
            statuses.push(door.send(json("POST", "/api/v1/login", &body)).await.status);
        }
        assert_eq!(statuses, [200, 401]);
    })
    .await;
}

#[tokio::test]
async fn a_name_from_before_there_were_keys_signs_in_after_the_next_start() {
    on_both(|app| async move {
        run(
            &app.state,
            "update users set username = 'Ángel', username_key = null where username = $1",
            &["acme-regular"],
        )
        .await;

        keys::fill(&app.state.db).await.expect("the keys are filled");
        let body = value!({ "customer": "acme", "username": "ángel", "password": PASSWORD });
        let reply = Door::of(&app.state).send(json("POST", "/api/v1/login", &body)).await;

        assert_eq!(reply.status, 200, "{}", reply.text);
    })
    .await;
}
