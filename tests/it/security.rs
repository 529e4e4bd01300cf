//! What must not work, tried.

use crate::{
    door::{Ask, Door, ORIGIN, ask, form, get, json},
    support::{ADMIN, Database, PASSWORD, REGULAR, SYSTEM, TestApp},
};
use axum::body::{Body, Bytes};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use muelle::{
    authentication::server::password::{Cost, Passwords},
    i18n::Locale,
    platform::db::sql,
    time::Timestamp,
};
use serde_json::{Value, json as value};
use std::time::{Duration, Instant};

/// A call of the browser's program that needs a login and nothing else.
const FUNCTION: &str = "/api/fn/read_account";

/// The signing key of a test server: its name and secret.
fn signing_key(app: &TestApp) -> (String, Vec<u8>) {
    let path = app.state.config.data.dir.join("signing-keys.json");
    let keys: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("the keys are there")).expect("JSON");
    let text = |name: &str| keys[0][name].as_str().expect("a text").to_owned();
    (text("kid"), BASE64.decode(text("secret")).expect("base64"))
}

/// The claims of a token, unverified.
fn claims_of(token: &str) -> Value {
    let part = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&BASE64.decode(part).expect("base64")).expect("JSON")
}

/// A token with any header and claims, signed with HMAC-SHA-256.
fn signed(header: &Value, claims: &str, secret: &[u8]) -> String {
    let message = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &EncodingKey::from_secret(secret), Algorithm::HS256);
    format!("{message}.{}", signature.expect("signed"))
}

