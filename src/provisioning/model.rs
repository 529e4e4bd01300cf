//! Runs as pages and the API see them.

use crate::{
    id::Id,
    jobs::model::Job,
    storage::{Customer, Host, Machine, Playbook, User},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// Where a run stands, told from its events; the exit code only confirms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Waits for its turn.
    #[default]
    Queued,
    /// Is under way.
    Running,
    /// Ended well and changed nothing.
    Succeeded,
    /// Ended well and changed something.
    Changed,
    /// A task failed on a host.
    Failed,
    /// No task failed, and a host could not be reached.
    Unreachable,
    /// No host was left to run on.
    NothingMatched,
    /// Ansible could not read the playbook.
    SyntaxError,
    /// Somebody asked for its end.
    Cancelled,
    /// It took longer, or was silent for longer, than it may.
    TimedOut,
    /// Its supervisor is gone; how far it came stands in its events.
    Lost,
}

impl RunState {
    /// All states.
    pub const ALL: [Self; 11] = [
        Self::Queued,
        Self::Running,
        Self::Succeeded,
        Self::Changed,
        Self::Failed,
        Self::Unreachable,
        Self::NothingMatched,
        Self::SyntaxError,
        Self::Cancelled,
        Self::TimedOut,
        Self::Lost,
    ];

    /// Whether it has ended.
    pub const fn is_finished(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    /// Whether it ended well.
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Succeeded | Self::Changed)
    }

    /// Its name in the database and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Changed => "changed",
            Self::Failed => "failed",
            Self::Unreachable => "unreachable",
            Self::NothingMatched => "nothing_matched",
            Self::SyntaxError => "syntax_error",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::Lost => "lost",
        }
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for RunState {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|state| state.name() == text).ok_or_else(|| UnknownState(text.to_owned()))
    }
}

/// A text that is no state.
#[derive(Debug, thiserror::Error)]
#[error("there is no state {0:?} of a run")]
pub struct UnknownState(String);

/// What somebody asks for: a playbook, where, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// What is run.
    pub playbook: Id<Playbook>,
    /// The groups it is run on.
    #[serde(default)]
    pub hosts: Vec<Id<Host>>,
    /// Single machines it is run on.
    #[serde(default)]
    pub machines: Vec<Id<Machine>>,
    /// How.
    #[serde(default)]
    pub options: RunOptions,
}

/// How a playbook is run. Every value is one of Ansible's own options; none is pasted into a command line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunOptions {
    /// Only hosts of this pattern (`--limit`); empty for all.
    pub limit: String,
    /// Only tasks with one of these tags.
    pub tags: Vec<String>,
    /// No tasks with one of these tags.
    pub skip_tags: Vec<String>,
    /// Variables by name; they are never taken as templates. Answers to the playbook's survey stand here too.
    pub variables: Map<String, Value>,
    /// Look what would change and change nothing (`--check --diff`).
    pub check: bool,
    /// Show what changes inside files (`--diff`).
    pub diff: bool,
    /// Become another user on the hosts.
    #[serde(rename = "become")]
    pub become_user: bool,
    /// Which one; root when empty.
    pub become_name: String,
    /// How much Ansible says, 0 to 4.
    pub verbosity: u8,
    /// Hosts at a time; `None` for the smaller of their number, 20 and what memory allows.
    pub forks: Option<u32>,
    /// Keys and passwords to use.
    pub credentials: Vec<Id<crate::storage::Credential>>,
    /// Seconds until it is ended; `None` for the playbook's own or the server's limit.
    pub timeout: Option<u32>,
}

/// What a list of playbooks tells of the last run of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastRun {
    /// The run.
    pub id: Id<Job>,
    /// Where it stands.
    pub state: RunState,
    /// The names of groups and machines it was to run on.
    pub target: Vec<String>,
    /// When it was asked for.
    pub at: Timestamp,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its identifier, and that of its job.
    pub id: Id<Job>,
    /// The customer it belongs to.
    pub customer: Option<Id<Customer>>,
    /// The playbook, as it was called then.
    pub playbook: Id<Playbook>,
    /// The playbook's name then.
    pub playbook_name: String,
    /// The playbook's revision then.
    pub revision: i64,
    /// What was asked for, secrets masked.
    pub request: RunRequest,
    /// The names of groups and machines it was to run on.
    pub target: Vec<String>,
    /// The command line it stands for, secrets masked.
    pub command: String,
    /// Where it stands.
    pub state: RunState,
    /// Why it stands there, where the state does not tell: a sentence.
    pub reason: Option<String>,
    /// How it was kept apart from the server: `namespaces`, `user`, or `none`.
    pub isolation: String,
    /// Ansible's version.
    pub ansible: Option<String>,
    /// Who asked for it; `None` for a schedule whose person is gone.
    pub person: Option<Id<User>>,
    /// Their name then.
    pub person_name: String,
    /// The schedule that caused it.
    pub schedule: Option<Id<crate::storage::Schedule>>,
    /// The run it repeats.
    pub parent: Option<Id<Job>>,
    /// What came of it per host, in order of appearance.
    pub recap: Vec<HostRecap>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When `ansible-playbook` was started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// What came of a run on one host: the counts of Ansible's recap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostRecap {
    /// Its name in the inventory.
    pub host: String,
    /// The machine it is, where it is known.
    pub machine: Option<Id<Machine>>,
    /// Tasks that ended well, changed ones included.
    pub ok: u32,
    /// Tasks that changed something.
    pub changed: u32,
    /// 1 when it could not be reached.
    pub unreachable: u32,
    /// Tasks that failed.
    pub failed: u32,
    /// Tasks that were skipped.
    pub skipped: u32,
    /// Failures that a rescue mended.
    pub rescued: u32,
    /// Failures that were ignored.
    pub ignored: u32,
}

