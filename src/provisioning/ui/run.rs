//! One run, live: its head, its tasks and hosts, what it printed, and how it was asked for.

use super::{
    badge::{RecapBar, RunBadge, recap_words, total},
    console::{Console, Output},
    duration,
    result::ResultDialog,
    short,
    tree::{Tasks, use_seconds},
};
use crate::{
    app::refusal,
    authentication::policy::Verb,
    error::Error,
    events::client::use_job_stream,
    i18n::{Locale, say, t, t_string, td_string, use_i18n},
    id::Id,
    jobs::{
        api::cancel_job,
        model::Job,
        ui::{cancel_refusal, log_of},
    },
    provisioning::{
        api::{get_run, run_again},
        client::{Followed, use_run},
        model::{HostRecap, Run, RunState, RunView, Tree},
    },
    time::Timestamp,
    ui::{
        ActionButton, Ago, Badge, ButtonLook, ConfirmDialog, CopyButton, Empty, LinkButton, LiveView, LogBuffer, Menu,
        MenuLink, Moment, Notice, PageHead, Panel, Tone, Trouble, use_address, use_toasts,
    },
};
use icondata_lu as lu;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// Hosts whose result stands beside the tasks; the tab has all.
const BESIDE: usize = 12;

/// A part of the page, as the address names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Tasks,
    Console,
    Hosts,
    Details,
}

impl Part {
    const ALL: [Self; 4] = [Self::Tasks, Self::Console, Self::Hosts, Self::Details];

    const fn name(self) -> &'static str {
        match self {
            Self::Tasks => "",
            Self::Console => "console",
            Self::Hosts => "hosts",
            Self::Details => "details",
        }
    }

    fn word(self, locale: Locale) -> &'static str {
        match self {
            Self::Tasks => td_string!(locale, run_page.tab.tasks),
            Self::Console => td_string!(locale, run_page.tab.console),
            Self::Hosts => td_string!(locale, run_page.tab.hosts),
            Self::Details => td_string!(locale, run_page.tab.details),
        }
    }
}

/// One run.
#[component]
pub fn RunPage() -> impl IntoView {
    let i18n = use_i18n();
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<Id<Job>>().ok())));
    let head = move || view! { <PageHead title=say!(i18n, run_page.one) /> };
    move || match id.get() {
        Some(id) => view! {
            <LiveView
                fetch=move || get_run(id)
                // The stream of the run brings what is new.
                changes=Signal::stored(0_u64)
                head=head
                view=move |live| {
                    let first = live.value().get_untracked();
                    view! { <Shown first /> }
                }
            />
        }
        .into_any(),
        None => view! { {head()} <Trouble error=Signal::stored(Error::not_found("run")) /> }.into_any(),
    }
}

/// What the parts of the page share. Cheap to copy.
#[derive(Clone, Copy)]
struct Page {
    id: Id<Job>,
    followed: Followed,
    title: Signal<String>,
    is_over: Memo<bool>,
    recap: Memo<Vec<HostRecap>>,
    buffer: LogBuffer,
}

