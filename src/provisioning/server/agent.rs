//! OpenSSH's agent with the keys of one run: what signs in has no key, only a socket.

use anyhow::{Context as _, bail, ensure};
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};
use zeroize::Zeroizing;

/// Where the programs of OpenSSH are looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How long a busy machine may take to start the agent or to load one key.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a path of a socket may be (`sun_path` without its closing zero).
const LONGEST_PATH: usize = 107;

/// A running `ssh-agent`. It ends with the value, and its socket goes with it.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Agent {
    /// Starts an agent at `socket`, which only this user may use, and loads private keys into it.
    ///
    /// The keys are in OpenSSH's format without a passphrase. They reach the agent through a pipe: no file,
    /// no argument and no variable ever holds them.
    ///
    /// # Errors
    /// When OpenSSH is not installed, the path is longer than a socket's may be or is taken, or the agent refuses
    /// a key. What the programs said is quoted; they never say a key.
    pub async fn start(socket: &Path, keys: &[Zeroizing<String>]) -> anyhow::Result<Self> {
        Self::start_for(socket, keys, None).await
    }

    /// As [`Agent::start`], for another user (its number and that of its group), whom alone the agent serves beside
    /// root. It must be able to write where the socket is.
    ///
    /// # Errors
    /// As [`Agent::start`].
    pub async fn start_for(
        socket: &Path,
        keys: &[Zeroizing<String>],
        user: Option<(u32, u32)>,
    ) -> anyhow::Result<Self> {
        let length = socket.as_os_str().len();
        ensure!(length <= LONGEST_PATH, "the path of the agent's socket is {length} bytes long, of {LONGEST_PATH}");
        let mut command = Command::new("ssh-agent");
        if let Some((user, group)) = user {
            command.uid(user).gid(group);
        }
        let child = command
            .arg("-D")
            .arg("-a")
            .arg(socket)
            .env_clear()
            .env("PATH", PATH)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("starting ssh-agent; is OpenSSH's client installed?")?;
        let mut agent = Self { child, socket: socket.to_owned() };
        agent.await_socket().await?;
        for key in keys {
            agent.add(key).await?;
        }
        Ok(agent)
    }

    /// Its process; `None` once it has ended.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Where it listens: the value of `SSH_AUTH_SOCK`.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    async fn await_socket(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().context("watching ssh-agent")? {
                let mut said = String::new();
                if let Some(mut stderr) = self.child.stderr.take() {
                    stderr.read_to_string(&mut said).await.context("reading what ssh-agent said")?;
                }
                bail!("ssh-agent ended at once ({status}): {}", said.trim());
            }
            if UnixStream::connect(&self.socket).await.is_ok() {
                return Ok(());
            }
            ensure!(Instant::now() < until, "ssh-agent did not listen within {} seconds", PATIENCE.as_secs());
            sleep(Duration::from_millis(10)).await;
        }
    }

    async fn add(&self, key: &str) -> anyhow::Result<()> {
        let mut child = Command::new("ssh-add")
            .args(["-q", "-"])
            .env_clear()
            .env("PATH", PATH)
            .env("SSH_AUTH_SOCK", &self.socket)
            // A key with a passphrase is refused, not asked about.
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("SSH_ASKPASS", "/bin/false")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("starting ssh-add")?;
        let mut stdin = child.stdin.take().expect("its input is a pipe");
        let load = async {
            // When it ends early it says why.
            let written = async {
                stdin.write_all(key.as_bytes()).await?;
                if !key.ends_with('\n') {
                    stdin.write_all(b"\n").await?;
                }
                stdin.shutdown().await
            }
            .await;
            drop(stdin);
            let ended = child.wait_with_output().await.context("waiting for ssh-add")?;
            let said = String::from_utf8_lossy(&ended.stderr);
            ensure!(ended.status.success(), "ssh-add refused a key ({}): {}", ended.status, said.trim());
            written.context("handing a key to ssh-add")
        };
        timeout(PATIENCE, load).await.context("ssh-add did not answer in time")?
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It has no time to tidy up when it is killed.
        self.child.start_kill().ok();
        std::fs::remove_file(&self.socket).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ssh_key::{LineEnding, PrivateKey, private::Ed25519Keypair};
    use std::os::unix::fs::PermissionsExt as _;

    /// Made for this test by `ssh-keygen -t ed25519 -a 1 -N secret`.
    const ENCRYPTED: &str = "\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABCANonMQJ
TVYPmIChwDKagpAAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIAwlKPzDa+t2pfKt
sVn/F0oZjM3uqutS12Z/mPXiaxJeAAAAkBu0W8lCrKzuPc3CngCxsMcV1gpoWt+9bwcDqa
ROLXeh5Pjrg9QQeLfdP9BmkLSTKpRcQdoZaTAk1JfoPF35lDx1vK9IMpTFay9dIslAb+wO
zIIiFFjVI/iImGmLmXV3fezAVKGcpoX1cOydjSEFRF/ccCFDb5RknOGpSsvH3zCplxfWcw
otyIYMK+N/4LbtDQ==
-----END OPENSSH PRIVATE KEY-----
";

    fn key(seed: u8) -> PrivateKey {
        PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
    }

    fn text(key: &PrivateKey) -> Zeroizing<String> {
        key.to_openssh(LineEnding::LF).expect("it can be written")
    }

    async fn listed(socket: &Path) -> String {
        let output = Command::new("ssh-add").arg("-L").env("SSH_AUTH_SOCK", socket).output().await.expect("it runs");
        String::from_utf8(output.stdout).expect("it is text")
    }

    #[tokio::test]
    async fn an_agent_holds_the_keys_for_its_user_alone_and_ends_with_its_value() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let socket = folder.path().join("agent");
        let (one, two) = (key(1), key(2));

        let agent = Agent::start(&socket, &[text(&one), text(&two)]).await.expect("started");
        let pid = agent.pid().expect("it runs");
        let lines = listed(&socket).await;
        let mode = std::fs::metadata(&socket).expect("it is there").permissions().mode();
        let environment = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).expect("it runs");
        drop(agent);

        for key in [&one, &two] {
            assert!(lines.contains(&key.public_key().to_openssh().expect("it can be written")), "{lines}");
        }
        assert_eq!(mode & 0o777, 0o600);
        assert!(!environment.contains("PRIVATE"));
        assert!(!socket.exists());
        let gone = async {
            while std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty()) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, gone).await.expect("it ended");
    }

    #[tokio::test]
    async fn what_is_no_key_is_refused_without_being_quoted() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let encrypted = Zeroizing::new(ENCRYPTED.to_owned());

        for wrong in [Zeroizing::new("canary".to_owned()), encrypted] {
            let refused = Agent::start(&folder.path().join("agent"), std::slice::from_ref(&wrong)).await;

            let said = format!("{:#}", refused.expect_err("it is refused"));
            assert!(said.contains("ssh-add refused a key"), "{said}");
            assert!(!said.contains("canary"), "{said}");
        }
    }

    #[tokio::test]
    async fn a_path_that_is_taken_or_too_long_is_told() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let taken = folder.path().join("taken");
        std::fs::write(&taken, "").expect("written");

        let refused = Agent::start(&taken, &[]).await.expect_err("it is refused");
        let long = Agent::start(&folder.path().join("x".repeat(100)), &[]).await.expect_err("it is refused");

        assert!(refused.to_string().contains("ssh-agent ended at once"), "{refused}");
        assert!(long.to_string().contains("of 107"), "{long}");
    }
}
