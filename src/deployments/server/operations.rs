//! Operations on containers and images: permitted, checked, done, recorded.

use super::{
    convert, create,
    engine::Engine,
    fault::Fault,
    jobs, lists, logs, reach,
    reference::{Reference, is_image, is_name, is_platform, is_repository, is_signal, is_tag},
    watch,
};
use crate::{
    authentication::{
        policy::{self, Verb},
        server::{Operating, Permit, Proof, Reading, Scope},
    },
    deployments::model::{Answer, Container, ContainerOperation, ImageOperation, ObjectResult},
    error::{Error, Problem, Result},
    i18n::{Locale, td_string},
    platform::db::Transaction,
    storage::item::{
        Fields,
        server::audit::{self, Line},
    },
};
use bollard::query_parameters::{
    KillContainerOptions, RemoveContainerOptions, RemoveImageOptions, RenameContainerOptions, RestartContainerOptions,
    StopContainerOptions, TagImageOptions,
};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use std::{collections::BTreeMap, future::Future, sync::OnceLock, time::Duration};

/// Objects that one request may name.
const MOST_OBJECTS: usize = 1000;

/// Objects that are acted on at a time.
const AT_A_TIME: usize = 8;

/// How long an operation may take that waits for nothing but the engine.
const DEADLINE: Duration = Duration::from_secs(60);

/// The longest grace that can be asked for, in seconds.
const LONGEST_GRACE: i64 = 3600;

