//! The long operations on containers and images, as jobs.
//!
//! A job that was cut off is begun again: pulling and pruning go on where they were by their nature, and
//! running looks first for the container that carries the job's own label.

use super::{
    convert::JOB_LABEL,
    create,
    engine::Engine,
    fault::Fault,
    lists,
    operations::{self, Moment, Subject, only_platform},
    pull, reach,
    wire::escaped,
};
use crate::{
    authentication::server::{Operating, Permit, Proof as _, Scope},
    deployments::model::{Answer, CUSTOMER_LABEL, ContainerOperation, ContainerSpec, ImageOperation},
    error::{Error, Result},
    i18n::td_string,
    id::Id,
    jobs::{
        model::{Job, Progress, Voice},
        server::{NewJob, Run, announce, enqueue_in},
    },
};
use anyhow::Context as _;
use bollard::query_parameters::{PruneContainersOptions, PruneImagesOptions};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

/// How long starting a container may take.
const START_DEADLINE: Duration = Duration::from_secs(120);

/// How long pruning may take: an engine removes layer after layer.
const PRUNE_DEADLINE: Duration = Duration::from_secs(1800);

/// What a job has to do.
#[derive(Debug, Serialize, Deserialize)]
struct Task<T> {
    engine: String,
    operation: String,
    data: T,
}

#[derive(Debug, Serialize, Deserialize)]
struct Filters {
    filters: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Pull {
    image: String,
    #[serde(default)]
    platform: Option<String>,
    #[serde(default)]
    all_tags: bool,
}

async fn put<A>(
    permit: &Permit<A>,
    engine: &Engine,
    kind: &'static str,
    object: &str,
    title: String,
    operation: Value,
    key: Option<String>,
) -> Result<Answer> {
    let customer = permit.scope().customer();
    let mut task = json!({ "engine": engine.name });
    if let (Some(task), Some(operation)) = (task.as_object_mut(), operation.as_object()) {
        task.extend(operation.clone());
    }
    let new = NewJob { kind, title, operation: task, key, customer };
    let state = &permit.context().state;
    let mut transaction = state.db.begin(permit).await?;
    let queued = enqueue_in(&mut transaction, permit, new).await;
    let family = if kind.starts_with("image.") { "image" } else { "container" };
    let subject = Subject { kind: family, object, owner: customer.map_or(Scope::Platform, Scope::Customer) };
    let moment = Moment::After(queued.as_ref().err());
    operations::note(&mut transaction, permit, engine, subject, &operation, moment).await?;
    transaction.commit().await?;
    let id = queued?;
    announce(state, id).await;
    Ok(Answer::Job { id })
}

/// Queues the running of a container, after everything that can be checked now.
///
/// # Errors
/// As [`create::prepare`].
pub async fn enqueue_run(permit: &Permit<Operating>, engine: &Engine, spec: ContainerSpec) -> Result<Answer> {
    drop(create::prepare(permit, engine, &spec, None).await?);
    let title = td_string!(permit.locale(), deployments.engine.title_run, image = spec.image.clone());
    let object = spec.name.clone().unwrap_or_else(|| spec.image.clone());
    let operation = json!(ContainerOperation::Run(Box::new(spec)));
    put(permit, engine, "container.run", &object, title, operation, None).await
}

/// Queues the removal of stopped containers; of their own ones for a customer's people.
///
/// # Errors
/// [`Error::Busy`] when one is under way.
pub async fn enqueue_container_prune(
    permit: &Permit<Operating>,
    engine: &Engine,
    filters: BTreeMap<String, Vec<String>>,
) -> Result<Answer> {
    let title = td_string!(permit.locale(), deployments.engine.title_prune_containers).to_owned();
    let operation = json!({ "operation": "prune", "data": Filters { filters } });
    let key = format!("container.prune/{}/{}", engine.name, owner(permit));
    put(permit, engine, "container.prune", "", title, operation, Some(key)).await
}

/// Queues the removal of unused images.
///
/// # Errors
/// [`Error::Busy`] when one is under way.
pub async fn enqueue_image_prune(
    permit: &Permit<Operating>,
    engine: &Engine,
    filters: BTreeMap<String, Vec<String>>,
) -> Result<Answer> {
    let title = td_string!(permit.locale(), deployments.engine.title_prune_images).to_owned();
    let operation = json!({ "operation": "prune", "data": Filters { filters } });
    put(permit, engine, "image.prune", "", title, operation, Some(format!("image.prune/{}", engine.name))).await
}

/// Queues a pull.
///
/// # Errors
/// [`Error::Busy`] when the same image is being pulled for the same people.
pub async fn enqueue_pull(permit: &Permit<Operating>, engine: &Engine, operation: &ImageOperation) -> Result<Answer> {
    let operation = json!(operation);
    let image = operation["data"]["image"].as_str().unwrap_or_default().to_owned();
    let title = td_string!(permit.locale(), deployments.engine.title_pull, image = image.clone());
    let key = format!("image.pull/{}/{}/{image}", engine.name, owner(permit));
    put(permit, engine, "image.pull", &image, title, operation, Some(key)).await
}

fn owner<A>(permit: &Permit<A>) -> String {
    permit.scope().customer().map_or_else(|| "platform".to_owned(), |customer| customer.to_string())
}

/// Does the work of one job.
///
/// # Errors
/// What the engine says; [`Error::Conflict`] for a kind that is not known here.
pub async fn work(run: &Run) -> Result<Value> {
    match run.kind.as_str() {
        "container.run" => run_container(run).await,
        "container.prune" => prune_containers(run).await,
        "image.pull" => pull_image(run).await,
        "image.prune" => prune_images(run).await,
        other => Err(Error::conflict(format!("there is no work of the kind {other}"))),
    }
}

fn task<T: serde::de::DeserializeOwned>(run: &Run) -> Result<Task<T>> {
    Ok(serde_json::from_value(run.operation.clone()).context("reading what a job has to do")?)
}

fn note(run: &Run, note: String) {
    run.progress(Progress { fraction: None, note, parts: Vec::new() });
}

/// Ends with the error of a cancelled job as soon as somebody asks for it.
async fn unless_cancelled<T>(run: &Run, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        done = work => done,
        () = run.cancelled.cancelled() => {
            Err(Error::conflict(td_string!(run.context.locale, deployments.engine.cancelled)))
        }
    }
}

