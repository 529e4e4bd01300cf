//! Installing what a project asks for: `ansible-galaxy` apart from the server, once for all who ask for the same.
//!
//! `<data>/installed/<hash of what is asked for>/<number>` holds the `collections` and `roles` of one
//! installation, and what it was. It is complete when it is there, never changes, and goes when nobody has used it
//! for long.

use super::{
    layout, project,
    requirements::{self, Requirements},
    sandbox::{self, Question},
};
use crate::{
    authentication::server::Proof,
    error::{Error, Result},
    i18n::{Locale, td_string},
    id::Id,
    jobs::model::Job,
    platform::state::State,
    provisioning::books::{self, Requirement, RequirementKind},
    storage::Playbook,
    time::Timestamp,
};
use anyhow::Context as _;
use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    fs::File,
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::Semaphore;

/// The service that does not answer when nothing can be installed.
pub const SERVICE: &str = "galaxy";

/// How long an installation may take.
const LIMIT: Duration = Duration::from_secs(600);

/// How long versions that may change are taken for the newest.
const FRESH: Duration = Duration::from_secs(24 * 3600);

/// How long what nobody uses is kept.
const UNUSED: Duration = Duration::from_secs(30 * 24 * 3600);

/// The file beside the folders that says what they hold; its time is when they were last used.
const TOLD: &str = "installed.json";

/// The file that `ansible-galaxy` reads, where no file of a project can be in the way.
const ASKED: &str = ".muelle/requirements.yml";

/// How long a failure is told again to who merely looks, and an older installation is used without trying.
const REMEMBERED: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(600)];

/// Installations that are under way at a time: they wait for the network most of the time.
static PLACES: Semaphore = Semaphore::const_new(4);

/// What failed last, by the folder it was for, and when.
static FAILED: LazyLock<Mutex<HashMap<PathBuf, (Instant, Failure)>>> = LazyLock::new(Mutex::default);

/// Installations that are under way, by their folder. They end when nobody waits for them any more.
static UNDER_WAY: LazyLock<Mutex<HashMap<PathBuf, WeakShared<Installing>>>> = LazyLock::new(Mutex::default);

type Installing = BoxFuture<'static, std::result::Result<(Installed, String), Failure>>;

/// Collections and roles that are installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// The folder with `collections` and `roles`.
    pub folder: PathBuf,
    told: Told,
}

/// What is written beside them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    at: Timestamp,
    items: Vec<(RequirementKind, String, String)>,
}

/// What is ready to be used, and what came of making it so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// What is installed.
    pub installed: Installed,
    /// What `ansible-galaxy` said, where it was asked.
    pub output: String,
    /// That it could not be fetched again, so an older one is used.
    pub warning: Option<String>,
}

#[derive(Clone, Debug)]
enum Failure {
    /// It could not be asked.
    NotAsked(Error),
    /// What it complained of.
    Said(String),
    /// It took too long, or was killed.
    Ended,
}

/// What an installation is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To look at a playbook, which happens often: what failed a moment ago is not tried again.
    Look,
    /// To run it.
    Run,
    /// To have the newest: an earlier installation does not count.
    Anew,
}