#[component]
fn Shown(first: RunView) -> impl IntoView {
    let i18n = use_i18n();
    let address = use_address();
    let (id, before) = (first.run.id, first.before);
    let name = StoredValue::new(first.run.playbook_name.clone());
    let followed = use_run(first);
    let (job, lines) = use_job_stream(Signal::stored(Some(id)));
    let is_over = Memo::new(move |_| followed.run.with(|run| run.state.is_finished()));
    let is_live = Memo::new(move |_| !is_over.get());
    let now = use_seconds(is_live);
    let recap = Memo::new(move |_| {
        let of_run = followed.run.with(|run| run.recap.clone());
        if of_run.is_empty() { followed.tree.with(Tree::recap_so_far) } else { of_run }
    });
    let title =
        Signal::derive(move || t_string!(i18n, run_page.title, playbook = name.get_value(), number = short(id)));
    let page = Page { id, followed, title, is_over, recap, buffer: log_of(lines) };
    let part = address.get("tab");
    let part =
        Memo::new(move |_| part.with(|part| Part::ALL.into_iter().find(|it| it.name() == part).unwrap_or_default()));
    let chosen = RwSignal::new(None::<(usize, usize)>);
    let cancelling = Signal::derive(move || job.with(|job| job.as_ref().is_some_and(|job| job.cancel_requested)));
    view! {
        <PageHead title line=ViewFn::from(move || view! { <StateLine page now /> })>
            <Actions page before cancelling />
        </PageHead>
        <Notices page />
        <Recap page />
        <nav class="tabs" aria-label=t!(i18n, run_page.tab.label)>
            {Part::ALL.map(|it| view! {
                <a
                    href=move || address.with(&[("tab", it.name())])
                    data-noscroll
                    aria-current=move || (part.get() == it).then_some("page")
                >
                    {move || it.word(i18n.get_locale())}
                </a>
            }).into_iter().collect_view()}
        </nav>
        {move || match part.get() {
            Part::Tasks => view! { <TasksPart page now chosen /> }.into_any(),
            Part::Console => view! { <Console id buffer=page.buffer title is_over /> }.into_any(),
            Part::Hosts => view! { <HostsPart page /> }.into_any(),
            Part::Details => view! { <DetailsPart page /> }.into_any(),
        }}
        <ResultDialog run=id tree=followed.tree chosen />
    }
}

/// The line under the title: where it stands, who, when, where.
#[component]
fn StateLine(page: Page, now: Signal<Option<Timestamp>>) -> impl IntoView {
    let i18n = use_i18n();
    let run = page.followed.run;
    let state = Signal::derive(move || run.with(|run| run.state));
    let first = run.get_untracked();
    let (created_at, check) = (first.created_at, first.request.options.check);
    let person = first.person_name;
    let target = first.target.join(", ");
    let by_schedule = first.schedule.is_some() && person.is_empty();
    let took = move || {
        run.with(|run| {
            let from = run.started_at?;
            let to = run.finished_at.or_else(|| now.get())?;
            let took = duration(u64::try_from(to.millis() - from.millis()).unwrap_or(0));
            Some(if run.finished_at.is_some() { t_string!(i18n, run_page.head.took, took = took) } else { took })
        })
    };
    view! {
        <span class="run-line">
            <span role="status"><RunBadge state /></span>
            {check.then(|| view! {
                <Badge
                    tone=Signal::stored(Tone::Busy)
                    icon=Signal::stored(lu::LuFlaskConical)
                    label=say!(i18n, run_page.head.check)
                />
            })}
            <span>
                {move || if by_schedule {
                    t_string!(i18n, run_page.head.by_schedule).to_owned()
                } else {
                    t_string!(i18n, run_page.head.by, person = person.clone())
                }}
                " "
                <Ago at=created_at />
                {move || took().map(|took| view! { " · " <span class="number">{took}</span> })}
                {" · "}
                {move || t_string!(i18n, run_page.head.version, revision = first.revision.to_string())}
                {(!target.is_empty()).then(|| {
                    let target = target.clone();
                    view! { " · " {move || t_string!(i18n, run_page.head.on, target = target.clone())} }
                })}
            </span>
        </span>
    }
}

