//! Two runs beside each other: what ended otherwise, and what took how long.

use super::{
    badge::{RunBadge, task_word},
    duration,
};
use crate::{
    error::{Error, Result},
    i18n::{say, t, t_string, use_i18n},
    id::Id,
    jobs::model::Job,
    provisioning::{
        api::{compare_runs, get_run},
        model::{Difference, Run},
        ui::TaskBadge,
    },
    ui::{ActionButton, Ago, ButtonLook, Empty, LiveView, Notice, PageHead, Tone, Trouble, use_address},
};
use icondata_lu as lu;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use serde::{Deserialize, Serialize};

/// Rows that are drawn at once.
const DRAWN: usize = 200;

/// Two runs and what differs between them.
#[derive(Clone, Serialize, Deserialize)]
struct Compared {
    before: Run,
    after: Run,
    differences: Vec<Difference>,
}

async fn compared(before: Id<Job>, after: Id<Job>) -> Result<Compared> {
    // The one that was asked for first stands first, however they were named.
    let (before, after) = if before < after { (before, after) } else { (after, before) };
    Ok(Compared {
        before: get_run(before).await?.run,
        after: get_run(after).await?.run,
        differences: compare_runs(before, after).await?,
    })
}

/// Compares two runs.
#[component]
pub fn ComparePage() -> impl IntoView {
    let i18n = use_i18n();
    let params = use_params_map();
    let ids = Memo::new(move |_| {
        params.with(|params| {
            let id = |name: &str| params.get(name).and_then(|id| id.parse::<Id<Job>>().ok());
            Some((id("id")?, id("other")?))
        })
    });
    let head = move || view! { <PageHead title=say!(i18n, run_page.compare.between) /> };
    move || match ids.get() {
        Some((id, other)) => view! {
            <LiveView
                fetch=move || compared(other, id)
                changes=Signal::stored(0_u64)
                head=head
                view=move |live| {
                    let compared = live.value().get_untracked();
                    view! { <Shown compared /> }
                }
            />
        }
        .into_any(),
        None => view! { {head()} <Trouble error=Signal::stored(Error::not_found("run")) /> }.into_any(),
    }
}

