//! Reading: engines, containers and images, from the cache or from the engine.

use super::{
    convert,
    engine::Engine,
    fault::Fault,
    reach,
    reference::{is_image, searched},
    wire::{Wire, escaped},
};
use crate::{
    authentication::{
        policy::{self, Verb},
        server::{Permit, Proof as _, Reading, Scope},
    },
    deployments::{
        explain,
        model::{
            Container, ContainerDetail, ContainerSpec, EngineStatus, Explanation, FoundImage, Image, ImageDetail,
            Listing,
        },
    },
    error::{Error, Result},
    i18n::td_string,
    time::Timestamp,
};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// How long the public registry may take to answer a search through the engine.
const SEARCH_DEADLINE: Duration = Duration::from_secs(20);

/// How long a page waits for the disk usage.
const USAGE_PATIENCE: Duration = Duration::from_secs(2);

/// Every engine with its state.
pub fn engines(permit: &Permit<Reading>) -> Vec<EngineStatus> {
    permit.context().state.engines.all().map(|engine| status(permit, engine)).collect()
}

/// One engine.
///
/// # Errors
/// [`Error::NotFound`].
pub fn engine(permit: &Permit<Reading>, engine: &str) -> Result<EngineStatus> {
    Ok(status(permit, find(permit, engine)?))
}

/// The engine of that name.
///
/// # Errors
/// [`Error::NotFound`].
pub fn find<'a, A>(permit: &'a Permit<A>, engine: &str) -> Result<&'a Engine> {
    permit.context().state.engines.find(engine)
}

/// A state as the person may see it: the figures of a customer's people count their own containers.
fn status(permit: &Permit<Reading>, engine: &Engine) -> EngineStatus {
    let mut status = engine.status(permit.locale());
    if let Scope::Customer(_) = permit.scope() {
        if let Some(info) = &mut status.info {
            convert::count_states(info, &reach::containers(engine, permit.scope()));
            info.root_dir.clear();
        }
        status.data_usage = None;
    }
    status
}

/// One engine with its disk usage computed anew.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Unavailable`].
pub async fn refresh_usage(permit: &Permit<Reading>, engine: &str) -> Result<EngineStatus> {
    let engine = find(permit, engine)?;
    engine.refresh_usage().await.map_err(|fault| fault.error(permit.locale()))?;
    Ok(status(permit, engine))
}

/// One engine with its disk usage, as new as a page may wait for: computing it goes on behind the answer.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn engine_with_usage(permit: &Permit<Reading>, engine: &str) -> Result<EngineStatus> {
    let engine = find(permit, engine)?;
    if engine.view().trouble.is_none() && permit.scope() == Scope::Platform {
        let computing = engine.clone();
        let computing = tokio::spawn(async move { computing.refresh_usage().await });
        // Without its usage an engine is still worth showing.
        drop(tokio::time::timeout(USAGE_PATIENCE, computing).await);
    }
    Ok(status(permit, engine))
}

/// The containers in reach, with how true the list is; shared with the cache.
///
/// # Errors
/// [`Error::NotFound`] when there is no such engine.
pub fn shared_containers(
    permit: &Permit<Reading>,
    engine: &str,
) -> Result<(Vec<Arc<Container>>, EngineStatus, Timestamp)> {
    let engine = find(permit, engine)?;
    let at = engine.view().at;
    Ok((reach::containers(engine, permit.scope()), status(permit, engine), at))
}

/// The containers in reach.
///
/// # Errors
/// As [`shared_containers`].
pub fn containers(permit: &Permit<Reading>, engine: &str) -> Result<Listing<Container>> {
    let (items, engine, at) = shared_containers(permit, engine)?;
    Ok(Listing { items: items.iter().map(|container| Container::clone(container)).collect(), engine, at })
}

/// One container in full.
///
/// # Errors
/// [`Error::NotFound`] when there is none in reach.
pub async fn container(permit: &Permit<Reading>, engine: &str, id: &str) -> Result<ContainerDetail> {
    let engine = find(permit, engine)?;
    let row = reach::container(engine, permit.scope(), id, permit.locale()).await?;
    let detail = reach::inspect(engine, &row.id).await.map_err(|fault| fault.about("container", permit.locale()))?;
    let mut detail = detail
        .filter(|detail| reach::reaches(permit.scope(), &detail.container))
        .ok_or_else(|| Error::not_found("container"))?;
    if sees_no_secrets(permit) {
        convert::mask_environment(&mut detail);
    }
    Ok(detail)
}

/// Whether environment variables are hidden from the person: they may look and not operate.
pub fn sees_no_secrets<A>(permit: &Permit<A>) -> bool {
    policy::decide(permit.session(), Verb::Operate, "container").is_err()
}