impl HostRecap {
    /// Whether the host ended badly: what "on failed hosts only" means.
    pub const fn is_bad(&self) -> bool {
        self.failed > 0 || self.unreachable > 0
    }
}

/// How one task ended on one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Is under way.
    Running,
    /// Ended well, nothing changed.
    Ok,
    /// Ended well and changed something.
    Changed,
    /// Was not for this host.
    Skipped,
    /// Failed.
    Failed,
    /// Failed, and that was to be ignored.
    Ignored,
    /// The host could not be reached.
    Unreachable,
}

/// One thing that happened in a run. The callback plugin writes it as one line of JSON:
/// `{"sequence", "at" (milliseconds), "kind", ...}`, with `result` beside it, which is kept apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RunEvent {
    /// Ansible has read the playbook.
    Start {
        /// Ansible's version.
        ansible: String,
    },
    /// A play begins.
    Play {
        /// Its number in the run, from 0.
        play: u32,
        /// Its name.
        name: String,
    },
    /// A task begins.
    Task {
        /// Its number in the run, from 0.
        task: u32,
        /// The play it belongs to.
        play: u32,
        /// Its name.
        name: String,
        /// The module it runs.
        action: String,
        /// Whether it is a handler.
        #[serde(default)]
        handler: bool,
        /// Where it stands: `file:line`, relative to the project.
        #[serde(default)]
        path: Option<String>,
    },
    /// A task begins on a host.
    HostStart {
        /// The task.
        task: u32,
        /// The host.
        host: String,
    },
    /// A task, or one item of its loop, ended on a host.
    Result {
        /// The task.
        task: u32,
        /// The host.
        host: String,
        /// The host's machine, where it is known.
        #[serde(default)]
        machine: Option<Id<Machine>>,
        /// How.
        state: TaskState,
        /// The item of a loop; the result of the whole task has none.
        #[serde(default)]
        item: Option<String>,
        /// How long it took.
        #[serde(default)]
        took_ms: u64,
        /// One line that says what is the matter.
        #[serde(default)]
        message: Option<String>,
        /// Whether the result holds a difference of files.
        #[serde(default)]
        diff: bool,
    },
    /// A task will be tried again on a host.
    Retry {
        /// The task.
        task: u32,
        /// The host.
        host: String,
        /// Tries that are left.
        left: u32,
    },
    /// Facts were gathered on a host; they are kept with its machine and not here.
    Facts {
        /// The host.
        host: String,
        /// Its machine, where it is known.
        #[serde(default)]
        machine: Option<Id<Machine>>,
    },
    /// No host matched a play.
    NoHosts {
        /// Whether none was left because others had failed before.
        #[serde(default)]
        remaining: bool,
    },
    /// Ansible warns.
    Warning {
        /// Of what.
        message: String,
    },
    /// The recap that ends a run.
    Stats {
        /// The counts per host.
        hosts: Vec<HostRecap>,
    },
}

/// An event with its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Numbered {
    /// Counts from 1 without a gap within the run.
    pub sequence: i64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: RunEvent,
}

/// The plays, tasks and hosts of a run, folded from its events on either side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tree {
    /// The sequence of the last event in it.
    pub last: i64,
    /// Hosts in order of appearance.
    pub hosts: Vec<String>,
    /// The plays.
    pub plays: Vec<PlayNode>,
    /// The tasks of all plays, by their number.
    pub tasks: Vec<TaskNode>,
    /// What Ansible warned of.
    pub warnings: Vec<String>,
    /// The recap, once it is there.
    pub recap: Vec<HostRecap>,
}

/// One play.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlayNode {
    /// Its name.
    pub name: String,
    /// When it began.
    pub at: Timestamp,
    /// Whether no host matched it.
    pub nobody: bool,
}

