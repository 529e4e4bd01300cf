//! Reading and writing runs and their events.

use crate::{
    authentication::server::Proof,
    error::{Error, Result},
    id::Id,
    jobs::model::Job,
    platform::{
        db::{Row, Transaction, sql},
        state::State,
    },
    provisioning::model::{Difference, LastRun, Numbered, Run, RunPage, RunQuery, RunState, RunView, TaskState, Tree},
    storage::Playbook,
    time::Timestamp,
};
use anyhow::Context as _;
use sea_query::{Alias, Asterisk, Condition, Expr, ExprTrait as _, Order, Query, SubQueryStatement};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The greatest page of runs.
pub const PAGE_LIMIT: u32 = 200;
/// The greatest number of events read at once.
pub const EVENTS_LIMIT: u32 = 1000;
/// Events of one reading end after about so many bytes, and begin with at least one event.
const READ_BYTES: usize = 512 * 1024;
/// A task is told of when it took longer by at least this and twice as long, or the other way round.
const SLOWER_MS: u64 = 1000;

/// A page of the runs in reach, newest first.
///
/// # Errors
/// [`Error::Internal`] when the database does not answer.
pub async fn list(state: &State, proof: &dyn Proof, query: &RunQuery) -> Result<RunPage> {
    let limit = match query.per_page {
        0 => 50,
        asked => Ord::min(asked, PAGE_LIMIT),
    };
    let column = |name: &'static str| Expr::col(Alias::new(name));
    let on_host = |name: &'static str, value: String| {
        let mut hosts = Query::select();
        hosts.column(Alias::new("run")).from(Alias::new("run_hosts")).and_where(Expr::col(Alias::new(name)).eq(value));
        Expr::col(Alias::new("id")).in_subquery(hosts)
    };
    let condition = Condition::all()
        .add_option(proof.scope().customer().map(|customer| column("customer").eq(customer.to_string())))
        .add_option(query.state.map(|state| column("state").eq(state.name())))
        .add_option(query.playbook.map(|playbook| column("playbook").eq(playbook.to_string())))
        .add_option(query.machine.map(|machine| on_host("machine", machine.to_string())))
        .add_option(query.host.as_deref().filter(|host| !host.is_empty()).map(|host| on_host("host", host.to_owned())))
        .add_option(query.person.map(|person| column("person").eq(person.to_string())))
        .add_option(query.schedule.map(|schedule| column("schedule").eq(schedule.to_string())))
        .add_option(query.since.map(|since| column("created_at").gte(since.millis())))
        .add_option(query.until.map(|until| column("created_at").lt(until.millis())))
        .add_option(query.before.map(|before| column("id").lt(before.to_string())));
    let mut select = Query::select();
    select
        .column(Asterisk)
        .from(Alias::new("runs"))
        .cond_where(condition)
        .order_by(Alias::new("id"), Order::Desc)
        .limit(u64::from(limit) + 1);
    let rows = state.db.rows(proof, &mut select).await?;
    let mut items = rows.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next = items.last().filter(|_| more).map(|run| run.id);
    Ok(RunPage { items, next })
}

/// The last run of each of these playbooks that was ever run, where the proof reaches it.
///
/// # Errors
/// When the database does not answer.
pub async fn last_of_playbooks(
    state: &State,
    proof: &dyn Proof,
    playbooks: impl IntoIterator<Item = String>,
) -> anyhow::Result<Vec<(Id<Playbook>, LastRun)>> {
    let of = |table: &'static str, name: &'static str| Expr::col((Alias::new(table), Alias::new(name)));
    // The newest of each is one look into the index; grouping would read all runs of all of them.
    let newest = Query::select()
        .expr(of("later", "id").max())
        .from_as(Alias::new("runs"), Alias::new("later"))
        .and_where(of("later", "playbook").eq(of("playbooks", "id")))
        .take();
    let customer = proof.scope().customer().map(|customer| of("runs", "customer").eq(customer.to_string()));
    let mut select = Query::select();
    select
        .columns(["id", "playbook", "state", "target", "created_at"].map(|name| (Alias::new("runs"), Alias::new(name))))
        .from(Alias::new("playbooks"))
        .inner_join(Alias::new("runs"), of("runs", "id").eq(Expr::from(SubQueryStatement::from(newest))))
        .cond_where(Condition::all().add(of("playbooks", "id").is_in(playbooks)).add_option(customer));
    let last = |row: &Row| {
        let run = LastRun {
            id: row.parsed("id")?,
            state: row.parsed("state")?,
            target: json(row, "target")?,
            at: Timestamp::from_millis(row.int("created_at")?),
        };
        Ok((row.parsed("playbook")?, run))
    };
    state.db.rows(proof, &mut select).await?.iter().map(last).collect()
}

