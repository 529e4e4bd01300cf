//! From a request to an order: everything is checked before it is queued, and again when it begins.

use super::{
    credentials::{self, Opened, Secret},
    facts, host_keys,
    inventory::{self, Inventory},
    limit::{self, Names},
    options::{self, Variables},
    project,
    requirements::{self, Requirements},
    seal, store, survey,
    workspace::{Limits, Order},
};
use crate::{
    authentication::server::{Context, Operating, Permit, Proof, Reading},
    error::{Error, Problem, Result},
    events::model::Topic,
    i18n::td_string,
    id::Id,
    jobs::{
        model::Job,
        server::{self as jobs, NewJob, store::MASK},
    },
    platform::state::State,
    provisioning::model::{AnswerKind, Preview, Run, RunRequest, RunState},
    storage::{
        Machine, Playbook, Schedule,
        item::{Fields, Item as _, Record, calls, server::audit, server::store as records},
    },
    time::Timestamp,
};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use zeroize::Zeroizing;

/// The kind of the jobs that run playbooks.
pub(super) const KIND: &str = "run.playbook";
/// The greatest number of groups, machines and credentials in one request.
const MOST: usize = 1000;
/// Names that a job's title lists.
const TITLE_NAMES: usize = 3;

/// See [`crate::provisioning::api::preview_run`].
///
/// # Errors
/// [`Error::Invalid`] with every wrong value.
pub async fn preview(permit: &Permit<Operating>, request: &RunRequest) -> Result<Preview> {
    let plan = plan(permit.context(), request).await?;
    let warnings = plan.warnings(&permit.context().state, permit).await?;
    Ok(Preview { command: plan.command, hosts: plan.reached, warnings })
}

/// See [`crate::provisioning::api::start_run`]; `schedule` is what caused it.
///
/// # Errors
/// [`Error::Invalid`] with every wrong value; [`Error::Unavailable`] when Ansible is missing.
pub async fn start(permit: &Permit<Operating>, request: RunRequest, schedule: Option<Id<Schedule>>) -> Result<Id<Job>> {
    queue(permit, &request, schedule, None).await
}

/// See [`crate::provisioning::api::run_again`].
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] when it is under way still or no host ended badly; [`Error::Invalid`].
pub async fn again(permit: &Permit<Operating>, id: Id<Job>, failed_only: bool) -> Result<Id<Job>> {
    let (state, locale) = (&permit.context().state, permit.locale());
    let run = store::run(state, permit, id).await?;
    if !run.state.is_finished() {
        return Err(Error::conflict(td_string!(locale, runs.again_running)));
    }
    let mut request = run.request.clone();
    if failed_only {
        let well: BTreeSet<&str> = run
            .recap
            .iter()
            .filter(|host| !host.is_bad() && run.has_told_of(host))
            .map(|it| it.host.as_str())
            .collect();
        let open = request.clone();
        let inventory = build(permit.context(), playbook(permit.context(), open.playbook).await?.base.customer, &open);
        let still_there: BTreeSet<String> = inventory.await?.targets.into_iter().map(|target| target.name).collect();
        let hosts = store::hosts(state, permit, id).await?;
        let bad: Vec<String> =
            hosts.into_keys().filter(|host| !well.contains(host.as_str()) && still_there.contains(host)).collect();
        if bad.is_empty() {
            return Err(Error::conflict(td_string!(locale, runs.again_nobody)));
        }
        request.options.limit = bad.join(",");
    }
    let masked = request.options.variables.iter().filter(|(_, value)| **value == MASK);
    let problems: Vec<_> = masked
        .map(|(name, _)| {
            Problem::at(format!("options.variables.{name}"), td_string!(locale, runs.problem.answer_again))
        })
        .collect();
    if !problems.is_empty() {
        return Err(Error::Invalid { problems });
    }
    queue(permit, &request, None, Some(id)).await
}

impl Run {
    /// Whether what came of a host is known to the end: a run that was cut off says so of no host that it was on.
    fn has_told_of(&self, host: &crate::provisioning::model::HostRecap) -> bool {
        let is_whole = !matches!(self.state, RunState::Cancelled | RunState::TimedOut | RunState::Lost);
        is_whole && host.ok + host.skipped + host.ignored + host.rescued > 0
    }
}

