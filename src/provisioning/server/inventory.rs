//! The inventory: what Ansible is told about groups, hosts and their variables.
//!
//! It is JSON, which Ansible's reader of YAML takes, and which can mark texts: whatever people typed is never
//! taken as a template. Names are made safe for Ansible's patterns; `muelle_machine` leads back to the record.

use super::{
    host_keys::Subject,
    sandbox::{self, Question},
    variables,
};
use crate::{
    authentication::server::{Permit, Proof, Reading},
    error::{Error, Result},
    i18n::{Locale, td_string},
    id::Id,
    platform::{db::Row, state::State},
    provisioning::machines::{GroupView, InventoryView},
    storage::{
        Customer, Host, Machine, entry, is_user_name,
        item::{
            check::host_address,
            server::{hooks::Saving, store},
        },
    },
};
use anyhow::Context as _;
use sea_query::{Expr, ExprTrait as _, Query as Build, SelectStatement};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Duration,
};

/// How long Ansible may take to read an inventory back.
const LIMIT: Duration = Duration::from_secs(20);

/// Identifiers in one statement, at most.
const PART: usize = 500;

/// One computer of an inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name in the inventory.
    pub name: String,
    /// The machine it is; `None` for a free address.
    pub machine: Option<Id<Machine>>,
    /// Where it is reached: an IP address or a DNS name.
    pub address: String,
    /// The port of its SSH server; 22 when absent.
    pub port: Option<u16>,
    /// The user to sign in as, where the machine or a group says one.
    pub user: Option<String>,
    /// Whose host key it must show.
    pub subject: Subject,
    /// Whether it is the platform's own machine, which is reached without SSH.
    pub is_local: bool,
}

/// An inventory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inventory {
    /// Every computer in it, once.
    pub targets: Vec<Target>,
    /// The names of its groups.
    pub groups: Vec<String>,
    /// What Ansible reads: JSON, which is YAML too.
    pub document: Value,
}

/// A group as it is stored.
#[derive(Clone, Debug, Default)]
struct Group {
    title: String,
    addresses: Vec<String>,
    variables: Map<String, Value>,
    machines: Vec<Id<Machine>>,
    groups: Vec<Id<Host>>,
}

/// A machine as it is stored.
#[derive(Clone, Debug)]
struct Known {
    title: String,
    is_local: bool,
    address: Option<String>,
    port: Option<u16>,
    user: Option<String>,
}

/// The inventory of these groups, with the groups in them, and these machines; all must be `customer`'s.
///
/// What is disabled or removed is left out of groups, and refused where it was chosen itself.
///
/// # Errors
/// [`Error::Invalid`] at `hosts` or `machines`: something is not there, a machine has no address, groups hold
/// each other, or a variable may not be set.
pub async fn build(
    state: &State,
    proof: &dyn Proof,
    customer: Option<Id<Customer>>,
    hosts: &[Id<Host>],
    machines: &[Id<Machine>],
) -> Result<Inventory> {
    let locale = proof.locale();
    if !proof.scope().reaches(customer) {
        return Err(Error::not_found("customer"));
    }
    let groups = read_groups(state, proof, customer, hosts).await?;
    let wanted: BTreeSet<Id<Machine>> =
        groups.values().flat_map(|group| &group.machines).chain(machines).copied().collect();
    let known = read_machines(state, proof, customer, &wanted.into_iter().collect::<Vec<_>>(), machines).await?;
    Plan { customer, groups: &groups, known: &known, hosts, machines, locale }.lay_out()
}

/// The inventory of one group, as Ansible itself reads it where it is installed.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] as [`build`].
pub async fn view(permit: &Permit<Reading>, host: Id<Host>) -> Result<InventoryView> {
    let state = &permit.context().state;
    let locale = permit.locale();
    let kind = entry("host").context("hosts are stored")?.kind;
    let record = store::get(state, permit, kind, host.cast(), false).await?;
    let inventory = build(state, permit, record.base.customer, &[host], &[]).await?;
    let mut own = own_view(&inventory.document);
    let file = serde_json::to_vec_pretty(&inventory.document).context("writing an inventory")?;
    let question = Question {
        program: "ansible-inventory",
        arguments: ["-i", "inventory.yml", "--list"].map(str::to_owned).to_vec(),
        files: vec![("inventory.yml".to_owned(), file)],
        limit: LIMIT,
        ..Question::default()
    };
    match sandbox::ask(state, locale, question).await {
        Ok(answer) if answer.code == Some(0) => match serde_json::from_str(&answer.stdout) {
            Ok(list) => return Ok(ansible_view(&list)),
            Err(_) => own.note = Some(td_string!(locale, machines.inventory.unreadable).to_owned()),
        },
        Ok(answer) => {
            let said =
                answer.stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned();
            own.note = Some(td_string!(locale, machines.inventory.refused, said = said));
        }
        Err(Error::Unavailable { .. }) => {
            own.note = Some(td_string!(locale, machines.inventory.without_ansible).to_owned());
        }
        Err(other) => return Err(other),
    }
    Ok(own)
}