/// The run of that id, where the proof reaches it.
///
/// # Errors
/// [`Error::NotFound`] when there is none, or it is another customer's.
pub async fn run(state: &State, proof: &dyn Proof, id: Id<Job>) -> Result<Run> {
    let row = state.db.row(proof, sql("select * from runs where id = $1").bind(id.to_string())).await?;
    let run = row.as_ref().map(read).transpose()?;
    run.filter(|run| proof.scope().reaches(run.customer)).ok_or_else(|| Error::not_found("run"))
}

/// One run with its tree.
///
/// # Errors
/// [`Error::NotFound`] when there is none, or it is another customer's.
pub async fn view(state: &State, proof: &dyn Proof, id: Id<Job>) -> Result<RunView> {
    // The run is read first: its tree is then never behind its state.
    let run = run(state, proof, id).await?;
    let tree = tree(state, proof, id).await?;
    let earlier = sql("select id from runs
                       where playbook = $1 and id < $2 and finished_at is not null
                       order by id desc
                       limit 1");
    let earlier = state.db.row(proof, earlier.bind(run.playbook.to_string()).bind(id.to_string())).await?;
    let before = earlier.map(|row| row.parsed("id")).transpose()?;
    Ok(RunView { run, tree, before })
}

/// The tree of all events that are stored. The caller has made sure that the run may be seen.
pub(super) async fn tree(state: &State, proof: &dyn Proof, id: Id<Job>) -> Result<Tree> {
    let mut tree = Tree::default();
    loop {
        let events = events(state, proof, id, tree.last, EVENTS_LIMIT).await?;
        if events.is_empty() {
            return Ok(tree);
        }
        events.iter().for_each(|event| tree.apply(event));
    }
}

/// The events after sequence `after`, in order: at most `limit`, and about 512 KiB of them.
///
/// The caller has made sure that the run may be seen.
///
/// # Errors
/// [`Error::Internal`] when the database does not answer.
pub async fn events(state: &State, proof: &dyn Proof, id: Id<Job>, after: i64, limit: u32) -> Result<Vec<Numbered>> {
    let statement = sql("select sequence, at, event
                         from run_events
                         where run = $1 and sequence > $2
                         order by sequence
                         limit $3");
    let statement = statement.bind(id.to_string()).bind(after).bind(i64::from(limit.clamp(1, EVENTS_LIMIT)));
    let rows = state.db.rows_within(proof, statement, "event", READ_BYTES).await?;
    let read = |row: &Row| {
        Ok(Numbered {
            sequence: row.int("sequence")?,
            at: Timestamp::from_millis(row.int("at")?),
            event: serde_json::from_str(&row.text("event")?).context("reading an event")?,
        })
    };
    Ok(rows.iter().map(read).collect::<anyhow::Result<_>>()?)
}

/// The result that an event holds.
///
/// # Errors
/// [`Error::NotFound`] when there is none, or the run is another customer's.
pub async fn result(state: &State, proof: &dyn Proof, id: Id<Job>, sequence: i64) -> Result<Value> {
    run(state, proof, id).await?;
    let statement = sql("select result from run_events where run = $1 and sequence = $2");
    let row = state.db.row(proof, statement.bind(id.to_string()).bind(sequence)).await?;
    let text = row.map(|row| row.opt_text("result")).transpose()?.flatten().ok_or_else(|| Error::not_found("run"))?;
    Ok(serde_json::from_str(&text).context("reading a result")?)
}

/// What differs between two runs.
///
/// # Errors
/// [`Error::NotFound`] when one of them is not in reach.
pub async fn compare(state: &State, proof: &dyn Proof, before: Id<Job>, after: Id<Job>) -> Result<Vec<Difference>> {
    run(state, proof, before).await?;
    run(state, proof, after).await?;
    Ok(differences(&tree(state, proof, before).await?, &tree(state, proof, after).await?))
}

/// A task by its name and which one of that name it is, on a host.
type Place = (String, usize, String);

/// How a task ended on a host and how long it took, by place, in the order of the tasks.
fn outcomes(tree: &Tree) -> (Vec<Place>, BTreeMap<Place, (TaskState, u64)>) {
    let (mut order, mut outcomes) = (Vec::new(), BTreeMap::new());
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for task in &tree.tasks {
        let which = seen.entry(&task.name).and_modify(|count| *count += 1).or_default();
        for (host, cell) in &task.cells {
            let place = (task.name.clone(), *which, tree.hosts[*host].clone());
            order.push(place.clone());
            outcomes.insert(place, (cell.state, cell.took_ms));
        }
    }
    (order, outcomes)
}

fn differences(before: &Tree, after: &Tree) -> Vec<Difference> {
    let (old_order, old) = outcomes(before);
    let (mut order, new) = outcomes(after);
    order.extend(old_order.into_iter().filter(|place| !new.contains_key(place)));
    let slower = |one: u64, other: u64| one >= other.saturating_mul(2) && one - other >= SLOWER_MS;
    let differs = |place: &Place| match (old.get(place), new.get(place)) {
        (Some((was, old_ms)), Some((is, new_ms))) => was != is || slower(*old_ms, *new_ms) || slower(*new_ms, *old_ms),
        _ => true,
    };
    let differing = order.into_iter().filter(differs);
    differing
        .map(|place| {
            let (was, is) = (old.get(&place), new.get(&place));
            Difference {
                before: was.map(|(state, _)| *state),
                after: is.map(|(state, _)| *state),
                before_ms: was.map_or(0, |(_, took)| *took),
                after_ms: is.map_or(0, |(_, took)| *took),
                task: place.0,
                host: place.2,
            }
        })
        .collect()
}

/// Reads a row of `runs`.
pub(super) fn read(row: &Row) -> anyhow::Result<Run> {
    let time = |name: &str| anyhow::Ok(row.opt_int(name)?.map(Timestamp::from_millis));
    Ok(Run {
        id: row.parsed("id")?,
        customer: row.opt_parsed("customer")?,
        playbook: row.parsed("playbook")?,
        playbook_name: row.text("playbook_name")?,
        revision: row.int("revision")?,
        request: json(row, "request")?,
        target: json(row, "target")?,
        command: row.text("command")?,
        state: row.parsed::<RunState>("state")?,
        reason: row.opt_text("reason")?,
        isolation: row.text("isolation")?,
        ansible: row.opt_text("ansible")?,
        person: row.opt_parsed("person")?,
        person_name: row.text("person_name")?,
        schedule: row.opt_parsed("schedule")?,
        parent: row.opt_parsed("parent")?,
        recap: json(row, "recap")?,
        created_at: Timestamp::from_millis(row.int("created_at")?),
        started_at: time("started_at")?,
        finished_at: time("finished_at")?,
    })
}

/// Reads a column that holds JSON.
fn json<T: serde::de::DeserializeOwned>(row: &Row, name: &str) -> anyhow::Result<T> {
    serde_json::from_str(&row.text(name)?).with_context(|| format!("reading {name}"))
}

/// Writes a new run, and the hosts it is to reach, into the transaction that queues its job.
pub(super) async fn insert(
    transaction: &mut Transaction,
    run: &Run,
    hosts: &[(String, Option<Id<crate::storage::Machine>>)],
) -> anyhow::Result<()> {
    transaction
        .execute(
            sql("insert into runs
                   (id, customer, playbook, playbook_name, revision, request, target, command, state, isolation,
                    person, person_name, schedule, parent, recap, created_at, last_event, events_offset)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, '[]', $15, 0, 0)")
            .bind(run.id.to_string())
            .bind(run.customer.map(|id| id.to_string()))
            .bind(run.playbook.to_string())
            .bind(run.playbook_name.clone())
            .bind(run.revision)
            .bind(json!(run.request).to_string())
            .bind(json!(run.target).to_string())
            .bind(run.command.clone())
            .bind(run.state.name())
            .bind(run.isolation.clone())
            .bind(run.person.map(|id| id.to_string()))
            .bind(run.person_name.clone())
            .bind(run.schedule.map(|id| id.to_string()))
            .bind(run.parent.map(|id| id.to_string()))
            .bind(run.created_at.millis()),
        )
        .await?;
    insert_hosts(transaction, run.id, hosts).await
}

/// Writes the hosts that a run is to reach; those that are known already stay.
pub(super) async fn insert_hosts(
    transaction: &mut Transaction,
    run: Id<Job>,
    hosts: &[(String, Option<Id<crate::storage::Machine>>)],
) -> anyhow::Result<()> {
    for part in hosts.chunks(200) {
        let mut insert = Query::insert();
        insert.into_table(Alias::new("run_hosts")).columns(["run", "host", "machine"].map(Alias::new));
        for (host, machine) in part {
            let machine = machine.map(|id| id.to_string());
            insert.values_panic([run.to_string().into(), host.clone().into(), machine.into()]);
        }
        insert.on_conflict(sea_query::OnConflict::new().do_nothing().to_owned());
        transaction.execute(&mut insert).await?;
    }
    Ok(())
}

/// The hosts that a run is to reach, by name, with their machines.
pub(super) async fn hosts(
    state: &State,
    proof: &dyn Proof,
    run: Id<Job>,
) -> anyhow::Result<BTreeMap<String, Option<Id<crate::storage::Machine>>>> {
    let statement = sql("select host, machine from run_hosts where run = $1").bind(run.to_string());
    let rows = state.db.rows(proof, statement).await?;
    rows.iter().map(|row| Ok((row.text("host")?, row.opt_parsed("machine")?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provisioning::model::RunEvent;

    fn tree(results: &[(&str, &str, TaskState, u64)]) -> Tree {
        let (mut tree, mut sequence, mut number) = (Tree::default(), 0, 0);
        let mut tell = |event| {
            sequence += 1;
            tree.apply(&Numbered { sequence, at: Timestamp::from_millis(sequence), event });
        };
        tell(RunEvent::Play { play: 0, name: "all".to_owned() });
        for (name, host, state, took_ms) in results {
            let (name, host) = ((*name).to_owned(), (*host).to_owned());
            let action = "ping".to_owned();
            tell(RunEvent::Task { task: number, play: 0, name, action, handler: false, path: None });
            let (machine, item, message) = (None, None, None);
            let (state, took_ms) = (*state, *took_ms);
            tell(RunEvent::Result { task: number, host, machine, state, item, took_ms, message, diff: false });
            number += 1;
        }
        tree
    }

    #[test]
    fn tasks_that_ended_otherwise_are_told_of_and_equal_ones_are_not() {
        let before = tree(&[
            ("a", "web", TaskState::Ok, 10),
            ("b", "web", TaskState::Changed, 10),
            ("b", "web", TaskState::Ok, 10),
        ]);
        let after = tree(&[
            ("a", "web", TaskState::Ok, 12),
            ("b", "web", TaskState::Ok, 10),
            ("c", "web", TaskState::Failed, 1),
        ]);

        let told: Vec<_> = differences(&before, &after)
            .into_iter()
            .map(|difference| (difference.task, difference.before, difference.after))
            .collect();

        assert_eq!(
            told,
            [
                ("b".to_owned(), Some(TaskState::Changed), Some(TaskState::Ok)),
                ("c".to_owned(), None, Some(TaskState::Failed)),
                ("b".to_owned(), Some(TaskState::Ok), None),
            ]
        );
    }

    #[test]
    fn a_task_that_became_much_slower_is_told_of() {
        let before = tree(&[("a", "web", TaskState::Ok, 900), ("b", "web", TaskState::Ok, 10)]);
        let after = tree(&[("a", "web", TaskState::Ok, 2500), ("b", "web", TaskState::Ok, 900)]);

        let told = differences(&before, &after);

        assert_eq!(
            told.iter().map(|it| (it.task.as_str(), it.before_ms, it.after_ms)).collect::<Vec<_>>(),
            [("a", 900, 2500)]
        );
    }
}