/// What an operation acts on.
#[derive(Clone, Copy, Debug)]
pub enum Objects<'a> {
    /// Nothing that exists yet.
    None,
    /// One: its failure is the answer.
    One(&'a str),
    /// Several: each has a result of its own.
    Many(&'a [String]),
}

impl<'a> Objects<'a> {
    fn of(objects: &'a [String]) -> Self {
        match objects {
            [] => Self::None,
            [one] => Self::One(one),
            many => Self::Many(many),
        }
    }

    /// Whether the operation is given what it takes.
    fn check(self, takes_objects: bool, locale: Locale) -> Result<()> {
        let problem = |field: &str, text: String| Err(Error::invalid(field, text));
        match self {
            Self::None if takes_objects => {
                problem("object", td_string!(locale, deployments.engine.object_required).to_owned())
            }
            Self::One("") => problem("object", td_string!(locale, deployments.engine.object_required).to_owned()),
            Self::Many([]) => problem("objects", td_string!(locale, deployments.engine.object_required).to_owned()),
            Self::Many(many) if many.len() > MOST_OBJECTS => {
                problem("objects", td_string!(locale, deployments.engine.too_many, max = MOST_OBJECTS.to_string()))
            }
            Self::One(_) if !takes_objects => {
                problem("object", td_string!(locale, deployments.engine.object_none).to_owned())
            }
            Self::Many(_) if !takes_objects => {
                problem("objects", td_string!(locale, deployments.engine.object_none).to_owned())
            }
            Self::None | Self::One(_) | Self::Many(_) => Ok(()),
        }
    }

    /// Does it for each.
    async fn each<F>(self, act: impl Fn(String) -> F) -> Result<Answer>
    where
        F: Future<Output = Result<Value>>,
    {
        match self {
            Self::None => Ok(Answer::Results(Vec::new())),
            Self::One(object) => act(object.to_owned()).await.map(Answer::Result),
            Self::Many(objects) => {
                let results = stream::iter(objects.iter().cloned()).map(|object| {
                    let done = act(object.clone());
                    async move {
                        match done.await {
                            Ok(result) => ObjectResult { object, ok: true, result: Some(result), error: None },
                            Err(error) => ObjectResult { object, ok: false, result: None, error: Some(error) },
                        }
                    }
                });
                Ok(Answer::Results(results.buffered(AT_A_TIME).collect().await))
            }
        }
    }
}

/// An operation on containers that changes nothing, from the browser.
///
/// # Errors
/// As [`read_containers_on`].
pub async fn read_containers(
    permit: &Permit<Reading>,
    engine: &str,
    operation: ContainerOperation,
    objects: &[String],
) -> Result<Answer> {
    read_containers_on(permit, engine, &operation, Objects::of(objects)).await
}

/// An operation on containers that changes nothing.
///
/// # Errors
/// [`Error::NotFound`] when one is out of reach; [`Error::Forbidden`] for an operation that changes something.
pub async fn read_containers_on(
    permit: &Permit<Reading>,
    engine: &str,
    operation: &ContainerOperation,
    objects: Objects<'_>,
) -> Result<Answer> {
    objects.check(operation.takes_objects(), permit.locale())?;
    lists::find(permit, engine)?;
    objects
        .each(|object| async move {
            match operation {
                ContainerOperation::Logs(query) => Ok(Value::String(logs::text(permit, engine, &object, query).await?)),
                ContainerOperation::Inspect {} => Ok(lists::container(permit, engine, &object).await?.inspect),
                ContainerOperation::Reload {} => {
                    let found = lists::find(permit, engine)?;
                    let row = reach::container(found, permit.scope(), &object, permit.locale()).await?;
                    let row = refreshed(found, &row.id).await.map_err(|fault| fault.error(permit.locale()))?;
                    to_value(&row.ok_or_else(|| Error::not_found("container"))?)
                }
                ContainerOperation::Run(_)
                | ContainerOperation::Create(_)
                | ContainerOperation::Start {}
                | ContainerOperation::Stop { .. }
                | ContainerOperation::Restart { .. }
                | ContainerOperation::Pause {}
                | ContainerOperation::Unpause {}
                | ContainerOperation::Kill { .. }
                | ContainerOperation::Rename { .. }
                | ContainerOperation::Remove { .. }
                | ContainerOperation::Prune { .. } => {
                    // Whoever comes here took the permit for reading.
                    permit.context().permit::<Operating>("container").map(|_| Value::Null)
                }
            }
        })
        .await
}

/// An operation on containers, from the browser.
///
/// # Errors
/// As [`containers_on`].
pub async fn containers(
    permit: &Permit<Operating>,
    engine: &str,
    operation: ContainerOperation,
    objects: &[String],
) -> Result<Answer> {
    containers_on(permit, engine, operation, Objects::of(objects)).await
}

/// An operation on containers.
///
/// # Errors
/// [`Error::Invalid`] with problems at the fields of `data`, [`Error::NotFound`] when the object is out of
/// reach, [`Error::Conflict`] in the engine's words.
pub async fn containers_on(
    permit: &Permit<Operating>,
    engine: &str,
    operation: ContainerOperation,
    objects: Objects<'_>,
) -> Result<Answer> {
    objects.check(operation.takes_objects(), permit.locale())?;
    let found = lists::find(permit, engine)?;
    if operation.only_reads() {
        let reading = permit.context().permit::<Reading>("container")?;
        return read_containers_on(&reading, engine, &operation, objects).await;
    }
    check_data(&operation, permit.locale())?;
    match operation {
        ContainerOperation::Run(spec) => jobs::enqueue_run(permit, found, *spec).await,
        ContainerOperation::Prune { filters } => {
            let filters = prune_filters(&filters, &["until", "label", "label!"], permit.locale())?;
            jobs::enqueue_container_prune(permit, found, filters).await
        }
        ContainerOperation::Create(spec) => {
            let prepared = create::prepare(permit, found, &spec, None).await?;
            let name = spec.name.clone().unwrap_or_else(|| spec.image.clone());
            let operation = json!(ContainerOperation::Create(spec));
            let subject = Subject { kind: "container", object: &name, owner: permit.scope() };
            let created = recorded(permit, found, subject, &operation, create::create(permit, found, prepared)).await?;
            let mut value = match refreshed(found, &created.id).await {
                Ok(Some(row)) => to_value(&row)?,
                Ok(None) => json!({ "id": created.id }),
                Err(fault) => unseen(found, &fault, json!({ "id": created.id })),
            };
            value["warnings"] = json!(created.warnings);
            Ok(Answer::Result(value))
        }
        operation => {
            let operation = &operation;
            objects.each(|object| async move { act(permit, found, operation, &object).await }).await
        }
    }
}

/// What is wrong with the data of an operation, at its field.
fn check_data(operation: &ContainerOperation, locale: Locale) -> Result<()> {
    let grace = |timeout: &Option<i64>| {
        let is_grace = timeout.is_none_or(|seconds| (-1..=LONGEST_GRACE).contains(&seconds));
        is_grace.then_some(()).ok_or_else(|| Error::invalid("timeout", td_string!(locale, deployments.spec.timeout)))
    };
    match operation {
        ContainerOperation::Stop { timeout } | ContainerOperation::Restart { timeout } => grace(timeout),
        ContainerOperation::Kill { signal: Some(signal) } if !is_signal(signal) => {
            Err(Error::invalid("signal", td_string!(locale, deployments.spec.signal)))
        }
        ContainerOperation::Rename { name } if !is_name(name) => {
            Err(Error::invalid("name", td_string!(locale, deployments.spec.name)))
        }
        ContainerOperation::Run(_)
        | ContainerOperation::Create(_)
        | ContainerOperation::Start {}
        | ContainerOperation::Pause {}
        | ContainerOperation::Unpause {}
        | ContainerOperation::Kill { .. }
        | ContainerOperation::Rename { .. }
        | ContainerOperation::Remove { .. }
        | ContainerOperation::Logs(_)
        | ContainerOperation::Inspect {}
        | ContainerOperation::Reload {}
        | ContainerOperation::Prune { .. } => Ok(()),
    }
}

/// Acts on one container that exists.
async fn act(
    permit: &Permit<Operating>,
    engine: &Engine,
    operation: &ContainerOperation,
    object: &str,
) -> Result<Value> {
    let locale = permit.locale();
    let container = reach::container(engine, permit.scope(), object, locale).await?;
    let ends_us = !matches!(operation, ContainerOperation::Start {} | ContainerOperation::Unpause {});
    if ends_us && own_container() == Some(container.id.as_str()) {
        return Err(Error::conflict(td_string!(locale, deployments.engine.self_container)));
    }
    let customer = container.customer.as_deref().and_then(|customer| customer.parse().ok());
    let owner = customer.map_or(Scope::Platform, Scope::Customer);
    let subject = Subject { kind: "container", object: &container.name, owner };
    let done = async { call(engine, operation, &container.id).await.map_err(|fault| create::refused(fault, permit)) };
    recorded(permit, engine, subject, &json!(operation), done).await?;
    let gone = || json!({ "removed": container.id, "name": container.name });
    match refreshed(engine, &container.id).await {
        Ok(Some(row)) => to_value(&row),
        Ok(None) => Ok(gone()),
        Err(fault) if matches!(operation, ContainerOperation::Remove { .. }) => Ok(unseen(engine, &fault, gone())),
        Err(fault) => Ok(unseen(engine, &fault, json!({ "id": container.id, "name": container.name }))),
    }
}

/// Asks the engine to do it. Containers are named by identifier, so nobody can swap names meanwhile.
async fn call(engine: &Engine, operation: &ContainerOperation, id: &str) -> Result<(), Fault> {
    let docker = engine.docker()?;
    let seconds = |timeout: &Option<i64>| timeout.and_then(|seconds| i32::try_from(seconds).ok());
    // Without a grace of ours the container's own counts, which may be long; a negative one waits for ever.
    let grace = |timeout: &Option<i64>| {
        let seconds = timeout.filter(|seconds| *seconds >= 0).unwrap_or(LONGEST_GRACE);
        DEADLINE + Duration::from_secs(seconds.unsigned_abs())
    };
    match operation {
        ContainerOperation::Start {} => engine.call(DEADLINE, docker.start_container(id, None)).await,
        ContainerOperation::Stop { timeout } => {
            let options = StopContainerOptions { t: seconds(timeout), ..StopContainerOptions::default() };
            engine.call(grace(timeout), docker.with_timeout(grace(timeout)).stop_container(id, Some(options))).await
        }
        ContainerOperation::Restart { timeout } => {
            let options = RestartContainerOptions { t: seconds(timeout), ..RestartContainerOptions::default() };
            engine.call(grace(timeout), docker.with_timeout(grace(timeout)).restart_container(id, Some(options))).await
        }
        ContainerOperation::Pause {} => engine.call(DEADLINE, docker.pause_container(id)).await,
        ContainerOperation::Unpause {} => engine.call(DEADLINE, docker.unpause_container(id)).await,
        ContainerOperation::Kill { signal } => {
            let signal = signal.clone().unwrap_or_else(|| "SIGKILL".to_owned());
            engine.call(DEADLINE, docker.kill_container(id, Some(KillContainerOptions { signal }))).await
        }
        ContainerOperation::Rename { name } => {
            let options = RenameContainerOptions { name: name.clone() };
            engine.call(DEADLINE, docker.rename_container(id, options)).await
        }
        ContainerOperation::Remove { force, volumes } => {
            let options = RemoveContainerOptions { force: *force, v: *volumes, link: false };
            engine.call(DEADLINE, docker.remove_container(id, Some(options))).await
        }
        ContainerOperation::Run(_)
        | ContainerOperation::Create(_)
        | ContainerOperation::Logs(_)
        | ContainerOperation::Inspect {}
        | ContainerOperation::Reload {}
        | ContainerOperation::Prune { .. } => Ok(()),
    }
}

/// The row of a container after its engine was asked again; `None` when it is gone. Whoever did something
/// then finds it done in the next list.
async fn refreshed(engine: &Engine, id: &str) -> Result<Option<Container>, Fault> {
    let (wire, ids) = (engine.wire()?, [id.to_owned()].into());
    engine.call(engine.timeout, watch::refresh_containers(engine, &wire, &ids)).await?;
    let view = engine.view();
    Ok(view.containers.iter().find(|row| row.id == id).map(|row| Container::clone(row)))
}

/// What is told of something that was done and could not be looked at afterwards: it stays done, and the
/// list follows as soon as the engine answers.
fn unseen(engine: &Engine, fault: &Fault, told: Value) -> Value {
    tracing::warn!(engine = engine.name, "looking at what was done: {fault}");
    told
}

fn to_value(row: &impl serde::Serialize) -> Result<Value> {
    Ok(serde_json::to_value(row).map_err(anyhow::Error::from)?)
}

/// The container in which we run, when we run in one.
fn own_container() -> Option<&'static str> {
    static OWN: OnceLock<Option<String>> = OnceLock::new();
    OWN.get_or_init(|| {
        // The engine mounts three files of its folder for the container into it.
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
        let rest = mounts.split("/containers/").skip(1);
        let mut ids = rest.filter_map(|rest| rest.get(..64)).filter(|id| convert::is_identifier(id));
        ids.next().map(str::to_owned)
    })
    .as_deref()
}

