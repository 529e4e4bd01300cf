//! Where Ansible is, and whether it can be kept apart here.

use super::sandbox::{self, Isolation};
use crate::{
    error::{Error, Result},
    i18n::{Locale, td_string},
    platform::config::Config,
};
use serde::{Deserialize, Serialize};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use utoipa::ToSchema;

/// How long the answer of Ansible is kept: asking starts a program that takes its second.
const KEPT: Duration = Duration::from_secs(60);

/// How long Ansible may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether playbooks could be run. Neither a version nor a hint: it has not answered yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AnsibleStatus {
    /// Whether it was found.
    pub is_up: bool,
    /// Its version.
    pub version: Option<String>,
    /// How to get it, while it is missing.
    pub hint: Option<String>,
    /// Whether it was asked and is not there.
    #[serde(skip)]
    pub is_missing: bool,
}

/// An Ansible that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tools {
    /// The folder of `ansible-playbook` and its siblings.
    pub bin: PathBuf,
    /// Its version: `2.19.14`.
    pub version: String,
    /// Folders outside the system's own that it needs: its virtual environment and its Python.
    pub folders: Vec<PathBuf>,
}

/// What is known of Ansible. Asking takes a second, so it is asked beside the requests and nobody waits.
#[derive(Clone, Debug)]
pub struct Ansible(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    places: Places,
    known: Mutex<Known>,
}

/// Where Ansible may be, and what may be done where it cannot be kept apart.
#[derive(Debug)]
struct Places {
    given: PathBuf,
    data: PathBuf,
    namespaces: bool,
    user: String,
    allow_unisolated: bool,
}

#[derive(Debug, Default)]
struct Known {
    asked_at: Option<Instant>,
    is_missing: bool,
    tools: Option<Tools>,
    has_namespaces: Option<bool>,
    /// The program that the user of its own was seen to reach.
    reached: Option<PathBuf>,
}

impl Ansible {
    /// What the configuration says; nothing is asked yet.
    pub fn new(config: &Config) -> Self {
        let places = Places {
            given: config.provisioning.ansible.clone(),
            data: config.data.dir.clone(),
            namespaces: config.provisioning.namespaces,
            user: config.provisioning.user.clone(),
            allow_unisolated: config.provisioning.allow_unisolated,
        };
        Self(Arc::new(Inner { places, known: Mutex::default() }))
    }

    /// What is known now; when that is old, Ansible is asked again for the next who looks.
    pub fn look(&self) -> AnsibleStatus {
        let mut known = self.known();
        if known.asked_at.is_none_or(|at| at.elapsed() >= KEPT) {
            known.asked_at = Some(Instant::now());
            let this = self.clone();
            tokio::spawn(async move { this.ask().await });
        }
        let version = known.tools.as_ref().map(|tools| tools.version.clone());
        AnsibleStatus { is_up: version.is_some(), version, hint: None, is_missing: known.is_missing }
    }

    /// Where it is; asks when that is not known.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it is not there.
    pub async fn tools(&self, locale: Locale) -> Result<Tools> {
        let known = self.known().tools.clone();
        let tools = match known.filter(|tools| tools.bin.join("ansible-playbook").is_file()) {
            Some(tools) => Some(tools),
            None => self.ask().await,
        };
        tools.ok_or_else(|| {
            let (missing, hint) = (td_string!(locale, ansible.missing), td_string!(locale, ansible.hint));
            Error::unavailable("ansible", format!("{missing} {hint}"))
        })
    }

    /// How a program can be kept apart here.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it cannot be, and the configuration does not allow it to run all the same; or
    /// when the user that shall run Ansible may not.
    pub async fn isolation(&self, locale: Locale) -> Result<Isolation> {
        let places = &self.0.places;
        let not_apart = || Error::unavailable("ansible", td_string!(locale, ansible.not_apart));
        let known = self.known().has_namespaces;
        let has_namespaces = match known {
            _ if !places.namespaces => false,
            Some(known) => known,
            None => {
                let found = sandbox::has_namespaces().await;
                self.known().has_namespaces = Some(found);
                found
            }
        };
        if has_namespaces {
            return Ok(Isolation::Namespaces);
        }
        if !places.user.is_empty() && rustix::process::geteuid().is_root() {
            let found = sandbox::user_named(&places.user).filter(|(user, _)| *user != 0);
            let (user, group) = found.ok_or_else(not_apart)?;
            self.must_reach(user, group, locale).await?;
            return Ok(Isolation::User { user, group });
        }
        if places.allow_unisolated {
            return Ok(Isolation::None);
        }
        Err(not_apart())
    }

    /// Refuses where the user that runs Ansible cannot reach its programs, such as below a private folder.
    async fn must_reach(&self, user: u32, group: u32, locale: Locale) -> Result<()> {
        let tools = self.tools(locale).await?;
        let program = tools.bin.join("ansible-playbook");
        if self.known().reached.as_ref() == Some(&program) {
            return Ok(());
        }
        for path in std::iter::once(&program).chain(&tools.folders) {
            if !sandbox::may_enter(path, user, group).await {
                let (name, path) = (self.0.places.user.clone(), path.display().to_string());
                return Err(Error::unavailable(
                    "ansible",
                    td_string!(locale, ansible.out_of_reach, user = name, path = path),
                ));
            }
        }
        self.known().reached = Some(program);
        Ok(())
    }

