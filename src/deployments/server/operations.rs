//! Operations on containers and images.

use crate::{
    authentication::server::{Operating, Permit, Reading},
    deployments::model::{Answer, ContainerOperation, ImageOperation},
    error::{Error, Result},
};

/// An operation on containers that changes nothing.
pub async fn read_containers(
    _permit: &Permit<Reading>,
    _engine: &str,
    _operation: ContainerOperation,
    _objects: &[String],
) -> Result<Answer> {
    Err(Error::not_found("engine"))
}

/// An operation on containers.
pub async fn containers(
    _permit: &Permit<Operating>,
    _engine: &str,
    _operation: ContainerOperation,
    _objects: &[String],
) -> Result<Answer> {
    Err(Error::not_found("engine"))
}

/// An operation on images that changes nothing.
pub async fn read_images(
    _permit: &Permit<Reading>,
    _engine: &str,
    _operation: ImageOperation,
    _objects: &[String],
) -> Result<Answer> {
    Err(Error::not_found("engine"))
}

/// An operation on images.
pub async fn images(
    _permit: &Permit<Operating>,
    _engine: &str,
    _operation: ImageOperation,
    _objects: &[String],
) -> Result<Answer> {
    Err(Error::not_found("engine"))
}
