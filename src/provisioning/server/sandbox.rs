//! Where programs run that read what people wrote: apart from the server, its data and its secrets.
//!
//! With namespaces (bubblewrap) a program sees the system's programs, Ansible, one writable folder and the
//! network, and no other process. Without them it runs as a user of its own, or not at all.

use super::{layout, processes, supervisor::RUN};
use crate::{error::Result, i18n::Locale, id::Id, jobs::model::Job, platform::state::State};
use anyhow::Context as _;
use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::Command,
};

/// Where a program in namespaces finds its writable folder: short, because of the paths of sockets.
const SEEN: &str = "/run/muelle";

/// How the folder of a question begins, in that of the runs.
pub const QUESTION: &str = "question-";

/// How much of an answer is kept, in bytes of each stream.
const ANSWER: u64 = 1 << 20;

/// Where programs of the system are looked for.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What of `/etc` a program needs to resolve names, link, speak TLS and know its own user.
const OF_ETC: [&str; 24] = [
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "gai.conf",
    "group",
    "host.conf",
    "hosts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "networks",
    "nsswitch.conf",
    "os-release",
    "passwd",
    "pki",
    "protocols",
    "resolv.conf",
    "rpc",
    "services",
    "ssl",
    "timezone",
];

/// How a program is kept apart from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// In namespaces of its own.
    Namespaces,
    /// As a user of its own.
    User {
        /// The user's number.
        user: u32,
        /// The number of its first group.
        group: u32,
    },
    /// Not at all.
    None,
}

impl Isolation {
    /// Its name as [`Exit`](super::workspace::Exit) tells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::User { .. } => "user",
            Self::None => "none",
        }
    }
}

/// A writable folder and what keeps those apart who work in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Place {
    /// How it is kept apart.
    pub isolation: Isolation,
    /// The folder, as the server sees it.
    pub inside: PathBuf,
    /// Folders that can be read beside the system's own.
    pub folders: Vec<PathBuf>,
    /// Collections and roles that are installed for it, to be found in [`layout::INSTALLED`].
    pub installed: Option<PathBuf>,
}

impl Place {
    /// A place for a run or question with this identifier and private folder; nothing is made yet.
    pub fn of(isolation: Isolation, folder: &Path, id: &str, folders: Vec<PathBuf>) -> Self {
        let inside = match isolation {
            Isolation::Namespaces => folder.join("inside"),
            // Another user may not enter the data folder, and sockets need a short path.
            Isolation::User { .. } | Isolation::None => {
                std::env::temp_dir().join(format!("muelle-{}", &id[id.len().saturating_sub(12)..]))
            }
        };
        Self { isolation, inside, folders, installed: None }
    }

    /// The same with collections and roles that are installed for it.
    pub fn with_installed(self, installed: Option<PathBuf>) -> Self {
        Self { installed, ..self }
    }

    /// The folder as the programs in it see it.
    pub fn seen(&self) -> &Path {
        match self.isolation {
            Isolation::Namespaces => Path::new(SEEN),
            Isolation::User { .. } | Isolation::None => &self.inside,
        }
    }

    /// Makes the folder, for this user only.
    ///
    /// # Errors
    /// When it is there already or cannot be made.
    pub fn make(&self) -> anyhow::Result<()> {
        layout::make_private(&self.inside)?;
        match (&self.installed, self.isolation) {
            // Nobody else may enter the data folder, so those who are in no namespace get a copy.
            (Some(installed), Isolation::User { .. } | Isolation::None) => {
                layout::copy(installed, &self.inside.join(layout::INSTALLED))
            }
            (Some(_), Isolation::Namespaces) | (None, _) => Ok(()),
        }
    }