    async fn ask(&self) -> Option<Tools> {
        let found = self.0.places.find().await;
        let mut known = self.known();
        known.asked_at = Some(Instant::now());
        known.is_missing = found.is_none();
        known.tools.clone_from(&found);
        found
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    /// The first place where `ansible-playbook` answers.
    async fn find(&self) -> Option<Tools> {
        let mut places = Vec::new();
        if self.given.as_os_str().is_empty() {
            places.push(self.data.join("ansible/bin"));
            let path = std::env::var_os("PATH").unwrap_or_default();
            places.extend(std::env::split_paths(&path));
        } else {
            places.push(self.given.clone());
        }
        for bin in places {
            let Ok(bin) = std::path::absolute(&bin) else { continue };
            if bin.join("ansible-playbook").is_file()
                && let Some(tools) = ask(&bin).await
            {
                return Some(tools);
            }
        }
        None
    }
}

async fn ask(bin: &Path) -> Option<Tools> {
    let asked = tokio::process::Command::new(bin.join("ansible-playbook"))
        .arg("--version")
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(output)) if output.status.success() => {
            let said = String::from_utf8_lossy(&output.stdout);
            Some(Tools { version: version(&said)?, folders: folders(bin, &said), bin: bin.to_owned() })
        }
        _ => None,
    }
}

/// Reads the version from the first line: `ansible-playbook [core 2.19.14]`.
fn version(output: &str) -> Option<String> {
    let first = output.lines().next()?;
    let inside = first.split_once('[').map_or(first, |(_, rest)| rest).trim_end_matches(']');
    inside.split_whitespace().last().map(str::to_owned)
}

/// The folders that hold Ansible and its Python, from what `--version` says, without those of the system.
fn folders(bin: &Path, output: &str) -> Vec<PathBuf> {
    let told = |name: &str| {
        output.lines().find_map(|line| line.trim().strip_prefix(name)?.trim().strip_prefix('=')).map(str::trim)
    };
    let python = told("python version")
        .and_then(|text| Some(text.rsplit_once('(')?.1.trim_end_matches(')')))
        .map_or_else(|| bin.join("python3"), PathBuf::from);
    let module = told("ansible python module location").map(PathBuf::from);
    let mut wanted = vec![bin.to_owned()];
    for interpreter in [python.clone(), std::fs::canonicalize(&python).unwrap_or(python)] {
        // The environment or installation that a Python belongs to is the folder above its `bin`.
        wanted.extend(interpreter.parent().and_then(Path::parent).map(Path::to_owned));
    }
    wanted.extend(module.as_deref().and_then(Path::parent).map(Path::to_owned));
    wanted.extend(
        std::fs::canonicalize(bin.join("ansible-playbook")).ok().and_then(|path| Some(path.parent()?.to_owned())),
    );
    let mut kept: Vec<PathBuf> = Vec::new();
    wanted.sort();
    for folder in wanted {
        let of_system = ["/usr", "/bin", "/sbin", "/lib", "/lib64"].iter().any(|system| folder.starts_with(system));
        // A folder right below the root, such as /root or /home, would show far more than Ansible.
        let is_broad = folder.components().count() < 3 && folder != Path::new("/opt");
        if !of_system && !is_broad && folder.is_dir() && !kept.iter().any(|known| folder.starts_with(known)) {
            kept.push(folder);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_ansible_stands_in_its_first_line() {
        assert_eq!(version("ansible-playbook [core 2.19.14]\n  config file = None"), Some("2.19.14".to_owned()));
        assert_eq!(version("ansible-playbook 2.9.27"), Some("2.9.27".to_owned()));
    }

    #[test]
    fn only_folders_of_ansible_and_its_python_are_needed() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let (venv, python) = (root.path().join("venv"), root.path().join("python/3.11"));
        for folder in [venv.join("bin"), venv.join("lib/python3.11/site-packages/ansible"), python.join("bin")] {
            std::fs::create_dir_all(folder).expect("made");
        }
        std::fs::write(python.join("bin/python3.11"), "").expect("written");
        std::os::unix::fs::symlink(python.join("bin/python3.11"), venv.join("bin/python3")).expect("linked");
        let said = format!(
            "ansible-playbook [core 2.19.14]\n  ansible python module location = {0}/lib/python3.11/site-packages/ansible\n  \
             python version = 3.11.7 (main, May  9 2026, 07:35:25) [GCC 12.2.0] ({0}/bin/python3)\n",
            venv.display(),
        );

        assert_eq!(folders(&venv.join("bin"), &said), [python, venv]);
        assert!(folders(Path::new("/usr/bin"), "  python version = 3.11.2 (main) (/usr/bin/python3)\n").is_empty());
    }
}