/// Puts a run and its job into the queue, in one transaction.
async fn queue(
    permit: &Permit<Operating>,
    request: &RunRequest,
    schedule: Option<Id<Schedule>>,
    parent: Option<Id<Job>>,
) -> Result<Id<Job>> {
    let (state, locale) = (&permit.context().state, permit.locale());
    let plan = plan(permit.context(), request).await?;
    state.ansible.tools(locale).await?;
    state.ansible.isolation(locale).await?;
    let secrets: BTreeMap<&str, &str> =
        plan.variables.secret.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let id = Id::<Job>::new();
    let mut data = json!({ "request": plan.masked });
    if !secrets.is_empty() {
        let plain = Zeroizing::new(serde_json::to_vec(&secrets).map_err(anyhow::Error::from)?);
        data["sealed_secrets"] = json!(seal::seal(state, &purpose(id), &plain)?);
    }
    let name = plan.playbook.item.name.clone();
    let mut target = plan.target.iter().take(TITLE_NAMES).cloned().collect::<Vec<_>>().join(", ");
    if plan.target.len() > TITLE_NAMES {
        target.push_str(", …");
    }
    let customer = plan.playbook.base.customer;
    let new = NewJob {
        kind: KIND,
        title: td_string!(locale, runs.job_title, playbook = name.clone(), target = target),
        operation: json!({ "operation": "run", "data": data }),
        key: None,
        customer,
    };
    let mut transaction = state.db.begin(permit).await?;
    let id = jobs::enqueue_as(&mut transaction, permit, id, new).await?;
    let run = Run {
        id,
        customer,
        playbook: request.playbook,
        playbook_name: name,
        revision: plan.playbook.base.revision,
        request: plan.masked.clone(),
        target: plan.target.clone(),
        command: plan.command.clone(),
        state: RunState::Queued,
        reason: None,
        isolation: String::new(),
        ansible: None,
        person: permit.person(),
        person_name: permit.person_name().to_owned(),
        schedule,
        parent,
        recap: Vec::new(),
        created_at: Timestamp::now(),
        started_at: None,
        finished_at: None,
    };
    store::insert(&mut transaction, &run, &plan.hosts()).await?;
    let mut after = Fields::new();
    after.insert("playbook".to_owned(), json!(run.playbook_name));
    after.insert("target".to_owned(), json!(run.target));
    after.insert("command".to_owned(), json!(run.command));
    let before = Fields::new();
    let record = id.to_string();
    let line = audit::Line { kind: "run", record: &record, customer, action: "run", before: &before, after: &after };
    audit::write(&mut transaction, permit, line).await?;
    transaction.commit().await?;
    jobs::announce(state, id).await;
    state.bus.publish(Topic::Runs, customer, json!({ "id": id, "state": RunState::Queued }));
    Ok(id)
}

/// What the answers to secret questions of one run are sealed for: they open for no other.
fn purpose(id: Id<Job>) -> String {
    format!("run/{id}/answers")
}

/// The answers to secret questions that were sealed when the run was queued.
///
/// # Errors
/// [`Error::Conflict`] when they cannot be opened any more.
pub(super) fn unsealed(
    context: &Context,
    id: Id<Job>,
    operation: &Value,
) -> Result<BTreeMap<String, Zeroizing<String>>> {
    let Some(sealed) = operation["data"]["sealed_secrets"].as_str() else { return Ok(BTreeMap::new()) };
    let opened = seal::open(&context.state, &purpose(id), sealed)
        .and_then(|plain| Ok(serde_json::from_slice::<BTreeMap<String, String>>(&plain)?));
    match opened {
        Ok(answers) => Ok(answers.into_iter().map(|(name, text)| (name, Zeroizing::new(text))).collect()),
        Err(error) => {
            tracing::error!(run = %id, "its answers to secret questions: {error:#}");
            Err(Error::conflict(td_string!(context.locale, runs.problem.answers_closed)))
        }
    }
}