/// What an operation acts on, as the audit trail names it.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    /// `container` or `image`.
    pub kind: &'static str,
    /// Its name.
    pub object: &'a str,
    /// Whose it is.
    pub owner: Scope,
}

/// The action of a line that tells what somebody asked for, before it is done.
pub const ASKED: &str = "asked";

/// Does something with a line in the audit trail before it, and one after it that tells the outcome. A server
/// that ends in between leaves the first.
///
/// # Errors
/// What the act gives; [`Error::Internal`] when the first line cannot be written, and nothing is done then.
async fn recorded<A, T>(
    permit: &Permit<A>,
    engine: &Engine,
    subject: Subject<'_>,
    operation: &Value,
    act: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut transaction = permit.context().state.db.begin(permit).await?;
    note(&mut transaction, permit, engine, subject, operation, Moment::Before).await?;
    transaction.commit().await?;
    let done = act.await;
    let told = async {
        let mut transaction = permit.context().state.db.begin(permit).await?;
        note(&mut transaction, permit, engine, subject, operation, Moment::After(done.as_ref().err())).await?;
        transaction.commit().await
    };
    if let Err(error) = told.await {
        // The engine has done it; that it cannot be recorded must not look as if it had not.
        tracing::error!(subject.kind, subject.object, "writing the audit trail: {error:#}");
    }
    done
}