#[tokio::test]
async fn a_forged_token_opens_nothing() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    let good = door.token("acme", "acme-admin", PASSWORD).await;
    let cookie = door.cookie("acme", "acme-admin", PASSWORD).await;
    let (kid, secret) = signing_key(&app);
    let claims = claims_of(&good);
    let header = value!({ "typ": "JWT", "alg": "HS256", "kid": kid });
    let now = Timestamp::now().seconds();
    let with = |name: &str, to: Value| {
        let mut claims = claims.clone();
        claims[name] = to;
        signed(&header, &claims.to_string(), &secret)
    };
    let without = |name: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().expect("an object").remove(name);
        signed(&header, &claims.to_string(), &secret)
    };
    let headed = |name: &str, to: Value| {
        let mut header = header.clone();
        header[name] = to;
        signed(&header, &claims.to_string(), &secret)
    };
    let none = value!({ "typ": "JWT", "alg": "none", "kid": kid });
    let unsigned = format!("{}.{}.", BASE64.encode(none.to_string()), BASE64.encode(claims.to_string()));
    let mut other_family = Header::new(Algorithm::HS512);
    other_family.kind_of(&kid);
    let long = jsonwebtoken::encode(&other_family, &claims, &EncodingKey::from_secret(&secret)).expect("signed");
    let twice = claims.to_string().replacen('{', "{\"sub\":\"someone\",", 1);
    let (message, signature) = good.rsplit_once('.').expect("a signature");
    let tampered = good.replacen('.', ".e", 1);

    let forged = [
        ("no algorithm", unsigned.clone()),
        ("no algorithm, signature kept", format!("{unsigned}{signature}")),
        ("another algorithm", long),
        ("a public-key algorithm", headed("alg", value!("RS256"))),
        ("an unknown algorithm", headed("alg", value!("HS257"))),
        ("no key", {
            let mut header = header.clone();
            header.as_object_mut().expect("an object").remove("kid");
            signed(&header, &claims.to_string(), &secret)
        }),
        ("a key by its path", headed("kid", value!("../../../../dev/null"))),
        ("a key by SQL", headed("kid", value!("x' union select 'secret' --"))),
        ("a key of the forger", signed(&header, &claims.to_string(), &[0; 32])),
        ("an empty key", signed(&header, &claims.to_string(), &[])),
        ("an expiry as text", with("exp", value!("9999999999"))),
        ("an expiry as a fraction", with("exp", value!(9_999_999_999.5))),
        ("an expiry beyond all bounds", with("exp", value!(1e300))),
        ("an expiry below zero", with("exp", value!(-1))),
        ("no expiry", without("exp")),
        ("an expiry that is past", with("exp", value!(now - 31))),
        ("a start to come", with("nbf", value!(now + 3600))),
        ("no start", without("nbf")),
        ("made in the future", with("iat", value!(now + 3600))),
        ("for somebody else", with("aud", value!("other"))),
        ("by somebody else", with("iss", value!("other"))),
        ("for another place", with("typ", value!("cookie"))),
        ("another login", with("sub", value!("00000000-0000-7000-8000-000000000000"))),
        ("another secret", with("sid", value!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"))),
        ("a claim twice", signed(&header, &twice, &secret)),
        ("a claim too many", with("role", value!("admin"))),
        ("half a signature", format!("{message}.{}", &signature[..20])),
        ("no signature", format!("{message}.")),
        ("tampered claims", tampered),
        ("the cookie's envelope", cookie.trim_start_matches("sid=").to_owned()),
        ("nothing", String::new()),
        ("a long one", format!("{}.{}.{}", "A".repeat(50_000), "B".repeat(50_000), "C".repeat(50_000))),
    ];

    assert!(forged.len() >= 25);
    assert_eq!(door.send(get("/api/v1/status").bearer(&good)).await.status, 200);
    assert_eq!(door.send(get("/api/v1/status").bearer(&with("iat", claims["iat"].clone()))).await.status, 200);
    for (name, token) in forged {
        let reply = door.send(get("/api/v1/status").bearer(&token)).await;
        assert_eq!(reply.status, 401, "{name}: {}", reply.text);
    }
    for scheme in ["Basic", "bearer:", "Token"] {
        let reply = door.send(get("/api/v1/status").with("authorization", &format!("{scheme} {good}"))).await;
        assert_eq!(reply.status, 401, "{scheme}");
    }
}

/// Names the key in a header.
trait KindOf {
    fn kind_of(&mut self, kid: &str);
}

impl KindOf for Header {
    fn kind_of(&mut self, kid: &str) {
        self.kid = Some(kid.to_owned());
    }
}

#[tokio::test]
async fn an_envelope_of_the_browser_is_renewed_and_not_for_ever() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    let cookie = door.cookie("acme", "acme-admin", PASSWORD).await;
    let (kid, secret) = signing_key(&app);
    let claims = claims_of(&cookie);
    let header = value!({ "typ": "JWT", "alg": "HS256", "kid": kid });
    let aged = |minutes: i64| {
        let mut claims = claims.clone();
        for name in ["iat", "nbf", "exp"] {
            claims[name] = value!(claims[name].as_i64().expect("a time") - minutes * 60);
        }
        format!("sid={}", signed(&header, &claims.to_string(), &secret))
    };

    let young = door.send(get("/account").cookie(&aged(1))).await;
    let ageing = door.send(get("/account").cookie(&aged(6))).await;
    let run_out = door.send(get("/account").cookie(&aged(20))).await;
    let too_late = door.send(get("/account").cookie(&aged(60))).await;

    assert!(claims["exp"].as_i64().expect("a time") - claims["iat"].as_i64().expect("a time") <= 900);
    assert_eq!((young.status, young.cookie()), (200, None));
    for renewed in [ageing, run_out] {
        assert_eq!(renewed.status, 200);
        let fresh = claims_of(&renewed.cookie().expect("a fresh one"));
        assert_eq!((&fresh["sid"], &fresh["sub"]), (&claims["sid"], &claims["sub"]));
        assert!(fresh["iat"].as_i64() >= claims["iat"].as_i64());
    }
    assert_eq!(too_late.status, 303);
}