    /// Hands everything in the folder to the user that works there, once it is laid out.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn hand_over(&self) -> anyhow::Result<()> {
        match self.isolation {
            Isolation::User { user, group } => give(&self.inside, user, group),
            Isolation::Namespaces | Isolation::None => Ok(()),
        }
    }

    /// A program in this place: no environment, no input, its project as the folder it starts in. With
    /// `is_child` it dies with the thread that starts it, which must live as long as it shall.
    pub fn command(&self, program: &Path, is_child: bool) -> Command {
        let mut command = match self.isolation {
            Isolation::Namespaces => {
                let mut command = Command::new("bwrap");
                command.args(wrapping(&self.inside, &self.folders, self.installed.as_deref()));
                if is_child {
                    command.args(["--die-with-parent", "--new-session"]);
                }
                command.arg("--").arg(program);
                command
            }
            Isolation::User { user, group } => {
                let mut command = Command::new(program);
                command.uid(user).gid(group).current_dir(self.inside.join("project"));
                command
            }
            Isolation::None => {
                let mut command = Command::new(program);
                command.current_dir(self.inside.join("project"));
                command
            }
        };
        command.env_clear().env("PATH", PATH).stdin(Stdio::null()).process_group(0);
        command
    }
}

/// What bubblewrap is told: what can be seen, and that nothing else is.
fn wrapping(inside: &Path, folders: &[PathBuf], installed: Option<&Path>) -> Vec<OsString> {
    let mut all: Vec<OsString> = Vec::new();
    let mut add = |words: &[&std::ffi::OsStr]| all.extend(words.iter().map(|word| (*word).to_owned()));
    for word in ["--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"] {
        add(&[word.as_ref()]);
    }
    add(&["--cap-drop".as_ref(), "ALL".as_ref(), "--hostname".as_ref(), "muelle".as_ref()]);
    add(&["--ro-bind".as_ref(), "/usr".as_ref(), "/usr".as_ref()]);
    for name in ["bin", "sbin", "lib", "lib32", "lib64", "libx32"] {
        let path = Path::new("/").join(name);
        if let Ok(target) = std::fs::read_link(&path) {
            add(&["--symlink".as_ref(), target.as_ref(), path.as_ref()]);
        } else if path.is_dir() {
            add(&["--ro-bind".as_ref(), path.as_ref(), path.as_ref()]);
        }
    }
    add(&["--perms".as_ref(), "0755".as_ref(), "--dir".as_ref(), "/etc".as_ref()]);
    for name in OF_ETC {
        let path = Path::new("/etc").join(name);
        if path.exists() {
            add(&["--ro-bind".as_ref(), path.as_ref(), path.as_ref()]);
        }
    }
    for (kind, path) in
        [("--proc", "/proc"), ("--dev", "/dev"), ("--tmpfs", "/tmp"), ("--tmpfs", "/run"), ("--tmpfs", "/home")]
    {
        add(&[kind.as_ref(), path.as_ref()]);
    }
    // Whoever is root outside owns the settings of the kernel in here too, and bubblewrap leaves them writable.
    for path in settings_of_the_kernel() {
        add(&["--ro-bind".as_ref(), path.as_ref(), path.as_ref()]);
    }
    for folder in folders {
        add(&["--ro-bind".as_ref(), folder.as_ref(), folder.as_ref()]);
    }
    add(&["--bind".as_ref(), inside.as_ref(), SEEN.as_ref()]);
    if let Some(installed) = installed {
        add(&["--ro-bind".as_ref(), installed.as_ref(), Path::new(SEEN).join(layout::INSTALLED).as_ref()]);
    }
    add(&["--chdir".as_ref(), Path::new(SEEN).join("project").as_ref()]);
    all
}

/// What of `/proc` is the whole machine's and could be written: everything but processes, links, and files that
/// nobody may write.
fn settings_of_the_kernel() -> Vec<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;

    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut all: Vec<_> = entries
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with(|first: char| first.is_ascii_digit()))
        .filter(|entry| {
            std::fs::symlink_metadata(entry.path())
                .is_ok_and(|found| found.is_dir() || (found.is_file() && found.permissions().mode() & 0o222 != 0))
        })
        .map(|entry| entry.path())
        .collect();
    all.sort();
    all
}