/// Refuses a group that would hold itself, by whatever way; the sentence names the way.
///
/// # Errors
/// [`Error::Invalid`] at `groups`.
pub async fn refuse_circles(saving: Saving<'_>) -> Result<()> {
    let own = saving.after.base.id.to_string();
    let first: Vec<String> = match saving.after.item.get("groups") {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => return Ok(()),
    };
    // Who led to each group; `None` for those that the record itself names.
    let mut led: HashMap<String, Option<String>> = first.iter().map(|id| (id.clone(), None)).collect();
    let mut front = first;
    while !front.is_empty() && !led.contains_key(&own) {
        let mut next = Vec::new();
        for part in front.chunks(PART) {
            for row in saving.transaction.rows(edges("host_groups", part)).await? {
                let (owner, target) = (row.text("owner")?, row.text("target")?);
                if !led.contains_key(&target) {
                    led.insert(target.clone(), Some(owner));
                    next.push(target);
                }
            }
        }
        front = next;
    }
    if !led.contains_key(&own) {
        return Ok(());
    }
    let mut chain = vec![own.clone()];
    while let Some(Some(owner)) = chain.last().and_then(|last| led.get(last)) {
        chain.push(owner.clone());
    }
    let mut select = Build::select();
    select.columns(["id", "name"]).from("hosts").and_where(Expr::col("id").is_in(chain.iter().map(String::as_str)));
    let mut names = HashMap::new();
    for row in saving.transaction.rows(select).await? {
        names.insert(row.text("id")?, row.text("name")?);
    }
    let title = saving.after.item.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    names.insert(own, title.clone());
    let way = chain.iter().rev().map(|id| names.get(id).map_or(id.as_str(), String::as_str));
    let chain = std::iter::once(title.as_str()).chain(way).collect::<Vec<_>>().join(" → ");
    Err(Error::invalid("groups", td_string!(saving.proof.locale(), machines.host.circle, chain = chain)))
}

fn edges(table: &'static str, owners: &[String]) -> SelectStatement {
    let mut select = Build::select();
    select
        .columns(["owner", "target", "position"])
        .from(table)
        .and_where(Expr::col("owner").is_in(owners.iter().map(String::as_str)))
        .order_by("owner", sea_query::Order::Asc)
        .order_by("position", sea_query::Order::Asc);
    select
}