#[component]
fn Actions(page: Page, before: Option<Id<Job>>, cancelling: Signal<bool>) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let address = use_address();
    let Page { id, followed, is_over, recap, .. } = page;
    let run = followed.run;
    let asking = RwSignal::new(false);
    let busy = RwSignal::new(false);
    let cancel = Callback::new(move |()| {
        busy.set(true);
        asking.set(false);
        leptos::task::spawn_local(async move {
            if let Err(error) = cancel_job(id).await {
                toasts.failed(&error);
            }
            busy.try_set(false);
        });
    });
    let again = move |failed_only: bool| {
        busy.set(true);
        leptos::task::spawn_local(async move {
            match run_again(id, failed_only).await {
                Ok(next) => address.go(&format!("/runs/{next}")),
                Err(Error::Invalid { problems }) => {
                    // What is wrong is mended where it was asked for.
                    toasts.warn(problems.first().map(|it| it.message.clone()).unwrap_or_default());
                    address.go(&format!("/runs/new?from={id}{}", if failed_only { "&failed=true" } else { "" }));
                }
                Err(error) => toasts.failed(&error),
            }
            busy.try_set(false);
        });
    };
    let operate = refusal(Verb::Operate, "run");
    let may_schedule = refusal(Verb::Create, "schedule");
    let not_over = move || (!is_over.get()).then(|| t_string!(i18n, run_page.act.not_over).to_owned());
    let no_failed = move || {
        let is_bad = recap.with(|recap| recap.iter().any(HostRecap::is_bad));
        // After a cancel or a loss hosts are left that did not end.
        let is_open = run.with(|run| !run.state.is_good()) && recap.with(|recap| !recap.is_empty());
        (!is_bad && !is_open).then(|| t_string!(i18n, run_page.act.no_failed).to_owned())
    };
    let again_refused = Signal::derive(move || operate.get().or_else(not_over));
    let failed_refused = Signal::derive(move || operate.get().or_else(not_over).or_else(no_failed));
    let is_cancelling = Signal::derive(move || busy.get() || cancelling.get());
    let playbook = run.with_untracked(|run| run.playbook);
    let name = Signal::derive(move || run.with(|run| vec![run.playbook_name.clone()]));
    view! {
        {move || if is_over.get() {
            view! {
                <ActionButton
                    label=say!(i18n, run_page.act.failed_only)
                    icon=lu::LuServerCrash
                    refused=failed_refused
                    busy
                    on_press=Callback::new(move |()| again(true))
                />
                <ActionButton
                    label=say!(i18n, run_page.act.again)
                    icon=lu::LuRotateCw
                    look=ButtonLook::Primary
                    refused=again_refused
                    busy
                    on_press=Callback::new(move |()| again(false))
                />
            }.into_any()
        } else {
            view! {
                <ActionButton
                    label=Signal::derive(move || {
                        if is_cancelling.get() { t_string!(i18n, run_page.act.cancelling) } else { t_string!(i18n, run_page.act.cancel) }.to_owned()
                    })
                    icon=lu::LuSquare
                    look=ButtonLook::Danger
                    refused=cancel_refusal(Signal::derive(move || run.with(|run| run.person)))
                    busy=is_cancelling
                    on_press=Callback::new(move |()| asking.set(true))
                />
            }.into_any()
        }}
        <Menu id="run-more" label=say!(i18n, run_page.act.more) icon=lu::LuEllipsis>
            <MenuLink
                label=say!(i18n, run_page.act.options)
                icon=lu::LuSlidersHorizontal
                href=format!("/runs/new?from={id}")
                refused=operate
            />
            {before.map(|before| view! {
                <MenuLink
                    label=say!(i18n, run_page.act.compare)
                    icon=lu::LuGitCompareArrows
                    href=format!("/runs/{id}/compare/{before}")
                />
            })}
            <MenuLink
                label=say!(i18n, run_page.act.schedule)
                icon=lu::LuCalendarPlus
                href=format!("/schedules/new?from_run={id}")
                refused=may_schedule
            />
            <MenuLink
                label=say!(i18n, run_page.act.playbook)
                icon=lu::LuBookOpen
                href=format!("/playbooks/{playbook}")
            />
        </Menu>
        <ConfirmDialog
            open=asking
            title=say!(i18n, run_page.act.cancel_title)
            text=say!(i18n, run_page.act.cancel_text)
            names=name
            action=say!(i18n, run_page.act.cancel)
            busy=is_cancelling
            on_confirm=cancel
        />
    }
}