/// When a line is written.
#[derive(Clone, Copy)]
pub(super) enum Moment<'a> {
    /// Before the act.
    Before,
    /// After it, with why it was not done.
    After(Option<&'a Error>),
}

/// Writes into the audit trail what was asked for or what came of it, and by whom.
pub(super) async fn note<A>(
    transaction: &mut Transaction,
    permit: &Permit<A>,
    engine: &Engine,
    subject: Subject<'_>,
    operation: &Value,
    moment: Moment<'_>,
) -> anyhow::Result<()> {
    let mut after = Fields::new();
    after.insert("engine".to_owned(), json!(engine.name));
    after.insert("data".to_owned(), masked(operation["data"].clone()));
    let name = operation["operation"].as_str().unwrap_or_default();
    let action = match moment {
        Moment::Before => {
            after.insert("operation".to_owned(), json!(name));
            ASKED
        }
        Moment::After(error) => {
            if let Some(error) = error {
                after.insert("error".to_owned(), json!(error.message(Locale::en)));
            }
            name
        }
    };
    let line = Line {
        kind: subject.kind,
        record: subject.object,
        customer: subject.owner.customer(),
        action,
        before: &Fields::new(),
        after: &after,
    };
    audit::write(transaction, permit as &dyn Proof, line).await
}