/// Has what a project asks for installed, by whoever is installing it already, or earlier; `None` where it asks for
/// nothing. `begins` is called when somebody has to wait for it.
///
/// # Errors
/// [`Error::Unavailable`] when it cannot be installed, of `ansible` where that is missing, else of [`SERVICE`].
pub async fn ready(
    state: &State,
    locale: Locale,
    requirements: &Requirements,
    wish: Wish,
    begins: impl FnOnce(),
) -> Result<Option<Ready>> {
    if requirements.is_empty() {
        return Ok(None);
    }
    let folder = folder(state, locale, requirements).await?;
    let known = known(folder.clone()).await.filter(|_| wish != Wish::Anew);
    if let Some(installed) =
        known.clone().filter(|installed| requirements.is_pinned || installed.told.at.age(Timestamp::now()) < FRESH)
    {
        installed.touch();
        return Ok(Some(Ready { installed, output: String::new(), warning: None }));
    }
    let failure = match failed_before(&folder, wish, known.is_some()) {
        Some(failure) => failure,
        None => {
            begins();
            match installing(state, locale, requirements, folder).await {
                Ok((installed, output)) => return Ok(Some(Ready { installed, output, warning: None })),
                Err(failure) => failure,
            }
        }
    };
    let said = match failure {
        Failure::NotAsked(error) => return Err(error),
        Failure::Said(said) => said,
        Failure::Ended => {
            td_string!(locale, playbooks.requirements.slow, minutes = (LIMIT.as_secs() / 60).to_string())
        }
    };
    let path = requirements.path.clone();
    match known {
        Some(installed) => {
            installed.touch();
            let warning = Some(td_string!(locale, playbooks.requirements.stale, path = path, said = said));
            Ok(Some(Ready { installed, output: String::new(), warning }))
        }
        None => Err(Error::unavailable(
            SERVICE,
            td_string!(locale, playbooks.requirements.failed, path = path, said = said),
        )),
    }
}

/// The failure that counts for this wish without another attempt.
fn failed_before(folder: &Path, wish: Wish, is_known: bool) -> Option<Failure> {
    let [moment, while_known] = REMEMBERED;
    let counts = match wish {
        Wish::Anew => return None,
        _ if is_known => while_known,
        Wish::Look => moment,
        Wish::Run => return None,
    };
    let failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner);
    failed.get(folder).filter(|(at, _)| at.elapsed() < counts).map(|(_, failure)| failure.clone())
}

/// What was installed last for this, if it was.
pub async fn installed(state: &State, locale: Locale, requirements: &Requirements) -> Option<Installed> {
    if requirements.is_empty() {
        return None;
    }
    known(folder(state, locale, requirements).await.ok()?).await
}

async fn known(folder: PathBuf) -> Option<Installed> {
    tokio::task::spawn_blocking(move || newest(&folder)).await.ok().flatten()
}

/// What a playbook needs beside what Ansible brings, and what of it is installed; `None` where it asks for nothing.
///
/// # Errors
/// [`Error::NotFound`], also for another customer's.
pub async fn told(state: &State, proof: &dyn Proof, playbook: Id<Playbook>) -> Result<Option<books::Requirements>> {
    project::reach(state, proof, playbook).await?;
    let requirements = match requirements::of(state, proof, playbook).await? {
        Ok(requirements) => requirements,
        Err(marks) => {
            let path = marks.first().map(|mark| mark.path.clone()).unwrap_or_default();
            let problem = Some(requirements::sentence(&marks, proof.locale()));
            return Ok(Some(books::Requirements { path, problem, ..books::Requirements::default() }));
        }
    };
    let installed = installed(state, proof.locale(), &requirements).await;
    Ok((!requirements.is_empty()).then(|| beside(&requirements, installed)))
}

/// Installs what a playbook asks for once more, though it may be installed; gives the same as [`told`].
///
/// # Errors
/// As [`ready`]; [`Error::NotFound`], also for another customer's; [`Error::Invalid`] at `requirements` when its file
/// cannot be read.
pub async fn install(state: &State, proof: &dyn Proof, playbook: Id<Playbook>) -> Result<Option<books::Requirements>> {
    project::reach(state, proof, playbook).await?;
    let requirements = requirements::of(state, proof, playbook)
        .await?
        .map_err(|marks| Error::invalid("requirements", requirements::sentence(&marks, proof.locale())))?;
    let ready = ready(state, proof.locale(), &requirements, Wish::Anew, || {}).await?;
    Ok(ready.map(|ready| beside(&requirements, Some(ready.installed))))
}