/// One task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskNode {
    /// The play it belongs to.
    pub play: u32,
    /// Its name.
    pub name: String,
    /// The module.
    pub action: String,
    /// Whether it is a handler.
    pub handler: bool,
    /// Where it stands.
    pub path: Option<String>,
    /// When it began.
    pub at: Timestamp,
    /// Per host, by its place in [`Tree::hosts`].
    pub cells: BTreeMap<usize, Cell>,
}

/// One task on one host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// How it stands.
    pub state: TaskState,
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took_ms: u64,
    /// One line that says what is the matter.
    pub message: Option<String>,
    /// Whether there is a difference of files to see.
    pub diff: bool,
    /// The event that holds the result; 0 while there is none.
    pub sequence: i64,
    /// Items of a loop: their name, how they ended, and the event.
    pub items: Vec<(String, TaskState, i64)>,
    /// Tries so far beyond the first.
    pub retries: u32,
}

impl Tree {
    /// The tree of these events.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Numbered>) -> Self {
        let mut tree = Self::default();
        events.into_iter().for_each(|event| tree.apply(event));
        tree
    }

    /// Takes in one event; one that is in it already changes nothing.
    pub fn apply(&mut self, numbered: &Numbered) {
        if numbered.sequence <= self.last {
            return;
        }
        self.last = numbered.sequence;
        let at = numbered.at;
        match &numbered.event {
            RunEvent::Start { .. } | RunEvent::Facts { .. } => {}
            RunEvent::Play { name, .. } => self.plays.push(PlayNode { name: name.clone(), at, nobody: false }),
            RunEvent::Task { play, name, action, handler, path, .. } => self.tasks.push(TaskNode {
                play: *play,
                name: name.clone(),
                action: action.clone(),
                handler: *handler,
                path: path.clone(),
                at,
                cells: BTreeMap::new(),
            }),
            RunEvent::HostStart { task, host } => drop(self.cell(*task, host, at)),
            RunEvent::Retry { task, host, .. } => {
                if let Some(cell) = self.cell(*task, host, at) {
                    cell.retries += 1;
                }
            }
            RunEvent::Result { task, host, state, item, took_ms, message, diff, .. } => {
                let sequence = numbered.sequence;
                let Some(cell) = self.cell(*task, host, at) else { return };
                if let Some(item) = item {
                    cell.items.push((item.clone(), *state, sequence));
                    cell.diff |= *diff;
                    return;
                }
                cell.state = *state;
                cell.took_ms = *took_ms;
                cell.message.clone_from(message);
                cell.diff |= *diff;
                cell.sequence = sequence;
            }
            RunEvent::NoHosts { .. } => {
                if let Some(play) = self.plays.last_mut() {
                    play.nobody = true;
                }
            }
            RunEvent::Warning { message } => self.warnings.push(message.clone()),
            RunEvent::Stats { hosts } => self.recap.clone_from(hosts),
        }
    }

    fn cell(&mut self, task: u32, host: &str, at: Timestamp) -> Option<&mut Cell> {
        let place = self.hosts.iter().position(|known| known == host).unwrap_or_else(|| {
            self.hosts.push(host.to_owned());
            self.hosts.len() - 1
        });
        let task = self.tasks.get_mut(usize::try_from(task).ok()?)?;
        Some(task.cells.entry(place).or_insert_with(|| Cell {
            state: TaskState::Running,
            at,
            took_ms: 0,
            message: None,
            diff: false,
            sequence: 0,
            items: Vec::new(),
            retries: 0,
        }))
    }

    /// The hosts on which a task is still under way: where a remote command may go on after a cancel.
    pub fn under_way(&self) -> Vec<String> {
        let busy = |place: &usize| {
            self.tasks.iter().any(|task| task.cells.get(place).is_some_and(|cell| cell.state == TaskState::Running))
        };
        (0..self.hosts.len()).filter(busy).map(|place| self.hosts[place].clone()).collect()
    }

    /// The recap so far: Ansible's own where it came, counted from the tasks where it did not.
    pub fn recap_so_far(&self) -> Vec<HostRecap> {
        if !self.recap.is_empty() {
            return self.recap.clone();
        }
        let mut recap: Vec<HostRecap> =
            self.hosts.iter().map(|host| HostRecap { host: host.clone(), ..HostRecap::default() }).collect();
        for (place, cell) in self.tasks.iter().flat_map(|task| &task.cells) {
            let counts = &mut recap[*place];
            match cell.state {
                TaskState::Running => {}
                TaskState::Ok => counts.ok += 1,
                TaskState::Changed => {
                    counts.ok += 1;
                    counts.changed += 1;
                }
                TaskState::Skipped => counts.skipped += 1,
                TaskState::Failed => counts.failed += 1,
                TaskState::Ignored => {
                    counts.ok += 1;
                    counts.ignored += 1;
                }
                TaskState::Unreachable => counts.unreachable += 1,
            }
        }
        recap
    }
}

