//! Reading: engines, containers and images, from the cache or from the engine.

use crate::{
    authentication::server::{Permit, Reading},
    deployments::model::{
        Container, ContainerDetail, ContainerSpec, EngineStatus, Explanation, FoundImage, Image, ImageDetail, Listing,
    },
    error::{Error, Result},
};

/// Every engine with its state.
pub fn engines(_permit: &Permit<Reading>) -> Vec<EngineStatus> {
    Vec::new()
}

/// One engine.
pub fn engine(_permit: &Permit<Reading>, _engine: &str) -> Result<EngineStatus> {
    Err(Error::not_found("engine"))
}

/// One engine with its disk usage computed anew.
pub async fn refresh_usage(_permit: &Permit<Reading>, _engine: &str) -> Result<EngineStatus> {
    Err(Error::not_found("engine"))
}

/// The containers in reach.
pub fn containers(_permit: &Permit<Reading>, _engine: &str) -> Result<Listing<Container>> {
    Err(Error::not_found("engine"))
}

/// One container in full.
pub async fn container(_permit: &Permit<Reading>, _engine: &str, _id: &str) -> Result<ContainerDetail> {
    Err(Error::not_found("engine"))
}

/// The images.
pub fn images(_permit: &Permit<Reading>, _engine: &str) -> Result<Listing<Image>> {
    Err(Error::not_found("engine"))
}

/// One image in full.
pub async fn image(_permit: &Permit<Reading>, _engine: &str, _id: &str) -> Result<ImageDetail> {
    Err(Error::not_found("engine"))
}

/// Searches the public registry.
pub async fn search_images(
    _permit: &Permit<Reading>,
    _engine: &str,
    _term: &str,
    _limit: Option<u32>,
) -> Result<Vec<FoundImage>> {
    Err(Error::not_found("engine"))
}

/// What a specification means.
pub fn explain(_permit: &Permit<Reading>, _engine: &str, _spec: &ContainerSpec) -> Result<Explanation> {
    Err(Error::not_found("engine"))
}