/// The data of an operation without the values of its environment.
pub fn masked(mut data: Value) -> Value {
    if let Some(env) = data.get_mut("env").and_then(Value::as_object_mut) {
        for value in env.values_mut() {
            *value = json!(convert::MASK);
        }
    }
    data
}

/// The engine's own filters in one shape: name to values.
///
/// # Errors
/// [`Error::Invalid`] at the filter that is unknown or no text.
pub fn prune_filters(
    filters: &BTreeMap<String, Value>,
    known: &[&str],
    locale: Locale,
) -> Result<BTreeMap<String, Vec<String>>> {
    let mut problems = Vec::new();
    let mut read = BTreeMap::new();
    for (name, value) in filters {
        let field = format!("filters.{name}");
        if !known.contains(&name.as_str()) {
            let text = td_string!(locale, deployments.engine.filter_unknown, names = known.join(", "));
            problems.push(Problem::at(field, text));
            continue;
        }
        let word = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Number(number) => Some(number.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        };
        let values = match value {
            Value::Array(values) => values.iter().map(word).collect::<Option<Vec<_>>>(),
            value => word(value).map(|value| vec![value]),
        };
        match values {
            Some(values) => drop(read.insert(name.clone(), values)),
            None => problems.push(Problem::at(field, td_string!(locale, deployments.engine.filter_kind))),
        }
    }
    if problems.is_empty() { Ok(read) } else { Err(Error::Invalid { problems }) }
}

/// An operation on images that changes nothing, from the browser.
///
/// # Errors
/// As [`read_images_on`].
pub async fn read_images(
    permit: &Permit<Reading>,
    engine: &str,
    operation: ImageOperation,
    objects: &[String],
) -> Result<Answer> {
    read_images_on(permit, engine, &operation, Objects::of(objects)).await
}