/// Whether this machine lets a program run in namespaces: it is tried once.
pub async fn has_namespaces() -> bool {
    let tried = async {
        let folder = tempfile_folder()?;
        std::fs::create_dir(folder.join("project"))?;
        let place =
            Place { isolation: Isolation::Namespaces, inside: folder.clone(), folders: Vec::new(), installed: None };
        let status = place.command(Path::new("/usr/bin/true"), false).kill_on_drop(true).output().await;
        drop(std::fs::remove_dir_all(&folder));
        let output = status.context("starting bubblewrap")?;
        if !output.status.success() {
            tracing::warn!("bubblewrap: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        anyhow::Ok(output.status.success())
    };
    match tokio::time::timeout(Duration::from_secs(20), tried).await {
        Ok(Ok(has)) => has,
        Ok(Err(error)) => {
            tracing::warn!("trying whether playbooks can be kept apart: {error:#}");
            false
        }
        Err(_) => false,
    }
}

/// A new private folder under the system's folder for such.
fn tempfile_folder() -> anyhow::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("muelle-{}", Id::<Job>::new()));
    layout::make_private(&folder)?;
    Ok(folder)
}

/// The numbers of a user and its first group, by its name in `/etc/passwd`.
pub fn user_named(name: &str) -> Option<(u32, u32)> {
    let all = std::fs::read_to_string("/etc/passwd").ok()?;
    let fields = all.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == name)?;
    Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
}

/// Whether another user may run a program or enter a folder.
pub async fn may_enter(path: &Path, user: u32, group: u32) -> bool {
    let mut command = Command::new("test");
    command.arg("-x").arg(path).uid(user).gid(group).current_dir("/").env_clear().env("PATH", PATH);
    command.stdin(Stdio::null()).kill_on_drop(true).status().await.is_ok_and(|status| status.success())
}

fn give(path: &Path, user: u32, group: u32) -> anyhow::Result<()> {
    std::os::unix::fs::lchown(path, Some(user), Some(group))
        .with_context(|| format!("giving away {}", path.display()))?;
    if std::fs::symlink_metadata(path)?.is_dir() {
        for entry in std::fs::read_dir(path)? {
            give(&entry?.path(), user, group)?;
        }
    }
    Ok(())
}

/// A command that looks at files and answers.
#[derive(Default)]
pub struct Question {
    /// The program: one of Ansible's, `ansible-playbook`, `ansible-inventory`, `ansible-doc`, `ansible-galaxy` or
    /// `ansible-lint`.
    pub program: &'static str,
    /// Its arguments, one element each.
    pub arguments: Vec<String>,
    /// Files by their path; the program is started in the folder that holds them.
    pub files: Vec<(String, Vec<u8>)>,
    /// Collections and roles that are installed for it.
    pub installed: Option<PathBuf>,
    /// What it finds in its environment beside what all find.
    pub environment: Vec<(&'static str, String)>,
    /// How long it may take.
    pub limit: Duration,
}

/// What a command answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its exit code; `None` when a signal or the limit ended it.
    pub code: Option<i32>,
    /// What it wrote, cut after 1 MiB.
    pub stdout: String,
    /// What it complained of, cut after 1 MiB.
    pub stderr: String,
}

/// Runs a command apart from the server, in a folder of its own with these files, and waits for it.
///
/// # Errors
/// [`Error::Unavailable`](crate::error::Error::Unavailable) when Ansible is missing, or it could not be kept apart
/// and that is not allowed.
pub async fn ask(state: &State, locale: Locale, question: Question) -> Result<Answer> {
    Ok(ask_and_keep(state, locale, question).await?.0)
}

