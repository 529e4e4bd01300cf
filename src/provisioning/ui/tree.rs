//! Tasks against hosts: one row a task, one cell a host, and counts where the hosts are many.
//!
//! Rows are drawn in blocks, and only those near the window: a run of a thousand tasks costs a browser as
//! much as one of fifty.

use super::{
    badge::{PartsBar, task_look, task_word},
    duration,
};
use crate::{
    i18n::{Locale, say, t, t_string, td_string, use_i18n},
    provisioning::{
        client::Followed,
        model::{TaskNode, TaskState, Tree},
    },
    time::Timestamp,
    ui::{ActionButton, Address, ButtonLook, Empty, Icon, LinkButton, Tone, use_address},
};
use icondata_lu as lu;
use leptos::{html, prelude::*};
use std::collections::{BTreeMap, BTreeSet};

/// Hosts that have a column each; more of them are counted.
const COLUMNS: usize = 12;
/// Rows in a block.
const BLOCK: usize = 25;
/// Blocks that are drawn before it is known what the window shows.
const FIRST: usize = 2;
/// Height of a row in pixels, for blocks that are not drawn.
const ROW: usize = 37;

/// Which tasks are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Show {
    #[default]
    All,
    Changed,
    Failed,
}

impl Show {
    const ALL: [Self; 3] = [Self::All, Self::Changed, Self::Failed];

    const fn name(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Changed => "changed",
            Self::Failed => "failed",
        }
    }

    fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|show| show.name() == name).unwrap_or_default()
    }

    fn word(self, locale: Locale) -> &'static str {
        match self {
            Self::All => td_string!(locale, run_page.tree.all),
            Self::Changed => td_string!(locale, run_page.tree.changed),
            Self::Failed => td_string!(locale, run_page.tree.failed),
        }
    }

    const fn admits(self, state: TaskState) -> bool {
        match self {
            Self::All => true,
            Self::Changed => matches!(state, TaskState::Changed),
            Self::Failed => matches!(state, TaskState::Failed | TaskState::Ignored | TaskState::Unreachable),
        }
    }
}

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Line {
    /// The heading of a play, by its number.
    Play(usize),
    /// A task, by its number.
    Task(usize),
}

/// The rows that are wanted: each play with those of its tasks that ended as wanted, on the host where one is named.
fn lines(tree: &Tree, show: Show, host: Option<usize>) -> Vec<Line> {
    let is_wanted = |task: &TaskNode| match host {
        _ if show == Show::All && host.is_none() => true,
        Some(host) => task.cells.get(&host).is_some_and(|cell| show.admits(cell.state)),
        None => task.cells.values().any(|cell| show.admits(cell.state)),
    };
    let mut lines = Vec::new();
    let mut tasks: Vec<(usize, usize)> = tree
        .tasks
        .iter()
        .enumerate()
        .filter(|(_, task)| is_wanted(task))
        .map(|(number, task)| (usize::try_from(task.play).unwrap_or(0), number))
        .collect();
    tasks.sort_unstable();
    let mut tasks = tasks.into_iter().peekable();
    for play in 0..tree.plays.len().max(1) {
        let is_named = play < tree.plays.len();
        let is_empty = tasks.peek().is_none_or(|(of, _)| *of != play);
        if is_named && (!is_empty || (show == Show::All && host.is_none())) {
            lines.push(Line::Play(play));
        }
        while let Some((_, task)) = tasks.next_if(|(of, _)| *of == play) {
            lines.push(Line::Task(task));
        }
    }
    lines
}

/// What a cell looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    state: TaskState,
    retries: u32,
    items: usize,
    diff: bool,
}

/// How often a task ended in which way.
fn counts(task: &TaskNode, only: Option<usize>) -> BTreeMap<u8, (TaskState, u32)> {
    let mut counts = BTreeMap::new();
    for (place, cell) in &task.cells {
        if only.is_none_or(|only| only == *place) {
            counts.entry(rank(cell.state)).or_insert((cell.state, 0)).1 += 1;
        }
    }
    counts
}

/// What is told first.
const fn rank(state: TaskState) -> u8 {
    match state {
        TaskState::Failed => 0,
        TaskState::Unreachable => 1,
        TaskState::Ignored => 2,
        TaskState::Changed => 3,
        TaskState::Running => 4,
        TaskState::Ok => 5,
        TaskState::Skipped => 6,
    }
}

