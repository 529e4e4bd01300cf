//! S7: a million machines, and S12: a start with a gigabyte of records.

use crate::{
    binary,
    figures::{Figures, Times, Verdict, ratio, short},
    process::Server,
    start,
};
use serde_json::json;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use std::time::Duration;

const FEW: i64 = 1_000;
const MANY: i64 = 1_000_000;
const INSERTS: usize = 200;
const PAGES: usize = 60;

/// Measures pages and inserts with few and with many records.
pub async fn measure(figures: &mut Figures) {
    let mut server = Server::new(binary());
    server.create_administrator();
    let client = reqwest::Client::new();

    fill(&server, 1, FEW).await;
    let few = pages_and_inserts(&mut server, &client).await;
    fill(&server, FEW + 1, MANY).await;
    let many = pages_and_inserts(&mut server, &client).await;

    let limit = Duration::from_millis(20);
    let page = |measured: &Measured| short(measured.page.percentile(95));
    let by_hand =
        |measured: &Measured| format!("{} for the rows alone, by hand", short(measured.select.percentile(95)));
    let verdict = Verdict::within(few.page.percentile(95), limit);
    figures.add("S7", "filtered, sorted page of 1,000 machines, p95", page(&few), by_hand(&few), verdict);
    let verdict = Verdict::within(many.page.percentile(95), limit);
    figures.add("S7", "the same of 1,000,000", page(&many), by_hand(&many), verdict);
    let growth = ratio(many.page.percentile(95), few.page.percentile(95));
    let verdict = Verdict::ratio_at_most(growth, 3.0);
    figures.add("S7", "its growth from 10³ to 10⁶", format!("{growth:.1} ×"), "–", verdict);
    for (measured, count) in [(&few, "1,000"), (&many, "1,000,000")] {
        let (api, raw) = (measured.insert.per_second(), measured.raw.per_second());
        figures.add(
            "S7",
            format!("single insert with {count} machines, with its line in the audit trail"),
            format!("{api:.0}/s"),
            format!("{raw:.0}/s for the insert alone, by hand"),
            Verdict::ratio_at_least(api / raw, 0.5),
        );
    }
    let size = std::fs::metadata(server.data().join("muelle.db")).map_or(0, |file| file.len());
    let what = format!("start to ready, {:.1} GB of records", size as f64 / 1e9);
    let ready = start::starts(&mut server, &client).await;
    let verdict = Verdict::within(ready.median(), Duration::from_secs(3));
    figures.add("S12", what, short(ready.median()), "–", verdict);
}

struct Measured {
    page: Times,
    select: Times,
    insert: Times,
    raw: Times,
}

async fn pages_and_inserts(server: &mut Server, client: &reqwest::Client) -> Measured {
    server.kill();
    server.start();
    server.wait_until_ready(client).await;
    let token = server.sign_in(client).await;
    let url = format!("{}/api/v1/machines", server.url);
    let get = async |page: usize| {
        let address = format!("{url}?filter%5Btype%5D=local&sort=-name&per_page=50&page={page}");
        let answer = client.get(address).bearer_auth(&token).send().await.expect("the server answers");
        let status = answer.status();
        let body = answer.bytes().await.expect("the body comes");
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    };
    // The first one fills caches that a running server has.
    get(1).await;
    let page = Times::of(PAGES, |number| get(1 + number % 3)).await;
    let raw_pages = async |connection: &mut SqliteConnection, page: usize| {
        let offset = i64::try_from(page * 50).expect("a page is a small number");
        sqlx::query(
            "select * from machines where deleted_at is null and type = 'local' order by name desc limit 50 offset $1",
        )
        .bind(offset)
        .fetch_all(connection)
        .await
        .expect("the rows come");
    };
    let mut connection = open(server).await;
    let mut select = Vec::new();
    for number in 0..PAGES {
        let began = std::time::Instant::now();
        raw_pages(&mut connection, number % 3).await;
        select.push(began.elapsed());
    }

    let run = server.pid().unwrap_or_default();
    let insert = Times::of(INSERTS, async |number| {
        let body = json!({ "name": format!("new-{run}-{number}"), "type": "remote", "ipv4": "10.0.0.1" });
        let answer = client.post(&url).bearer_auth(&token).json(&body).send().await.expect("the server answers");
        assert_eq!(answer.status(), 201);
    })
    .await;
    let mut raw = Vec::new();
    for number in 0..INSERTS {
        let began = std::time::Instant::now();
        sqlx::query(INSERT)
            .bind(format!("raw-{run}-{number}"))
            .bind(format!("raw-{run}-{number}"))
            .execute(&mut connection)
            .await
            .expect("the row is kept");
        raw.push(began.elapsed());
    }
    connection.close().await.expect("the file closes");
    Measured { page, select: select.into(), insert, raw: raw.into() }
}

const INSERT: &str = "insert into machines (id, customer, revision, enabled, created_at, created_by, updated_at,
       updated_by, deleted_at, name, name_key, type, ipv4, tags)
     values ($1, null, 1, true, 1790000000000, null, 1790000000000, null, null, $2, $2, 'remote', '10.0.0.1', '[]')";

/// The database file, opened by hand as the server opens it.
pub async fn open(server: &Server) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(server.data().join("muelle.db"))
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
        .synchronous(sqlx::sqlite::SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(10))
        .connect()
        .await
        .expect("the database opens")
}

/// Puts machines into the file, each with its line in the audit trail, as if they had been made one by one.
async fn fill(server: &Server, from: i64, to: i64) {
    let mut connection = open(server).await;
    let numbers = "with recursive n(i) as (select $1 union all select i + 1 from n where i < $2)";
    let id = |kind: &str| format!("printf('019ab0{kind}%x-%04x-7000-8000-%012x', i / 65536, i % 65536, i)");
    let machines = format!(
        "{numbers} insert into machines (id, customer, revision, enabled, created_at, created_by, updated_at,
             updated_by, deleted_at, name, name_key, description, type, ipv4, mac, ssh_port, ssh_user, tags)
         select {}, null, 1, true, 1790000000000 + i, null, 1790000000000 + i, null, null,
           printf('machine-%07d', (i * 7919) % 10000000), printf('machine-%07d', (i * 7919) % 10000000), 'A machine in rack ' || (i % 400) || ', bought with the others',
           case when i % 3 = 0 then 'local' else 'remote' end,
           printf('10.%d.%d.%d', i / 65536 % 256, i / 256 % 256, i % 256), printf('02:00:00:%02x:%02x:%02x', i / 65536 % 256, i / 256 % 256, i % 256),
           22, 'root', '[\"rack-' || (i % 400) || '\"]'
         from n",
        id("0"),
    );
    let audit = format!(
        "{numbers} insert into audit (id, at, person, person_name, customer, kind, record, action, before, after, address, request)
         select {}, 1790000000000 + i, null, 'keeper', null, 'machine', {}, 'created', '{{}}',
           printf('{{\"name\":\"machine-%07d\",\"description\":\"%s\",\"type\":\"remote\",\"ipv4\":\"10.1.2.3\"}}', i, hex(zeroblob(220))),
           '127.0.0.1', '000000000000'
         from n",
        id("1"),
        id("0"),
    );
    for statement in [machines, audit] {
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(from)
            .bind(to)
            .execute(&mut connection)
            .await
            .expect("it fits");
    }
    connection.close().await.expect("the file closes");
}