/// What to know before anything else: why it ended, and what was unusual.
#[component]
fn Notices(page: Page) -> impl IntoView {
    let i18n = use_i18n();
    let Followed { run, tree } = page.followed;
    let reason = Memo::new(move |_| run.with(|run| (run.state, run.reason.clone())));
    let isolation = run.with_untracked(|run| run.isolation == "none");
    let under_way = Memo::new(move |_| if page.is_over.get() { tree.with(Tree::under_way) } else { Vec::new() });
    let warnings = Memo::new(move |_| tree.with(|tree| tree.warnings.clone()));
    view! {
        <div class="run-notices" aria-live="polite">
            {move || {
                let (state, reason) = reason.get();
                let tone = super::badge::state_tone(state);
                let usual = || match state {
                    RunState::NothingMatched => Some(t_string!(i18n, run_page.notice.nothing_matched)),
                    RunState::SyntaxError => Some(t_string!(i18n, run_page.notice.syntax_error)),
                    RunState::Unreachable => Some(t_string!(i18n, run_page.notice.unreachable)),
                    RunState::Lost => Some(t_string!(i18n, run_page.notice.lost)),
                    RunState::TimedOut => Some(t_string!(i18n, run_page.notice.timed_out)),
                    RunState::Queued | RunState::Running | RunState::Succeeded | RunState::Changed | RunState::Failed | RunState::Cancelled => None,
                };
                let sentence = reason.or_else(|| usual().map(str::to_owned))?;
                Some(view! { <Notice tone=Signal::stored(tone)>{sentence}</Notice> })
            }}
            {move || under_way.with(|hosts| (!hosts.is_empty()).then(|| hosts.join(", "))).map(|hosts| view! {
                <Notice tone=Signal::stored(Tone::Warn)>{t_string!(i18n, run_page.notice.under_way, hosts = hosts)}</Notice>
            })}
            {isolation.then(|| view! {
                <Notice tone=Signal::stored(Tone::Warn)>{t!(i18n, run_page.notice.isolation)}</Notice>
            })}
            {move || {
                let warnings = warnings.get();
                let more = warnings.len().saturating_sub(5);
                (!warnings.is_empty()).then(|| view! {
                    <details class="run-warnings">
                        <summary>{t!(i18n, run_page.notice.warnings)} " (" {warnings.len()} ")"</summary>
                        <ul>
                            {warnings.into_iter().take(5).map(|warning| view! { <li>{warning}</li> }).collect_view()}
                            {(more > 0).then(|| view! { <li class="soft">{t_string!(i18n, run_page.notice.more_warnings, count = more.to_string())}</li> })}
                        </ul>
                    </details>
                })
            }}
        </div>
    }
}

/// All hosts in one bar.
#[component]
fn Recap(page: Page) -> impl IntoView {
    let i18n = use_i18n();
    let sum = Memo::new(move |_| page.recap.with(|recap| total(recap)));
    let hosts = Memo::new(move |_| page.recap.with(Vec::len));
    move || {
        (hosts.get() > 0).then(|| {
            view! {
                <div class="run-recap">
                    <RecapBar recap=Signal::from(sum) />
                    <span class="soft number">
                        {move || match hosts.get() {
                            1 => t_string!(i18n, run_page.count.host).to_owned(),
                            count => t_string!(i18n, run_page.count.hosts, count = count.to_string()),
                        }}
                        " · "
                        {move || sum.with(|sum| recap_words(i18n.get_locale(), sum))}
                    </span>
                </div>
            }
        })
    }
}

/// Whether the window is wide enough for the console beside the tasks; false on the server and at the first rendering.
fn use_wide() -> RwSignal<bool> {
    let is_wide = RwSignal::new(false);
    #[cfg(feature = "hydrate")]
    {
        let look = move || {
            let wide = window().match_media("(min-width: 1280px)").ok().flatten();
            let wide = wide.is_some_and(|wide| wide.matches());
            if is_wide.get_untracked() != wide {
                is_wide.set(wide);
            }
        };
        Effect::new(look);
        let resized = window_event_listener(leptos::ev::resize, move |_| look());
        on_cleanup(move || resized.remove());
    }
    is_wide
}