fn count_words(locale: Locale, counts: &BTreeMap<u8, (TaskState, u32)>) -> String {
    let told = |(state, count): &(TaskState, u32)| {
        let count = count.to_string();
        match state {
            TaskState::Running => td_string!(locale, run_page.count.running, count = count),
            TaskState::Ok => td_string!(locale, run_page.count.ok, count = count),
            TaskState::Changed => td_string!(locale, run_page.count.changed, count = count),
            TaskState::Skipped => td_string!(locale, run_page.count.skipped, count = count),
            TaskState::Failed => td_string!(locale, run_page.count.failed, count = count),
            TaskState::Ignored => td_string!(locale, run_page.count.ignored, count = count),
            TaskState::Unreachable => td_string!(locale, run_page.count.unreachable, count = count),
        }
    };
    let words: Vec<String> = counts.values().map(told).collect();
    if words.is_empty() { td_string!(locale, run_page.count.none).to_owned() } else { words.join(" · ") }
}

/// How long the slowest host took for a task, and since when one is under way.
fn time_of(task: &TaskNode) -> (u64, Option<Timestamp>) {
    let slowest = task.cells.values().map(|cell| cell.took_ms).max().unwrap_or(0);
    let since = task.cells.values().filter(|cell| cell.state == TaskState::Running).map(|cell| cell.at).min();
    (slowest, since)
}

/// What the rows share. Cheap to copy.
#[derive(Clone, Copy)]
struct Grid {
    tree: RwSignal<Tree>,
    /// The hosts that are shown, by their places.
    columns: Memo<Vec<usize>>,
    /// Whether they are counted instead of having columns.
    is_many: Memo<bool>,
    /// The host that is looked at alone.
    only: Memo<Option<usize>>,
    /// The blocks that are drawn.
    near: RwSignal<BTreeSet<usize>>,
    now: Signal<Option<Timestamp>>,
    open: Callback<(usize, usize)>,
}

impl Grid {
    fn host(self, place: usize) -> String {
        self.tree.with_untracked(|tree| tree.hosts.get(place).cloned().unwrap_or_default())
    }
}

/// The browser's clock to the second while a run is under way; `None` on the server and at the first rendering.
pub(super) fn use_seconds(is_live: Memo<bool>) -> Signal<Option<Timestamp>> {
    let now = RwSignal::new(None);
    #[cfg(feature = "hydrate")]
    Effect::new(move || {
        if !is_live.get() {
            return;
        }
        now.set(Some(Timestamp::now()));
        let tick = move || {
            now.try_set(Some(Timestamp::now()));
        };
        let timer = set_interval_with_handle(tick, std::time::Duration::from_secs(1));
        on_cleanup(move || {
            if let Ok(timer) = timer {
                timer.clear();
            }
        });
    });
    #[cfg(not(feature = "hydrate"))]
    let _ = is_live;
    now.into()
}

