//! Playbooks: what is run on hosts.

use super::item::{Field, Item, Kind, Shape};
use crate::text;
use serde::{Deserialize, Serialize};

/// One playbook.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Playbook {
    /// Its name, unique within the customer.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// The plays, as YAML.
    pub content: String,
    /// What is asked before a run: a YAML list of questions.
    pub survey: Option<String>,
    /// Hosts at a time; the smaller of their number, 20 and what memory allows when absent.
    pub forks: Option<u32>,
    /// Seconds that a whole run may take; the server's limit when absent.
    pub timeout: Option<u32>,
    /// Seconds without an event or output until a run is ended.
    pub silence: Option<u32>,
    /// Seconds to connect to a host.
    pub connect_timeout: Option<u32>,
    /// Seconds that one task may take on one host; any when absent.
    pub task_timeout: Option<u32>,
    /// Bytes of console that are kept.
    pub output_limit: Option<u64>,
    /// Modules are copied to the host, for hosts whose sudo wants a terminal.
    pub no_pipelining: bool,
    /// Facts are gathered by every play, also of hosts that are known.
    pub always_gather: bool,
    /// Facts of earlier runs are not used.
    pub no_fact_cache: bool,
}

impl Item for Playbook {
    const KIND: Kind = Kind::new(
        "playbook",
        "playbooks",
        text!(records.playbook.one),
        text!(records.playbook.many),
        text!(records.playbook.empty),
    )
    .per_customer()
    .fields(&[
        Field::line("name", text!(records.playbook.name)).required().unique().searched().listed(),
        Field::lines("description", text!(records.playbook.description)).searched().listed(),
        Field::yaml("content", text!(records.playbook.content))
            .hint(text!(records.playbook.content_hint))
            .required()
            .searched(),
        Field::yaml("survey", text!(records.playbook.survey)).hint(text!(records.playbook.survey_hint)),
        Field::shaped("forks", text!(records.playbook.forks), Shape::Integer { min: 1, max: 500 })
            .hint(text!(records.playbook.forks_hint)),
        Field::shaped("timeout", text!(records.playbook.timeout), Shape::Integer { min: 1, max: 604_800 })
            .hint(text!(records.playbook.timeout_hint)),
        Field::shaped("silence", text!(records.playbook.silence), Shape::Integer { min: 1, max: 604_800 })
            .hint(text!(records.playbook.silence_hint)),
        Field::shaped("connect_timeout", text!(records.playbook.connect_timeout), Shape::Integer { min: 1, max: 3600 }),
        Field::shaped("task_timeout", text!(records.playbook.task_timeout), Shape::Integer { min: 1, max: 604_800 }),
        Field::shaped("output_limit", text!(records.playbook.output_limit), Shape::Integer { min: 1024, max: 1 << 40 }),
        Field::shaped("no_pipelining", text!(records.playbook.no_pipelining), Shape::Switch)
            .hint(text!(records.playbook.no_pipelining_hint)),
        Field::shaped("always_gather", text!(records.playbook.always_gather), Shape::Switch)
            .hint(text!(records.playbook.always_gather_hint)),
        Field::shaped("no_fact_cache", text!(records.playbook.no_fact_cache), Shape::Switch)
            .hint(text!(records.playbook.no_fact_cache_hint)),
    ]);
}

/// What only the server checks.
#[cfg(feature = "ssr")]
pub(super) mod server {
    use crate::{
        error::Error,
        provisioning::server::{store as runs, survey, versions},
        storage::{
            item::server::hooks::{Hooks, Preparing, Saving},
            yaml,
        },
    };
    use serde_json::{Value, json};

    /// The content must be a list of plays, and the survey a list of questions; each save is a version.
    pub const HOOKS: Hooks = Hooks {
        prepare: |preparing: Preparing<'_>| {
            Box::pin(async move {
                let locale = preparing.proof.locale();
                let text = |field: &str| preparing.fields.get(field).and_then(Value::as_str);
                let content = yaml::playbook(text("content").unwrap_or_default(), locale)
                    .map_err(|message| Error::invalid("content", message));
                let survey = survey::questions(text("survey"), locale).map(drop);
                let problems: Vec<_> = [content, survey]
                    .into_iter()
                    .filter_map(Result::err)
                    .flat_map(|error| error.problems().to_vec())
                    .collect();
                if problems.is_empty() { Ok(()) } else { Err(Error::Invalid { problems }) }
            })
        },
        save: |saving: Saving<'_>| {
            Box::pin(async move {
                versions::saved(saving.transaction, saving.proof, saving.before, saving.after).await?;
                Ok(())
            })
        },
        beside: |state, proof, records| {
            Box::pin(async move {
                let ids = records.iter().map(|record| record.base.id.to_string());
                let runs = runs::last_of_playbooks(state, proof, ids).await?;
                Ok(runs.into_iter().map(|(playbook, run)| (playbook.to_string(), json!(run))).collect())
            })
        },
        ..Hooks::NONE
    };
}