#[component]
fn TasksPart(page: Page, now: Signal<Option<Timestamp>>, chosen: RwSignal<Option<(usize, usize)>>) -> impl IntoView {
    let i18n = use_i18n();
    let address = use_address();
    let is_wide = use_wide();
    let Page { followed, title, is_over, buffer, .. } = page;
    view! {
        <div class="run">
            <div class="stack">
                <Tasks followed now open=Callback::new(move |it| chosen.set(Some(it))) />
                <RecapPanel page />
            </div>
            <section class="panel run__beside" aria-labelledby="run-output">
                <header>
                    <h2 id="run-output">{t!(i18n, run_page.console.title)}</h2>
                    <div class="panel__end">
                        <LinkButton
                            href=Signal::derive(move || address.with(&[("tab", "console")]))
                            label=say!(i18n, run_page.console.full)
                            icon=lu::LuMaximize2
                            look=ButtonLook::Quiet
                        />
                    </div>
                </header>
                {move || is_wide.get().then(|| view! {
                    <Output buffer title is_over wrap=Signal::stored(true) times=Signal::stored(false) />
                })}
            </section>
        </div>
    }
}

/// The result per host, those that ended badly first.
#[component]
fn RecapPanel(page: Page) -> impl IntoView {
    let i18n = use_i18n();
    let address = use_address();
    let Page { recap, is_over, .. } = page;
    let shown = Memo::new(move |_| {
        recap.with(|recap| {
            let mut hosts: Vec<(bool, usize)> =
                recap.iter().enumerate().map(|(place, host)| (!host.is_bad(), place)).collect();
            if recap.len() > BESIDE {
                hosts.sort_unstable();
                hosts.truncate(BESIDE);
            }
            hosts.into_iter().map(|(_, place)| recap[place].host.clone()).collect::<Vec<_>>()
        })
    });
    let count = Memo::new(move |_| recap.with(Vec::len));
    let title = Signal::derive(move || {
        if is_over.get() { t_string!(i18n, run_page.tree.recap) } else { t_string!(i18n, run_page.tree.recap_so_far) }
            .to_owned()
    });
    move || {
        (count.get() > 0).then(|| {
            view! {
                <Panel
                    title
                    end=ViewFn::from(move || (count.get() > BESIDE).then(|| view! {
                        <a class="link" href=address.with(&[("tab", "hosts")]) data-noscroll>
                            {t_string!(i18n, run_page.tree.all_of_them, count = count.get().to_string())}
                        </a>
                    }))
                >
                    <ul class="run-hosts">
                        <For each=move || shown.get() key=Clone::clone let:host>
                            <HostLine recap host />
                        </For>
                    </ul>
                </Panel>
            }
        })
    }
}

/// One host's counts, found by its name.
fn host_of(recap: Memo<Vec<HostRecap>>, host: String) -> Memo<HostRecap> {
    Memo::new(move |_| recap.with(|recap| recap.iter().find(|it| it.host == host).cloned().unwrap_or_default()))
}

#[component]
fn HostLine(recap: Memo<Vec<HostRecap>>, host: String) -> impl IntoView {
    let i18n = use_i18n();
    let own = host_of(recap, host.clone());
    view! {
        <li data-tone=move || own.with(HostRecap::is_bad).then_some("bad")>
            <strong class="truncate">{host}</strong>
            <RecapBar recap=Signal::from(own) />
            <span class="number run-hosts__words">{move || own.with(|own| recap_words(i18n.get_locale(), own))}</span>
        </li>
    }
}