/// Live records of one customer by their ids.
fn records(
    table: &'static str,
    columns: &[&'static str],
    customer: Option<Id<Customer>>,
    ids: &[String],
) -> SelectStatement {
    let mut select = Build::select();
    select
        .columns(columns.iter().copied())
        .from(table)
        .and_where(Expr::col("id").is_in(ids.iter().map(String::as_str)))
        .and_where(Expr::col("deleted_at").is_null());
    match customer {
        Some(customer) => select.and_where(Expr::col("customer").eq(customer.to_string())),
        None => select.and_where(Expr::col("customer").is_null()),
    };
    select
}

/// The chosen groups and all groups within them.
async fn read_groups(
    state: &State,
    proof: &dyn Proof,
    customer: Option<Id<Customer>>,
    chosen: &[Id<Host>],
) -> Result<BTreeMap<Id<Host>, Group>> {
    let locale = proof.locale();
    let mut groups: BTreeMap<Id<Host>, Group> = BTreeMap::new();
    let mut seen: HashSet<String> = HashSet::new();
    let mut front: Vec<String> = chosen.iter().map(ToString::to_string).collect();
    let mut disabled = HashMap::new();
    while !front.is_empty() {
        front.retain(|id| seen.insert(id.clone()));
        let mut next = Vec::new();
        for part in front.chunks(PART) {
            let columns = ["id", "name", "enabled", "addresses", "variables"];
            for row in state.db.rows(proof, records("hosts", &columns, customer, part)).await? {
                let (id, title): (Id<Host>, String) = (row.parsed("id")?, row.text("name")?);
                if !row.bool("enabled")? {
                    disabled.insert(id, title);
                    continue;
                }
                let addresses = serde_json::from_str(&row.text("addresses")?).context("reading addresses")?;
                let text = row.opt_text("variables")?.unwrap_or_default();
                let variables = variables::read(&text, locale).map_err(|message| {
                    let message =
                        td_string!(locale, machines.inventory.variables, name = title.clone(), message = message);
                    Error::invalid("hosts", message)
                })?;
                groups.insert(id, Group { title, addresses, variables, ..Group::default() });
            }
            for row in state.db.rows(proof, edges("host_machines", part)).await? {
                if let Some(group) = groups.get_mut(&row.parsed("owner")?) {
                    group.machines.push(row.parsed("target")?);
                }
            }
            for row in state.db.rows(proof, edges("host_groups", part)).await? {
                if let Some(group) = groups.get_mut(&row.parsed("owner")?) {
                    group.groups.push(row.parsed("target")?);
                    next.push(row.text("target")?);
                }
            }
        }
        front = next;
    }
    for id in chosen {
        if let Some(name) = disabled.remove(id) {
            return Err(Error::invalid("hosts", td_string!(locale, machines.inventory.disabled, name = name)));
        }
        if !groups.contains_key(id) {
            return Err(missing("host", "hosts", &id.to_string(), locale));
        }
    }
    let there: BTreeSet<Id<Host>> = groups.keys().copied().collect();
    groups.values_mut().for_each(|group| group.groups.retain(|id| there.contains(id)));
    Ok(groups)
}

/// The machines that are there and enabled; a chosen one must be.
async fn read_machines(
    state: &State,
    proof: &dyn Proof,
    customer: Option<Id<Customer>>,
    wanted: &[Id<Machine>],
    chosen: &[Id<Machine>],
) -> Result<BTreeMap<Id<Machine>, Known>> {
    let locale = proof.locale();
    let mut known = BTreeMap::new();
    let mut disabled = HashMap::new();
    let ids: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    for part in ids.chunks(PART) {
        let columns = ["id", "name", "enabled", "type", "ipv4", "ipv6", "ssh_port", "ssh_user"];
        for row in state.db.rows(proof, records("machines", &columns, customer, part)).await? {
            let id: Id<Machine> = row.parsed("id")?;
            if row.bool("enabled")? {
                known.insert(id, read_machine(&row, customer)?);
            } else {
                disabled.insert(id, row.text("name")?);
            }
        }
    }
    for id in chosen {
        if let Some(name) = disabled.remove(id) {
            return Err(Error::invalid("machines", td_string!(locale, machines.inventory.disabled, name = name)));
        }
        if !known.contains_key(id) {
            return Err(missing("machine", "machines", &id.to_string(), locale));
        }
    }
    Ok(known)
}

fn read_machine(row: &Row, customer: Option<Id<Customer>>) -> anyhow::Result<Known> {
    let port = row.opt_int("ssh_port")?.and_then(|port| u16::try_from(port).ok());
    Ok(Known {
        title: row.text("name")?,
        is_local: customer.is_none() && row.text("type")? == "local",
        address: match row.opt_text("ipv4")? {
            Some(address) => Some(address),
            None => row.opt_text("ipv6")?,
        },
        port,
        user: row.opt_text("ssh_user")?,
    })
}

fn missing(kind: &str, field: &str, id: &str, locale: Locale) -> Error {
    let kind = entry(kind).map_or(kind, |entry| (entry.kind.one)(locale));
    Error::invalid(field, td_string!(locale, errors.field.missing, kind = kind, id = id.to_owned()))
}

/// Everything an inventory is made of, read and not yet laid out.
struct Plan<'a> {
    customer: Option<Id<Customer>>,
    groups: &'a BTreeMap<Id<Host>, Group>,
    known: &'a BTreeMap<Id<Machine>, Known>,
    hosts: &'a [Id<Host>],
    machines: &'a [Id<Machine>],
    locale: Locale,
}

/// One host of an inventory that has no name yet.
struct Draft {
    title: String,
    machine: Option<Id<Machine>>,
    address: String,
    port: Option<u16>,
    user: Option<String>,
    is_local: bool,
    /// The groups it stands in itself, by their order.
    groups: Vec<usize>,
}

