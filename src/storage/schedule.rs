//! Schedules: playbooks that are run at set times.

use super::{
    Credential, Host, Machine, Playbook, User,
    item::{Choice, Field, Item, Kind, Shape},
};
use crate::{id::Id, jobs::model::Job, text, time::Timestamp};
use serde::{Deserialize, Serialize};

/// One schedule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Its name, unique within the customer.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What is run.
    pub playbook: Option<Id<Playbook>>,
    /// The groups it is run on.
    pub hosts: Vec<Id<Host>>,
    /// Single machines it is run on.
    pub machines: Vec<Id<Machine>>,
    /// Keys and passwords to use, one of each type.
    pub credentials: Vec<Id<Credential>>,
    /// How: [`RunOptions`](crate::provisioning::model::RunOptions) as YAML, without secrets and credentials.
    pub options: Option<String>,
    /// When: minute, hour, day of the month, month, day of the week.
    pub cron: String,
    /// By which clock; the server's own zone where none was given.
    pub time_zone: Option<String>,
    /// What happens when the run before is still under way.
    pub overlap: Overlap,
    /// What happens with times that passed while no server was up.
    pub catch_up: CatchUp,
    /// Whose rights it uses: whoever saved it last.
    #[serde(default)]
    pub owner: Option<Id<User>>,
    /// The language that this person had then, for what its runs say.
    #[serde(default)]
    pub language: Option<String>,
    /// When it is due; `None` while it is paused.
    #[serde(default)]
    pub next_at: Option<Timestamp>,
    /// When its time had last come, or somebody started it.
    #[serde(default)]
    pub last_at: Option<Timestamp>,
    /// The run that was started last.
    #[serde(default)]
    pub last_run: Option<Id<Job>>,
    /// What came of the last time.
    #[serde(default)]
    pub last_result: Option<LastResult>,
    /// Why, where nothing was run: a sentence.
    #[serde(default)]
    pub last_reason: Option<String>,
}

/// What happens when a time comes and the run before is still under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// Nothing; the next time counts.
    #[default]
    Skip,
    /// It waits for the one before. Several times that come meanwhile are one.
    Queue,
    /// The one before is cancelled.
    Replace,
}

/// What happens with times that passed while no server was up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// Nothing.
    #[default]
    None,
    /// It is run once, however many there were.
    Once,
}

/// What came of a schedule's last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LastResult {
    /// The run is under way.
    Started,
    /// The run ended well and changed nothing.
    Succeeded,
    /// The run ended well and changed something.
    Changed,
    /// A task of the run failed.
    Failed,
    /// A host of the run could not be reached.
    Unreachable,
    /// No host was left to run on.
    NothingMatched,
    /// Ansible could not read the playbook.
    SyntaxError,
    /// Somebody cancelled the run.
    Cancelled,
    /// The run took longer than it may.
    TimedOut,
    /// The run's supervisor is gone.
    Lost,
    /// The run before was under way.
    Skipped,
    /// It waits for the run before.
    Waiting,
    /// No server was up.
    Missed,
    /// The person whose rights it uses is gone or disabled.
    Nobody,
    /// The person whose rights it uses may not.
    Forbidden,
    /// The run was refused; the reason says why.
    Refused,
}

impl LastResult {
    /// Whether somebody should look at it: nothing was run, or the run ended badly.
    pub const fn is_bad(self) -> bool {
        !matches!(self, Self::Started | Self::Succeeded | Self::Changed | Self::Waiting)
    }
}

macro_rules! choices {
    ($($value:literal => $($key:ident).+),* $(,)?) => {
        &[$(Choice { value: $value, label: text!(schedules.$($key).+) }),*]
    };
}

/// Stand from the strongest to the mildest, which is where a new one begins.
const OVERLAPS: &[Choice] = choices!["replace" => overlap_replace, "queue" => overlap_queue, "skip" => overlap_skip];

const CATCH_UPS: &[Choice] = choices!["once" => catch_up_once, "none" => catch_up_none];

const LANGUAGES: &[Choice] = choices!["en" => english, "es" => spanish];

const RESULTS: &[Choice] = choices![
    "started" => result.started,
    "succeeded" => result.succeeded,
    "changed" => result.changed,
    "failed" => result.failed,
    "unreachable" => result.unreachable,
    "nothing_matched" => result.nothing_matched,
    "syntax_error" => result.syntax_error,
    "cancelled" => result.cancelled,
    "timed_out" => result.timed_out,
    "lost" => result.lost,
    "skipped" => result.skipped,
    "waiting" => result.waiting,
    "missed" => result.missed,
    "nobody" => result.nobody,
    "forbidden" => result.forbidden,
    "refused" => result.refused,
];

impl Item for Schedule {
    const KIND: Kind =
        Kind::new("schedule", "schedules", text!(schedules.one), text!(schedules.title), text!(schedules.empty))
            .per_customer()
            .fields(&[
                Field::line("name", text!(schedules.name)).required().unique().searched().listed(),
                Field::lines("description", text!(schedules.description)).searched(),
                Field::shaped("playbook", text!(schedules.playbook), Shape::Reference("playbook")).required().listed(),
                Field::shaped(
                    "hosts",
                    text!(schedules.hosts),
                    Shape::References { kind: "host", table: "schedule_hosts" },
                )
                .hint(text!(schedules.hosts_hint)),
                Field::shaped(
                    "machines",
                    text!(schedules.machines),
                    Shape::References { kind: "machine", table: "schedule_machines" },
                ),
                Field::shaped(
                    "credentials",
                    text!(schedules.credentials),
                    Shape::References { kind: "credential", table: "schedule_credentials" },
                ),
                Field::line("cron", text!(schedules.cron)).hint(text!(schedules.cron_hint)).required().listed(),
                Field::line("time_zone", text!(schedules.time_zone)).hint(text!(schedules.time_zone_hint)),
                Field::choice("overlap", text!(schedules.overlap), OVERLAPS).required(),
                Field::choice("catch_up", text!(schedules.catch_up), CATCH_UPS).required(),
                Field::yaml("options", text!(schedules.options)).hint(text!(schedules.options_hint)),
                Field::shaped("owner", text!(schedules.owner), Shape::Reference("user")).read_only(),
                Field::choice("language", text!(schedules.language), LANGUAGES).read_only(),
                Field::shaped("next_at", text!(schedules.next_at), Shape::Time).read_only().listed(),
                Field::shaped("last_at", text!(schedules.last_at), Shape::Time).read_only(),
                Field::line("last_run", text!(schedules.last_run)).read_only(),
                Field::choice("last_result", text!(schedules.last_result), RESULTS).read_only().listed(),
                Field::line("last_reason", text!(schedules.last_reason)).read_only(),
            ]);
}

/// What only the server checks, and sets.
#[cfg(feature = "ssr")]
pub(super) mod server {
    use crate::{provisioning::server::schedules, storage::item::server::hooks::Hooks};

    /// The rule, the options and the run must be possible; then who saved it and the next time are noted.
    pub const HOOKS: Hooks = Hooks {
        prepare: |preparing| Box::pin(schedules::check(preparing)),
        save: |saving| Box::pin(schedules::stamp(saving)),
        remove: |removing| Box::pin(schedules::stop(removing)),
        after: |state, record| Box::pin(schedules::resume(state, record)),
        ..Hooks::NONE
    };
}
