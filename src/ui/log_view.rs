//! A log that grows: it follows its end, waits while somebody reads further up, and keeps a bounded
//! number of lines.

use super::{ansi, icon::Icon};
use crate::i18n::{t_string, use_i18n};
use leptos::{html, prelude::*};
use std::collections::VecDeque;

/// Lines that a browser keeps; older ones stay with the server.
pub const LINES_KEPT: usize = 5000;

/// Lines are drawn in blocks, so that a new line costs as much in a long log as in a short one.
const BLOCK: usize = 100;

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// When it was written; also what finds it again.
    pub at: Option<String>,
    /// `out`, `err`, or `note` for our own words.
    pub stream: String,
    /// The text with its terminal sequences.
    pub text: String,
}

#[derive(Clone)]
struct Block {
    number: u64,
    rows: ArcRwSignal<Vec<(u64, LogRow)>>,
}

/// The lines that are kept. Cheap to copy.
#[derive(Clone, Copy)]
pub struct LogBuffer {
    blocks: RwSignal<VecDeque<Block>>,
    count: RwSignal<usize>,
    /// Lines ever added.
    added: RwSignal<u64>,
}

impl Default for LogBuffer {
    fn default() -> Self {
        Self { blocks: RwSignal::new(VecDeque::new()), count: RwSignal::new(0), added: RwSignal::new(0) }
    }
}

impl LogBuffer {
    /// Adds lines at the end and lets the oldest go.
    pub fn append(self, rows: Vec<LogRow>) {
        let Some(mut number) = self.added.try_get_untracked() else { return };
        if rows.is_empty() {
            return;
        }
        let mut rows = rows.into_iter().map(|row| {
            number += 1;
            (number, row)
        });
        loop {
            let last = self.blocks.with_untracked(|blocks| blocks.back().cloned());
            let room = last.as_ref().map_or(0, |block| BLOCK.saturating_sub(block.rows.with_untracked(Vec::len)));
            match last.filter(|_| room > 0) {
                Some(block) => {
                    let some: Vec<_> = rows.by_ref().take(room).collect();
                    if some.is_empty() {
                        break;
                    }
                    self.count.update(|count| *count += some.len());
                    block.rows.update(|rows| rows.extend(some));
                }
                None => {
                    let some: Vec<_> = rows.by_ref().take(BLOCK).collect();
                    let Some((number, _)) = some.first() else { break };
                    let block = Block { number: *number, rows: ArcRwSignal::new(Vec::new()) };
                    self.count.update(|count| *count += some.len());
                    block.rows.set(some);
                    self.blocks.update(|blocks| blocks.push_back(block));
                }
            }
        }
        drop(rows);
        while self.count.get_untracked() > LINES_KEPT {
            let gone = self.blocks.try_update(VecDeque::pop_front).flatten();
            let lines = gone.map_or(usize::MAX, |block| block.rows.with_untracked(Vec::len));
            self.count.update(|count| *count = count.saturating_sub(lines));
        }
        self.added.set(number);
    }

    /// Forgets everything.
    pub fn clear(self) {
        self.blocks.try_update(VecDeque::clear);
        self.count.try_set(0);
    }

    /// How many lines are kept.
    pub fn count(self) -> Signal<usize> {
        self.count.into()
    }

    /// The time of the last line.
    pub fn last_time(self) -> Option<String> {
        let block = self.blocks.with_untracked(|blocks| blocks.back().cloned())?;
        block.rows.with_untracked(|rows| rows.last().and_then(|(_, row)| row.at.clone()))
    }
}

