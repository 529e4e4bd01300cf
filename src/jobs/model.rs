//! Jobs as pages and the API see them.

use crate::{
    id::Id,
    storage::{Customer, User},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where a job stands. It moves only forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for a worker.
    Queued,
    /// A worker has it.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended badly; the outcome says why.
    Failed,
    /// Ended because somebody asked for it.
    Cancelled,
    /// Its worker is gone and it cannot be told how far it came.
    Lost,
}

impl JobState {
    /// All states.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled, Self::Lost];

    /// Whether it has ended.
    pub const fn is_finished(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled | Self::Lost)
    }

    /// Whether it may become `next`.
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Queued => matches!(next, Self::Running | Self::Cancelled | Self::Failed),
            Self::Running => next.is_finished(),
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::Lost => false,
        }
    }

    /// Its name in the database and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }
}

impl std::fmt::Display for JobState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for JobState {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|state| state.name() == text).ok_or_else(|| UnknownState(text.to_owned()))
    }
}

/// A text that is no state of a job.
#[derive(Debug, thiserror::Error)]
#[error("there is no state {0:?} of a job")]
pub struct UnknownState(String);

/// Which voice of a job a line comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
    /// Our own words.
    Note,
}

impl Voice {
    /// Its name in [`Line::stream`].
    pub const fn name(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Err => "err",
            Self::Note => "note",
        }
    }
}

/// One job, from being asked for to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its identifier.
    pub id: Id<Job>,
    /// The customer it belongs to.
    pub customer: Option<Id<Customer>>,
    /// What acts on what: `container.run`, `image.pull`.
    pub kind: String,
    /// What a person calls it: `Pull nginx:1.27`.
    pub title: String,
    /// The operation as it was asked for, secrets masked.
    pub operation: Value,
    /// Where it stands.
    pub state: JobState,
    /// How far it is, while it runs and when it can be told.
    pub progress: Option<Progress>,
    /// What came of it: the result, or `{"error": {...}}`.
    pub outcome: Option<Value>,
    /// Who asked for it.
    pub person: Option<Id<User>>,
    /// Their name then.
    pub person_name: String,
    /// Whether somebody asked to cancel it.
    pub cancel_requested: bool,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When a worker took it.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// How far a job is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// 0 to 1; `None` while it cannot be told.
    pub fraction: Option<f64>,
    /// What it is doing now.
    pub note: String,
    /// Its parts, such as the layers of an image.
    pub parts: Vec<Part>,
}

/// One part of a job's progress.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Its name, such as a layer's short id.
    pub name: String,
    /// What is being done with it: `Downloading`, `Extracting`, `Pull complete`.
    pub note: String,
    /// Bytes done.
    pub done: i64,
    /// Bytes in all; 0 while unknown.
    pub total: i64,
}

/// One line of a job's output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Counts from 1 without a gap.
    pub sequence: i64,
    /// When it was written.
    pub at: Timestamp,
    /// `out`, `err`, or `note` for our own words.
    pub stream: String,
    /// The text, without the line end.
    pub text: String,
}

/// What a search in a job's output found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LineSearch {
    /// The last lines that hold the words, in order; at most 500.
    pub matches: Vec<Line>,
    /// How many lines hold them.
    pub total: i64,
}

#[cfg(test)]
mod tests {
    use super::JobState::{self, *};

    #[test]
    fn a_job_only_moves_forward() {
        for from in JobState::ALL {
            for to in JobState::ALL {
                if from.may_become(to) {
                    assert!(!from.is_finished(), "{from} has ended");
                    assert!(to != Queued && to != from, "{from} may not become {to}");
                    assert!(!to.may_become(from), "{to} would lead back to {from}");
                }
            }
        }
        assert!(Queued.may_become(Cancelled) && Running.may_become(Lost) && !Queued.may_become(Succeeded));
    }
}