impl Plan<'_> {
    fn lay_out(&self) -> Result<Inventory> {
        let order = self.order()?;
        let place: HashMap<Id<Host>, usize> = order.iter().enumerate().map(|(place, (id, _))| (*id, place)).collect();
        let names = group_names(order.iter().map(|(id, _)| self.groups[id].title.as_str()));
        let drafts = self.drafts(&order)?;
        let host_names = host_names(&drafts);

        let mut targets = Vec::new();
        let mut group_hosts: Vec<Map<String, Value>> = vec![Map::new(); order.len()];
        let mut single = Map::new();
        for (draft, name) in drafts.into_iter().zip(host_names) {
            let above = self.above(&draft.groups, &order, &place, &names);
            let of_group = |variable: &str| {
                above.iter().rev().find_map(|place| self.groups[&order[*place].0].variables.get(variable))
            };
            let port = draft.port.or_else(|| of_group("ansible_port").and_then(port_of));
            let user =
                draft.user.clone().or_else(|| of_group("ansible_user").and_then(Value::as_str).map(str::to_owned));
            let subject = match draft.machine {
                Some(id) => Subject::Machine(id),
                None => Subject::Address {
                    customer: self.customer,
                    address: draft.address.clone(),
                    port: port.unwrap_or(22),
                },
            };
            let mut values = Map::new();
            if draft.is_local {
                values.insert("ansible_connection".to_owned(), "local".into());
            } else {
                values.insert("ansible_host".to_owned(), variables::mark(&draft.address.as_str().into()));
                if let Some(port) = draft.port {
                    values.insert("ansible_port".to_owned(), port.into());
                }
                if let Some(user) = &draft.user {
                    values.insert("ansible_user".to_owned(), variables::mark(&user.as_str().into()));
                }
                let alias = format!("-o HostKeyAlias={}", subject.alias());
                values.insert("ansible_ssh_extra_args".to_owned(), alias.into());
            }
            if let Some(id) = draft.machine {
                values.insert("muelle_machine".to_owned(), id.to_string().into());
            }
            match draft.groups.split_first() {
                None => drop(single.insert(name.clone(), Value::Object(values))),
                Some((first, others)) => {
                    group_hosts[*first].insert(name.clone(), Value::Object(values));
                    for other in others {
                        group_hosts[*other].insert(name.clone(), json!({}));
                    }
                }
            }
            let Draft { machine, address, is_local, .. } = draft;
            targets.push(Target { name, machine, address, port, user, subject, is_local });
        }

        let mut children = Map::new();
        for (((id, _), name), hosts) in order.iter().zip(&names).zip(group_hosts) {
            let group = &self.groups[id];
            let mut entry = Map::new();
            entry.insert("hosts".to_owned(), Value::Object(hosts));
            if !group.groups.is_empty() {
                let inner = group.groups.iter().filter_map(|id| place.get(id));
                let inner = inner.map(|place| (names[*place].clone(), json!({}))).collect();
                entry.insert("children".to_owned(), Value::Object(inner));
            }
            if !group.variables.is_empty() {
                entry.insert("vars".to_owned(), variables::mark(&Value::Object(group.variables.clone())));
            }
            children.insert(name.clone(), Value::Object(entry));
        }
        let mut all = Map::new();
        all.insert("children".to_owned(), Value::Object(children));
        if !single.is_empty() {
            all.insert("hosts".to_owned(), Value::Object(single));
        }
        Ok(Inventory { targets, groups: names, document: json!({ "all": all }) })
    }

    /// The groups, each once, with their depth: the longest way from a group that was chosen.
    fn order(&self) -> Result<Vec<(Id<Host>, usize)>> {
        let mut depths: BTreeMap<Id<Host>, usize> = BTreeMap::new();
        let mut order = Vec::new();
        let mut way = Vec::new();
        for id in self.hosts {
            self.descend(*id, &mut way, &mut depths, &mut order)?;
        }
        Ok(order.into_iter().map(|id| (id, depths[&id])).collect())
    }

    fn descend(
        &self,
        id: Id<Host>,
        way: &mut Vec<Id<Host>>,
        depths: &mut BTreeMap<Id<Host>, usize>,
        order: &mut Vec<Id<Host>>,
    ) -> Result<()> {
        if let Some(start) = way.iter().position(|above| *above == id) {
            let names = way[start..].iter().chain([&id]).map(|id| self.groups[id].title.as_str());
            let chain = names.collect::<Vec<_>>().join(" → ");
            return Err(Error::invalid("hosts", td_string!(self.locale, machines.host.circle, chain = chain)));
        }
        let depth = way.len();
        match depths.get(&id) {
            // Its groups have been laid out from as deep already.
            Some(known) if *known >= depth => return Ok(()),
            Some(_) => {}
            None => order.push(id),
        }
        depths.insert(id, depth);
        way.push(id);
        for inner in &self.groups[&id].groups {
            self.descend(*inner, way, depths, order)?;
        }
        way.pop();
        Ok(())
    }

    /// The groups above a host, the nearest last: as Ansible merges their variables.
    fn above(
        &self,
        own: &[usize],
        order: &[(Id<Host>, usize)],
        place: &HashMap<Id<Host>, usize>,
        names: &[String],
    ) -> Vec<usize> {
        let mut above: BTreeSet<usize> = own.iter().copied().collect();
        loop {
            let more: Vec<usize> = (0..order.len())
                .filter(|group| !above.contains(group))
                .filter(|group| {
                    self.groups[&order[*group].0]
                        .groups
                        .iter()
                        .any(|id| place.get(id).is_some_and(|it| above.contains(it)))
                })
                .collect();
            if more.is_empty() {
                break;
            }
            above.extend(more);
        }
        let mut above: Vec<usize> = above.into_iter().collect();
        above.sort_by(|a, b| (order[*a].1, &names[*a]).cmp(&(order[*b].1, &names[*b])));
        above
    }

    /// Every computer once, with the groups it stands in.
    fn drafts(&self, order: &[(Id<Host>, usize)]) -> Result<Vec<Draft>> {
        let mut drafts: Vec<Draft> = Vec::new();
        let mut machines: HashMap<Id<Machine>, usize> = HashMap::new();
        let mut addresses: HashMap<String, usize> = HashMap::new();
        for (group, (id, _)) in order.iter().enumerate() {
            for machine in &self.groups[id].machines {
                let Some(known) = self.known.get(machine) else { continue };
                let place = match machines.get(machine) {
                    Some(place) => *place,
                    None => {
                        drafts.push(self.of_machine(*machine, known, "hosts")?);
                        machines.insert(*machine, drafts.len() - 1);
                        drafts.len() - 1
                    }
                };
                drafts[place].groups.push(group);
            }
            for text in &self.groups[id].addresses {
                let Some(address) = host_address(text) else {
                    let message = td_string!(self.locale, errors.field.address, address = text.clone());
                    return Err(Error::invalid("hosts", message));
                };
                let place = *addresses.entry(address.clone()).or_insert_with(|| {
                    let (machine, port, user) = (None, None, None);
                    let title = address.clone();
                    drafts.push(Draft { title, machine, address, port, user, is_local: false, groups: Vec::new() });
                    drafts.len() - 1
                });
                drafts[place].groups.push(group);
            }
        }
        for machine in self.machines {
            if let Some(known) = self.known.get(machine)
                && !machines.contains_key(machine)
            {
                drafts.push(self.of_machine(*machine, known, "machines")?);
                machines.insert(*machine, drafts.len() - 1);
            }
        }
        Ok(drafts)
    }

    fn of_machine(&self, id: Id<Machine>, known: &Known, field: &str) -> Result<Draft> {
        let name = known.title.clone();
        let address = match &known.address {
            Some(address) => address.clone(),
            None if known.is_local => "localhost".to_owned(),
            None => {
                return Err(Error::invalid(field, td_string!(self.locale, machines.inventory.no_address, name = name)));
            }
        };
        if known.user.as_deref().is_some_and(|user| !is_user_name(user)) {
            return Err(Error::invalid(field, td_string!(self.locale, machines.inventory.user, name = name)));
        }
        Ok(Draft {
            title: name,
            machine: Some(id),
            address,
            port: known.port,
            user: known.user.clone(),
            is_local: known.is_local,
            groups: Vec::new(),
        })
    }
}

