//! Slowing down guesses: per account and per network, with growing delay and never a lock-out.
//!
//! Counters stand in the database, where a flood of other names or addresses cannot push them out.
//! An attempt is counted before the password is looked at, so that many at once gain nothing. An
//! account's own people keep a counter of their own: attempts from a network where somebody has
//! signed in to that account before are counted apart from a stranger's.

use super::{System, secret};
use crate::{
    platform::{
        db::{Row, Sql, Transaction, sql},
        state::State,
    },
    time::Timestamp,
};
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Mutex,
    time::Duration,
};

/// Attempts on one account before the delay begins.
const FREE: i64 = 5;

/// The greatest delay, in milliseconds.
const DELAY_MAX: i64 = 15 * 60 * 1000;

/// Failed attempts from one network in a minute.
const PER_NETWORK: i64 = 30;

/// Attempts in a second on this server.
const PER_SECOND: u32 = 20;

/// How long a counter is remembered after its last attempt.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

const MINUTE: i64 = 60_000;

const WHY: System = System::because("slow down guesses");

/// What one attempt has reserved; given back when it succeeds.
#[derive(Debug)]
pub struct Attempt {
    account: String,
    network: Option<String>,
}

/// How many attempts this server has seen in this second.
#[derive(Debug, Default)]
pub struct Rate(Mutex<(i64, u32)>);

impl Rate {
    fn is_exceeded(&self, now: Timestamp) -> bool {
        let mut counted = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if counted.0 != now.seconds() {
            *counted = (now.seconds(), 0);
        }
        counted.1 += 1;
        counted.1 > PER_SECOND
    }
}