/// The same, with the folder it worked in, which stays as long as it is held.
///
/// # Errors
/// As [`ask`].
pub async fn ask_and_keep(state: &State, locale: Locale, question: Question) -> Result<(Answer, Left)> {
    let tools = state.ansible.tools(locale).await?;
    let isolation = state.ansible.isolation(locale).await?;
    let id = Id::<Job>::new().to_string();
    let folder = state.config.data.dir.join("runs").join(format!("{QUESTION}{id}"));
    let folder = std::path::absolute(&folder).context("finding the data folder")?;
    let place = Place::of(isolation, &folder, &id, tools.folders.clone()).with_installed(question.installed);
    let left = Left { inside: place.inside.clone(), _removed: Removed(vec![place.inside.clone(), folder.clone()]) };
    layout::make_private(&folder)?;
    let (laid_out, files) = (place.clone(), question.files);
    let laid_out = tokio::task::spawn_blocking(move || {
        laid_out.make()?;
        layout::folders(&laid_out.inside)?;
        layout::project(&laid_out.inside, &files)?;
        laid_out.hand_over()
    });
    laid_out.await.context("laying out a question")??;

    let seen = place.seen();
    let mut command = place.command(&tools.bin.join(question.program), false);
    command
        .args(&question.arguments)
        .envs(layout::environment(seen, &tools.bin))
        .env(RUN, &id)
        .env("ANSIBLE_INVENTORY_ENABLED", "host_list,yaml,ini")
        .env("NO_COLOR", "1")
        .env("ANSIBLE_NOCOLOR", "1")
        .envs(question.environment)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let answer = answer(command, question.limit).await.with_context(|| format!("asking {}", question.program))?;
    if isolation != Isolation::Namespaces {
        // Something may have left the group and still be there.
        processes::of_run(&id).into_iter().for_each(|pid| processes::signal(pid, Signal::KILL));
    }
    Ok((answer, left))
}

/// Removes what the question of a killed server left behind, by the name of its folder.
pub fn clear(folder: &Path) {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let Some(id) = name.strip_prefix(QUESTION) else { return };
    processes::of_run(id).into_iter().for_each(|pid| processes::signal(pid, Signal::KILL));
    let elsewhere = Place::of(Isolation::None, folder, id, Vec::new()).inside;
    drop(Removed(vec![elsewhere, folder.to_owned()]));
}

/// What a command left behind.
pub struct Left {
    /// The folder that it worked in, as the server sees it.
    pub inside: PathBuf,
    _removed: Removed,
}

async fn answer(mut command: Command, limit: Duration) -> anyhow::Result<Answer> {
    let mut child = command.kill_on_drop(true).spawn().context("starting it")?;
    // With the group goes the first process of the namespace, and with that everything in it.
    let _ended = child.id().map(Ended);
    let stdout = child.stdout.take().context("its output is a pipe")?;
    let stderr = child.stderr.take().context("its complaints are a pipe")?;
    let (mut said, mut complained) = (Vec::new(), Vec::new());
    let all = async {
        let (_, _, status) = tokio::join!(keep(stdout, &mut said), keep(stderr, &mut complained), child.wait());
        status
    };
    let code = match tokio::time::timeout(limit, all).await {
        Ok(status) => status.context("waiting for it")?.code(),
        Err(_) => None,
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Answer { code, stdout: text(&said), stderr: text(&complained) })
}

/// Reads a stream to its end and keeps its beginning.
async fn keep(mut stream: impl AsyncRead + Unpin, kept: &mut Vec<u8>) {
    drop((&mut stream).take(ANSWER).read_to_end(kept).await);
    drop(tokio::io::copy(&mut stream, &mut tokio::io::sink()).await);
}

/// A process group that ends with the value.
struct Ended(u32);

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.0).ok().and_then(Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
    }
}

/// Folders that go with the value.
struct Removed(Vec<PathBuf>);

impl Drop for Removed {
    fn drop(&mut self) {
        for folder in &self.0 {
            drop(std::fs::remove_dir_all(folder));
        }
    }
}