/// The tasks of a run and how they ended on its hosts.
#[component]
pub(super) fn Tasks(
    /// The run.
    followed: Followed,
    /// The time, while the run is under way.
    now: Signal<Option<Timestamp>>,
    /// Shows the result of a task on a host, by their numbers.
    open: Callback<(usize, usize)>,
) -> impl IntoView {
    let i18n = use_i18n();
    let address = use_address();
    let tree = followed.tree;
    let (show, host) = (address.get("show"), address.get("host"));
    let show = Memo::new(move |_| Show::named(&show.get()));
    let only = Memo::new(move |_| {
        host.with(
            |host| if host.is_empty() { None } else { tree.with(|tree| tree.hosts.iter().position(|it| it == host)) },
        )
    });
    let count = Memo::new(move |_| tree.with(|tree| tree.hosts.len()));
    let columns =
        Memo::new(move |_| only.get().map_or_else(|| (0..count.get()).collect::<Vec<_>>(), |host| vec![host]));
    let is_many = Memo::new(move |_| columns.with(Vec::len) > COLUMNS);
    let lines = Memo::new(move |_| tree.with(|tree| lines(tree, show.get(), only.get())));
    let near = RwSignal::new((0..FIRST).collect::<BTreeSet<_>>());
    let node = NodeRef::<html::Table>::new();
    let grid = Grid { tree, columns, is_many, only, near, now, open };
    let blocks = Memo::new(move |_| lines.with(|lines| lines.len().div_ceil(BLOCK)));
    #[cfg(feature = "hydrate")]
    follow_window(node, near, blocks);
    let tasks =
        Memo::new(move |_| lines.with(|lines| lines.iter().filter(|line| matches!(line, Line::Task(_))).count()));
    view! {
        <section class="panel run__tasks" aria-labelledby="run-tasks">
            <header>
                <h2 id="run-tasks">{t!(i18n, run_page.tree.title)}</h2>
                <span class="panel__end soft number">
                    {move || match tasks.get() {
                        1 => t_string!(i18n, run_page.count.task).to_owned(),
                        count => t_string!(i18n, run_page.count.tasks, count = count.to_string()),
                    }}
                </span>
            </header>
            <FilterBar address show tree only />
            {move || if blocks.get() == 0 {
                view! { <Nothing followed address show only /> }.into_any()
            } else {
                view! {
                    <div class="run__scroll">
                        <table class="matrix run__matrix" node_ref=node>
                            <caption class="visually-hidden">{t!(i18n, run_page.tree.caption)}</caption>
                            <thead>
                                <tr>
                                    <th scope="col">{t!(i18n, run_page.column.task)}</th>
                                    {move || if is_many.get() {
                                        view! { <th scope="col">{t!(i18n, run_page.column.hosts)}</th> }.into_any()
                                    } else {
                                        view! {
                                            <For each=move || columns.get() key=|place| *place let:place>
                                                <th scope="col" class="host"><span class="truncate">{grid.host(place)}</span></th>
                                            </For>
                                        }.into_any()
                                    }}
                                    <th scope="col" class="run__time">{t!(i18n, run_page.column.time)}</th>
                                </tr>
                            </thead>
                            <For each=move || 0..blocks.get() key=|number| *number let:number>
                                <Block grid lines number />
                            </For>
                        </table>
                    </div>
                }.into_any()
            }}
        </section>
    }
}

/// Draws the blocks near the window, and no others.
#[cfg(feature = "hydrate")]
fn follow_window(node: NodeRef<html::Table>, near: RwSignal<BTreeSet<usize>>, blocks: Memo<usize>) {
    use wasm_bindgen::JsCast as _;

    /// Pixels above and below the window within which a block is drawn.
    const MARGIN: f64 = 800.0;

    let waiting = StoredValue::new(false);
    let look = move || {
        waiting.try_set_value(false);
        let Some(table) = node.try_get_untracked().flatten() else { return };
        let height = window().inner_height().ok().and_then(|height| height.as_f64()).unwrap_or(0.0);
        let bodies = table.t_bodies();
        let is_near = |index: &u32| {
            let body = bodies.item(*index).and_then(|body| body.dyn_into::<web_sys::Element>().ok());
            body.is_some_and(|body| {
                let at = body.get_bounding_client_rect();
                at.bottom() > -MARGIN && at.top() < height + MARGIN
            })
        };
        let found: BTreeSet<usize> =
            (0..bodies.length()).filter(is_near).filter_map(|index| usize::try_from(index).ok()).collect();
        if near.with_untracked(|near| *near != found) {
            near.set(found);
        }
    };
    let soon = move || {
        if !waiting.get_value() {
            waiting.set_value(true);
            request_animation_frame(look);
        }
    };
    Effect::new(move || {
        blocks.track();
        near.track();
        soon();
    });
    let scrolled = window_event_listener(leptos::ev::scroll, move |_| soon());
    let resized = window_event_listener(leptos::ev::resize, move |_| soon());
    on_cleanup(move || {
        scrolled.remove();
        resized.remove();
    });
}