/// Shows a log.
#[component]
pub fn LogView(
    /// Its lines.
    buffer: LogBuffer,
    /// What it is, for a screen reader.
    #[prop(into)]
    label: Signal<String>,
    /// Long lines go on in the next row.
    #[prop(into)]
    wrap: Signal<bool>,
    /// Each line begins with its time.
    #[prop(into)]
    times: Signal<bool>,
    /// The time of the line that is looked for; it is marked and brought into view.
    #[prop(into, optional)]
    marked: Signal<Option<String>>,
    /// What stands there while there is no line.
    #[prop(into)]
    empty: Signal<String>,
) -> impl IntoView {
    let i18n = use_i18n();
    let node = NodeRef::<html::Div>::new();
    let follows = RwSignal::new(true);
    let seen = RwSignal::new(0_u64);
    let waiting = Memo::new(move |_| if follows.get() { 0 } else { buffer.added.get().saturating_sub(seen.get()) });
    let to_end = move || {
        if let Some(node) = node.get_untracked() {
            node.set_scroll_top(node.scroll_height());
        }
    };
    Effect::new(move || {
        let added = buffer.added.get();
        wrap.track();
        times.track();
        if follows.get() {
            seen.set(added);
            // The lines are in the document after this effect.
            request_animation_frame(to_end);
        }
    });
    Effect::new(move || {
        if marked.get().is_none() {
            return;
        }
        follows.set(false);
        request_animation_frame(move || {
            if let Some(node) = node.get_untracked() {
                show_hit(&node);
            }
        });
    });
    let scrolled = move |_| {
        let Some(node) = node.get_untracked() else { return };
        let is_at_end = node.scroll_top() + node.client_height() >= node.scroll_height() - 8;
        if is_at_end != follows.get_untracked() {
            seen.set(buffer.added.get_untracked());
            follows.set(is_at_end);
        }
    };
    view! {
        <div class="log">
            <div
                node_ref=node
                class=move || if wrap.get() { "console console--wrap" } else { "console" }
                role="log"
                aria-live="off"
                aria-label=move || label.get()
                tabindex="0"
                on:scroll=scrolled
            >
                {move || (buffer.count.get() == 0).then(|| view! { <div class="console__line" data-stream="note">{move || empty.get()}</div> })}
                <For each=move || buffer.blocks.get() key=|block| block.number let:block>
                    <div class="console__block">
                        <For each=move || block.rows.get() key=|(number, _)| *number let:row>
                            <Line row=row.1 times marked />
                        </For>
                    </div>
                </For>
            </div>
            {move || (!follows.get()).then(|| view! {
                <button
                    type="button"
                    class="button log__more"
                    on:click=move |_| {
                        follows.set(true);
                        to_end();
                    }
                >
                    <Icon icon=icondata_lu::LuArrowDown />
                    {move || match waiting.get() {
                        0 => t_string!(i18n, common.log.to_end).to_owned(),
                        1 => t_string!(i18n, common.log.one_new).to_owned(),
                        count => t_string!(i18n, common.log.many_new, count = count.to_string()),
                    }}
                </button>
            })}
        </div>
    }
}

/// Brings the marked line into the middle of the view.
fn show_hit(log: &leptos::web_sys::HtmlDivElement) {
    #[cfg(feature = "hydrate")]
    if let Ok(Some(line)) = log.query_selector("[data-hit=\"true\"]") {
        let (here, around) = (line.get_bounding_client_rect(), log.get_bounding_client_rect());
        let middle = here.top() - around.top() - f64::from(log.client_height()) / 2.0;
        log.set_scroll_top(log.scroll_top() + middle as i32);
    }
    #[cfg(not(feature = "hydrate"))]
    let _ = log;
}

#[component]
fn Line(row: LogRow, times: Signal<bool>, marked: Signal<Option<String>>) -> impl IntoView {
    let at = StoredValue::new(row.at);
    view! {
        <div
            class="console__line"
            data-stream=row.stream
            data-hit=move || marked.with(|marked| marked.is_some() && at.with_value(|at| at == marked)).then_some("true")
        >
            {move || times.get().then(|| at.get_value().map(|at| view! { <span class="console__time">{short_time(&at)}</span> }))}
            {ansi::view(&row.text)}
        </div>
    }
}

/// A time to the millisecond, as it fits before a line.
fn short_time(at: &str) -> String {
    let Some((day, time)) = at.split_once('T') else { return at.to_owned() };
    format!("{day} {}", time.trim_end_matches('Z').chars().take(12).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize) -> Vec<LogRow> {
        std::iter::repeat_n(LogRow { at: None, stream: "out".to_owned(), text: "x".to_owned() }, count).collect()
    }

    #[test]
    fn a_buffer_keeps_the_last_lines_only() {
        let owner = Owner::new();
        owner.set();
        let buffer = LogBuffer::default();

        buffer.append(rows(30));
        buffer.append(rows(250));
        assert_eq!(buffer.count.get_untracked(), 280);

        buffer.append(rows(12_345));
        let kept = buffer.count.get_untracked();
        assert!(kept <= LINES_KEPT && kept > LINES_KEPT - BLOCK, "{kept} lines are kept");
        assert_eq!(buffer.added.get_untracked(), 12_625);
    }

    #[test]
    fn a_time_is_short_before_a_line() {
        assert_eq!(short_time("2026-11-22T10:11:12.123456789Z"), "2026-11-22 10:11:12.123");
    }
}
