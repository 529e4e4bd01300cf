//! What the pages of playbooks and machines show of runs.

use super::{RunBadge, RunList, id_of};
use crate::{
    app::{
        beside::{Column, Tab},
        refusal,
    },
    authentication::policy::Verb,
    i18n::{say, td_string, use_i18n},
    id::Id,
    provisioning::model::{LastRun, RunQuery},
    storage::{Playbook, item::RawRecord},
    text,
    ui::{Ago, ButtonLook, LinkButton},
};
use icondata_lu as lu;
use leptos::prelude::*;
use serde::Deserialize as _;
use serde_json::Value;

/// What the list of playbooks tells of the last run of each.
pub const LAST_RUN: &[Column] = &[
    Column {
        name: "last_run",
        label: text!(run_page.last.run),
        cell: |value| {
            last_run(value).map(|LastRun { id, state, at, .. }| view! {
                <span class="last-run">
                    <a class="badge-link" href=format!("/runs/{id}")><RunBadge state=Signal::stored(state) /></a>
                    <span class="soft"><Ago at /></span>
                </span>
            })
            .into_any()
        },
    },
    Column {
        name: "last_target",
        label: text!(run_page.last.target),
        cell: |value| last_run(value).map(|run| run.target.join(", ")).into_any(),
    },
];

fn last_run(value: &Value) -> Option<LastRun> {
    LastRun::deserialize(value).ok()
}

/// The runs of a playbook.
pub const RUNS_OF_PLAYBOOK: Tab = Tab {
    name: "runs",
    label: |locale| td_string!(locale, run_page.runs),
    view: |record| {
        let fixed = RunQuery { playbook: Some(id_of(record)), ..RunQuery::default() };
        view! { <RunList fixed /> }.into_any()
    },
};

/// The runs on a machine.
pub const RUNS_OF_MACHINE: Tab = Tab {
    name: "runs",
    label: |locale| td_string!(locale, run_page.runs),
    view: |record| {
        let fixed = RunQuery { machine: Some(id_of(record)), ..RunQuery::default() };
        view! { <RunList fixed /> }.into_any()
    },
};

/// The way from a playbook to a run of it.
pub fn run_playbook(record: Signal<RawRecord>) -> AnyView {
    let i18n = use_i18n();
    let id: Id<Playbook> = id_of(record);
    view! {
        <LinkButton
            href=format!("/playbooks/{id}/run")
            label=say!(i18n, run_page.run_it)
            icon=lu::LuPlay
            look=ButtonLook::Primary
            refused=refusal(Verb::Operate, "run")
        />
    }
    .into_any()
}