#[tokio::test]
async fn another_site_cannot_make_a_signed_in_browser_act() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    let sites = [None, Some("same-origin"), Some("same-site"), Some("cross-site"), Some("none")];
    let origins = [None, Some(ORIGIN), Some("http://evil.example"), Some("null"), Some("http://127.0.0.1:3001")];
    let types =
        ["application/x-www-form-urlencoded", "text/plain", "application/json", "multipart/form-data; boundary=x"];
    let places: [(&str, &str); 7] = [
        ("POST", FUNCTION),
        ("GET", FUNCTION),
        ("GET", "/api/v1/status"),
        ("POST", "/api/v1/machines"),
        ("DELETE", "/api/v1/login"),
        ("POST", "/account"),
        ("GET", "/events?topic=jobs"),
    ];
    let cookie = door.cookie("acme", "acme-admin", PASSWORD).await;
    let mut tried = 0;

    for (method, path) in places {
        for site in sites {
            for origin in origins {
                for content_type in types {
                    let ours = match (site, origin) {
                        (Some(site), _) => site == "same-origin",
                        (None, Some(origin)) => origin == ORIGIN,
                        (None, None) => false,
                    };
                    if ours && (method != "GET" || path.starts_with("/events")) {
                        continue;
                    }
                    let mut request = ask(method, path).cookie(&cookie).with("content-type", content_type);
                    if let Some(site) = site {
                        request = request.with("sec-fetch-site", site);
                    }
                    if let Some(origin) = origin {
                        request = request.with("origin", origin);
                    }
                    let reply = door.send(request).await;
                    let name = format!("{method} {path} {site:?} {origin:?} {content_type}: {}", reply.text);
                    assert_eq!(reply.status == 403, !ours, "{name}");
                    assert!(reply.location().is_none(), "{name}");
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 400, "{tried}");
    // Nothing of it has signed anybody out, and our own page still works.
    assert_eq!(door.send(get("/account").cookie(&cookie)).await.status, 200);
    let own = ask("POST", FUNCTION).cookie(&cookie).with("sec-fetch-site", "same-origin");
    let own = own.with("content-type", "application/x-www-form-urlencoded");
    assert_eq!(door.send(own).await.status, 200);
}

#[tokio::test]
async fn another_site_cannot_sign_a_browser_in() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    let body = format!("customer=acme&username=acme-admin&password={}", PASSWORD.replace(' ', "+"));

    for path in ["/sign-in", "/setup", "/reset", "/sign-out"] {
        for (site, origin) in [("cross-site", "http://evil.example"), ("same-site", "http://evil.127.0.0.1:3000")] {
            let reply = door.send(form(path, &body).with("sec-fetch-site", site).with("origin", origin)).await;
            assert_eq!(reply.status, 403, "{path} {site}");
            assert!(reply.cookie().is_none());
        }
        let old_browser = form(path, &body).without("sec-fetch-site").with("origin", "http://evil.example");
        assert_eq!(door.send(old_browser).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn a_token_of_the_api_needs_no_page_of_ours() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    let token = door.token("acme", "acme-admin", PASSWORD).await;

    let program = door.send(get("/api/v1/status").bearer(&token)).await;

    assert_eq!(program.status, 200);
}

#[tokio::test]
async fn a_redirect_stays_here_and_tells_no_error() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    let cookie = door.cookie("acme", "acme-admin", PASSWORD).await;
    let call = |referer: &str| {
        ask("POST", FUNCTION)
            .cookie(&cookie)
            .with("content-type", "application/x-www-form-urlencoded")
            .with("sec-fetch-site", "same-origin")
            .with("accept", "text/html")
            .with("referer", referer)
    };

    let kept = door.send(call("http://127.0.0.1:3000/account?page=2&__err=c2VjcmV0&__path=x")).await;
    let away = door.send(call("https://evil.example/steal?a=1")).await;
    let strange = door.send(call("//evil.example/steal")).await;
    let next = "customer=acme&username=acme-admin&password=";
    let mut nexts = Vec::new();
    for target in
        ["//evil.example", "https://evil.example", "/%5Cevil.example", "javascript:alert(1)", "/%09/evil.example"]
    {
        let body = format!("{next}{}&next={target}", PASSWORD.replace(' ', "+"));
        nexts.push(door.send(form("/sign-in", &body)).await);
    }

    assert_eq!((kept.status, kept.location()), (302, Some("/account?page=2")));
    assert_eq!(away.location(), Some("/steal?a=1"));
    assert!(strange.location().is_none_or(|location| location.starts_with('/') && !location.starts_with("//")));
    for reply in nexts {
        assert_eq!((reply.status, reply.location()), (303, Some("/")));
    }
}

#[tokio::test]
async fn bodies_beyond_the_limit_are_not_read() {
    let app = TestApp::start_with(Database::Sqlite, "server.body_limit = 100000").await;
    let door = Door::of(&app.state);
    let token = door.token("acme", "acme-admin", PASSWORD).await;
    let big = "a".repeat(100_001);
    let multipart = format!("--x\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n{big}\r\n--x--\r\n");
    let told = |ask: Ask, body: &str| ask.with("content-length", &body.len().to_string()).body(body.to_owned());
    let types = ["application/x-www-form-urlencoded", "application/json", "multipart/form-data; boundary=x"];

    for path in [FUNCTION, "/api/v1/login", "/sign-in", "/api/v1/machines"] {
        for content_type in types {
            let body = if content_type.starts_with("multipart") { &multipart } else { &big };
            let request = ask("POST", path).bearer(&token).with("content-type", content_type);
            let reply = door.send(told(request, body)).await;
            assert_eq!(reply.status, 413, "{path} {content_type}: {}", reply.text);
            if path.starts_with("/api/v1") {
                assert_eq!(reply.json()["error"]["code"], "too_large");
            }
        }
    }
    let small = value!({ "username": "a".repeat(20_000), "password": "b" });
    let of_route = door.send(json("POST", "/api/v1/login", &small)).await;
    assert_eq!(of_route.status, 413, "{}", of_route.text);

    // A length that nobody tells is counted on the way, however good what comes is.
    let machine = value!({ "name": "db-1", "type": "remote" }).to_string();
    let credentials = value!({ "customer": "acme", "username": "acme-admin", "password": PASSWORD }).to_string();
    let typed = format!("customer=acme&username=acme-admin&password={}&more=", PASSWORD.replace(' ', "+"));
    let streamed = |head: &str, filling: &str, count: usize| {
        let head = Bytes::from(head.to_owned());
        let piece = Bytes::from(filling.repeat(10_000));
        let pieces = std::iter::once(head).chain(std::iter::repeat_n(piece, count)).map(Ok::<_, std::io::Error>);
        Body::from_stream(futures::stream::iter(pieces))
    };
    // What each place reads: the types, something good and what may follow it without end, and the answers to a
    // little of that and to more than the limit. Signing in ends the login that it comes with, so it is last.
    let places = [
        // The library that reads a function's arguments tells a body that is cut off as one that it cannot read.
        (FUNCTION, &types[..], "more=", "a", 200, 422),
        ("/api/v1/machines", &types[1..2], machine.as_str(), " ", 201, 413),
        ("/api/v1/login", &types[..], credentials.as_str(), " ", 200, 413),
        ("/sign-in", &types[..1], typed.as_str(), "a", 303, 413),
    ];

    for (path, read, head, filling, taken, refused) in places {
        for content_type in types {
            let (taken, refused) = if read.contains(&content_type) { (taken, refused) } else { (415, 415) };
            for (count, status) in [(1, taken), (11, refused)] {
                let request = ask("POST", path).bearer(&token).with("content-type", content_type);
                let reply = door.send(request.body(streamed(head, filling, count))).await;
                assert_eq!(reply.status, status, "{path} {content_type} {count}: {}", reply.text);
            }
        }
    }
}

fn attempt(username: &str, password: &str) -> Ask {
    json("POST", "/api/v1/login", &value!({ "customer": "acme", "username": username, "password": password }))
}

/// Lets the time of this server's own rate pass: twenty attempts a second.
async fn breathe(count: usize) {
    if count % 15 == 14 {
        tokio::time::sleep(Duration::from_millis(1050)).await;
    }
}

#[tokio::test]
async fn guesses_on_one_account_become_slow_and_nothing_resets_them() {
    let app = TestApp::start_with(Database::Sqlite, "server.trusted_proxies = [\"10.0.0.0/8\"]").await;
    let door = Door::of(&app.state);

    for count in 0..5 {
        let reply = door.send(attempt("acme-admin", "guess").from("203.0.113.1")).await;
        assert_eq!(reply.status, 401, "attempt {count}");
    }
    let slowed = door.send(attempt("acme-admin", PASSWORD).from("203.0.113.1")).await;
    // From elsewhere, under other names, with invented addresses: the account's counter stands.
    for count in 0..60 {
        let name = format!("junk-{count}");
        let address = format!("198.51.{count}.1");
        door.send(attempt(&name, "guess").from(&address).with("x-forwarded-for", "1.2.3.4")).await;
        breathe(count).await;
    }
    run(&app, "update sign_in_attempts set blocked_until = blocked_until + 60000 where blocked_until > 0").await;
    let elsewhere = door.send(attempt("ACME-ADMIN ", PASSWORD).from("192.0.2.200")).await;
    let invented = door.send(attempt("acme-admin", PASSWORD).with("x-forwarded-for", "9.9.9.9")).await;
    let behind = attempt("acme-admin", PASSWORD).from("10.0.0.1").with("x-forwarded-for", "8.8.8.8, 9.9.9.9");
    let behind = door.send(behind).await;
    let on_the_page = form("/sign-in", "customer=acme&username=acme-admin&password=x").from("192.0.2.200");
    let on_the_page = door.send(on_the_page).await;

    assert_eq!((slowed.status, slowed.header("retry-after")), (429, Some("1")), "{}", slowed.text);
    for reply in [&elsewhere, &invented, &behind] {
        assert_eq!(reply.status, 429, "{}", reply.text);
        assert_eq!(reply.json()["error"]["code"], "busy");
        assert!(reply.header("retry-after").and_then(|value| value.parse::<u32>().ok()).is_some_and(|wait| wait > 10));
    }
    assert_eq!(on_the_page.status, 429);
    assert!(on_the_page.text.contains("Too many attempts"));
}

async fn run(app: &TestApp, statement: &'static str) {
    app.state.db.execute(&SYSTEM, sql(statement)).await.expect("the statement runs");
}

#[tokio::test]
async fn the_delay_doubles_up_to_a_quarter_of_an_hour_and_is_never_a_lock() {
    crate::support::on_both(|app| async move {
        let door = Door::of(&app.state);
        let mut waits = Vec::new();
        for count in 0..18 {
            breathe(count).await;
            run(&app, "update sign_in_attempts set blocked_until = 0").await;
            door.send(attempt("acme-admin", "guess").from("203.0.113.1")).await;
            let statement =
                sql("select max(blocked_until) as until, max(last_at) as at from sign_in_attempts where failures > 1");
            let row = app.state.db.row(&SYSTEM, statement).await.expect("asked").expect("one");
            let until = row.opt_int("until").expect("a number").unwrap_or(0);
            let wait = if until == 0 { 0 } else { until - row.int("at").expect("a number") };
            waits.push(wait.max(0) / 1000);
        }
        assert_eq!(waits[..8], [0, 0, 0, 0, 1, 2, 4, 8]);
        assert_eq!(waits[13..], [512, 900, 900, 900, 900]);
        let after = {
            run(&app, "update sign_in_attempts set blocked_until = 0").await;
            door.send(attempt("acme-admin", PASSWORD).from("203.0.113.1")).await
        };
        assert_eq!(after.status, 200, "{}", after.text);
        let again = door.send(attempt("acme-admin", "guess").from("203.0.113.1")).await;
        assert_eq!(again.status, 401, "the right password forgets the failures");
    })
    .await;
}

#[tokio::test]
async fn a_stranger_cannot_keep_somebody_out_who_comes_from_where_they_always_do() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    door.send(attempt("acme-admin", PASSWORD).from("203.0.113.7")).await;
    for _ in 0..7 {
        door.send(attempt("acme-admin", "guess").from("198.51.100.1")).await;
    }

    let stranger = door.send(attempt("acme-admin", PASSWORD).from("198.51.100.1")).await;
    let oneself = door.send(attempt("acme-admin", PASSWORD).from("203.0.113.99")).await;

    assert_eq!((stranger.status, oneself.status), (429, 200));
}

#[tokio::test]
async fn one_network_tries_no_more_than_thirty_times_a_minute() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    let mut refused = 0;
    for count in 0..40 {
        let address = format!("203.0.113.{count}");
        let reply = door.send(attempt(&format!("somebody-{count}"), "guess").from(&address)).await;
        refused += usize::from(reply.status == 429);
        breathe(count).await;
    }
    let neighbour = door.send(attempt("somebody-else", "guess").from("203.0.114.1")).await;

    assert_eq!(refused, 10);
    assert_eq!(neighbour.status, 401);
}

