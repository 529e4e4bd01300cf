//! Hosts that playbooks run on: those of the services, and more containers of the same image where more are needed.

use crate::engine;
use hyper::Method;
use serde_json::{Value, json};
use std::{path::PathBuf, process::Command, time::Duration};
use tokio::{net::TcpStream, time::Instant};

/// What the further containers are known by.
const LABEL: &str = "muelle.bench.host";

/// The network of the hosts, see `scripts/lib/hosts.sh`.
const NETWORK: &str = "muelle-hosts";

/// How long a host may take to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Hosts with `sshd`, where root signs in with one key.
pub struct Hosts {
    /// Where they are, in the order of their names.
    pub addresses: Vec<String>,
    has_more: bool,
}

impl Hosts {
    /// So many hosts, each a container with its own `sshd` and its own key.
    pub async fn bring(count: usize) -> Self {
        let known = variable("MUELLE_TEST_HOSTS");
        let mut addresses: Vec<String> = known.split(',').map(str::to_owned).collect();
        let missing = count.saturating_sub(addresses.len());
        addresses.truncate(count);
        if missing > 0 {
            eprintln!("starting {missing} more hosts");
            engine::remove(&engine::socket(), LABEL).await;
            for number in 0..missing {
                addresses.push(start(number).await);
            }
        }
        for address in &addresses {
            listens(address).await;
        }
        Self { addresses, has_more: missing > 0 }
    }

    /// Removes the containers that were started beside those of the services.
    pub async fn send_away(self) {
        if self.has_more {
            engine::remove(&engine::socket(), LABEL).await;
        }
    }

    /// What a host is called in inventories: `berth-01`.
    pub fn name(number: usize) -> String {
        format!("berth-{:02}", number + 1)
    }
}

/// The file of the private key that signs in everywhere.
pub fn key() -> PathBuf {
    PathBuf::from(variable("MUELLE_TEST_HOST_KEY"))
}

/// The type and key that a host shows, as `known_hosts` wants them.
pub fn host_key(address: &str) -> String {
    let output = Command::new("ssh-keyscan").args(["-t", "ed25519", address]).output().expect("ssh-keyscan runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = said.lines().find(|line| !line.starts_with('#'));
    let (_, shown) = line.and_then(|line| line.split_once(' ')).unwrap_or_else(|| panic!("{address} shows no key"));
    shown.to_owned()
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is set (scripts/services and scripts/bench do)"))
}

/// Starts one container; gives its address.
async fn start(number: usize) -> String {
    let public = std::fs::read_to_string(key().with_extension("pub")).expect("the public key lies beside the other");
    let body = json!({
        "Image": variable("MUELLE_TEST_HOST_IMAGE"),
        "Hostname": format!("more-{number}"),
        "Env": [format!("MUELLE_HOST_KEY={}", public.trim())],
        "Labels": { LABEL: "true" },
        "HostConfig": { "NetworkMode": NETWORK, "Init": true },
    });
    let mut engine = engine::connect(&engine::socket()).await;
    let path = format!("/containers/create?name=muelle-bench-host-{number}");
    let made = engine::ask(&mut engine, Method::POST, &path, Some(body.to_string())).await;
    let made: Value = serde_json::from_slice(&made).expect("the engine answers with JSON");
    let id = made["Id"].as_str().expect("a container has an identifier");
    engine::ask(&mut engine, Method::POST, &format!("/containers/{id}/start"), None).await;
    let shown = engine::ask(&mut engine, Method::GET, &format!("/containers/{id}/json"), None).await;
    let shown: Value = serde_json::from_slice(&shown).expect("the engine answers with JSON");
    let address = shown["NetworkSettings"]["Networks"][NETWORK]["IPAddress"].as_str();
    address.filter(|address| !address.is_empty()).unwrap_or_else(|| panic!("no address: {shown}")).to_owned()
}

async fn listens(address: &str) {
    let until = Instant::now() + PATIENCE;
    while TcpStream::connect((address, 22)).await.is_err() {
        assert!(Instant::now() < until, "{address} does not listen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
