//! Who sees and touches which container: those of a customer carry its label.

use super::{
    convert,
    engine::Engine,
    fault::Fault,
    reference::is_name,
    wire::{Wire, escaped},
};
use crate::{
    authentication::server::Scope,
    deployments::model::{CUSTOMER_LABEL, Container, ContainerDetail},
    error::{Error, Result},
    i18n::Locale,
};
use serde_json::Value;
use std::sync::Arc;

/// Whether somebody with this scope may know of the container.
pub fn reaches(scope: Scope, container: &Container) -> bool {
    // A label that is no identifier is nobody's; only the platform reaches it.
    scope.reaches(container.customer.as_deref().and_then(|customer| customer.parse().ok()))
}

/// The containers in reach.
pub fn containers(engine: &Engine, scope: Scope) -> Vec<Arc<Container>> {
    let all = Arc::clone(&engine.view().containers);
    all.iter().filter(|container| reaches(scope, container)).cloned().collect()
}

/// The container in reach that is meant by an identifier, its unambiguous beginning, or a name.
///
/// # Errors
/// [`Error::NotFound`], in the same words whether there is none or it is another customer's.
pub async fn container(engine: &Engine, scope: Scope, object: &str, locale: Locale) -> Result<Arc<Container>> {
    let known = Arc::clone(&engine.view().containers);
    if let Some(container) = find(&known, scope, object) {
        return Ok(container);
    }
    // It may be younger than the list.
    let detail = inspect(engine, object).await.map_err(|fault| fault.about("container", locale))?;
    let container = detail.map(|detail| detail.container).filter(|container| reaches(scope, container));
    container.map(Arc::new).ok_or_else(|| Error::not_found("container"))
}

fn find(known: &[Arc<Container>], scope: Scope, object: &str) -> Option<Arc<Container>> {
    let name = object.strip_prefix('/').unwrap_or(object);
    let in_reach = || known.iter().filter(|container| reaches(scope, container));
    if let Some(container) = in_reach().find(|container| container.id == object || container.name == name) {
        return Some(Arc::clone(container));
    }
    if name.len() < 4 || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut beginning = in_reach().filter(|container| container.id.starts_with(name));
    let found = beginning.next()?;
    beginning.next().is_none().then(|| Arc::clone(found))
}

/// Everything the engine says of a container; `None` when the words cannot name one.
///
/// # Errors
/// What the engine says.
pub async fn inspect(engine: &Engine, object: &str) -> Result<Option<ContainerDetail>, Fault> {
    let name = object.strip_prefix('/').unwrap_or(object);
    if !is_name(name) {
        return Ok(None);
    }
    let value = value(engine, &engine.wire()?, &format!("/containers/{name}/json")).await?;
    let row = {
        let view = engine.view();
        view.containers.iter().find(|row| value["Id"].as_str() == Some(&row.id)).cloned()
    };
    Ok(convert::detail(value, row.as_deref()))
}

/// The answer to a path as JSON.
///
/// # Errors
/// What the engine says.
pub async fn value(engine: &Engine, wire: &Wire, path: &str) -> Result<Value, Fault> {
    convert::json(&engine.call(engine.timeout, wire.get(&engine.path(path), engine.timeout)).await?)
}

/// What is said of a volume or a network that a new container would use.
#[derive(Debug)]
pub enum Thing {
    /// There is none of that name.
    Missing,
    /// There is one.
    There(Value),
}

/// Looks at a volume or a network (`kind` is `volumes` or `networks`) by name.
///
/// # Errors
/// What the engine says.
pub async fn thing(engine: &Engine, kind: &str, name: &str) -> Result<Thing, Fault> {
    match value(engine, &engine.wire()?, &format!("/{kind}/{}", escaped(name))).await {
        Ok(value) => Ok(Thing::There(value)),
        Err(Fault::Said { status: 404, .. }) => Ok(Thing::Missing),
        Err(fault) => Err(fault),
    }
}

/// Whether a volume or a network belongs to somebody with this scope.
pub fn owns(scope: Scope, thing: &Value) -> bool {
    let customer = thing["Labels"][CUSTOMER_LABEL].as_str();
    scope.reaches(customer.and_then(|customer| customer.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        deployments::model::{ContainerState, Health},
        id::Id,
        time::Timestamp,
    };
    use std::collections::BTreeMap;

    fn container(id: &str, name: &str, customer: Option<String>) -> Arc<Container> {
        Arc::new(Container {
            id: id.repeat(64 / id.len()),
            name: name.to_owned(),
            state: ContainerState::Running,
            exit_code: None,
            status: String::new(),
            health: Health::None,
            image: String::new(),
            image_id: String::new(),
            command: String::new(),
            labels: BTreeMap::new(),
            ports: Vec::new(),
            networks: BTreeMap::new(),
            stack: None,
            customer,
            created_at: Timestamp::from_millis(0),
        })
    }

    #[test]
    fn a_container_is_meant_by_identifier_name_or_unambiguous_beginning() {
        let known = [container("ab", "web", None), container("abcd", "db", None), container("ef", "abab", None)];
        let found = |object: &str| find(&known, Scope::Platform, object).map(|container| container.name.clone());

        assert_eq!(found("/web").as_deref(), Some("web"));
        assert_eq!(found("abab").as_deref(), Some("abab"));
        assert_eq!(found("abcdab").as_deref(), Some("db"));
        assert_eq!(found(&"ef".repeat(32)).as_deref(), Some("abab"));
        assert_eq!(found("ab"), None);
    }

    #[test]
    fn only_its_own_customer_and_the_platform_reach_a_container() {
        let own = Id::new();
        let labelled = container("ab", "web", Some(own.to_string()));
        let garbled = container("cd", "odd", Some("everybody".to_owned()));

        assert!(reaches(Scope::Platform, &labelled) && reaches(Scope::Customer(own), &labelled));
        assert!(!reaches(Scope::Customer(Id::new()), &labelled));
        assert!(reaches(Scope::Platform, &garbled) && !reaches(Scope::Customer(own), &garbled));
    }
}