#[tokio::test]
async fn many_guesses_at_once_gain_nothing() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);

    let at_once = (0..15).map(|_| door.send(attempt("acme-admin", "guess").from("203.0.113.1")));
    let replies = futures::future::join_all(at_once).await;

    let looked_at = replies.iter().filter(|reply| reply.status == 401).count();
    assert_eq!(looked_at, 5);
}

#[tokio::test]
async fn an_unknown_name_takes_as_long_as_a_known_one() {
    let passwords = Passwords::new(Cost { memory_kib: 4 << 10, rounds: 2 });
    let hash = passwords.hash(PASSWORD, Locale::en).await.expect("hashed");
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        for (times, hash) in [(&mut known, Some(hash.as_str())), (&mut unknown, None)] {
            let began = Instant::now();
            passwords.verify("not the password", hash, Locale::en).await.expect("verified");
            times.push(began.elapsed());
        }
    }
    // The fastest of each: what a busy machine adds is in the others.
    let least = |times: &[Duration]| times.iter().min().map_or(0.0, Duration::as_secs_f64);
    let (known, unknown) = (least(&known), least(&unknown));
    assert!((known - unknown).abs() / known < 0.15, "{known} {unknown}");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    let token = door.token("acme", "acme-admin", PASSWORD).await;
    let cookie = door.cookie("acme", "acme-admin", PASSWORD).await;
    let asks: Vec<(&str, Ask)> = vec![
        ("a page", get("/sign-in")),
        ("a page behind the gate", get("/account").cookie(&cookie)),
        ("a redirect", get("/machines")),
        ("no page", get("/nowhere").cookie(&cookie)),
        ("no file", get("/pkg/nothing.js")),
        ("heartbeat", get("/api/heartbeat")),
        ("an answer", get("/api/v1/status").bearer(&token)),
        ("no login", get("/api/v1/status")),
        ("no route", get("/api/v1/nowhere").bearer(&token)),
        ("no method", ask("PATCH", "/api/v1/status").bearer(&token)),
        ("another site", form(FUNCTION, "").with("sec-fetch-site", "cross-site").cookie(&cookie)),
        ("too large", ask("POST", "/sign-in").with("content-length", "99999999").body("x")),
        ("not understood", ask("POST", "/api/v1/login").body("{")),
        ("a token in the address", get("/api/v1/status?token=x")),
        ("an unknown function", form("/api/fn/nothing", "").cookie(&cookie)),
        ("a wrong password", form("/sign-in", "username=a&password=b")),
    ];
    let mut nonces = Vec::new();

    for (name, request) in asks {
        let reply = door.send(request).await;
        let header = |header: &str| reply.header(header).unwrap_or_else(|| panic!("{name} has no {header}")).to_owned();
        assert_eq!(header("x-content-type-options"), "nosniff", "{name}");
        assert_eq!(header("referrer-policy"), "same-origin", "{name}");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{name}");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin", "{name}");
        assert!(header("permissions-policy").contains("camera=()"), "{name}");
        assert_eq!(header("cache-control"), "no-store", "{name}");
        let policy = header("content-security-policy");
        for part in ["default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{name}: {policy}");
        }
        assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"), "{name}");
        let nonce =
            policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).expect("a nonce").to_owned();
        for script in reply.text.split("<script").skip(1).filter(|_| reply.text.starts_with("<!DOCTYPE")) {
            let tag = script.split('>').next().unwrap_or_default();
            let is_empty = script.starts_with("></script>");
            assert!(is_empty || tag.contains(&format!("nonce=\"{nonce}\"")), "{name}: <script{tag}>");
        }
        nonces.push(nonce);
    }
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 16, "every answer has a nonce of its own");
}

