//! `ansible-playbook` by itself, as a person runs it in a folder of theirs: what runs are measured against.

use crate::hosts::{self, Hosts};
use serde_json::{Map, json};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::process::Command;

/// How Ansible is set up.
#[derive(Clone, Copy)]
pub enum Settings {
    /// As it comes: five hosts at a time, modules copied to the host, facts gathered by each play.
    Defaults,
    /// As Muelle sets it up, for so many hosts at a time.
    LikeMuelle {
        /// Hosts at a time.
        forks: usize,
    },
}

/// A folder with an inventory and what signing in takes.
pub struct Bare {
    folder: tempfile::TempDir,
    bin: PathBuf,
}

impl Bare {
    /// A folder for these hosts.
    pub fn new(hosts: &Hosts) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let bin =
            std::env::var("MUELLE_TEST_ANSIBLE").expect("MUELLE_TEST_ANSIBLE names a folder (scripts/bench does)");
        let mut all = Map::new();
        let mut known = String::new();
        for (number, address) in hosts.addresses.iter().enumerate() {
            known.push_str(&format!("{address} {}\n", hosts::host_key(address)));
            let host = json!({ "ansible_host": address, "ansible_user": "root" });
            all.insert(Hosts::name(number), host);
        }
        let bare = Self { folder, bin: bin.into() };
        bare.write("inventory.yml", &json!({ "all": { "hosts": all } }).to_string());
        bare.write("known_hosts", &known);
        bare.write("ansible.cfg", "[defaults]\n");
        bare
    }

    /// Runs a playbook on the first so many hosts, and gives how long that took.
    ///
    /// Connections that an earlier run left open are not used, because the runs that it is compared with have none.
    pub async fn run(&self, playbook: &str, hosts: usize, settings: Settings) -> Duration {
        self.write("site.yml", playbook);
        let fresh = tempfile::tempdir_in(self.folder.path()).expect("a folder can be made");
        let names: Vec<String> = (0..hosts).map(Hosts::name).collect();
        let known = self.path("known_hosts");
        let ssh = format!(
            "-F /dev/null -o UserKnownHostsFile={known} -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes"
        );
        let mut command = Command::new(self.bin.join("ansible-playbook"));
        command
            .args(["-i", &self.path("inventory.yml"), "--limit", &names.join(",")])
            .arg("--private-key")
            .arg(hosts::key())
            .arg("site.yml")
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", fresh.path())
            .env("ANSIBLE_CONFIG", self.path("ansible.cfg"))
            .env("ANSIBLE_SSH_COMMON_ARGS", ssh)
            .env("ANSIBLE_SSH_CONTROL_PATH_DIR", fresh.path().join("cp"))
            .stdin(Stdio::null())
            .stdout(self.console())
            .stderr(self.console());
        if let Settings::LikeMuelle { forks } = settings {
            command
                .env("ANSIBLE_FORKS", forks.to_string())
                .env("ANSIBLE_PIPELINING", "1")
                .env("ANSIBLE_GATHERING", "smart");
        }
        let began = Instant::now();
        let status = command.status().await.expect("ansible-playbook can be started");
        let took = began.elapsed();
        let said = std::fs::read_to_string(self.folder.path().join("console")).unwrap_or_default();
        assert!(status.success(), "ansible-playbook ended with {status}:\n{said}");
        close_connections(&fresh.path().join("cp")).await;
        took
    }

    /// What it says goes to a file: what it starts may hold a pipe open for longer than it lives.
    fn console(&self) -> File {
        let file = File::options().create(true).append(true).open(self.folder.path().join("console"));
        file.expect("the console can be written")
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.folder.path().join(name), content).expect("it can be written");
    }
}

/// Ends the connections that Ansible leaves open for a minute, so that they burden nobody who is measured next.
async fn close_connections(folder: &Path) {
    for socket in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let mut command = Command::new("ssh");
        let control = format!("ControlPath={}", socket.path().display());
        command.args(["-o", &control, "-O", "exit", "nobody"]).stdout(Stdio::null()).stderr(Stdio::null());
        drop(command.status().await);
    }
}