#[component]
fn HostsPart(page: Page) -> impl IntoView {
    let i18n = use_i18n();
    let recap = page.recap;
    let hosts = move || recap.with(|recap| recap.iter().map(|it| it.host.clone()).collect::<Vec<_>>());
    let is_empty = Memo::new(move |_| recap.with(Vec::is_empty));
    move || {
        if is_empty.get() {
            let text = say!(i18n, run_page.hosts.empty);
            return view! { <Empty icon=Signal::stored(lu::LuServer) text /> }.into_any();
        }
        view! {
            <div class="table-wrap">
                <table class="table">
                    <thead>
                        <tr>
                            <th scope="col">{t!(i18n, run_page.column.host)}</th>
                            <th scope="col">{t!(i18n, run_page.column.recap)}</th>
                            <th scope="col" class="run-count">{t!(i18n, run_page.column.ok)}</th>
                            <th scope="col" class="run-count">{t!(i18n, run_page.column.changed)}</th>
                            <th scope="col" class="run-count">{t!(i18n, run_page.column.failed)}</th>
                            <th scope="col" class="run-count">{t!(i18n, run_page.column.unreachable)}</th>
                            <th scope="col" class="run-count">{t!(i18n, run_page.column.skipped)}</th>
                            <th scope="col" class="run-count">{t!(i18n, run_page.column.rescued)}</th>
                            <th scope="col" class="run-count">{t!(i18n, run_page.column.ignored)}</th>
                        </tr>
                    </thead>
                    <tbody>
                        <For each=hosts key=Clone::clone let:host>
                            <HostRow recap host />
                        </For>
                    </tbody>
                </table>
            </div>
        }
        .into_any()
    }
}

#[component]
fn HostRow(recap: Memo<Vec<HostRecap>>, host: String) -> impl IntoView {
    let i18n = use_i18n();
    let address = use_address();
    let own = host_of(recap, host.clone());
    let name = StoredValue::new(host);
    let count = move |label: fn(Locale) -> &'static str, of: fn(&HostRecap) -> u32, tone: &'static str| {
        view! {
            <td
                class="number run-count"
                data-label=move || label(i18n.get_locale())
                data-tone=move || (own.with(of) > 0).then_some(tone)
            >
                {move || own.with(of)}
            </td>
        }
    };
    view! {
        <tr>
            <td class="table__name">
                <a
                    href=move || address.with(&[("tab", ""), ("show", ""), ("host", &name.get_value())])
                    title=t!(i18n, run_page.hosts.only)
                >
                    {name.get_value()}
                </a>
                {move || own.with(|own| own.machine).map(|machine| view! {
                    " "
                    <a class="link run-machine" href=format!("/machines/{machine}")>{t!(i18n, run_page.column.machine)}</a>
                })}
            </td>
            <td class="run-hosts__bar"><RecapBar recap=Signal::from(own) /></td>
            {count(|locale| td_string!(locale, run_page.column.ok), |it| it.ok, "good")}
            {count(|locale| td_string!(locale, run_page.column.changed), |it| it.changed, "warn")}
            {count(|locale| td_string!(locale, run_page.column.failed), |it| it.failed, "bad")}
            {count(|locale| td_string!(locale, run_page.column.unreachable), |it| it.unreachable, "bad")}
            {count(|locale| td_string!(locale, run_page.column.skipped), |it| it.skipped, "idle")}
            {count(|locale| td_string!(locale, run_page.column.rescued), |it| it.rescued, "warn")}
            {count(|locale| td_string!(locale, run_page.column.ignored), |it| it.ignored, "warn")}
        </tr>
    }
}