#[component]
fn Shown(compared: Compared) -> impl IntoView {
    let i18n = use_i18n();
    let address = use_address();
    let Compared { before, after, differences } = compared;
    let name = after.playbook_name.clone();
    let others =
        (before.playbook != after.playbook).then(|| (before.playbook_name.clone(), after.playbook_name.clone()));
    let differing = differences.iter().filter(|it| it.before != it.after).count();
    let has_equal = differing < differences.len();
    let show = address.get("show");
    let shows_all = Memo::new(move |_| show.get() == "all");
    let differences = StoredValue::new(differences);
    let wanted = Memo::new(move |_| {
        let all = shows_all.get();
        differences.with_value(|list| {
            list.iter().enumerate().filter(|(_, it)| all || it.before != it.after).map(|(at, _)| at).collect::<Vec<_>>()
        })
    });
    let drawn = RwSignal::new(DRAWN);
    let left = Memo::new(move |_| wanted.with(Vec::len).saturating_sub(drawn.get()));
    view! {
        <PageHead
            title=Signal::derive(move || t_string!(i18n, run_page.compare.title, playbook = name.clone()))
            line=ViewFn::from(move || match differing {
                1 => t_string!(i18n, run_page.compare.count_one).to_owned(),
                count => t_string!(i18n, run_page.compare.count, count = count.to_string()),
            })
        >
            {has_equal.then(|| view! {
                <ActionButton
                    label=say!(i18n, run_page.compare.with_times)
                    icon=lu::LuTimer
                    pressed=shows_all
                    on_press=Callback::new(move |()| {
                        address.set(&[("show", if shows_all.get_untracked() { "" } else { "all" })]);
                    })
                />
            })}
        </PageHead>
        {others.map(|(before, after)| view! {
            <Notice tone=Signal::stored(Tone::Warn)>
                {t_string!(i18n, run_page.compare.other_playbook, before = before, after = after)}
            </Notice>
        })}
        <div class="compare-runs">
            <Side run=before label=say!(i18n, run_page.compare.to_before) />
            <Side run=after label=say!(i18n, run_page.compare.to_after) />
        </div>
        {move || if wanted.with(Vec::is_empty) {
            view! { <Empty icon=Signal::stored(lu::LuEqual) text=say!(i18n, run_page.compare.same) /> }.into_any()
        } else {
            view! {
                <div class="table-wrap">
                    <table class="table compare-table">
                        <caption class="visually-hidden">{t!(i18n, run_page.compare.caption)}</caption>
                        <thead>
                            <tr>
                                <th scope="col">{t!(i18n, run_page.column.task)}</th>
                                <th scope="col">{t!(i18n, run_page.column.host)}</th>
                                <th scope="col">{t!(i18n, run_page.column.before)}</th>
                                <th scope="col">{t!(i18n, run_page.column.after)}</th>
                                <th scope="col">{t!(i18n, run_page.column.difference)}</th>
                            </tr>
                        </thead>
                        <tbody>
                            <For each=move || wanted.get().into_iter().take(drawn.get()) key=|at| *at let:at>
                                {differences.with_value(|list| list.get(at).cloned()).map(|it| view! { <Row it /> })}
                            </For>
                        </tbody>
                    </table>
                </div>
            }.into_any()
        }}
        {move || (left.get() > 0).then(|| view! {
            <div class="pages">
                <ActionButton
                    label=Signal::derive(move || t_string!(i18n, run_page.compare.show_more, count = left.get().min(DRAWN).to_string()))
                    look=ButtonLook::Quiet
                    on_press=Callback::new(move |()| drawn.update(|drawn| *drawn += DRAWN))
                />
            </div>
        })}
    }
}

#[component]
fn Side(run: Run, label: Signal<String>) -> impl IntoView {
    view! {
        <p class="row">
            <a class="link" href=format!("/runs/{}", run.id)>{move || label.get()}</a>
            <RunBadge state=Signal::stored(run.state) />
            <span class="soft"><Ago at=run.created_at /> {super::took(&run).map(|took| format!(" · {took}"))}</span>
        </p>
    }
}

#[component]
fn Row(it: Difference) -> impl IntoView {
    let i18n = use_i18n();
    let Difference { task, host, before, after, before_ms, after_ms } = it;
    let both = before.is_some() && after.is_some();
    let time = move || {
        let gap = duration(before_ms.abs_diff(after_ms));
        match (both, before_ms.cmp(&after_ms)) {
            (false, _) | (_, std::cmp::Ordering::Equal) => String::new(),
            _ if before_ms.abs_diff(after_ms) < 100 => String::new(),
            (true, std::cmp::Ordering::Greater) => t_string!(i18n, run_page.compare.faster, time = gap),
            (true, std::cmp::Ordering::Less) => t_string!(i18n, run_page.compare.slower, time = gap),
        }
    };
    let side = move |state: Option<crate::provisioning::model::TaskState>, ms: u64, label: Signal<String>| {
        view! {
            <td data-label=move || label.get()>
                {match state {
                    Some(state) => view! { <TaskBadge state=Signal::stored(Some(state)) /> " " <span class="number soft">{duration(ms)}</span> }.into_any(),
                    None => view! { <span class="faint">{move || task_word(i18n.get_locale(), None)}</span> }.into_any(),
                }}
            </td>
        }
    };
    view! {
        <tr>
            <td class="table__name">{task}</td>
            <td class="soft">{host}</td>
            {side(before, before_ms, say!(i18n, run_page.column.before))}
            {side(after, after_ms, say!(i18n, run_page.column.after))}
            <td class="number soft">{time}</td>
        </tr>
    }
}