/// A request that was checked, with everything that was found for it.
pub(super) struct Plan {
    pub playbook: Record<Playbook>,
    pub inventory: Inventory,
    /// The request without secrets.
    pub masked: RunRequest,
    pub variables: Variables,
    pub opened: Vec<Opened>,
    /// The names of groups and machines.
    pub target: Vec<String>,
    /// The hosts that are left, by their names in the inventory.
    pub reached: Vec<String>,
    pub command: String,
    /// What is to be installed before it begins.
    pub requirements: Requirements,
    file: String,
    arguments: Vec<String>,
    forks: u32,
}

/// Reads the playbook, which must be there, in reach, and in use.
async fn playbook(context: &Context, id: Id<Playbook>) -> Result<Record<Playbook>> {
    let permit = context.permit::<Reading>("playbook")?;
    let found = records::get(&context.state, &permit, &Playbook::KIND, id.cast(), false).await;
    match found {
        Ok(record) if record.base.enabled => calls::typed(record),
        Ok(_) => Err(Error::invalid("playbook", td_string!(context.locale, runs.problem.playbook_disabled))),
        Err(Error::NotFound { .. }) => {
            Err(Error::invalid("playbook", td_string!(context.locale, runs.problem.playbook_gone)))
        }
        Err(error) => Err(error),
    }
}

async fn build(
    context: &Context,
    customer: Option<Id<crate::storage::Customer>>,
    request: &RunRequest,
) -> Result<Inventory> {
    let permit = context.permit::<Reading>("host")?;
    inventory::build(&context.state, &permit, customer, &request.hosts, &request.machines).await
}

/// Checks a request with the rights that its person has now.
///
/// # Errors
/// [`Error::Invalid`] with every wrong value, [`Error::Forbidden`].
pub(super) async fn plan(context: &Context, request: &RunRequest) -> Result<Plan> {
    let (state, locale) = (&context.state, context.locale);
    let permit = context.permit::<Operating>("run")?;
    let too_many = [request.hosts.len(), request.machines.len(), request.options.credentials.len()];
    if too_many.iter().any(|count| *count > MOST) {
        return Err(Error::invalid("hosts", td_string!(locale, runs.problem.too_many, max = MOST.to_string())));
    }
    let mut problems = Vec::new();
    let mut keep = |error: Error| match error {
        Error::Invalid { problems: found } => {
            problems.extend(found);
            Ok(())
        }
        other => Err(other),
    };
    let playbook =
        playbook(context, request.playbook).await.map_or_else(|error| keep(error).map(|()| None), |it| Ok(Some(it)))?;
    let mut inventory = Inventory::default();
    if request.hosts.is_empty() && request.machines.is_empty() {
        keep(Error::invalid("hosts", td_string!(locale, runs.problem.target_missing)))?;
    } else if let Some(playbook) = &playbook {
        match build(context, playbook.base.customer, request).await {
            Ok(built) if built.targets.is_empty() => {
                keep(Error::invalid("hosts", td_string!(locale, runs.problem.target_empty)))?;
            }
            Ok(built) => inventory = built,
            Err(error) => keep(error)?,
        }
    }
    let opened = match credentials::open(state, &permit, &request.options.credentials).await {
        Ok(opened) => opened,
        Err(error) => {
            keep(error)?;
            Vec::new()
        }
    };
    if let Some(playbook) = &playbook {
        // The platform's people reach every customer's; a run uses its own customer's alone.
        for foreign in opened.iter().filter(|credential| credential.customer != playbook.base.customer) {
            let message = td_string!(locale, secrets.other_customer, name = foreign.name.clone());
            problems.push(Problem::at("options.credentials", message));
        }
    }
    options::check(&request.options, &state.config.provisioning, locale, &mut problems);
    options::check_credentials(&opened, locale, &mut problems);
    if let Some(playbook) = &playbook {
        let elsewhere = opened.iter().filter(|opened| opened.customer != playbook.base.customer);
        problems.extend(elsewhere.map(|opened| {
            let name = opened.name.clone();
            Problem::at("options.credentials", td_string!(locale, runs.problem.credential_elsewhere, name = name))
        }));
    }
    let mut requirements = Requirements::default();
    if let Some(playbook) = &playbook {
        match requirements::of(state, &permit, playbook.base.id.cast()).await? {
            Ok(found) => requirements = found,
            Err(marks) => problems.push(Problem::at("playbook", requirements::sentence(&marks, locale))),
        }
    }
    let questions = match &playbook {
        Some(playbook) => survey::questions(playbook.item.survey.as_deref(), locale)?,
        None => Vec::new(),
    };
    let variables = options::variables(&request.options.variables, &questions, locale, &mut problems);
    let mut limited = limit::Limit { pattern: String::new(), hosts: Vec::new() };
    if !inventory.targets.is_empty() {
        let names = inventory.targets.iter().map(|target| target.name.clone()).collect();
        match limit::read(&request.options.limit, &Names::of(names, &inventory.document), locale) {
            Ok(read) => limited = read,
            Err(message) => problems.push(Problem::at("options.limit", message)),
        }
    }
    let Some(playbook) = playbook.filter(|_| problems.is_empty()) else { return Err(Error::Invalid { problems }) };

    let mut masked = request.clone();
    masked.options.variables = variables.open.clone();
    for question in questions.iter().filter(|question| question.answer == AnswerKind::Secret) {
        if variables.secret.iter().any(|(name, _)| *name == question.variable) {
            masked.options.variables.insert(question.variable.clone(), json!(MASK));
        }
    }
    let file = file_name(&playbook.item.name);
    let arguments = options::arguments(&request.options, &limited.pattern, &opened);
    let forks = options::forks(&request.options, &playbook.item, limited.hosts.len());
    let command = options::command(&file, &arguments, forks, &variables);
    let target = target_names(state, &permit, request).await?;
    let reached = limited.hosts;
    Ok(Plan {
        playbook,
        inventory,
        masked,
        variables,
        opened,
        target,
        reached,
        command,
        requirements,
        file,
        arguments,
        forks,
    })
}

