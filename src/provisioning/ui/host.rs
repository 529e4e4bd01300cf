//! What a group's page shows beside its record: the inventory as Ansible reads it, and the keys of its free
//! addresses.

use super::{id_of, keys::KeysPanel, text_of};
use crate::{
    app::beside::Tab,
    events::{client::use_changes, model::Topic},
    i18n::{say, t, t_string, use_i18n},
    id::Id,
    provisioning::{
        machines::{InventoryView, KeyOwner},
        machines_api::host_inventory,
    },
    storage::{Host, item::RawRecord},
    text,
    ui::{Empty, Icon, LiveView, Notice, Panel, Tone},
};
use icondata_lu as lu;
use leptos::prelude::*;
use serde_json::{Map, Value};

/// The tabs of a group's page.
pub const TABS: &[Tab] = &[
    Tab { name: "inventory", label: text!(machines.inventory.tab), view: inventory },
    Tab { name: "ssh", label: text!(machines.keys.tab), view: ssh },
];

fn inventory(record: Signal<RawRecord>) -> AnyView {
    view! { <InventoryTab id=id_of(record) /> }.into_any()
}

fn ssh(record: Signal<RawRecord>) -> AnyView {
    view! { <KeysPanel owner=KeyOwner::Host(id_of(record)) name=text_of(record, "name") /> }.into_any()
}

#[component]
fn InventoryTab(id: Id<Host>) -> impl IntoView {
    let changes = use_changes(vec![Topic::Records("host".to_owned()), Topic::Records("machine".to_owned())]);
    view! {
        <LiveView
            fetch=move || host_inventory(id)
            changes
            view=move |live| {
                let known = live.value();
                move || view! { <Inventory view=known.get() /> }
            }
        />
    }
}

#[component]
fn Inventory(view: InventoryView) -> impl IntoView {
    let i18n = use_i18n();
    let (by_ansible, nothing) = (view.by_ansible, view.hosts.is_empty());
    let title = Signal::derive(move || {
        if by_ansible {
            t_string!(i18n, machines.inventory.title)
        } else {
            t_string!(i18n, machines.inventory.own_title)
        }
        .to_owned()
    });
    view! {
        <div class="stack">
            {view.note.clone().map(|note| view! { <Notice tone=Tone::Warn>{note}</Notice> })}
            <Panel title>
                <div class="panel__body stack">
                    <p class="soft">{t!(i18n, machines.inventory.hint)}</p>
                    {if nothing {
                        let text = say!(i18n, machines.inventory.nothing);
                        view! { <Empty icon=lu::LuServer text /> }.into_any()
                    } else {
                        let groups = view.roots.iter().map(|name| group(&view, name, 0)).collect_view();
                        view! { <ul class="inventory" role="list">{groups}</ul> }.into_any()
                    }}
                </div>
            </Panel>
        </div>
    }
}

/// A group with what is in it. Ansible refuses circles, and so do we; the depth makes sure.
fn group(view: &InventoryView, name: &str, depth: usize) -> AnyView {
    let i18n = use_i18n();
    let found = view.groups.get(name).cloned().unwrap_or_default();
    let count = found.hosts.len();
    let children = if depth > 32 {
        Vec::new()
    } else {
        found.children.iter().map(|child| group(view, child, depth + 1)).collect()
    };
    let hosts = found.hosts.iter().map(|name| host(name, view.hosts.get(name))).collect_view();
    view! {
        <li>
            <details class="inventory__group" open>
                <summary>
                    <Icon icon=lu::LuFolder />
                    <b class="mono">{name.to_owned()}</b>
                    <span class="soft">
                        {move || match count {
                            1 => t_string!(i18n, machines.inventory.one_host).to_owned(),
                            _ => t_string!(i18n, machines.inventory.hosts, count = count.to_string()),
                        }}
                    </span>
                </summary>
                <ul class="inventory" role="list">{children} {hosts}</ul>
            </details>
        </li>
    }
    .into_any()
}

fn host(name: &str, variables: Option<&Map<String, Value>>) -> AnyView {
    let i18n = use_i18n();
    let rows = variables
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let value = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            view! { <dt class="mono">{name.clone()}</dt> <dd class="mono">{value}</dd> }
        })
        .collect::<Vec<_>>();
    view! {
        <li>
            <details class="inventory__host">
                <summary><Icon icon=lu::LuServer /> <span class="mono">{name.to_owned()}</span></summary>
                {if rows.is_empty() {
                    view! { <p class="soft">{t!(i18n, machines.inventory.no_variables)}</p> }.into_any()
                } else {
                    view! { <dl class="facts">{rows}</dl> }.into_any()
                }}
            </details>
        </li>
    }
    .into_any()
}