#[tokio::test]
async fn browsers_are_told_to_insist_on_tls_where_there_is_any() {
    let plain = TestApp::start().await;
    let public = TestApp::start_with(Database::Sqlite, "server.public_url = \"https://muelle.example\"").await;

    let without = Door::of(&plain.state).send(get("/sign-in")).await;
    let with = Door::of(&public.state).send(get("/api/heartbeat")).await;

    assert_eq!(without.header("strict-transport-security"), None);
    assert_eq!(with.header("strict-transport-security"), Some("max-age=31536000; includeSubDomains"));
}

#[tokio::test]
async fn every_door_is_closed_to_strangers_unless_it_was_opened() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    let known = [
        "/",
        "/machines",
        "/users",
        "/containers",
        "/account",
        "/api/v1/machines",
        "/api/v1/users",
        "/api/v1/status",
        "/api/v1/engines/local/containers",
        "/api/v1/jobs",
        "/api/fn/read_account",
        "/events",
        "/api/openapi.json",
        "/api/docs",
        "/api/v1/login",
    ];
    let mutations: [fn(&str) -> String; 18] = [
        |path| path.to_owned(),
        |path| format!("{path}/"),
        |path| format!("{path}.js"),
        |path| format!("{path}/.js"),
        |path| format!("{path}/x.css"),
        |path| format!("/{path}"),
        |path| format!("{path}%2e%2e"),
        |path| format!("{path}?x=/sign-in"),
        |path| format!("{path};/sign-in"),
        |path| format!("{path}/..;/sign-in"),
        |path| format!("/sign-in/..{path}"),
        |path| format!("/pkg/..{path}"),
        |path| format!("/pkg/%2e%2e{path}"),
        |path| path.to_uppercase(),
        |path| format!("{path}%00.png"),
        |path| format!("{path}%20"),
        |path| format!("/api/heartbeat/..{path}"),
        |path| path.replace("/api", "/api/./"),
    ];
    let mut tried = 0;

    for path in known {
        for mutate in mutations {
            for method in ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"] {
                let path = mutate(path);
                if path.split('?').next() == Some("/api/v1/login") && method == "POST" {
                    continue;
                }
                let Ok(_) = path.parse::<axum::http::Uri>() else { continue };
                let reply = door.send(ask(method, path.as_str())).await;
                let sent_away = reply.status == 303 && reply.location().is_some_and(|to| to.starts_with("/sign-in"));
                assert!(sent_away || reply.status == 401, "{method} {path}: {} {}", reply.status, reply.text);
                tried += 1;
            }
        }
    }
    assert!(tried > 1000, "{tried}");
}