#[component]
fn FilterBar(address: Address, show: Memo<Show>, tree: RwSignal<Tree>, only: Memo<Option<usize>>) -> impl IntoView {
    let i18n = use_i18n();
    let hosts = Memo::new(move |_| tree.with(|tree| tree.hosts.clone()));
    view! {
        <div class="filters run__filters" role="group" aria-label=t!(i18n, run_page.tree.show)>
            {Show::ALL.map(|it| view! {
                <ActionButton
                    label=Signal::derive(move || it.word(i18n.get_locale()).to_owned())
                    look=ButtonLook::Quiet
                    pressed=Signal::derive(move || show.get() == it)
                    on_press=Callback::new(move |()| address.set(&[("show", it.name())]))
                />
            }).into_iter().collect_view()}
            <label class="choice-chip" data-chosen=move || only.get().is_some().then_some("true")>
                <span>{t!(i18n, run_page.tree.host)}</span>
                <select on:change=move |event| address.set(&[("host", &event_target_value(&event))])>
                    <option value="" selected=move || only.get().is_none()>{t!(i18n, run_page.tree.all_hosts)}</option>
                    <For each=move || hosts.get().into_iter().enumerate() key=|(place, _)| *place let:it>
                        <option value=it.1.clone() selected=move || only.get() == Some(it.0)>{it.1.clone()}</option>
                    </For>
                </select>
            </label>
        </div>
    }
}

/// Why there is no row.
#[component]
fn Nothing(followed: Followed, address: Address, show: Memo<Show>, only: Memo<Option<usize>>) -> impl IntoView {
    let i18n = use_i18n();
    let state = Memo::new(move |_| followed.run.with(|run| run.state));
    move || {
        if show.get() != Show::All || only.get().is_some() {
            return view! {
                <Empty icon=Signal::stored(lu::LuListTree) text=say!(i18n, run_page.tree.no_match)>
                    <LinkButton
                        href=Signal::derive(move || address.with(&[("show", ""), ("host", "")]))
                        label=say!(i18n, run_page.tree.clear)
                    />
                </Empty>
            }
            .into_any();
        }
        let text = Signal::derive(move || {
            use crate::provisioning::model::RunState;
            match state.get() {
                RunState::Queued => t_string!(i18n, run_page.tree.waiting),
                RunState::Running => t_string!(i18n, run_page.tree.starting),
                _ => t_string!(i18n, run_page.tree.nothing),
            }
            .to_owned()
        });
        view! { <Empty icon=Signal::stored(lu::LuListTree) text /> }.into_any()
    }
}

#[component]
fn Block(grid: Grid, lines: Memo<Vec<Line>>, number: usize) -> impl IntoView {
    let own = Memo::new(move |_| {
        lines.with(|lines| lines.iter().skip(number * BLOCK).take(BLOCK).copied().collect::<Vec<_>>())
    });
    let is_near = Memo::new(move |_| grid.near.with(|near| near.contains(&number)));
    view! {
        <tbody>
            {move || if is_near.get() {
                view! {
                    <For each=move || own.get() key=|line| *line let:line>
                        {match line {
                            Line::Play(play) => view! { <PlayRow grid play /> }.into_any(),
                            Line::Task(task) => view! { <TaskRow grid task /> }.into_any(),
                        }}
                    </For>
                }.into_any()
            } else {
                view! {
                    <tr class="run__gap">
                        <td colspan="99"><svg width="1" height=move || (own.with(Vec::len) * ROW).to_string() aria-hidden="true"></svg></td>
                    </tr>
                }.into_any()
            }}
        </tbody>
    }
}

#[component]
fn PlayRow(grid: Grid, play: usize) -> impl IntoView {
    let i18n = use_i18n();
    let node = Memo::new(move |_| grid.tree.with(|tree| tree.plays.get(play).map(|it| (it.name.clone(), it.nobody))));
    view! {
        <tr class="play">
            <th scope="rowgroup" colspan="99">
                {move || node.get().map(|(name, _)| t_string!(i18n, run_page.tree.play, number = (play + 1).to_string(), name = name))}
                {move || node.get().filter(|(_, nobody)| *nobody).map(|_| view! { " · " {t!(i18n, run_page.tree.nobody)} })}
            </th>
        </tr>
    }
}

/// What stands in a task's row beside its cells.
#[derive(Clone, Debug, Default, PartialEq)]
struct Named {
    name: String,
    action: String,
    handler: bool,
}