#[component]
fn DetailsPart(page: Page) -> impl IntoView {
    let i18n = use_i18n();
    let run = page.followed.run;
    let isolation = move |run: &Run| match run.isolation.as_str() {
        "namespaces" => t_string!(i18n, run_page.detail.isolation_namespaces).to_owned(),
        "user" => t_string!(i18n, run_page.detail.isolation_user).to_owned(),
        "none" => t_string!(i18n, run_page.detail.isolation_none).to_owned(),
        other => other.to_owned(),
    };
    let request = move || run.with(|run| serde_json::to_string_pretty(&run.request).unwrap_or_default());
    let waited = move || {
        run.with(|run| Some(duration(u64::try_from(run.started_at?.millis() - run.created_at.millis()).unwrap_or(0))))
    };
    view! {
        <div class="stack">
            <Panel
                title=say!(i18n, run_page.detail.command)
                end=ViewFn::from(move || view! { <CopyButton text=Signal::derive(move || run.with(|run| run.command.clone())) /> })
            >
                <pre class="console console--wrap" tabindex="0"><code class="console__line">{move || run.with(|run| run.command.clone())}</code></pre>
            </Panel>
            <Panel title=say!(i18n, run_page.tab.details)>
                <div class="panel__body">
                    <dl class="facts">
                        <dt>{t!(i18n, run_page.detail.playbook)}</dt>
                        <dd>
                            {move || run.with(|run| view! {
                                <a class="link" href=format!("/playbooks/{}", run.playbook)>{run.playbook_name.clone()}</a>
                                " · "
                                {t_string!(i18n, run_page.detail.revision, revision = run.revision.to_string())}
                            })}
                        </dd>
                        <dt>{t!(i18n, run_page.detail.target)}</dt>
                        <dd>{move || run.with(|run| run.target.join(", "))}</dd>
                        <dt>{t!(i18n, run_page.detail.person)}</dt>
                        <dd>{move || run.with(|run| run.person_name.clone())}</dd>
                        {move || run.with(|run| run.schedule).map(|schedule| view! {
                            <dt>{t!(i18n, run_page.detail.schedule)}</dt>
                            <dd><a class="link" href=format!("/schedules/{schedule}")>{t!(i18n, run_page.detail.open_schedule)}</a></dd>
                        })}
                        {move || run.with(|run| run.parent).map(|parent| view! {
                            <dt>{t!(i18n, run_page.detail.parent)}</dt>
                            <dd><a class="link" href=format!("/runs/{parent}")>{t!(i18n, run_page.detail.open_parent)}</a></dd>
                        })}
                        {move || run.with(|run| run.ansible.clone()).map(|version| view! {
                            <dt>{t!(i18n, run_page.detail.ansible)}</dt>
                            <dd class="mono">{version}</dd>
                        })}
                        {move || run.with(|run| (!run.isolation.is_empty()).then(|| isolation(run))).map(|isolation| view! {
                            <dt>{t!(i18n, run_page.detail.isolation)}</dt>
                            <dd>{isolation}</dd>
                        })}
                        <dt>{t!(i18n, run_page.detail.created)}</dt>
                        <dd><Moment at=Signal::derive(move || run.with(|run| run.created_at)) /></dd>
                        {move || run.with(|run| run.started_at).map(|at| view! { <dt>{t!(i18n, run_page.detail.started)}</dt> <dd><Moment at /></dd> })}
                        {move || waited().map(|waited| view! { <dt>{t!(i18n, run_page.detail.waited)}</dt> <dd class="number">{waited}</dd> })}
                        {move || run.with(|run| run.finished_at).map(|at| view! { <dt>{t!(i18n, run_page.detail.finished)}</dt> <dd><Moment at /></dd> })}
                        {move || run.with(super::took).map(|took| view! { <dt>{t!(i18n, run_page.detail.took)}</dt> <dd class="number">{took}</dd> })}
                        <dt>{t!(i18n, run_page.detail.number)}</dt>
                        <dd class="mono">{page.id.to_string()}</dd>
                        <dt>{t!(i18n, run_page.detail.job)}</dt>
                        <dd><a class="link" href=format!("/jobs/{}", page.id)>{t!(i18n, run_page.detail.open_job)}</a></dd>
                    </dl>
                    <details class="job-json" open>
                        <summary>{t!(i18n, run_page.detail.request)}</summary>
                        <pre class="console console--wrap" tabindex="0">{request}</pre>
                    </details>
                </div>
            </Panel>
        </div>
    }
}