#[tokio::test]
async fn a_page_that_is_there_and_one_that_is_not_look_alike_to_strangers() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);

    for (there, missing) in
        [("/machines", "/nothing"), ("/api/v1/machines", "/api/v1/nothing"), (FUNCTION, "/api/fn/x")]
    {
        let (there, missing) = (door.send(get(there)).await, door.send(get(missing)).await);
        assert_eq!(there.status, missing.status);
    }
}

#[tokio::test]
async fn links_never_follow_the_host_that_a_request_names() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    let cookie = door.cookie("acme", "acme-admin", PASSWORD).await;

    for request in [get("/machines"), get("/sign-in"), get("/account").cookie(&cookie), get("/api/v1/nowhere")] {
        let reply = door.send(request.with("host", "evil.example").with("x-forwarded-host", "evil.example")).await;
        assert!(!reply.text.contains("evil.example"));
        assert!(reply.location().is_none_or(|location| location.starts_with('/')));
    }
}

#[tokio::test]
async fn a_token_in_an_address_is_refused() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    let token = door.token("acme", "acme-admin", PASSWORD).await;

    for path in [
        format!("/api/v1/status?token={token}"),
        format!("/api/v1/status?access_token={token}"),
        format!("/events?topic=jobs&jwt={token}"),
        format!("/machines?whatever={token}"),
    ] {
        assert_eq!(door.send(get(path.clone())).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn no_secret_reaches_the_log() {
    #[derive(Clone, Default)]
    struct Lines(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("nobody panicked").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let lines = Lines::default();
    let writer = lines.clone();
    let log =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(log);
    // What other tests have found nobody listening to is asked again.
    tracing::callsite::rebuild_interest_cache();
    let app = TestApp::start().await;
    let door = Door::of(&app.state);

    let token = door.token("acme", "acme-admin", PASSWORD).await;
    let cookie = door.cookie("acme", "acme-admin", PASSWORD).await;
    door.send(get("/api/v1/status").bearer(&token)).await;
    door.send(get(format!("/api/v1/status?token={token}"))).await;
    door.send(get("/account").cookie(&cookie)).await;
    door.send(form("/sign-in", "customer=acme&username=typed-by-mistake-1&password=typed-by-mistake-2")).await;

    let written = String::from_utf8_lossy(&lines.0.lock().expect("nobody panicked")).into_owned();
    assert!(written.contains("/api/v1/status"), "the log was listened to");
    let secrets = [token.as_str(), cookie.trim_start_matches("sid="), PASSWORD, "typed-by-mistake"];
    for secret in secrets {
        assert!(!written.contains(secret), "{secret} stands in the log");
    }
    let sid = claims_of(&token)["sid"].as_str().expect("a secret").to_owned();
    assert!(!written.contains(&sid));
}

#[tokio::test]
async fn the_database_holds_no_secret_in_the_clear() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    let token = door.token("acme", "acme-admin", PASSWORD).await;
    let sid = claims_of(&token)["sid"].as_str().expect("a secret").to_owned();

    for file in std::fs::read_dir(&app.state.config.data.dir).expect("the folder is there") {
        let path = file.expect("an entry").path();
        let content = String::from_utf8_lossy(&std::fs::read(&path).expect("readable")).into_owned();
        for secret in [PASSWORD, &sid, &token] {
            assert!(!content.contains(secret), "{} holds {secret}", path.display());
        }
    }
}

#[tokio::test]
async fn refusals_of_http_itself_have_our_shape() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    let token = door.token("acme", "acme-admin", PASSWORD).await;
    let asks = [
        (404, "not_found", get("/api/v1/nowhere").bearer(&token)),
        (405, "method_not_allowed", ask("PATCH", "/api/v1/status").bearer(&token)),
        (401, "unauthenticated", get("/api/v1/status")),
        (422, "invalid", ask("POST", "/api/v1/login").body("{")),
        (422, "invalid", json("POST", "/api/v1/login", &value!({ "username": "a", "password": "b", "role": "admin" }))),
        (400, "bad_request", get("/api/v1/status?token=x").bearer(&token)),
    ];

    for (status, code, request) in asks {
        let reply = door.send(request).await;
        assert_eq!(reply.status, status, "{}", reply.text);
        let error = &reply.json()["error"];
        assert_eq!(error["code"], code, "{}", reply.text);
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()));
        assert!(error["problems"].is_array());
        assert_eq!(error["request"].as_str(), reply.header("x-request-id"), "the number is the log's");
    }
    let function = door.send(form("/api/fn/nothing", "").bearer(&token)).await;
    assert_eq!((function.status, &function.json()["code"]), (404, &value!("not_found")));
    let stranger = door.send(form(FUNCTION, "")).await;
    assert_eq!((stranger.status, &stranger.json()["code"]), (401, &value!("unauthenticated")));
}