/// Counts an attempt to sign in as `account` (the keys of domain and name, `acme/lucia`), or says for how many seconds to wait.
pub async fn begin(state: &State, account: &str, address: Option<IpAddr>) -> anyhow::Result<Result<Attempt, u32>> {
    let now = Timestamp::now();
    if state.authority.rate.is_exceeded(now) {
        return Ok(Err(1));
    }
    let network = address.map(network);
    let known = match network {
        Some(network) => is_known(state, account, network).await?,
        None => false,
    };
    let place = if known { network.map(|network| network.to_string()).unwrap_or_default() } else { String::new() };
    let account = bucket(account, &place);
    let network = network.map(|network| secret::hash(&format!("network\n{network}")));

    if let Some(bucket) = &network {
        let row = count(
            state,
            sql("insert into sign_in_attempts (bucket, failures, blocked_until, last_at)
                     values ($1, 1, 0, $2)
                     on conflict (bucket) do update set
                       failures = case when sign_in_attempts.last_at < $3 then 1 else sign_in_attempts.failures + 1 end,
                       last_at = case when sign_in_attempts.last_at < $3 then $2 else sign_in_attempts.last_at end
                     returning failures, last_at")
            .bind(bucket.as_str())
            .bind(now.millis())
            .bind(now.millis() - MINUTE),
        )
        .await?;
        if let Some(row) = row
            && row.int("failures")? > PER_NETWORK
        {
            return Ok(Err(seconds(row.int("last_at")? + MINUTE - now.millis())));
        }
    }

    let counted = count(
        state,
        // 1 s, 2 s, 4 s … after the free ones; the shift stops where the greatest delay is reached.
        sql("insert into sign_in_attempts (bucket, failures, blocked_until, last_at)
                 values ($1, 1, 0, $2)
                 on conflict (bucket) do update set
                   failures = case when sign_in_attempts.last_at < $3 then 1 else sign_in_attempts.failures + 1 end,
                   blocked_until = case
                     when sign_in_attempts.last_at < $3 or sign_in_attempts.failures + 1 < $4 then 0
                     when sign_in_attempts.failures + 1 - $4 >= 10 then $2 + $5
                     else $2 + (1000 << cast(sign_in_attempts.failures + 1 - $4 as integer)) end,
                   last_at = $2
                 where sign_in_attempts.blocked_until <= $2
                 returning failures")
        .bind(account.as_str())
        .bind(now.millis())
        .bind((now - REMEMBERED).millis())
        .bind(FREE)
        .bind(DELAY_MAX),
    )
    .await?;
    if counted.is_some() {
        return Ok(Ok(Attempt { account, network }));
    }
    give_back(state, network.as_deref()).await?;
    let until = state
        .db
        .row(&WHY, sql("select blocked_until from sign_in_attempts where bucket = $1").bind(account))
        .await?
        .map_or(Ok(0), |row| row.int("blocked_until"))?;
    Ok(Err(seconds(until - now.millis())))
}

/// Forgets the failures of an account after the right password.
pub async fn succeeded(state: &State, attempt: Attempt) -> anyhow::Result<()> {
    state.db.execute(&WHY, sql("delete from sign_in_attempts where bucket = $1").bind(attempt.account)).await?;
    give_back(state, attempt.network.as_deref()).await
}

/// Forgets the failures of an account, wherever they came from, within a transaction: somebody has vouched for whoever
/// enters next.
pub async fn forget(transaction: &mut Transaction, account: &str) -> anyhow::Result<()> {
    let mut buckets = BTreeSet::from([bucket(account, "")]);
    for row in transaction.rows(addresses(account)).await? {
        if let Ok(address) = row.text("address")?.parse() {
            buckets.insert(bucket(account, &network(address).to_string()));
        }
    }
    for bucket in buckets {
        transaction.execute(sql("delete from sign_in_attempts where bucket = $1").bind(bucket)).await?;
    }
    Ok(())
}

/// Forgets counters that nobody has touched for a day.
pub async fn sweep(state: &State) -> anyhow::Result<()> {
    let old = (Timestamp::now() - REMEMBERED).millis();
    state.db.execute(&WHY, sql("delete from sign_in_attempts where last_at < $1").bind(old)).await?;
    Ok(())
}

/// Runs a counting statement that returns what it has counted.
async fn count(state: &State, statement: Sql) -> anyhow::Result<Option<Row>> {
    let mut transaction = state.db.begin(&WHY).await?;
    let row = transaction.row(statement).await?;
    transaction.commit().await?;
    Ok(row)
}

async fn give_back(state: &State, network: Option<&str>) -> anyhow::Result<()> {
    if let Some(bucket) = network {
        let statement = sql("update sign_in_attempts set failures = failures - 1 where bucket = $1 and failures > 0");
        state.db.execute(&WHY, statement.bind(bucket)).await?;
    }
    Ok(())
}

/// Whether somebody has signed in to this account from this network in the last 30 days.
async fn is_known(state: &State, account: &str, network: ipnet::IpNet) -> anyhow::Result<bool> {
    for row in state.db.rows(&WHY, addresses(account)).await? {
        if row.text("address")?.parse().is_ok_and(|address: IpAddr| network.contains(&address)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Asks from which addresses somebody has signed in to this account in the last 30 days.
fn addresses(account: &str) -> Sql {
    let (customer, username) = account.split_once('/').unwrap_or(("", account));
    sql("select distinct l.address from logins l
         join users u on u.id = l.\"user\"
         left join customers c on c.id = u.customer
         where u.username_key = $1 and coalesce(c.domain_key, '') = $2 and l.login_time > $3
           and l.address is not null")
    .bind(username)
    .bind(customer)
    .bind((Timestamp::now() - REMEMBERED * 30).millis())
}

/// What attempts on an account are counted under: those from `place`, a network where it is known, or a stranger's.
fn bucket(account: &str, place: &str) -> String {
    secret::hash(&format!("account\n{account}\n{place}"))
}

/// The network an address counts for: /24 of IPv4, /64 of IPv6.
fn network(address: IpAddr) -> ipnet::IpNet {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            ipnet::IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(a, b, c, 0)), 24)
        }
        IpAddr::V6(v6) => {
            let kept = v6.to_bits() & !u128::from(u64::MAX);
            ipnet::IpNet::new_assert(IpAddr::V6(Ipv6Addr::from_bits(kept)), 64)
        }
    }
}

/// Milliseconds as whole seconds to wait, at least one.
fn seconds(millis: i64) -> u32 {
    u32::try_from(millis.max(1).div_euclid(1000) + 1).unwrap_or(u32::MAX)
}