/// The images.
///
/// # Errors
/// [`Error::NotFound`] when there is no such engine.
pub fn images(permit: &Permit<Reading>, engine: &str) -> Result<Listing<Image>> {
    let engine = find(permit, engine)?;
    let (images, at) = {
        let view = engine.view();
        (Arc::clone(&view.images), view.at)
    };
    let users = convert::users_of_images(reach::containers(engine, permit.scope()).iter());
    let row =
        |image: &Arc<Image>| Image { containers: users.get(&image.id).copied().unwrap_or(0), ..Image::clone(image) };
    Ok(Listing { items: images.iter().map(row).collect(), engine: status(permit, engine), at })
}

/// One image in full.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn image(permit: &Permit<Reading>, engine: &str, id: &str) -> Result<ImageDetail> {
    let found = find(permit, engine)?;
    let inspect = inspect_image(permit, engine, id).await?;
    let identifier = inspect["Id"].as_str().unwrap_or_default().to_owned();
    let (wire, path) = (way(permit, found)?, found.path(&format!("/images/{identifier}/history")));
    let answer = found.call(found.timeout, wire.get(&path, found.timeout)).await;
    let history = answer.and_then(|answer| convert::layers(&answer));
    let history = history.map_err(|fault| fault.about("image", permit.locale()))?;
    let row = images(permit, engine)?.items.into_iter().find(|image| image.id == identifier);
    Ok(ImageDetail { image: row.unwrap_or_else(|| bare(&identifier, &inspect)), history, inspect })
}

/// Everything the engine says of an image.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn inspect_image(permit: &Permit<Reading>, engine: &str, id: &str) -> Result<Value> {
    let engine = find(permit, engine)?;
    if !is_image(id) {
        return Err(Error::not_found("image"));
    }
    let wire = way(permit, engine)?;
    let inspect = reach::value(engine, &wire, &format!("/images/{id}/json")).await;
    inspect.map_err(|fault| fault.about("image", permit.locale()))
}

fn way(permit: &Permit<Reading>, engine: &Engine) -> Result<Wire> {
    engine.wire().map_err(|fault| fault.error(permit.locale()))
}

/// The row of an image that no list has shown yet.
fn bare(id: &str, inspect: &Value) -> Image {
    let names = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(convert::visible).collect()
    };
    Image {
        id: convert::visible(id),
        tags: names(&inspect["RepoTags"]),
        digests: names(&inspect["RepoDigests"]),
        size: inspect["Size"].as_i64().unwrap_or(0),
        created_at: inspect["Created"].as_str().and_then(|at| at.parse().ok()).unwrap_or(Timestamp::from_millis(0)),
        containers: 0,
        labels: std::collections::BTreeMap::new(),
    }
}

/// Searches Docker Hub, or the registry that the term begins with: `quay.example.org/nginx`.
///
/// # Errors
/// [`Error::Invalid`] at `term` or `limit`; what the engine says of the registry.
pub async fn search_images(
    permit: &Permit<Reading>,
    engine: &str,
    term: &str,
    limit: Option<u32>,
) -> Result<Vec<FoundImage>> {
    let engine = find(permit, engine)?;
    let locale = permit.locale();
    let term = term.trim();
    if term.is_empty() || term.len() > 200 || term.starts_with('-') || term.chars().any(char::is_control) {
        return Err(Error::invalid("term", td_string!(locale, deployments.spec.search_term)));
    }
    let limit = limit.unwrap_or(25);
    if !(1..=100).contains(&limit) {
        return Err(Error::invalid("limit", td_string!(locale, deployments.spec.limit)));
    }
    let wire = way(permit, engine)?;
    let path = engine.path(&format!("/images/search?term={}&limit={limit}", escaped(term)));
    let found = engine.wait(SEARCH_DEADLINE, wire.get(&path, SEARCH_DEADLINE)).await;
    let found = found.and_then(|answer| convert::found(&answer, searched(term)));
    found.map_err(|fault| match fault {
        // It is the registry that is away. Engines tell so with many statuses, each in its own words.
        Fault::Said { message, .. } => Error::unavailable("registry", message),
        fault => fault.error(locale),
    })
}

/// What a specification means.
///
/// # Errors
/// [`Error::NotFound`] when there is no such engine.
pub fn explain(permit: &Permit<Reading>, engine: &str, spec: &ContainerSpec) -> Result<Explanation> {
    find(permit, engine)?;
    let may_elevate = policy::decide(permit.session(), Verb::Elevate, "container").is_ok();
    Ok(explain::explain(spec, may_elevate, permit.locale()))
}
