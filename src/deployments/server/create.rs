//! Making a container from a specification: the same way for `create`, for `run`, and for whatever comes.

use super::{
    engine::Engine,
    fault::Fault,
    reach::{self, Thing},
    spec::{self, Origin},
};
use crate::{
    authentication::server::{Elevating, Operating, Permit, Proof as _, Scope},
    deployments::{
        explain::{self, container_of},
        model::{ContainerSpec, MountSpec, NetworkSpec},
    },
    error::{Error, Problem, Result},
    i18n::td_string,
    id::Id,
    jobs::model::Job,
};
use bollard::{
    models::{ContainerCreateBody, NetworkConnectRequest},
    query_parameters::{CreateContainerOptions, RemoveContainerOptions},
};
use serde_json::Value;
use std::time::Duration;

/// How long making one may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// Networks that every engine has.
const BUILT_IN: [&str; 3] = ["bridge", "default", "none"];

/// A specification that was checked and may be used by the person who asked.
pub struct Prepared {
    name: Option<String>,
    body: ContainerCreateBody,
    further: Vec<NetworkSpec>,
}

/// Checks every field, asks the policy for each right over the machine, and looks whether everything that
/// the container shares with others is within reach.
///
/// # Errors
/// [`Error::Invalid`] with a problem per field, [`Error::Forbidden`] with the first right that is missing.
pub async fn prepare(
    permit: &Permit<Operating>,
    engine: &Engine,
    spec: &ContainerSpec,
    job: Option<Id<Job>>,
) -> Result<Prepared> {
    let problems = spec::check(spec, permit.scope(), permit.locale());
    if !problems.is_empty() {
        return Err(Error::Invalid { problems });
    }
    may_use(permit, spec)?;
    let mut spec = spec.clone();
    settle_shared_containers(permit, engine, &mut spec).await?;
    check_volumes(permit, engine, &spec.mounts).await?;
    check_networks(permit, engine, &spec).await?;
    let origin = Origin { customer: permit.scope().customer(), job };
    Ok(Prepared {
        name: spec.name.clone(),
        body: spec::body(&spec, origin),
        further: spec.networks.iter().skip(1).cloned().collect(),
    })
}

/// Whether the person may ask for what the specification asks of the machine; looks at nothing else.
///
/// # Errors
/// [`Error::Forbidden`].
pub fn may_use(permit: &Permit<Operating>, spec: &ContainerSpec) -> Result<()> {
    let Some((_, risk)) = explain::risks(spec).into_iter().next() else { return Ok(()) };
    elevate(permit, &risk.text(permit.locale()))
}

fn elevate(permit: &Permit<Operating>, risk: &str) -> Result<()> {
    permit.context().permit::<Elevating>("container").map(drop).map_err(|error| match error {
        Error::Forbidden { .. } => {
            let text = td_string!(permit.locale(), deployments.spec.refused, risk = risk.to_owned());
            Error::Forbidden { reason: text }
        }
        other => other,
    })
}

fn may_elevate(permit: &Permit<Operating>) -> bool {
    permit.context().permit::<Elevating>("container").is_ok()
}

/// Puts the identifier in place of each name in `container:NAME`, so that nobody can swap names meanwhile.
async fn settle_shared_containers(permit: &Permit<Operating>, engine: &Engine, spec: &mut ContainerSpec) -> Result<()> {
    for mode in [&mut spec.network, &mut spec.pid_mode, &mut spec.ipc_mode] {
        let Some(name) = mode.as_deref().and_then(container_of) else { continue };
        let shared = reach::container(engine, permit.scope(), name, permit.locale()).await?;
        *mode = Some(format!("container:{}", shared.id));
    }
    Ok(())
}

/// A volume of another customer is out of reach, and one that is a folder of the machine in disguise is
/// a right over the machine.
async fn check_volumes(permit: &Permit<Operating>, engine: &Engine, mounts: &[MountSpec]) -> Result<()> {
    let mut problems = Vec::new();
    for (index, mount) in mounts.iter().enumerate().filter(|(_, mount)| mount.kind == "volume") {
        let Some(name) = mount.source.as_deref().filter(|source| !source.is_empty()) else { continue };
        let found = reach::thing(engine, "volumes", name).await.map_err(|fault| fault.error(permit.locale()))?;
        let Thing::There(volume) = found else { continue };
        if !reach::owns(permit.scope(), &volume) {
            let text = td_string!(permit.locale(), deployments.spec.volume_unknown);
            problems.push(Problem::at(format!("mounts[{index}].source"), text));
        } else if is_disguised_bind(&volume) && !may_elevate(permit) {
            let path = volume["Options"]["device"].as_str().unwrap_or_default().to_owned();
            elevate(permit, &explain::Risk::Bind(path).text(permit.locale()))?;
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::Invalid { problems }) }
}