/// A port as YAML may hold it: a number, or a text of digits.
fn port_of(value: &Value) -> Option<u16> {
    match value {
        Value::Number(number) => number.as_u64().and_then(|port| u16::try_from(port).ok()),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|port| *port > 0)
}

/// Names of groups that Ansible takes without a warning: letters, digits and underscores, no digit first.
fn group_names<'a>(titles: impl Iterator<Item = &'a str>) -> Vec<String> {
    let is_plain = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !text.starts_with(|first: char| first.is_ascii_digit())
    };
    let clean = |title: &str| {
        let name = replaced(title, '_', |letter| letter.is_ascii_alphanumeric() || letter == '_');
        if name.starts_with(|first: char| first.is_ascii_digit()) { format!("_{name}") } else { name }
    };
    named(titles.collect(), &["all", "ungrouped"], "group", '_', is_plain, clean)
}

/// Names of hosts that mean themselves in Ansible's patterns.
fn host_names(drafts: &[Draft]) -> Vec<String> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-');
    let is_plain = |text: &str| text.chars().all(fits) && text.starts_with(|first: char| first.is_ascii_alphanumeric());
    let clean = |title: &str| {
        let name = replaced(title, '-', fits);
        name.trim_start_matches(|first: char| !first.is_ascii_alphanumeric()).to_owned()
    };
    let titles = drafts.iter().map(|draft| draft.title.as_str()).collect();
    // A task that is delegated to localhost means the controller.
    named(titles, &["all", "ungrouped", "localhost"], "host", '-', is_plain, clean)
}

fn replaced(title: &str, with: char, fits: impl Fn(char) -> bool) -> String {
    let name: String = title.chars().map(|letter| if fits(letter) { letter } else { with }).collect();
    let mut short = String::new();
    for letter in name.chars() {
        if letter != with || !short.ends_with(with) {
            short.push(letter);
        }
    }
    short.trim_matches(with).to_owned()
}

/// A name for each title: the title where it is plain, a cleaned one with a number where that is taken otherwise.
fn named(
    titles: Vec<&str>,
    reserved: &[&str],
    nameless: &str,
    separator: char,
    is_plain: impl Fn(&str) -> bool,
    clean: impl Fn(&str) -> String,
) -> Vec<String> {
    let is_free = |title: &str| !title.is_empty() && is_plain(title) && !reserved.contains(&title);
    let mut taken: HashSet<String> = HashSet::new();
    // Plain titles come first, so that no cleaned one takes their name.
    let mut names: Vec<Option<String>> = titles
        .iter()
        .map(|title| (is_free(title) && taken.insert((*title).to_owned())).then(|| (*title).to_owned()))
        .collect();
    for (title, name) in titles.iter().zip(&mut names) {
        if name.is_some() {
            continue;
        }
        let mut base = clean(title);
        if base.is_empty() {
            nameless.clone_into(&mut base);
        }
        let mut candidate = base.clone();
        let mut number = 1;
        while reserved.contains(&candidate.as_str()) || !taken.insert(candidate.clone()) {
            number += 1;
            candidate = format!("{base}{separator}{number}");
        }
        *name = Some(candidate);
    }
    names.into_iter().flatten().collect()
}

