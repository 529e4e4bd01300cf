//! What Ansible found out about machines, kept until the next time.

use crate::{
    authentication::server::{Permit, Proof, Reading, Updating},
    error::{Error, Result},
    events::model::Topic,
    i18n::td_string,
    id::Id,
    jobs::model::Job,
    platform::{db::sql, state::State},
    provisioning::machines::{FactDifference, MachineFacts},
    storage::{
        Machine, entry,
        item::{Fields, RawRecord, check::mac, server::store},
    },
    time::Timestamp,
};
use anyhow::Context as _;
use sea_query::{Expr, ExprTrait as _, Query as Build};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr},
};

/// Bytes of facts that are kept of a machine.
const LIMIT: usize = 256 << 10;

/// Machines in one statement, at most.
const PART: usize = 500;

/// Fields of a machine's record that facts tell.
pub const FIELDS: [&str; 7] = ["ipv4", "ipv6", "mac", "netmask", "broadcast", "network", "gateway"];

/// The facts that are kept of these machines.
///
/// # Errors
/// [`Error::Internal`] when the database does not answer.
pub async fn cached(
    state: &State,
    proof: &dyn Proof,
    machines: &[Id<Machine>],
) -> Result<BTreeMap<Id<Machine>, Map<String, Value>>> {
    let mut cached = BTreeMap::new();
    let ids: Vec<String> = machines.iter().map(ToString::to_string).collect();
    for part in ids.chunks(PART) {
        let mut select = Build::select();
        select
            .column(("machine_facts", "machine"))
            .column(("machine_facts", "facts"))
            .from("machine_facts")
            .inner_join("machines", Expr::col(("machines", "id")).equals(("machine_facts", "machine")))
            .and_where(Expr::col(("machine_facts", "machine")).is_in(part.iter().map(String::as_str)));
        if let Some(own) = proof.scope().customer() {
            select.and_where(Expr::col(("machines", "customer")).eq(own.to_string()));
        }
        for row in state.db.rows(proof, select).await? {
            let facts = serde_json::from_str(&row.text("facts")?).context("reading facts")?;
            cached.insert(row.parsed("machine")?, facts);
        }
    }
    Ok(cached)
}

/// Keeps what a run found out about a machine, in place of what was known before. Facts of a machine that is
/// gone are dropped; of too many the largest are.
///
/// # Errors
/// When the database cannot be written.
pub async fn keep(
    state: &State,
    proof: &dyn Proof,
    run: Id<Job>,
    machine: Id<Machine>,
    facts: Map<String, Value>,
) -> anyhow::Result<()> {
    let text = serde_json::to_string(&cut(facts)).context("writing facts")?;
    let mut transaction = state.db.begin(proof).await?;
    let found = transaction.row(sql("select customer from machines where id = $1").bind(machine.to_string())).await?;
    let Some(found) = found else { return Ok(()) };
    let customer = found.opt_parsed("customer")?;
    if !proof.scope().reaches(customer) {
        return Ok(());
    }
    let statement = sql("insert into machine_facts (machine, run, gathered_at, facts)
         values ($1, $2, $3, $4)
         on conflict (machine) do update
           set run = excluded.run, gathered_at = excluded.gathered_at, facts = excluded.facts")
    .bind(machine.to_string())
    .bind(run.to_string())
    .bind(Timestamp::now().millis())
    .bind(text);
    transaction.execute(statement).await?;
    transaction.commit().await?;
    let data = json!({ "id": machine, "action": "facts" });
    state.bus.publish(Topic::Records("machine".to_owned()), customer, data);
    Ok(())
}

/// What is known of a machine; `None` before the first run that gathered facts.
///
/// # Errors
/// [`Error::NotFound`], also for another customer's.
pub async fn view(permit: &Permit<Reading>, machine: Id<Machine>) -> Result<Option<MachineFacts>> {
    let state = &permit.context().state;
    let kind = entry("machine").context("machines are stored")?.kind;
    let record = store::get(state, permit, kind, machine.cast(), false).await?;
    let statement =
        sql("select run, gathered_at, facts from machine_facts where machine = $1").bind(machine.to_string());
    let Some(row) = state.db.row(permit, statement).await? else { return Ok(None) };
    let facts: Map<String, Value> = serde_json::from_str(&row.text("facts")?).context("reading facts")?;
    let differences = differences(&record.item, &facts);
    let gathered_at = Timestamp::from_millis(row.int("gathered_at")?);
    Ok(Some(MachineFacts { run: row.parsed("run")?, gathered_at, facts, differences }))
}

/// Takes what was found into the record: these fields, as if a person had typed them. `revision` is the one
/// that the person looked at; without it the present one is taken.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] when a field does not differ or the values contradict each other;
/// [`Error::Conflict`] when the revision is stale.
pub async fn adopt(
    permit: &Permit<Updating>,
    machine: Id<Machine>,
    fields: &[String],
    revision: Option<i64>,
) -> Result<RawRecord> {
    let context = permit.context();
    let state = &context.state;
    let reading = context.permit::<Reading>("machine")?;
    let kind = entry("machine").context("machines are stored")?.kind;
    let record = store::get(state, &reading, kind, machine.cast(), false).await?;
    let differences = view(&reading, machine).await?.map(|facts| facts.differences).unwrap_or_default();
    let mut input = record.item.clone();
    if fields.is_empty() {
        return Err(Error::invalid("fields", td_string!(permit.locale(), errors.field.required)));
    }
    for field in fields {
        let Some(found) = differences.iter().find(|difference| difference.field == *field) else {
            let message = td_string!(permit.locale(), machines.facts.no_difference, field = field.clone());
            return Err(Error::invalid("fields", message));
        };
        input.insert(field.clone(), found.found.as_str().into());
    }
    input.insert("revision".to_owned(), revision.unwrap_or(record.base.revision).into());
    store::update(state, permit, kind, machine.cast(), input).await
}

/// Where the facts say something else than the record.
fn differences(record: &Fields, facts: &Map<String, Value>) -> Vec<FactDifference> {
    let found = found(facts);
    let mut differences = Vec::new();
    for field in FIELDS {
        let Some(found) = found.get(field) else { continue };
        let recorded = record.get(field).and_then(Value::as_str).map(str::to_owned);
        if recorded.as_ref() != Some(found) {
            differences.push(FactDifference { field: field.to_owned(), recorded, found: found.clone() });
        }
    }
    differences
}

/// What facts say of the fields, in the spelling of the record.
fn found(facts: &Map<String, Value>) -> BTreeMap<&'static str, String> {
    let section = |name: &str| facts.get(&format!("ansible_{name}")).or_else(|| facts.get(name));
    let text = |section: Option<&Value>, name: &str| section?.get(name)?.as_str().map(str::to_owned);
    let (v4, v6) = (section("default_ipv4"), section("default_ipv6"));
    let ipv4 = |name: &str| text(v4, name)?.parse::<Ipv4Addr>().ok().map(|address| address.to_string());
    let mut found = BTreeMap::new();
    let mut put = |field: &'static str, value: Option<String>| drop(value.map(|value| found.insert(field, value)));
    put("ipv4", ipv4("address"));
    put("netmask", ipv4("netmask"));
    put("broadcast", ipv4("broadcast"));
    put("network", ipv4("network"));
    put("gateway", ipv4("gateway"));
    put("ipv6", text(v6, "address").and_then(|it| it.parse::<Ipv6Addr>().ok()).map(|address| address.to_string()));
    put("mac", text(v4, "macaddress").or_else(|| text(v6, "macaddress")).and_then(|text| mac(&text)));
    found
}

