//! What the browser may call about engines, containers and images.

#![allow(missing_docs, reason = "the server macro makes a type of each function's arguments")]

use super::model::{
    Answer, Container, ContainerDetail, ContainerOperation, ContainerSpec, EngineStatus, Explanation, FoundImage,
    Image, ImageDetail, ImageOperation, Listing, LogQuery, LogSearch,
};
use crate::{error::Result, json::Json};
use leptos::prelude::server;

#[cfg(feature = "ssr")]
use super::server::{lists, logs, operations};
#[cfg(feature = "ssr")]
use crate::authentication::server::{Operating, Reading, context::permit};

/// Every engine with its state.
///
/// # Errors
/// [`Error::Unauthenticated`](crate::error::Error::Unauthenticated).
#[server(prefix = "/api/fn", endpoint = "list_engines", input = Json, output = Json)]
pub async fn list_engines() -> Result<Vec<EngineStatus>> {
    let permit = permit::<Reading>("engine")?;
    Ok(lists::engines(&permit))
}

/// One engine: state, what it told of itself, disk usage.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound) when there is no such engine.
#[server(name = GetEngineStatus, prefix = "/api/fn", endpoint = "engine_status", input = Json, output = Json)]
pub async fn engine_status(engine: String) -> Result<EngineStatus> {
    let permit = permit::<Reading>("engine")?;
    lists::engine(&permit, &engine)
}

/// Computes the disk usage anew, at most once a minute, and gives the engine with it.
///
/// # Errors
/// [`Error::Unavailable`](crate::error::Error::Unavailable) when the engine is away.
#[server(prefix = "/api/fn", endpoint = "refresh_usage", input = Json, output = Json)]
pub async fn refresh_usage(engine: String) -> Result<EngineStatus> {
    let permit = permit::<Reading>("engine")?;
    lists::refresh_usage(&permit, &engine).await
}

/// The containers in reach, from the cache that the engine's events keep true.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound) when there is no such engine. An engine that is
/// away is no error: the listing says so and holds what was last known.
#[server(prefix = "/api/fn", endpoint = "list_containers", input = Json, output = Json)]
pub async fn list_containers(engine: String) -> Result<Listing<Container>> {
    let permit = permit::<Reading>("container")?;
    lists::containers(&permit, &engine)
}

/// One container in full; `id` is an identifier, its beginning, or a name.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound) when there is none in reach.
#[server(name = GetContainer, prefix = "/api/fn", endpoint = "container", input = Json, output = Json)]
pub async fn container(engine: String, id: String) -> Result<ContainerDetail> {
    let permit = permit::<Reading>("container")?;
    lists::container(&permit, &engine, &id).await
}

/// Runs one operation on one, several or (create, run, prune) no containers.
///
/// # Errors
/// The engine's own words, as the case that fits: not found, conflict, invalid, unavailable. With
/// several objects each has its own result and the whole succeeds.
#[server(prefix = "/api/fn", endpoint = "operate_containers", input = Json, output = Json)]
pub async fn operate_containers(engine: String, operation: ContainerOperation, objects: Vec<String>) -> Result<Answer> {
    if operation.only_reads() {
        let permit = permit::<Reading>("container")?;
        return operations::read_containers(&permit, &engine, operation, &objects).await;
    }
    let permit = permit::<Operating>("container")?;
    operations::containers(&permit, &engine, operation, &objects).await
}

/// The images of an engine, from the cache.
///
/// # Errors
/// As [`list_containers`].
#[server(prefix = "/api/fn", endpoint = "list_images", input = Json, output = Json)]
pub async fn list_images(engine: String) -> Result<Listing<Image>> {
    let permit = permit::<Reading>("image")?;
    lists::images(&permit, &engine)
}

/// One image in full with its layers; `id` is an identifier or a name.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound) when there is none.
#[server(name = GetImage, prefix = "/api/fn", endpoint = "image", input = Json, output = Json)]
pub async fn image(engine: String, id: String) -> Result<ImageDetail> {
    let permit = permit::<Reading>("image")?;
    lists::image(&permit, &engine, &id).await
}

/// Runs one operation on one, several or (pull, list, search, prune) no images.
///
/// # Errors
/// As [`operate_containers`].
#[server(prefix = "/api/fn", endpoint = "operate_images", input = Json, output = Json)]
pub async fn operate_images(engine: String, operation: ImageOperation, objects: Vec<String>) -> Result<Answer> {
    if operation.only_reads() {
        let permit = permit::<Reading>("image")?;
        return operations::read_images(&permit, &engine, operation, &objects).await;
    }
    let permit = permit::<Operating>("image")?;
    operations::images(&permit, &engine, operation, &objects).await
}

/// Searches the registry that the engine uses for names without a host.
///
/// # Errors
/// [`Error::Unavailable`](crate::error::Error::Unavailable) in the engine's words when it cannot be reached.
#[server(prefix = "/api/fn", endpoint = "search_images", input = Json, output = Json)]
pub async fn search_images(engine: String, term: String) -> Result<Vec<FoundImage>> {
    let permit = permit::<Reading>("image")?;
    lists::search_images(&permit, &engine, &term, None).await
}

/// What a specification means: the equivalent command line and what to think of. The form computes
/// the same by itself with [`explain`](super::explain::explain).
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound) when there is no such engine.
#[server(prefix = "/api/fn", endpoint = "explain_spec", input = Json, output = Json)]
pub async fn explain_spec(engine: String, spec: ContainerSpec) -> Result<Explanation> {
    let permit = permit::<Reading>("container")?;
    lists::explain(&permit, &engine, &spec)
}

/// Searches a container's whole log for lines that hold `needle`, without regard to case.
///
/// # Errors
/// As [`container`].
#[server(prefix = "/api/fn", endpoint = "search_log", input = Json, output = Json)]
pub async fn search_log(engine: String, id: String, needle: String, query: LogQuery) -> Result<LogSearch> {
    let permit = permit::<Reading>("container")?;
    logs::search(&permit, &engine, &id, &needle, &query).await
}
