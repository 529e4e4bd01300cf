//! S7: lists of a million machines and single inserts, beside the same statements by hand on the same file.
//!
//! `cargo bench --features ssr --bench records [-- MACHINES]`

use muelle::{
    authentication::{
        model::{Role, Session},
        server::{Actor, Context, Creating, Reading, System, context::Parts},
    },
    i18n::Locale,
    id::Id,
    platform::{
        config::Config,
        db::{Db, sql},
        state::State,
    },
    storage::{
        entry,
        item::{Fields, Filter, Query, Sort, server::store},
    },
    time::Timestamp,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const SYSTEM: System = System::because("measure");

/// Pages measured for each figure.
const PAGES: usize = 200;

/// Records inserted for each figure.
const INSERTS: usize = 500;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let most: i64 = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir()?;
    let config = format!("data.dir = {:?}\nlog.filter = \"off\"", folder.path().join("data"));
    let state = State::start(Config::from_text(&config)?).await?;
    let kind = entry("machine").expect("machines are in the list").kind;
    let session = Session {
        login: Id::new(),
        user: Id::new(),
        username: "bench".to_owned(),
        name: "bench".to_owned(),
        role: Role::Admin,
        customer: None,
        expires_at: Timestamp::now() + Duration::from_secs(3600),
    };
    let context = Context::new(Parts {
        actor: Actor::Person(session),
        locale: Locale::en,
        request: String::new(),
        address: None,
        agent: String::new(),
        state: state.clone(),
    });
    let (read, create) = (context.permit::<Reading>(kind.name)?, context.permit::<Creating>(kind.name)?);

    let mut medians = Vec::new();
    for machines in [1_000, most] {
        fill(&state.db, machines).await?;
        println!("\n{machines} machines");
        for (name, query) in queries() {
            let mut times = Vec::new();
            for page in 0..PAGES {
                let query = Query { page: u32::try_from(page % 5)? + 1, ..query.clone() };
                let began = Instant::now();
                let found = store::find(&state, &read, kind, &query).await?;
                times.push(began.elapsed());
                assert!(!found.items.is_empty(), "{name}");
            }
            let (median, late) = figures(&mut times);
            println!("  {name:<44} median {median:>9.2?}  p95 {late:>9.2?}");
            medians.push((machines, name, median));
        }
        let by_hand = insert_by_hand(&state.db).await?;
        let ours = async {
            let began = Instant::now();
            for n in 0..INSERTS {
                let input: Fields = match json!({ "name": format!("ours-{machines}-{n}"), "type": "remote" }) {
                    Value::Object(fields) => fields,
                    _ => Fields::new(),
                };
                store::create(&state, &create, kind, input).await?;
            }
            anyhow::Ok(began.elapsed())
        }
        .await?;
        let rate = |took: Duration| INSERTS as f64 / took.as_secs_f64();
        println!(
            "  single insert: {:.0}/s, by hand {:.0}/s, ratio {:.2} (promised ≥ 0.5)",
            rate(ours),
            rate(by_hand),
            rate(ours) / rate(by_hand)
        );
    }
    println!();
    for (machines, name, median) in &medians {
        if let Some((_, _, small)) = medians.iter().find(|(few, other, _)| few != machines && other == name)
            && *machines == most
        {
            let growth = median.as_secs_f64() / small.as_secs_f64();
            println!("  {name:<44} grows {growth:.2} × from 1000 (promised ≤ 3)");
        }
    }
    Ok(())
}

fn queries() -> Vec<(&'static str, Query)> {
    let sort = |field: &str| vec![Sort::parse(field)];
    let remote = vec![Filter { field: "type".to_owned(), values: vec!["remote".to_owned()] }];
    vec![
        ("newest first", Query::default()),
        ("by name", Query { sort: sort("name"), ..Query::default() }),
        ("by name, the last first", Query { sort: sort("-name"), ..Query::default() }),
        ("remote ones by name", Query { filter: remote, sort: sort("name"), ..Query::default() }),
    ]
}

/// Makes machines until there are `machines`, with the database's own means.
async fn fill(db: &Db, machines: i64) -> anyhow::Result<()> {
    let row = db.row(&SYSTEM, sql("select count(*) as total from machines")).await?;
    let there = row.map_or(Ok(0), |row| row.int("total"))?;
    let statement = sql("insert into machines
           (id, revision, enabled, created_at, updated_at, name, name_key, type, ipv4, tags)
         with recursive counted(n) as (select $1 union all select n + 1 from counted where n < $2)
         select printf('0193%04x-%04x-7000-8000-%012x', n / 65536, n % 65536, n), 1, true, n, n,
                printf('machine-%07d', (n * 7919) % 1000003), printf('machine-%07d', (n * 7919) % 1000003), case when n % 3 = 0 then 'local' else 'remote' end,
                printf('10.%d.%d.%d', n / 65536 % 256, n / 256 % 256, n % 256), '[]'
           from counted");
    db.execute(&SYSTEM, statement.bind(there + 1).bind(machines)).await?;
    db.execute(&SYSTEM, sql("analyze")).await.map(drop)
}

/// The same rows with the audit line, by two statements in a transaction and nothing else.
async fn insert_by_hand(db: &Db) -> anyhow::Result<Duration> {
    let began = Instant::now();
    for n in 0..INSERTS {
        let id = Id::<()>::new().to_string();
        let mut transaction = db.begin(&SYSTEM).await?;
        let machine =
            sql("insert into machines (id, revision, enabled, created_at, updated_at, name, name_key, type, tags)
             values ($1, 1, true, $2, $2, $3, $3, 'remote', '[]')")
            .bind(id.as_str())
            .bind(Timestamp::now().millis())
            .bind(format!("hand-{id}-{n}"));
        transaction.execute(machine).await?;
        let audit = sql("insert into audit (id, at, person_name, kind, record, action, before, after)
             values ($1, $2, 'bench', 'machine', $3, 'create', '{}', '{}')")
        .bind(Id::<()>::new().to_string())
        .bind(Timestamp::now().millis())
        .bind(id);
        transaction.execute(audit).await?;
        transaction.commit().await?;
    }
    Ok(began.elapsed())
}

/// Median and 95th percentile.
fn figures(times: &mut [Duration]) -> (Duration, Duration) {
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() * 95 / 100])
}