/// The facts within the limit: the largest go first.
fn cut(mut facts: Map<String, Value>) -> Map<String, Value> {
    let size = |value: &Value| value.to_string().len();
    let mut sizes: Vec<(usize, String)> =
        facts.iter().map(|(name, value)| (name.len() + size(value) + 4, name.clone())).collect();
    let mut total = 2 + sizes.iter().map(|(size, _)| size).sum::<usize>();
    sizes.sort();
    while total > LIMIT {
        let Some((size, name)) = sizes.pop() else { break };
        facts.shift_remove(&name);
        total -= size;
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::{LIMIT, cut, differences};
    use serde_json::{Map, Value, json};

    fn map(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            other => panic!("{other} is no object"),
        }
    }

    #[test]
    fn facts_are_compared_in_the_spelling_of_the_record() {
        let facts = map(json!({
            "ansible_default_ipv4": {"address": "10.0.0.5", "netmask": "255.255.255.0", "network": "10.0.0.0",
                "broadcast": "10.0.0.255", "gateway": "10.0.0.1", "macaddress": "02:00:00:AA:00:01"},
            "ansible_default_ipv6": {"address": "2001:0db8::0001"},
        }));
        let record =
            map(json!({"ipv4": "10.0.0.5", "mac": "02:00:00:aa:00:01", "ipv6": "2001:db8::1", "netmask": null,
            "gateway": "10.0.0.254"}));

        let found = differences(&record, &facts);

        let named: Vec<_> =
            found.iter().map(|it| (it.field.as_str(), it.recorded.as_deref(), it.found.as_str())).collect();
        let expected = [
            ("netmask", None, "255.255.255.0"),
            ("broadcast", None, "10.0.0.255"),
            ("network", None, "10.0.0.0"),
            ("gateway", Some("10.0.0.254"), "10.0.0.1"),
        ];
        assert_eq!(named, expected);
    }

    #[test]
    fn nonsense_in_facts_is_no_difference() {
        for facts in [
            json!({}),
            json!({"ansible_default_ipv4": {}}),
            json!({"ansible_default_ipv4": {"address": 5, "broadcast": "global", "macaddress": "x"}}),
        ] {
            assert!(differences(&map(json!({"ipv4": "10.0.0.5"})), &map(facts)).is_empty());
        }
    }

    #[test]
    fn of_too_many_facts_the_largest_go() {
        let mut facts = map(json!({"ansible_kernel": "6.1", "ansible_mounts": "x".repeat(LIMIT)}));
        assert_eq!(cut(facts.clone()).keys().collect::<Vec<_>>(), ["ansible_kernel"]);
        facts.shift_remove("ansible_mounts");
        assert_eq!(cut(facts.clone()), facts);
    }
}