/// An operation on images that changes nothing.
///
/// # Errors
/// [`Error::NotFound`] when there is none of that name; what the engine says.
pub async fn read_images_on(
    permit: &Permit<Reading>,
    engine: &str,
    operation: &ImageOperation,
    objects: Objects<'_>,
) -> Result<Answer> {
    objects.check(operation.takes_objects(), permit.locale())?;
    let found = lists::find(permit, engine)?;
    match operation {
        ImageOperation::List {} => Ok(Answer::Result(to_value(&lists::images(permit, engine)?.items)?)),
        ImageOperation::Search { term, limit } => {
            Ok(Answer::Result(to_value(&lists::search_images(permit, engine, term, *limit).await?)?))
        }
        ImageOperation::Inspect {} => {
            objects.each(|object| async move { lists::inspect_image(permit, engine, &object).await }).await
        }
        ImageOperation::History {} => {
            objects.each(|object| async move { to_value(&lists::image(permit, engine, &object).await?.history) }).await
        }
        ImageOperation::Reload {} => {
            relisted(found).await.map_err(|fault| fault.error(permit.locale()))?;
            objects.each(|object| async move { to_value(&lists::image(permit, engine, &object).await?.image) }).await
        }
        ImageOperation::Pull { .. }
        | ImageOperation::Tag { .. }
        | ImageOperation::Remove { .. }
        | ImageOperation::Prune { .. } => {
            permit.context().permit::<Operating>("image").map(|_| Answer::Result(Value::Null))
        }
    }
}

/// Asks the engine for its images again.
async fn relisted(engine: &Engine) -> Result<(), Fault> {
    let wire = engine.wire()?;
    engine.call(DEADLINE, watch::refresh_images(engine, &wire)).await
}

/// An operation on images, from the browser.
///
/// # Errors
/// As [`images_on`].
pub async fn images(
    permit: &Permit<Operating>,
    engine: &str,
    operation: ImageOperation,
    objects: &[String],
) -> Result<Answer> {
    images_on(permit, engine, operation, Objects::of(objects)).await
}

/// An operation on images.
///
/// # Errors
/// As [`containers_on`]; [`Error::Forbidden`] when a customer's person changes what all customers share.
pub async fn images_on(
    permit: &Permit<Operating>,
    engine: &str,
    operation: ImageOperation,
    objects: Objects<'_>,
) -> Result<Answer> {
    let locale = permit.locale();
    objects.check(operation.takes_objects(), locale)?;
    let found = lists::find(permit, engine)?;
    if operation.only_reads() {
        let reading = permit.context().permit::<Reading>("image")?;
        return read_images_on(&reading, engine, &operation, objects).await;
    }
    match &operation {
        ImageOperation::Pull { image, platform, all_tags } => {
            check_pull(image, platform.as_deref(), *all_tags, locale)?;
            jobs::enqueue_pull(permit, found, &operation).await
        }
        ImageOperation::Prune { filters } => {
            only_platform(permit)?;
            let filters = prune_filters(filters, &["dangling", "until", "label", "label!"], locale)?;
            jobs::enqueue_image_prune(permit, found, filters).await
        }
        ImageOperation::Tag { repository, tag } => {
            only_platform(permit)?;
            let mut problems = Vec::new();
            if !is_repository(repository) {
                problems.push(Problem::at("repository", td_string!(locale, deployments.spec.repository)));
            }
            if !is_tag(tag) {
                problems.push(Problem::at("tag", td_string!(locale, deployments.spec.tag)));
            }
            if !problems.is_empty() {
                return Err(Error::Invalid { problems });
            }
            let operation = &operation;
            objects.each(|object| async move { act_on_image(permit, found, operation, &object).await }).await
        }
        ImageOperation::Remove { .. } => {
            only_platform(permit)?;
            let operation = &operation;
            objects.each(|object| async move { act_on_image(permit, found, operation, &object).await }).await
        }
        ImageOperation::List {}
        | ImageOperation::Inspect {}
        | ImageOperation::History {}
        | ImageOperation::Search { .. }
        | ImageOperation::Reload {} => Ok(Answer::Result(Value::Null)),
    }
}

/// Images belong to all customers of an engine.
pub(super) fn only_platform(permit: &Permit<Operating>) -> Result<()> {
    policy::decide(permit.session(), Verb::Remove, "image")
        .map_err(|reason| Error::Forbidden { reason: reason.text(permit.locale()).to_owned() })
}