/// What `ansible-inventory --list` says.
fn ansible_view(list: &Value) -> InventoryView {
    let names = |value: &Value| -> Vec<String> {
        let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut view = InventoryView { by_ansible: true, ..InventoryView::default() };
    for (name, group) in list.as_object().into_iter().flatten() {
        if name == "_meta" {
            for (host, values) in group["hostvars"].as_object().into_iter().flatten() {
                view.hosts.insert(host.clone(), readable(values));
            }
        } else if name != "all" {
            let group = GroupView { hosts: names(&group["hosts"]), children: names(&group["children"]) };
            view.groups.insert(name.clone(), group);
        }
    }
    finished(view)
}

/// What Ansible would make of our document.
fn own_view(document: &Value) -> InventoryView {
    let keys = |value: &Value| -> Vec<String> {
        value.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
    };
    let mut view = InventoryView::default();
    let mut own: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut variables: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut take = |hosts: &Value| {
        for (host, values) in hosts.as_object().into_iter().flatten() {
            own.entry(host.clone()).or_default().extend(readable(values));
        }
    };
    take(&document["all"]["hosts"]);
    for (name, group) in document["all"]["children"].as_object().into_iter().flatten() {
        take(&group["hosts"]);
        variables.insert(name.clone(), readable(&group["vars"]));
        view.groups
            .insert(name.clone(), GroupView { hosts: keys(&group["hosts"]), children: keys(&group["children"]) });
    }
    let single = keys(&document["all"]["hosts"]);
    if !single.is_empty() {
        view.groups.insert("ungrouped".to_owned(), GroupView { hosts: single, children: Vec::new() });
    }
    let mut view = finished(view);
    let mut depths: BTreeMap<String, usize> = BTreeMap::new();
    let mut open: Vec<(String, usize)> = view.roots.iter().map(|name| (name.clone(), 0)).collect();
    while let Some((name, depth)) = open.pop() {
        if depths.get(&name).is_some_and(|known| *known >= depth) {
            continue;
        }
        open.extend(view.groups[&name].children.iter().map(|child| (child.clone(), depth + 1)));
        depths.insert(name, depth);
    }
    let mut order: Vec<(usize, String)> = depths.into_iter().map(|(name, depth)| (depth, name)).collect();
    order.sort();
    for (host, values) in own {
        let mut merged = Map::new();
        for (_, group) in &order {
            if holds(&view, group, &host) {
                merged.extend(variables.get(group).cloned().unwrap_or_default());
            }
        }
        merged.extend(values);
        view.hosts.insert(host, merged);
    }
    view
}

fn holds(view: &InventoryView, group: &str, host: &str) -> bool {
    view.groups.get(group).is_some_and(|group| {
        group.hosts.iter().any(|name| name == host) || group.children.iter().any(|child| holds(view, child, host))
    })
}

/// Names the groups that are in no other, and every host even where it has no variables.
fn finished(mut view: InventoryView) -> InventoryView {
    let inner: BTreeSet<&String> = view.groups.values().flat_map(|group| &group.children).collect();
    let is_shown =
        |name: &&String| !inner.contains(name) && (*name != "ungrouped" || !view.groups[*name].hosts.is_empty());
    view.roots = view.groups.keys().filter(is_shown).cloned().collect();
    for host in view.groups.values().flat_map(|group| &group.hosts) {
        view.hosts.entry(host.clone()).or_default();
    }
    view
}

fn readable(values: &Value) -> Map<String, Value> {
    match variables::unmark(values) {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Group, Inventory, Known, Plan, ansible_view, own_view};
    use crate::{
        error::{Error, Result},
        i18n::Locale,
        id::Id,
        provisioning::server::{host_keys::Subject, variables},
        storage::{Customer, Host, Machine},
    };
    use serde_json::{Value, json};
    use std::collections::BTreeMap;

    /// What is stored of one customer, and how it is laid out.
    #[derive(Default)]
    struct Stored {
        customer: Option<Id<Customer>>,
        groups: BTreeMap<Id<Host>, Group>,
        known: BTreeMap<Id<Machine>, Known>,
    }

    impl Stored {
        fn machine(&mut self, title: &str, address: &str) -> Id<Machine> {
            let id = Id::new();
            let address = (!address.is_empty()).then(|| address.to_owned());
            let known = Known { title: title.to_owned(), is_local: false, address, port: None, user: None };
            self.known.insert(id, known);
            id
        }

        fn group(&mut self, title: &str, machines: &[Id<Machine>], addresses: &[&str]) -> Id<Host> {
            let id = Id::new();
            let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
            let (title, machines) = (title.to_owned(), machines.to_vec());
            self.groups.insert(id, Group { title, machines, addresses, ..Group::default() });
            id
        }

        fn within(&mut self, outer: Id<Host>, inner: Id<Host>) {
            self.groups.get_mut(&outer).expect("it was made").groups.push(inner);
        }

        fn variables(&mut self, group: Id<Host>, yaml: &str) {
            let read = variables::read(yaml, Locale::en).expect("the test writes variables");
            self.groups.get_mut(&group).expect("it was made").variables = read;
        }

        fn lay_out(&self, hosts: &[Id<Host>], machines: &[Id<Machine>]) -> Result<Inventory> {
            let Self { customer, groups, known } = self;
            Plan { customer: *customer, groups, known, hosts, machines, locale: Locale::en }.lay_out()
        }
    }

    fn names(inventory: &Inventory) -> Vec<&str> {
        inventory.targets.iter().map(|target| target.name.as_str()).collect()
    }

    #[test]
    fn a_machine_in_two_groups_is_one_host() {
        let mut stored = Stored::default();
        let machine = stored.machine("db-1", "10.0.0.5");
        let groups =
            [stored.group("web", &[machine], &["a.example.org"]), stored.group("db", &[machine], &["a.example.org"])];

        let inventory = stored.lay_out(&groups, &[machine]).expect("it can be laid out");

        assert_eq!(names(&inventory), ["db-1", "a.example.org"]);
        let groups = &inventory.document["all"]["children"];
        assert_eq!(groups["web"]["hosts"]["db-1"]["muelle_machine"], machine.to_string());
        assert_eq!(groups["web"]["hosts"]["db-1"]["ansible_host"], json!({"__ansible_unsafe": "10.0.0.5"}));
        let alias = format!("-o HostKeyAlias=machine-{machine}");
        assert_eq!(groups["web"]["hosts"]["db-1"]["ansible_ssh_extra_args"], alias);
        assert_eq!(groups["db"]["hosts"]["db-1"], json!({}));
        assert_eq!(inventory.document["all"]["hosts"], Value::Null);
    }

    #[test]
    fn single_machines_stand_beside_the_groups() {
        let mut stored = Stored::default();
        let machine = stored.machine("db-1", "2001:db8::1");

        let inventory = stored.lay_out(&[], &[machine, machine]).expect("it can be laid out");

        assert_eq!(names(&inventory), ["db-1"]);
        assert_eq!(inventory.document["all"]["hosts"]["db-1"]["muelle_machine"], machine.to_string());
    }

    #[test]
    fn a_machine_without_an_address_is_named() {
        let mut stored = Stored::default();
        let machine = stored.machine("printer", "");
        let group = stored.group("web", &[machine], &[]);

        for (refused, field) in
            [(stored.lay_out(&[group], &[]), "hosts"), (stored.lay_out(&[], &[machine]), "machines")]
        {
            let Err(Error::Invalid { problems }) = refused else { panic!("it has no address") };
            assert_eq!(problems[0].field, field);
            assert!(problems[0].message.contains("printer"), "{}", problems[0].message);
        }
    }

    #[test]
    fn names_are_safe_for_ansible_and_unique() {
        let mut stored = Stored::default();
        let titles = [
            "db-1",
            "db 1",
            "db!1",
            "all",
            "-x",
            "@file",
            "/etc",
            "localhost",
            "Größe",
            "***",
            "a[0:9]",
            "{{ x }}",
            "db:22",
        ];
        let machines: Vec<_> = titles.iter().map(|title| stored.machine(title, "10.0.0.5")).collect();
        let groups: Vec<_> = ["web", "web-1", "web 1", "9lives", "all", "ungrouped", "ü", "~x", "{{ x }}"]
            .iter()
            .map(|title| stored.group(title, &[], &[]))
            .collect();
        let more = stored.group("v6", &machines, &["2001:db8::1"]);

        let inventory = stored.lay_out(&[groups, vec![more]].concat(), &[]).expect("it can be laid out");

        let expected = [
            "db-1",
            "db-1-2",
            "db-1-3",
            "all-2",
            "x",
            "file",
            "etc",
            "localhost-2",
            "Gr-e",
            "host",
            "a-0-9",
            "x-2",
            "db-22",
            "2001-db8-1",
        ];
        assert_eq!(names(&inventory), expected);
        let expected = ["web", "web_1", "web_1_2", "_9lives", "all_2", "ungrouped_2", "group", "x", "x_2", "v6"];
        assert_eq!(inventory.groups, expected);
    }

    #[test]
    fn groups_hold_groups_and_no_circle() {
        let mut stored = Stored::default();
        let machine = stored.machine("db-1", "10.0.0.5");
        let (outer, inner) = (stored.group("outer", &[], &[]), stored.group("inner", &[machine], &[]));
        stored.within(outer, inner);

        let inventory = stored.lay_out(&[outer], &[]).expect("it can be laid out");
        assert_eq!(inventory.document["all"]["children"]["outer"]["children"], json!({"inner": {}}));
        assert_eq!(inventory.groups, ["outer", "inner"]);

        stored.within(inner, outer);
        let refused = stored.lay_out(&[outer], &[]).expect_err("they hold each other");
        assert!(refused.to_string().contains("outer → inner → outer"), "{refused}");
    }

    #[test]
    fn the_nearest_group_says_port_and_user() {
        let mut stored = Stored { customer: Some(Id::new()), ..Stored::default() };
        let (outer, inner) = (stored.group("outer", &[], &["10.0.0.8"]), stored.group("inner", &[], &["10.0.0.9"]));
        stored.within(outer, inner);
        stored.variables(outer, "ansible_port: 2200\nansible_user: deploy\n");
        stored.variables(inner, "ansible_port: '2222'\n");

        let inventory = stored.lay_out(&[outer], &[]).expect("it can be laid out");

        let [far, near] = inventory.targets.as_slice() else { panic!("there are two") };
        assert_eq!((far.port, near.port, near.user.as_deref()), (Some(2200), Some(2222), Some("deploy")));
        let expected = Subject::Address { customer: stored.customer, address: "10.0.0.9".to_owned(), port: 2222 };
        assert_eq!(near.subject, expected);
    }

    #[test]
    fn only_the_platforms_own_machine_is_reached_without_ssh() {
        let mut stored = Stored::default();
        let id = stored.machine("here", "");
        stored.known.get_mut(&id).expect("it was made").is_local = true;

        let inventory = stored.lay_out(&[], &[id]).expect("it can be laid out");

        assert_eq!(inventory.document["all"]["hosts"]["here"]["ansible_connection"], "local");
        assert!(inventory.targets[0].is_local);
    }

    #[test]
    fn nothing_that_people_typed_is_a_template() {
        let payloads = [
            "{{ lookup('pipe', 'touch /tmp/x') }}",
            "{% if true %}x{% endif %}",
            "{{ '}}' }}{{ 1 }}",
            "@/etc/passwd",
            "-oProxyCommand=id",
            "/etc/passwd",
            "$(id)",
            "`id`",
            "x\" -o ProxyCommand=id",
        ];
        for payload in payloads {
            let mut stored = Stored::default();
            let machine = stored.machine(payload, "10.0.0.5");
            let group = stored.group(payload, &[machine], &[]);
            let yaml =
                serde_json::to_string(&json!({"a": payload, "b": [payload], "c": {"d": payload}})).expect("JSON");
            stored.variables(group, &yaml);

            let inventory = stored.lay_out(&[group], &[]).expect("it can be laid out");

            assert_eq!(loose(&inventory.document, payload), 0, "{}", inventory.document);
            let names = inventory.targets.iter().map(|target| &target.name).chain(&inventory.groups);
            for name in names {
                assert!(name.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_'), "{name}");
                assert!(!name.contains(['{', '}', '$', '`', ' ', '"']), "{name}");
            }
            stored.known.get_mut(&machine).expect("it was made").user = Some(payload.to_owned());
            assert!(stored.lay_out(&[group], &[]).is_err(), "{payload} is no user");
        }
    }

    /// Places where a text stands that Ansible would take as a template.
    fn loose(value: &Value, payload: &str) -> usize {
        match value {
            Value::String(text) => usize::from(text.contains(payload)),
            Value::Array(list) => list.iter().map(|value| loose(value, payload)).sum(),
            Value::Object(map) if map.len() == 1 && map.contains_key("__ansible_unsafe") => 0,
            Value::Object(map) => {
                map.iter().map(|(key, value)| usize::from(key.contains(payload)) + loose(value, payload)).sum()
            }
            _ => 0,
        }
    }

    #[test]
    fn our_own_view_is_the_one_of_ansible() {
        let mut stored = Stored::default();
        let machine = stored.machine("db-1", "10.0.0.5");
        let (outer, inner) = (stored.group("outer", &[], &["10.0.0.8"]), stored.group("inner", &[machine], &[]));
        stored.within(outer, inner);
        stored.variables(outer, "a: outer\nb: '{{ x }}'\n");
        stored.variables(inner, "a: inner\n");
        let inventory = stored.lay_out(&[outer], &[]).expect("it can be laid out");
        let alias = format!("-o HostKeyAlias=machine-{machine}");
        // As ansible-inventory 2.19 answers to that document.
        let list = json!({
            "_meta": {"hostvars": {
                "db-1": {"a": {"__ansible_unsafe": "inner"}, "ansible_host": {"__ansible_unsafe": "10.0.0.5"},
                    "ansible_ssh_extra_args": alias, "b": {"__ansible_unsafe": "{{ x }}"}, "muelle_machine": machine},
                "10.0.0.8": {"a": {"__ansible_unsafe": "outer"}, "ansible_host": {"__ansible_unsafe": "10.0.0.8"},
                    "ansible_ssh_extra_args": "-o HostKeyAlias=address-platform-10.0.0.8-22", "b": {"__ansible_unsafe": "{{ x }}"}},
            }, "profile": "inventory_legacy"},
            "all": {"children": ["ungrouped", "outer"]},
            "outer": {"hosts": ["10.0.0.8"], "children": ["inner"]},
            "inner": {"hosts": ["db-1"]},
        });

        let (own, by_ansible) = (own_view(&inventory.document), ansible_view(&list));

        assert_eq!((&own.groups, &own.roots), (&by_ansible.groups, &by_ansible.roots));
        assert_eq!(serde_json::to_value(&own.hosts).ok(), serde_json::to_value(&by_ansible.hosts).ok());
        assert_eq!(own.hosts["db-1"]["a"], "inner");
    }
}