#[tokio::test]
async fn people_are_spoken_to_in_their_language() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);

    let page = door.send(get("/sign-in").with("accept-language", "es-ES,es;q=0.9,en;q=0.8")).await;
    let wrong = door.send(attempt("acme-admin", "guess").with("accept-language", "es")).await;
    let chosen = attempt("acme-admin", "guess").with("accept-language", "es").cookie("i18n_pref_locale=en");
    let chosen = door.send(chosen).await;

    assert!(page.text.contains("Contraseña"));
    assert_eq!(wrong.json()["error"]["message"], "El usuario o la contraseña no es correcto.");
    assert_eq!(chosen.json()["error"]["message"], "User or password is wrong.");
}

#[tokio::test]
async fn everybody_of_the_tests_can_sign_in() {
    let app = TestApp::start().await;
    for person in [ADMIN, REGULAR] {
        assert_eq!(app.client(person).await.get("/api/v1/status").await.status, 200);
    }
}

#[tokio::test]
async fn a_person_makes_so_many_calls_in_a_minute_and_no_more() {
    let app = TestApp::start_with(Database::Sqlite, "server.calls_per_minute = 5").await;
    let door = Door::of(&app.state);
    let token = door.token("acme", "acme-admin", PASSWORD).await;
    let other = door.token("acme", "acme-regular", PASSWORD).await;
    let cookie = door.cookie("acme", "acme-admin", PASSWORD).await;
    let function = || form(FUNCTION, "").cookie(&cookie);

    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(door.send(get("/api/v1/status").bearer(&token)).await.status);
    }
    for _ in 0..2 {
        statuses.push(door.send(function()).await.status);
    }
    let over = door.send(get("/api/v1/status").bearer(&token).with("accept-language", "es")).await;
    let function_over = door.send(function()).await;

    assert_eq!(statuses, [200; 5]);
    for (reply, code) in [(&over, &over.json()["error"]["code"]), (&function_over, &function_over.json()["code"])] {
        assert_eq!((reply.status, code), (429, &value!("busy")), "{}", reply.text);
        let wait: u32 = reply.header("retry-after").and_then(|wait| wait.parse().ok()).expect("how long to wait");
        assert!((1..=60).contains(&wait), "{wait}");
    }
    assert!(over.text.contains("Demasiadas peticiones"), "{}", over.text);
    assert_eq!(door.send(get("/api/v1/status").bearer(&other)).await.status, 200, "others have their own");
    for free in ["/api/heartbeat", "/account", "/favicon.svg"] {
        assert_ne!(door.send(get(free).cookie(&cookie)).await.status, 429, "{free}");
    }
    let described = muelle::platform::openapi::document();
    assert!(described["paths"]["/api/v1/status"]["get"]["responses"]["429"].is_object());
}