/// What the groups and machines of a request are called.
async fn target_names(state: &State, proof: &dyn Proof, request: &RunRequest) -> Result<Vec<String>> {
    let hosts: Vec<String> = request.hosts.iter().map(ToString::to_string).collect();
    let machines: Vec<String> = request.machines.iter().map(ToString::to_string).collect();
    let asked = BTreeMap::from([
        ("host", hosts.iter().cloned().collect::<BTreeSet<_>>()),
        ("machine", machines.iter().cloned().collect::<BTreeSet<_>>()),
    ]);
    let names = records::names(state, proof, asked).await?;
    Ok(hosts.iter().chain(&machines).filter_map(|id| names.get(id).cloned()).collect())
}

/// The file that a playbook of that name is written to.
fn file_name(name: &str) -> String {
    let mut file = String::new();
    for letter in name.chars().flat_map(char::to_lowercase).take(60) {
        match letter {
            'a'..='z' | '0'..='9' => file.push(letter),
            _ if file.is_empty() || file.ends_with('-') => {}
            _ => file.push('-'),
        }
    }
    let file = file.trim_end_matches('-');
    if file.is_empty() { "playbook.yml".to_owned() } else { format!("{file}.yml") }
}

impl Plan {
    /// Every host of the inventory that is reached, with its machine.
    fn hosts(&self) -> Vec<(String, Option<Id<Machine>>)> {
        let reached: BTreeSet<&str> = self.reached.iter().map(String::as_str).collect();
        let targets = self.inventory.targets.iter().filter(|target| reached.contains(target.name.as_str()));
        targets.map(|target| (target.name.clone(), target.machine)).collect()
    }

    /// What to know before it is run.
    async fn warnings(&self, state: &State, proof: &Permit<Operating>) -> Result<Vec<String>> {
        let locale = proof.locale();
        let mut warnings = Vec::new();
        let reached: BTreeSet<&str> = self.reached.iter().map(String::as_str).collect();
        let targets: Vec<_> =
            self.inventory.targets.iter().filter(|target| reached.contains(target.name.as_str())).collect();
        let subjects: Vec<_> = targets.iter().map(|target| target.subject.clone()).collect();
        let known = host_keys::known(state, proof, &subjects).await?;
        let unknown: Vec<&str> = targets
            .iter()
            .filter(|target| !target.is_local && known.unknown.contains(&target.subject))
            .map(|target| target.name.as_str())
            .collect();
        if !unknown.is_empty() {
            let names = unknown.iter().take(10).copied().collect::<Vec<_>>().join(", ");
            warnings.push(td_string!(locale, runs.warning.unknown_keys, names = names));
        }
        let signs_in = |opened: &Opened| matches!(opened.secret, Secret::SshKey { .. } | Secret::SshPassword(_));
        if targets.iter().any(|target| !target.is_local) && !self.opened.iter().any(signs_in) {
            warnings.push(td_string!(locale, runs.warning.no_credential).to_owned());
        }
        if state.ansible.look().is_missing {
            warnings.push(td_string!(locale, ansible.hint).to_owned());
        }
        Ok(warnings)
    }

