//! The binary `muelle`.

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use muelle::{
    authentication::{
        model::Role,
        server::{token::Keys, users},
    },
    error::Error,
    i18n::Locale,
    platform::{config::Config, health, serve, state::State, telemetry},
    provisioning::server::{seal, supervisor},
};
use std::{
    io::{IsTerminal as _, Read as _},
    path::PathBuf,
    process::ExitCode,
};

/// One control panel for the machines and containers of a team's customers.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the pages and the API (default).
    Serve,
    /// Brings the tables up to date and stops.
    Migrate,
    /// Asks whether a server answers at the configured address.
    Healthcheck,
    /// Manages the keys that sign tokens and seal secrets.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Holds one run of a playbook; the server starts it.
    #[command(hide = true)]
    RunSupervisor {
        /// The private folder of the run.
        folder: PathBuf,
    },
    /// Manages users where nobody can sign in.
    #[command(subcommand)]
    Admin(Admin),
}

#[derive(Subcommand)]
enum KeysCommand {
    /// Makes new keys. The signing key before it opens what it has signed until the next is made: where a key was
    /// seen by others, run it twice, and browsers sign in again. Every secret is sealed anew under the new master
    /// key, and the old one is removed.
    Rotate,
}

#[derive(Subcommand)]
enum Admin {
    /// Registers a user. The password comes from a prompt or standard input, never from an argument.
    CreateUser {
        #[command(flatten)]
        who: Who,
        /// What they may do.
        #[arg(long)]
        role: RoleName,
        /// The mail address.
        #[arg(long)]
        email: Option<String>,
    },
    /// Gives a user a new password and ends their logins.
    ResetPassword {
        #[command(flatten)]
        who: Who,
    },
    /// Lists the users.
    List,
}

#[derive(Args)]
struct Who {
    /// The name for signing in.
    #[arg(long)]
    username: String,
    /// The domain of the customer they belong to; absent for the platform's own people.
    #[arg(long)]
    customer: Option<String>,
    /// Read the password from standard input, one line, instead of asking for it.
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum RoleName {
    Admin,
    Regular,
    Viewer,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Admin => Self::Admin,
            RoleName::Regular => Self::Regular,
            RoleName::Viewer => Self::Viewer,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("muelle: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    // It is told everything by the server, and has nothing to do with the configuration.
    if let Some(Command::RunSupervisor { folder }) = arguments.command {
        return supervisor::run(&folder).await;
    }
    let config = Config::load()?;
    telemetry::start(&config.log.filter, config.log.format == "json");
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::serve(State::start(config).await?).await,
        Command::Migrate => State::start(config).await.map(drop),
        Command::RunSupervisor { folder } => supervisor::run(&folder).await,
        Command::Healthcheck => health::ask(&config).await,
        Command::Keys(KeysCommand::Rotate) => rotate(config).await,
        Command::Admin(command) => administer(config, command).await,
    }
}

async fn rotate(config: Config) -> anyhow::Result<()> {
    Keys::rotate(&config.data.dir)?;
    println!("New tokens are signed with a new key; running servers use it within seconds.");
    let state = State::start(config).await?;
    let count = seal::rotate(&state.config.data.dir, &state.db, seal::PAUSE).await?;
    println!("A new master key seals {count} secrets; the old one is gone. Back up {} now.", seal::FILE);
    Ok(())
}

async fn administer(config: Config, command: Admin) -> anyhow::Result<()> {
    match command {
        Admin::CreateUser { who, role, email } => {
            let password = password(&who, true)?;
            let state = State::start(config).await?;
            let new = users::NewUser {
                username: who.username.clone(),
                email,
                first_name: None,
                role: role.into(),
                customer: who.customer,
                password,
            };
            users::create(&state, new, Locale::en).await.map_err(|error| sentence(&error, "user"))?;
            println!("{} can sign in now.", who.username);
        }
        Admin::ResetPassword { who } => {
            let password = password(&who, true)?;
            let state = State::start(config).await?;
            users::reset_password(&state, who.customer.as_deref(), &who.username, &password, Locale::en)
                .await
                .map_err(|error| sentence(&error, &who.username))?;
            println!("{} has a new password and is signed out everywhere.", who.username);
        }
        Admin::List => {
            let state = State::start(config).await?;
            for user in users::list(&state).await? {
                let customer = user.customer.as_deref().unwrap_or("(platform)");
                let note = if user.enabled { "" } else { "\tdisabled" };
                println!("{}\t{}\t{customer}{note}", user.username, user.role);
            }
        }
    }
    Ok(())
}

/// The error as one line for a terminal.
fn sentence(error: &Error, name: &str) -> anyhow::Error {
    match error {
        Error::Invalid { problems } => {
            let lines: Vec<String> =
                problems.iter().map(|problem| format!("{}: {}", problem.field, problem.message)).collect();
            anyhow::anyhow!("{}", lines.join("; "))
        }
        Error::NotFound { .. } => anyhow::anyhow!("there is no user {name} there; muelle admin list shows who is"),
        other => anyhow::anyhow!("{}", other.message(Locale::en)),
    }
}

/// Reads a new password from standard input, or asks for it twice on a terminal.
fn password(who: &Who, is_new: bool) -> anyhow::Result<String> {
    if who.password_stdin {
        let mut text = String::new();
        std::io::stdin()
            .take(64 << 10)
            .read_to_string(&mut text)
            .context("reading the password from standard input")?;
        // The line end belongs to the terminal or `echo`, everything else to the password.
        let text = text.strip_suffix('\n').unwrap_or(&text);
        return Ok(text.strip_suffix('\r').unwrap_or(text).to_owned());
    }
    if !std::io::stdin().is_terminal() {
        bail!("there is no terminal to ask for the password; give it on standard input with --password-stdin");
    }
    let first =
        rpassword::prompt_password(format!("Password for {}: ", who.username)).context("asking for the password")?;
    if is_new && rpassword::prompt_password("Once more: ").context("asking for the password")? != first {
        bail!("the two passwords differ");
    }
    Ok(first)
}