#[tokio::test]
async fn a_browser_tells_when_a_page_broke_its_policy() {
    let app = TestApp::start().await;
    let door = Door::of(&app.state);
    let report = value!({ "csp-report": {
        "document-uri": "http://127.0.0.1:3000/setup?token=a-secret", "violated-directive": "script-src-elem",
        "effective-directive": "script-src-elem", "blocked-uri": "http://evil.example/x.js", "status-code": 200,
        "line-number": 7, "original-policy": "…",
    } });
    let send = |ask: Ask| ask.with("content-type", "application/csp-report").body(report.to_string());
    let ours = || form("/api/csp-report", "");

    let page = door.send(get("/sign-in")).await;
    let noted = door.send(send(ours())).await;
    let foreign = door.send(send(ours().with("sec-fetch-site", "cross-site"))).await;
    let nowhere = door.send(send(ask("POST", "/api/csp-report"))).await;
    let other_type = door.send(ours().body(report.to_string())).await;
    let unreadable = door.send(ours().with("content-type", "application/csp-report").body("{}")).await;
    let long = "x".repeat(20_000);
    let too_long = door.send(ours().with("content-length", "20000").body(long)).await;

    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.ends_with("; report-uri /api/csp-report"), "{policy}");
    assert_eq!(noted.status, 204, "{}", noted.text);
    assert_eq!((foreign.status, nowhere.status), (403, 403));
    assert_eq!((other_type.status, unreadable.status, too_long.status), (415, 422, 413));
    let described = muelle::platform::openapi::document();
    assert!(described["paths"]["/api/csp-report"]["post"]["responses"]["204"].is_object());
}