    /// Everything that must not be seen in what the run says.
    pub fn hidden(&self) -> Vec<Zeroizing<String>> {
        let answers = self.variables.secret.iter().map(|(_, text)| text.clone());
        let credentials = self.opened.iter().map(|opened| match &opened.secret {
            Secret::SshKey { private, .. } => private.clone(),
            Secret::SshPassword(password)
            | Secret::BecomePassword(password)
            | Secret::VaultPassword { password, .. } => password.clone(),
        });
        answers.chain(credentials).collect()
    }

    /// What the workspace is to do; what is to be installed for it is not yet.
    ///
    /// # Errors
    /// When host keys, facts or files cannot be read.
    pub async fn order(self, context: &Context) -> Result<Order> {
        let state = &context.state;
        let permit = context.permit::<Operating>("run")?;
        let playbook = &self.playbook.item;
        let subjects: Vec<_> = self.inventory.targets.iter().map(|target| target.subject.clone()).collect();
        let known = host_keys::known(state, &permit, &subjects).await?;
        let facts = if playbook.no_fact_cache {
            None
        } else {
            let machines: Vec<_> = self.inventory.targets.iter().filter_map(|target| target.machine).collect();
            let mut cached = facts::cached(state, &permit, &machines).await?;
            let by_name = self
                .inventory
                .targets
                .iter()
                .filter_map(|target| Some((target.name.clone(), Value::Object(cached.remove(&target.machine?)?))));
            Some(by_name.collect::<Map<_, _>>())
        };
        let mut files = project::files(state, &permit, self.playbook.base.id.cast()).await?;
        let mut file = self.file;
        while files.iter().any(|(path, _)| *path == file) {
            file.insert(0, '_');
        }
        files.push((file.clone(), playbook.content.clone().into_bytes()));
        let mut secrets = self.variables.secret;
        let (mut keys, mut vaults) = (Vec::new(), Vec::new());
        for opened in self.opened {
            match opened.secret {
                Secret::SshKey { private, .. } => keys.push(private),
                Secret::SshPassword(password) => secrets.push(("ansible_password".to_owned(), password)),
                Secret::BecomePassword(password) => secrets.push(("ansible_become_password".to_owned(), password)),
                Secret::VaultPassword { label, password } => vaults.push((label, password)),
            }
        }
        let server = &state.config.provisioning;
        let seconds = |own: Option<u32>, server: u32| Duration::from_secs(own.unwrap_or(server).min(server).into());
        let most = state.config.jobs.output_limit;
        let limits = Limits {
            whole: seconds(self.masked.options.timeout.or(playbook.timeout), server.timeout),
            silence: Duration::from_secs(playbook.silence.unwrap_or(server.silence).into()),
            connection: Duration::from_secs(playbook.connect_timeout.unwrap_or(server.connect_timeout).into()),
            task: playbook.task_timeout.map(|seconds| Duration::from_secs(seconds.into())),
            output: playbook.output_limit.map_or(most, |own| own.min(most)),
        };
        Ok(Order {
            files,
            playbook: file,
            inventory: self.inventory.document,
            variables: self.variables.open,
            secrets,
            keys,
            vaults,
            known_hosts: known.lines,
            arguments: self.arguments,
            forks: self.forks,
            pipelining: !playbook.no_pipelining,
            gathering: if playbook.always_gather { "implicit" } else { "smart" },
            facts,
            limits,
            installed: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn a_playbooks_file_is_named_after_it_and_stays_in_its_folder() {
        assert_eq!(file_name("Deploy the Web (v2)"), "deploy-the-web-v2.yml");
        assert_eq!(file_name("../../etc/passwd"), "etc-passwd.yml");
        assert_eq!(file_name("日本"), "playbook.yml");
        assert_eq!(file_name("--help"), "help.yml");
    }
}