/// What is asked for beside what is installed.
fn beside(requirements: &Requirements, installed: Option<Installed>) -> books::Requirements {
    let path = requirements.path.clone();
    let Some(Installed { told, .. }) = installed else {
        return books::Requirements { path, items: requirements.items.clone(), ..books::Requirements::default() };
    };
    let item = |(kind, name, version): &(RequirementKind, String, String)| {
        let asked = requirements.items.iter().find(|item| item.kind == *kind && item.name == *name);
        let wanted = asked.and_then(|item| item.wanted.clone());
        Requirement { kind: *kind, wanted, name: name.clone(), installed: Some(version.clone()) }
    };
    let mut items: Vec<_> = told.items.iter().map(item).collect();
    // What came with Ansible was not installed once more.
    let is_told =
        |item: &Requirement| told.items.iter().any(|(kind, name, _)| *kind == item.kind && *name == item.name);
    items.extend(requirements.items.iter().filter(|item| requirements::is_name(item) && !is_told(item)).cloned());
    books::Requirements { path, problem: None, items, installed_at: Some(told.at) }
}

/// Removes what nobody has used for long, and what newer ones have taken the place of.
pub fn sweep(state: &State) {
    // A run may still be reading an older one.
    let longest = FRESH + Duration::from_secs(state.config.provisioning.timeout.into());
    for folder in entries(&state.config.data.dir.join("installed")) {
        let newest = newest(&folder).map(|installed| installed.folder);
        for one in entries(&folder) {
            let used = std::fs::metadata(one.join(TOLD)).or_else(|_| std::fs::metadata(&one));
            let unused =
                used.and_then(|used| used.modified()).ok().and_then(|at| at.elapsed().ok()).unwrap_or_default();
            if (unused > UNUSED || (unused > longest && newest.as_ref() != Some(&one)))
                && let Err(error) = std::fs::remove_dir_all(&one)
            {
                tracing::warn!("removing {}: {error}", one.display());
            }
        }
        // Only where nothing is left in it.
        drop(std::fs::remove_dir(&folder));
    }
    let [_, longest] = REMEMBERED;
    FAILED.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, (at, _)| at.elapsed() < longest);
}

/// What is in a folder, as far as it can be read.
fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

impl Installed {
    /// Says that it is used.
    fn touch(&self) {
        let touched = File::options().append(true).open(self.folder.join(TOLD));
        if let Err(error) = touched.and_then(|file| file.set_modified(SystemTime::now())) {
            tracing::warn!("{}: {error}", self.folder.display());
        }
    }
}

/// Where it is: another Galaxy server may give something else, and another Ansible brings something else along.
async fn folder(state: &State, locale: Locale, requirements: &Requirements) -> Result<PathBuf> {
    let version = state.ansible.tools(locale).await?.version;
    let key = format!("{version}\n{}\n{}", state.config.provisioning.galaxy, requirements.key());
    let folder = state.config.data.dir.join("installed").join(project::hash_of(key.as_bytes()));
    Ok(std::path::absolute(folder).context("finding the data folder")?)
}

/// The newest of a folder: their names are in the order of time, and what is not whole begins with a dot.
fn newest(folder: &Path) -> Option<Installed> {
    let is_whole = |path: &PathBuf| path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."));
    let mut folders: Vec<PathBuf> = entries(folder).into_iter().filter(is_whole).collect();
    folders.sort();
    folders.into_iter().rev().find_map(|folder| {
        let told = serde_json::from_slice(&std::fs::read(folder.join(TOLD)).ok()?).ok()?;
        Some(Installed { folder, told })
    })
}

