//! The binary `muelle`.

use clap::{Parser, Subcommand};
use muelle::platform::{config::Config, serve, state::State, telemetry};
use std::process::ExitCode;

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
    let config = Config::load()?;
    telemetry::start(&config.log.filter, config.log.format == "json");
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::serve(State::start(config).await?).await,
        Command::Migrate => State::start(config).await.map(drop),
    }
}