#[component]
fn TaskRow(grid: Grid, task: usize) -> impl IntoView {
    let i18n = use_i18n();
    let Grid { tree, columns, is_many, only, now, .. } = grid;
    let named = Memo::new(move |_| {
        tree.with(|tree| {
            tree.tasks.get(task).map_or_else(Named::default, |it| Named {
                name: if it.name.is_empty() { it.action.clone() } else { it.name.clone() },
                action: it.action.trim_start_matches("ansible.builtin.").to_owned(),
                handler: it.handler,
            })
        })
    });
    let time = Memo::new(move |_| tree.with(|tree| tree.tasks.get(task).map_or((0, None), time_of)));
    let told =
        Memo::new(move |_| tree.with(|tree| tree.tasks.get(task).map(|it| counts(it, only.get())).unwrap_or_default()));
    let expanded = RwSignal::new(false);
    let time_text = move || match time.get() {
        (_, Some(since)) => now
            .get()
            .map_or_else(|| "…".to_owned(), |now| duration(u64::try_from(since.age(now).as_millis()).unwrap_or(0))),
        (took, None) if told.with(BTreeMap::is_empty) => {
            let _ = took;
            String::new()
        }
        (took, None) => duration(took),
    };
    view! {
        <tr class="run__row">
            <th scope="row" class="run__task">
                <span class="run__name">{move || named.get().name}</span>
                {move || named.with(|it| it.handler).then(|| view! { <small class="faint">{t!(i18n, run_page.tree.handler)}</small> })}
                <small class="mono faint hide-narrow">{move || named.get().action}</small>
            </th>
            {move || if is_many.get() {
                view! {
                    <td class="run__counts">
                        <button
                            type="button"
                            class="run__expand"
                            aria-expanded=move || if expanded.get() { "true" } else { "false" }
                            aria-label=move || t_string!(
                                i18n,
                                run_page.tree.expand,
                                task = named.get().name,
                                counts = told.with(|told| count_words(i18n.get_locale(), told))
                            )
                            on:click=move |_| expanded.update(|expanded| *expanded = !*expanded)
                        >
                            <Icon icon=Signal::derive(move || if expanded.get() { lu::LuChevronDown } else { lu::LuChevronRight }) />
                            <PartsBar parts=Signal::derive(move || told.with(bar_of)) />
                            <span class="soft number truncate">{move || told.with(|told| count_words(i18n.get_locale(), told))}</span>
                        </button>
                    </td>
                }.into_any()
            } else {
                view! {
                    <For each=move || columns.get() key=|place| *place let:place>
                        <td class="cell"><CellButton grid task place named with_host=false /></td>
                    </For>
                }.into_any()
            }}
            <td class="run__time soft number">{time_text}</td>
        </tr>
        {move || (is_many.get() && expanded.get()).then(|| view! {
            <tr class="run__hosts">
                <td colspan="99">
                    <ul>
                        <For each=move || {
                            let mut places = tree.with(|tree| tree.tasks.get(task).map(|it| it.cells.iter().map(|(place, cell)| (rank(cell.state), *place)).collect::<Vec<_>>()).unwrap_or_default());
                            places.sort_unstable();
                            places
                        } key=|(_, place)| *place let:it>
                            <li><CellButton grid task place=it.1 named with_host=true /></li>
                        </For>
                    </ul>
                </td>
            </tr>
        })}
    }
}

fn bar_of(counts: &BTreeMap<u8, (TaskState, u32)>) -> [(Tone, u32); 4] {
    let of = |states: &[TaskState]| {
        counts.values().filter(|(state, _)| states.contains(state)).map(|(_, count)| count).sum::<u32>()
    };
    [
        (Tone::Good, of(&[TaskState::Ok])),
        (Tone::Warn, of(&[TaskState::Changed, TaskState::Ignored])),
        (Tone::Bad, of(&[TaskState::Failed, TaskState::Unreachable])),
        (Tone::Idle, of(&[TaskState::Skipped, TaskState::Running])),
    ]
}