async fn run_container(run: &Run) -> Result<Value> {
    let permit = run.context.permit::<Operating>("container")?;
    let task: Task<ContainerSpec> = task(run)?;
    let engine = lists::find(&permit, &task.engine)?;
    let (spec, locale) = (task.data, permit.locale());
    for value in spec.env.values().filter(|value| value.len() > 3) {
        run.secret(value);
    }
    let made = made_by(engine, run.id).await.map_err(|fault| fault.error(locale))?;
    let id = match made {
        Some(id) => id,
        None => {
            unless_cancelled(run, fetch(run, &permit, engine, &spec)).await?;
            note(run, td_string!(locale, deployments.engine.note_creating).to_owned());
            let prepared = create::prepare(&permit, engine, &spec, Some(run.id)).await?;
            let created = create::create(&permit, engine, prepared).await?;
            for warning in &created.warnings {
                run.line(Voice::Note, warning).await;
            }
            created.id
        }
    };
    note(run, td_string!(locale, deployments.engine.note_starting).to_owned());
    let docker = engine.docker().map_err(|fault| fault.error(locale))?;
    let docker = docker.with_timeout(START_DEADLINE);
    let started = engine.call(START_DEADLINE, docker.start_container(&id, None)).await;
    if let Err(fault) = started {
        // It never ran, and its name would stand in the way of the next attempt.
        if !fault.is_of_the_connection() {
            create::discard(engine, &id).await;
        }
        return Err(fault.about("container", locale));
    }
    let detail = reach::inspect(engine, &id).await.ok().flatten();
    let name = detail.map(|detail| detail.container.name);
    run.line(Voice::Out, &id).await;
    Ok(json!({ "id": id, "name": name }))
}

/// The container that an earlier attempt of this job made.
async fn made_by(engine: &Engine, job: Id<Job>) -> Result<Option<String>, Fault> {
    let filters = json!({ "label": [format!("{JOB_LABEL}={job}")] }).to_string();
    let path = format!("/containers/json?all=1&filters={}", escaped(&filters));
    let found = reach::value(engine, &engine.wire()?, &path).await?;
    Ok(found[0]["Id"].as_str().map(str::to_owned))
}