/// Whether a volume of the local driver mounts something of the machine.
fn is_disguised_bind(volume: &Value) -> bool {
    volume["Options"]["device"].as_str().is_some_and(|device| device.starts_with('/'))
}

async fn check_networks(permit: &Permit<Operating>, engine: &Engine, spec: &ContainerSpec) -> Result<()> {
    let single = spec.network.iter().map(|name| ("network".to_owned(), name.as_str()));
    let several = spec
        .networks
        .iter()
        .enumerate()
        .map(|(index, network)| (format!("networks[{index}].name"), network.name.as_str()));
    let mut problems = Vec::new();
    for (field, name) in single.chain(several) {
        if BUILT_IN.contains(&name) || container_of(name).is_some() || (name == "host" && may_elevate(permit)) {
            continue;
        }
        let found = reach::thing(engine, "networks", name).await.map_err(|fault| fault.error(permit.locale()))?;
        match found {
            // An identifier of the machine's own network is the machine's own network.
            Thing::There(network) if network["Driver"] == "host" => {
                elevate(permit, &explain::Risk::HostNetwork.text(permit.locale()))?;
            }
            Thing::There(network) if reach::owns(permit.scope(), &network) => {}
            Thing::There(_) | Thing::Missing => {
                problems.push(Problem::at(field, td_string!(permit.locale(), deployments.spec.network_unknown)));
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::Invalid { problems }) }
}

/// What creating gave.
pub struct Created {
    /// The new container's identifier.
    pub id: String,
    /// What the engine warns of.
    pub warnings: Vec<String>,
}

/// Creates the container and joins it to its networks; when that fails nothing stays behind.
///
/// # Errors
/// [`Error::Invalid`] at `image` when it is missing, [`Error::Conflict`] in the engine's words when the name
/// is taken.
pub async fn create(permit: &Permit<Operating>, engine: &Engine, prepared: Prepared) -> Result<Created> {
    let locale = permit.locale();
    let docker = engine.docker().map_err(|fault| fault.error(locale))?;
    let options = CreateContainerOptions { name: prepared.name.clone(), platform: String::new() };
    let created = engine.call(DEADLINE, docker.create_container(Some(options), prepared.body)).await;
    let created = created.map_err(|fault| refused(fault, permit))?;
    for network in prepared.further {
        let request =
            NetworkConnectRequest { container: created.id.clone(), endpoint_config: Some(spec::endpoint(&network)) };
        let joined = engine.call(DEADLINE, docker.connect_network(&network.name, request)).await;
        if let Err(fault) = joined {
            discard(engine, &created.id).await;
            return Err(fault.error(locale));
        }
    }
    Ok(Created { id: created.id, warnings: created.warnings })
}

/// Removes what was made a moment ago and never ran.
pub async fn discard(engine: &Engine, id: &str) {
    let Ok(docker) = engine.docker() else { return };
    let options = RemoveContainerOptions { force: true, v: true, link: false };
    if let Err(fault) = engine.call(DEADLINE, docker.remove_container(id, Some(options))).await {
        tracing::warn!("a container that could not be completed stays behind: {fault}");
    }
}

/// Why the engine refused to make or to name a container.
pub fn refused<A>(fault: Fault, permit: &Permit<A>) -> Error {
    let locale = permit.locale();
    match fault {
        Fault::Said { status: 404, message } if message.to_ascii_lowercase().contains("no such image") => {
            Error::invalid("image", message)
        }
        // The engine names the other container, which may be another customer's.
        Fault::Said { status: 409, message }
            if message.contains("already in use") && matches!(permit.scope(), Scope::Customer(_)) =>
        {
            Error::conflict(td_string!(locale, deployments.engine.name_taken))
        }
        fault => fault.about("container", locale),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_volume_that_is_a_folder_of_the_machine_is_recognised() {
        assert!(is_disguised_bind(
            &json!({"Driver": "local", "Options": {"o": "bind", "device": "/etc", "type": "none"}})
        ));
        assert!(!is_disguised_bind(&json!({"Driver": "local", "Options": null})));
        assert!(!is_disguised_bind(&json!({"Options": {"device": "tmpfs", "type": "tmpfs"}})));
    }
}