#[component]
fn CellButton(
    grid: Grid,
    task: usize,
    place: usize,
    named: Memo<Named>,
    /// Whether the host's name is shown in it.
    with_host: bool,
) -> impl IntoView {
    let i18n = use_i18n();
    let host = StoredValue::new(grid.host(place));
    let look = Memo::new(move |_| {
        grid.tree.with(|tree| {
            let cell = tree.tasks.get(task)?.cells.get(&place)?;
            Some(Look { state: cell.state, retries: cell.retries, items: cell.items.len(), diff: cell.diff })
        })
    });
    let is_there = Memo::new(move |_| look.get().is_some());
    let look = move || look.get().unwrap_or(Look { state: TaskState::Running, retries: 0, items: 0, diff: false });
    let label = move || {
        let (look, locale) = (look(), i18n.get_locale());
        let mut words = td_string!(
            locale,
            run_page.tree.cell,
            task = named.get().name,
            host = host.get_value(),
            state = task_word(locale, Some(look.state))
        );
        if look.retries > 0 {
            words.push_str(", ");
            words.push_str(&td_string!(locale, run_page.tree.retries, count = look.retries.to_string()));
        }
        if look.items > 0 {
            words.push_str(", ");
            words.push_str(&td_string!(locale, run_page.tree.items, count = look.items.to_string()));
        }
        if look.diff {
            words.push_str(", ");
            words.push_str(td_string!(locale, run_page.tree.diff));
        }
        words
    };
    move || {
        is_there.get().then(|| {
            view! {
                <button
                    type="button"
                    class="badge run__cell"
                    data-tone=move || task_look(look().state).0.name()
                    data-diff=move || look().diff.then_some("true")
                    aria-label=label
                    title=label
                    on:click=move |_| grid.open.run((task, place))
                >
                    <Icon icon=Signal::derive(move || task_look(look().state).1) />
                    {with_host.then(|| host.get_value())}
                </button>
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provisioning::model::{Numbered, RunEvent};

    fn task(number: u32, play: u32) -> RunEvent {
        let (name, action) = (format!("t{number}"), "ping".to_owned());
        RunEvent::Task { task: number, play, name, action, handler: false, path: None }
    }

    fn ended(task: u32, host: &str, state: TaskState) -> RunEvent {
        let (item, message, machine) = (None, None, None);
        RunEvent::Result { task, host: host.to_owned(), machine, state, item, took_ms: 5, message, diff: false }
    }

    fn tree(events: Vec<RunEvent>) -> Tree {
        let mut sequence = 0;
        let numbered: Vec<Numbered> = events
            .into_iter()
            .map(|event| {
                sequence += 1;
                Numbered { sequence, at: Timestamp::from_millis(sequence), event }
            })
            .collect();
        Tree::of(&numbered)
    }

    #[test]
    fn a_filter_keeps_the_tasks_that_ended_so_under_their_plays() {
        let tree = tree(vec![
            RunEvent::Play { play: 0, name: "first".to_owned() },
            task(0, 0),
            ended(0, "a", TaskState::Ok),
            task(1, 0),
            ended(1, "a", TaskState::Changed),
            ended(1, "b", TaskState::Ok),
            RunEvent::Play { play: 1, name: "second".to_owned() },
            task(2, 1),
            ended(2, "b", TaskState::Unreachable),
        ]);

        let all = [Line::Play(0), Line::Task(0), Line::Task(1), Line::Play(1), Line::Task(2)];
        assert_eq!(lines(&tree, Show::All, None), all);
        assert_eq!(lines(&tree, Show::Changed, None), [Line::Play(0), Line::Task(1)]);
        assert_eq!(lines(&tree, Show::Failed, None), [Line::Play(1), Line::Task(2)]);
        assert_eq!(lines(&tree, Show::All, Some(1)), [Line::Play(0), Line::Task(1), Line::Play(1), Line::Task(2)]);
        assert_eq!(lines(&tree, Show::Changed, Some(1)), []);
    }

    #[test]
    fn a_task_tells_the_worst_first() {
        let tree = tree(vec![
            RunEvent::Play { play: 0, name: "first".to_owned() },
            task(0, 0),
            ended(0, "a", TaskState::Ok),
            ended(0, "b", TaskState::Failed),
            ended(0, "c", TaskState::Ok),
        ]);

        assert_eq!(count_words(Locale::en, &counts(&tree.tasks[0], None)), "1 failed · 2 ok");
        assert_eq!(count_words(Locale::en, &counts(&tree.tasks[0], Some(2))), "1 ok");
    }
}