fn check_pull(image: &str, platform: Option<&str>, all_tags: bool, locale: Locale) -> Result<()> {
    let mut problems = Vec::new();
    let is_reference = Reference::parse(image)
        .is_some_and(|reference| !all_tags || (reference.tag.is_none() && reference.digest.is_none()));
    if !is_reference {
        problems.push(Problem::at("image", td_string!(locale, deployments.spec.image)));
    }
    if platform.is_some_and(|platform| !is_platform(platform)) {
        problems.push(Problem::at("platform", td_string!(locale, deployments.spec.platform)));
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::Invalid { problems }) }
}

async fn act_on_image(
    permit: &Permit<Operating>,
    engine: &Engine,
    operation: &ImageOperation,
    object: &str,
) -> Result<Value> {
    let locale = permit.locale();
    if !is_image(object) {
        return Err(Error::not_found("image"));
    }
    let subject = Subject { kind: "image", object, owner: Scope::Platform };
    let done = async { call_image(engine, operation, object).await.map_err(|fault| fault.about("image", locale)) };
    let done = recorded(permit, engine, subject, &json!(operation), done).await?;
    Ok(match relisted(engine).await {
        Ok(()) => done,
        Err(fault) => unseen(engine, &fault, done),
    })
}

async fn call_image(engine: &Engine, operation: &ImageOperation, object: &str) -> Result<Value, Fault> {
    let docker = engine.docker()?;
    match operation {
        ImageOperation::Tag { repository, tag } => {
            let options = TagImageOptions { repo: Some(repository.clone()), tag: Some(tag.clone()) };
            engine.call(DEADLINE, docker.tag_image(object, Some(options))).await?;
            Ok(json!({ "tagged": format!("{repository}:{tag}") }))
        }
        ImageOperation::Remove { force, noprune } => {
            let options = RemoveImageOptions { force: *force, noprune: *noprune, platforms: None };
            let gone = engine.call(DEADLINE * 5, docker.remove_image(object, Some(options), None)).await?;
            let named = |name: fn(&bollard::models::ImageDeleteResponseItem) -> Option<&String>| -> Vec<&String> {
                gone.iter().filter_map(name).collect()
            };
            Ok(
                json!({ "removed": named(|item| item.deleted.as_ref()), "untagged": named(|item| item.untagged.as_ref()) }),
            )
        }
        ImageOperation::Pull { .. }
        | ImageOperation::List {}
        | ImageOperation::Inspect {}
        | ImageOperation::History {}
        | ImageOperation::Search { .. }
        | ImageOperation::Prune { .. }
        | ImageOperation::Reload {} => Ok(Value::Null),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_texts_or_lists_of_texts() {
        let filters = |value: Value| serde_json::from_value::<BTreeMap<String, Value>>(value).expect("it is a mapping");
        let known = ["until", "label"];

        let read = prune_filters(&filters(json!({"until": "24h", "label": ["a=b", "c"]})), &known, Locale::en);
        let refused = prune_filters(&filters(json!({"name": "x", "label": {"a": 1}})), &known, Locale::en);

        assert_eq!(read.expect("all are known")["label"], ["a=b", "c"]);
        let Err(Error::Invalid { problems }) = refused else { panic!("both are refused") };
        assert_eq!(problems.iter().map(|p| p.field.as_str()).collect::<Vec<_>>(), ["filters.label", "filters.name"]);
    }

    #[test]
    fn the_audit_trail_holds_no_environment() {
        let data = masked(json!({"image": "nginx", "env": {"TOKEN": "canary"}}));

        assert_eq!(data, json!({"image": "nginx", "env": {"TOKEN": "•••"}}));
    }

    #[test]
    fn an_operation_is_given_the_objects_it_takes() {
        let many = ["a".to_owned(), "b".to_owned()];

        assert!(Objects::One("web").check(true, Locale::en).is_ok());
        assert!(Objects::None.check(true, Locale::en).is_err());
        assert!(Objects::Many(&many).check(false, Locale::en).is_err());
        assert!(Objects::None.check(false, Locale::en).is_ok());
    }
}