/// An installation that others wait for too.
fn installing(state: &State, locale: Locale, requirements: &Requirements, folder: PathBuf) -> Shared<Installing> {
    let mut under_way = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
    under_way.retain(|_, known| known.upgrade().is_some_and(|known| known.peek().is_none()));
    if let Some(known) = under_way.get(&folder).and_then(WeakShared::upgrade) {
        return known;
    }
    let (state, requirements, parent) = (state.clone(), requirements.clone(), folder.clone());
    let installing = async move {
        // Who waits for a place waits as long as for an installation that hangs.
        let whole = tokio::time::timeout(2 * LIMIT, run(&state, locale, &requirements, &parent));
        let outcome = whole.await.unwrap_or(Err(Failure::Ended));
        if let Err(failure) = &outcome {
            let mut failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner);
            failed.insert(parent, (Instant::now(), failure.clone()));
        }
        outcome
    };
    let installing = installing.boxed().shared();
    if let Some(known) = installing.downgrade() {
        under_way.insert(folder, known);
    }
    installing
}

async fn run(
    state: &State,
    locale: Locale,
    requirements: &Requirements,
    parent: &Path,
) -> std::result::Result<(Installed, String), Failure> {
    let our_fault = |error: anyhow::Error| Failure::NotAsked(error.into());
    let _place = PLACES.acquire().await.context("waiting for others").map_err(our_fault)?;
    let mut files: Vec<_> = requirements.local.clone().into_iter().collect();
    files.push((ASKED.to_owned(), requirements.file().into_bytes()));
    let question = Question {
        program: "ansible-galaxy",
        arguments: ["install", "-r", ASKED].map(str::to_owned).to_vec(),
        files,
        environment: environment(state),
        limit: LIMIT,
        ..Question::default()
    };
    let (answer, left) = sandbox::ask_and_keep(state, locale, question).await.map_err(Failure::NotAsked)?;
    match answer.code {
        Some(0) => {}
        Some(_) => return Err(Failure::Said(complaint(&answer.stderr))),
        None => return Err(Failure::Ended),
    }
    let told = Told { at: Timestamp::now(), items: read(&answer.stdout) };
    let parent = parent.to_owned();
    // What it left stays until it is copied, also when nobody waits for it any more.
    let kept = tokio::task::spawn_blocking(move || {
        let left = left;
        keep(&left.inside, &parent, told)
    });
    let installed = kept.await.context("keeping it").flatten().map_err(our_fault)?;
    Ok((installed, answer.stdout))
}

/// Where it installs to, whom it asks, and what Git may do. Whoever needs a proxy to get there named it to the server.
fn environment(state: &State) -> Vec<(&'static str, String)> {
    let below = |name: &str| format!("../{}/{name}", layout::INSTALLED);
    let mut all = vec![
        ("ANSIBLE_COLLECTIONS_PATH", below("collections")),
        ("ANSIBLE_ROLES_PATH", below("roles")),
        ("ANSIBLE_GALAXY_SERVER", state.config.provisioning.galaxy.clone()),
        ("GIT_ALLOW_PROTOCOL", "https".to_owned()),
        ("GIT_TERMINAL_PROMPT", "0".to_owned()),
    ];
    let proxies = ["http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY", "NO_PROXY"];
    all.extend(proxies.into_iter().filter_map(|name| Some((name, std::env::var(name).ok()?))));
    all
}

/// Moves what was installed to where it stays, whole or not at all.
fn keep(inside: &Path, parent: &Path, told: Told) -> anyhow::Result<Installed> {
    let name = Id::<Job>::new().to_string();
    let (half, folder) = (parent.join(format!(".{name}")), parent.join(name));
    if !parent.is_dir() {
        layout::make_private(parent)?;
    }
    let moved = (|| {
        // Not moved: they may be another user's, or on another disk.
        layout::copy(&inside.join(layout::INSTALLED), &half)?;
        layout::write(&half.join(TOLD), &serde_json::to_vec(&told)?)?;
        std::fs::rename(&half, &folder).context("keeping what was installed")
    })();
    if moved.is_err() {
        drop(std::fs::remove_dir_all(&half));
    }
    moved.map(|()| Installed { folder, told })
}

