//! What the pages of playbooks and machines show of runs.

use super::RunList;
use crate::{
    app::{beside::Tab, refusal},
    authentication::policy::Verb,
    i18n::{t_string, td_string, use_i18n},
    provisioning::model::RunQuery,
    storage::item::RawRecord,
    ui::{ButtonLook, LinkButton},
};
use icondata_lu as lu;
use leptos::prelude::*;

/// The runs of a playbook.
pub const RUNS_OF_PLAYBOOK: Tab = Tab {
    name: "runs",
    label: |locale| td_string!(locale, run_page.runs),
    view: |record| {
        let fixed = RunQuery { playbook: Some(record.base.id.cast()), ..RunQuery::default() };
        view! { <RunList fixed /> }.into_any()
    },
};

/// The runs on a machine.
pub const RUNS_OF_MACHINE: Tab = Tab {
    name: "runs",
    label: |locale| td_string!(locale, run_page.runs),
    view: |record| {
        let fixed = RunQuery { machine: Some(record.base.id.cast()), ..RunQuery::default() };
        view! { <RunList fixed /> }.into_any()
    },
};

/// The way from a playbook to a run of it.
pub fn run_playbook(record: &RawRecord) -> AnyView {
    let i18n = use_i18n();
    view! {
        <LinkButton
            href=format!("/playbooks/{}/run", record.base.id)
            label=Signal::derive(move || t_string!(i18n, run_page.run_it).to_owned())
            icon=lu::LuPlay
            look=ButtonLook::Primary
            refused=refusal(Verb::Operate, "run")
        />
    }
    .into_any()
}