/// Pulls the image where the specification wants it.
async fn fetch(run: &Run, permit: &Permit<Operating>, engine: &Engine, spec: &ContainerSpec) -> Result<()> {
    let locale = run.context.locale;
    let is_wanted = match spec.pull.as_deref() {
        Some("never") => false,
        Some("always") => true,
        _ => {
            let path = format!("/images/{}/json", spec.image);
            let wire = engine.wire().map_err(|fault| fault.error(locale))?;
            match reach::value(engine, &wire, &path).await {
                Ok(_) => false,
                Err(Fault::Said { status: 404, .. }) => true,
                Err(fault) => return Err(fault.error(locale)),
            }
        }
    };
    if is_wanted {
        pull::pull(run, permit, engine, &spec.image, None, false).await?;
    }
    Ok(())
}

async fn pull_image(run: &Run) -> Result<Value> {
    let permit = run.context.permit::<Operating>("image")?;
    let task: Task<Pull> = task(run)?;
    let engine = lists::find(&permit, &task.engine)?;
    let Pull { image, platform, all_tags } = task.data;
    let pulling = pull::pull(run, &permit, engine, &image, platform.as_deref(), all_tags);
    let status = unless_cancelled(run, pulling).await?;
    Ok(json!({ "image": image, "status": status }))
}

async fn prune_containers(run: &Run) -> Result<Value> {
    let permit = run.context.permit::<Operating>("container")?;
    let task: Task<Filters> = task(run)?;
    let engine = lists::find(&permit, &task.engine)?;
    let locale = permit.locale();
    let filters = scoped(task.data.filters, permit.scope());
    note(run, td_string!(locale, deployments.engine.note_pruning).to_owned());
    let names: HashMap<String, String> =
        engine.view().containers.iter().map(|row| (row.id.clone(), row.name.clone())).collect();
    let docker = engine.docker().map_err(|fault| fault.error(locale))?.with_timeout(PRUNE_DEADLINE);
    let options = PruneContainersOptions { filters: Some(filters) };
    let pruned = unless_cancelled(run, async {
        let pruned = engine.call(PRUNE_DEADLINE, docker.prune_containers(Some(options))).await;
        pruned.map_err(|fault| fault.error(locale))
    });
    let pruned = pruned.await?;
    let removed = pruned.containers_deleted.unwrap_or_default();
    for id in &removed {
        run.line(Voice::Out, names.get(id).unwrap_or(id)).await;
    }
    Ok(json!({ "removed": removed, "space_reclaimed": pruned.space_reclaimed.unwrap_or(0) }))
}

/// The filters, with the customer's own label where a customer's person asks. The engine removes only what
/// matches every label.
fn scoped(filters: BTreeMap<String, Vec<String>>, scope: Scope) -> HashMap<String, Vec<String>> {
    let mut filters: HashMap<String, Vec<String>> = filters.into_iter().collect();
    if let Some(customer) = scope.customer() {
        let label = format!("{CUSTOMER_LABEL}={customer}");
        filters.entry("label".to_owned()).or_default().push(label);
    }
    filters
}

async fn prune_images(run: &Run) -> Result<Value> {
    let permit = run.context.permit::<Operating>("image")?;
    let locale = permit.locale();
    only_platform(&permit)?;
    let task: Task<Filters> = task(run)?;
    let engine = lists::find(&permit, &task.engine)?;
    note(run, td_string!(locale, deployments.engine.note_pruning).to_owned());
    let docker = engine.docker().map_err(|fault| fault.error(locale))?.with_timeout(PRUNE_DEADLINE);
    let options = PruneImagesOptions { filters: Some(task.data.filters.into_iter().collect()) };
    let pruned = unless_cancelled(run, async {
        let pruned = engine.call(PRUNE_DEADLINE, docker.prune_images(Some(options))).await;
        pruned.map_err(|fault| fault.error(locale))
    });
    let pruned = pruned.await?;
    let mut removed = Vec::new();
    for item in pruned.images_deleted.unwrap_or_default() {
        if let Some(name) = item.untagged.or(item.deleted) {
            run.line(Voice::Out, &name).await;
            removed.push(name);
        }
    }
    Ok(json!({ "removed": removed, "space_reclaimed": pruned.space_reclaimed.unwrap_or(0) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customers_prune_reaches_its_own_containers_only() {
        let customer = Id::new();
        let asked = BTreeMap::from([("label".to_owned(), vec!["stage=test".to_owned()])]);

        let filters = scoped(asked, Scope::Customer(customer));

        assert_eq!(filters["label"], ["stage=test".to_owned(), format!("muelle.customer={customer}")]);
        assert!(scoped(BTreeMap::new(), Scope::Platform).is_empty());
    }
}