/// A run with what happened in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunView {
    /// The run.
    pub run: Run,
    /// Its tree, up to [`Tree::last`].
    pub tree: Tree,
    /// The finished run of the same playbook before it, to compare with.
    pub before: Option<Id<Job>>,
}

/// What a request would do, shown before it is done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Preview {
    /// The command line it stands for, secrets masked.
    pub command: String,
    /// The hosts it reaches, by their names in the inventory.
    pub hosts: Vec<String>,
    /// What to know before: plain sentences.
    pub warnings: Vec<String>,
}

/// Which runs are wanted, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunQuery {
    /// Only in this state.
    pub state: Option<RunState>,
    /// Only of this playbook.
    pub playbook: Option<Id<Playbook>>,
    /// Only on this machine.
    pub machine: Option<Id<Machine>>,
    /// Only on a host of this name.
    pub host: Option<String>,
    /// Only those of this person.
    pub person: Option<Id<User>>,
    /// Only those of this schedule.
    pub schedule: Option<Id<crate::storage::Schedule>>,
    /// Only those asked for at or after this moment.
    pub since: Option<Timestamp>,
    /// Only those asked for before this moment.
    pub until: Option<Timestamp>,
    /// Only those older than this one: where the last page ended.
    pub before: Option<Id<Job>>,
    /// Runs in a page, at most 200.
    pub per_page: u32,
}

/// A page of runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunPage {
    /// The runs, newest first.
    pub items: Vec<Run>,
    /// What [`RunQuery::before`] is for the next page; `None` when this is the last.
    pub next: Option<Id<Job>>,
}

/// One difference between two runs: a task on a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The task's name.
    pub task: String,
    /// The host.
    pub host: String,
    /// How it ended before; `None` where it did not run.
    pub before: Option<TaskState>,
    /// How it ended now; `None` where it did not run.
    pub after: Option<TaskState>,
    /// How long it took before.
    pub before_ms: u64,
    /// How long it took now.
    pub after_ms: u64,
}

/// One question of a playbook's survey.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Question {
    /// The variable that the answer becomes.
    pub variable: String,
    /// What a person is asked; the variable's name when empty.
    pub question: String,
    /// What an answer is.
    pub answer: AnswerKind,
    /// The answers to choose from.
    pub choices: Vec<String>,
    /// Whether there must be one.
    pub required: bool,
    /// The answer that stands there from the start; never one of a secret.
    pub default: Option<Value>,
}

/// What an answer to a question is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerKind {
    /// Words.
    #[default]
    Text,
    /// A number.
    Number,
    /// One of a few.
    Choice,
    /// Words that are kept nowhere.
    Secret,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(sequence: i64, event: RunEvent) -> Numbered {
        Numbered { sequence, at: Timestamp::from_millis(sequence), event }
    }

    fn result(sequence: i64, task: u32, host: &str, state: TaskState) -> Numbered {
        let (item, message, machine) = (None, None, None);
        let host = host.to_owned();
        at(sequence, RunEvent::Result { task, host, machine, state, item, took_ms: 5, message, diff: false })
    }

    fn began(sequence: i64) -> [Numbered; 3] {
        let path = None;
        [
            at(sequence, RunEvent::Play { play: 0, name: "all".to_owned() }),
            at(
                sequence + 1,
                RunEvent::Task {
                    task: 0,
                    play: 0,
                    name: "ping".to_owned(),
                    action: "ping".to_owned(),
                    handler: false,
                    path,
                },
            ),
            at(sequence + 2, RunEvent::HostStart { task: 0, host: "a".to_owned() }),
        ]
    }

    #[test]
    fn an_event_that_comes_twice_counts_once() {
        let mut events = began(1).to_vec();
        events.push(result(4, 0, "a", TaskState::Changed));
        let once = Tree::of(&events);

        events.extend(events.clone());

        assert_eq!(Tree::of(&events), once);
        assert_eq!((once.tasks.len(), once.recap_so_far()[0].changed), (1, 1));
    }

    #[test]
    fn hosts_whose_task_did_not_end_are_named() {
        let mut events = began(1).to_vec();
        events.push(at(4, RunEvent::HostStart { task: 0, host: "b".to_owned() }));
        events.push(result(5, 0, "a", TaskState::Ok));

        assert_eq!(Tree::of(&events).under_way(), ["b"]);
    }

    #[test]
    fn every_state_has_a_name_that_leads_back() {
        for state in RunState::ALL {
            assert_eq!(state.name().parse::<RunState>().expect("a name is a state"), state);
        }
    }
}