/// What was installed: the kind, name and version of each. Source: the messages of ansible-core's `galaxy` commands.
fn read(output: &str) -> Vec<(RequirementKind, String, String)> {
    let mut all: Vec<_> = output
        .lines()
        .filter_map(|line| {
            let what = line.trim().strip_suffix(" was installed successfully")?;
            if let Some(role) = what.strip_prefix("- ") {
                let (name, version) = role.split_once(" (").unwrap_or((role, ""));
                return Some((RequirementKind::Role, name.to_owned(), version.trim_end_matches(')').to_owned()));
            }
            let (name, version) = what.split_once(':')?;
            Some((RequirementKind::Collection, name.to_owned(), version.to_owned()))
        })
        .collect();
    all.sort();
    all.dedup();
    all
}

/// Why nothing was installed, in a sentence.
fn complaint(stderr: &str) -> String {
    let of = |begin: &str| {
        let said = |line: &str| Some(line.trim().strip_prefix(begin)?.trim().trim_start_matches("- ").to_owned());
        // After a role that failed, an error advises to ignore it.
        stderr.lines().filter_map(said).find(|line| !line.contains("--ignore-errors"))
    };
    let role = of("[WARNING]:").filter(|said| said.contains(" was NOT installed successfully"));
    // Git says it in fewer words than Ansible, which quotes the whole command; and of a role only a warning has the name.
    let why = of("fatal:").or_else(|| of("[ERROR]:")).or_else(|| of("ERROR!"));
    let last = || stderr.lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned);
    let said = match (role.as_deref().and_then(|said| said.split_once(" was NOT ")), why) {
        (Some((name, _)), Some(why)) => format!("{name}: {why}"),
        (_, why) => why.or(role).or_else(|| of("[WARNING]:")).or_else(last).unwrap_or_default(),
    };
    let plain: String = said.chars().filter(|letter| !letter.is_control()).take(400).collect();
    if plain.ends_with(['.', '!', '?']) || plain.is_empty() { plain } else { format!("{plain}.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_installed_is_read() {
        let said = "Starting galaxy role install process\n- extracting web to /x/roles/web\n- web (1.2) was installed successfully\nInstalling 'acme.tools:1.0.0' to '/x'\nacme.tools:1.0.0 was installed successfully\nacme.base:0.3.0 was installed successfully\n";

        let installed = read(said);

        let item = |kind, name: &str, version: &str| (kind, name.to_owned(), version.to_owned());
        assert_eq!(
            installed,
            [
                item(RequirementKind::Collection, "acme.base", "0.3.0"),
                item(RequirementKind::Collection, "acme.tools", "1.0.0"),
                item(RequirementKind::Role, "web", "1.2"),
            ]
        );
    }

    #[test]
    fn the_reason_of_a_failure_is_one_sentence() {
        for (said, expected) in [
            (
                "[WARNING]: Skipping Galaxy server https://x.\n[ERROR]: Unknown error at 'https://x/api/': no name\n\nmore\n",
                "Unknown error at 'https://x/api/': no name.",
            ),
            (
                "[WARNING]: - a.b was NOT installed successfully: no name\n[ERROR]: - you can use --ignore-errors to skip\n",
                "a.b was NOT installed successfully: no name.",
            ),
            (
                "[WARNING]: - x was NOT installed successfully: - command git clone -- https://x.org/x\nfatal: unable to access 'https://x.org/x/': no host\n[ERROR]: - you can use --ignore-errors to skip\n",
                "x: unable to access 'https://x.org/x/': no host.",
            ),
            (
                "[ERROR]: failed to download the file: HTTP Error 404: Not Found\n[WARNING]: - web was NOT installed successfully.\n[ERROR]: - you can use --ignore-errors to skip\n",
                "web: failed to download the file: HTTP Error 404: Not Found.",
            ),
            ("Traceback\nOdd: thing\n", "Odd: thing."),
            ("", ""),
        ] {
            assert_eq!(complaint(said), expected, "{said}");
        }
    }
}
