//! The log of a container, live: the newest lines arrive as they are written, older ones stay with the
//! engine, and the search runs there over the whole of it.

use crate::{
    deployments::{api::search_log, model::LogQuery},
    error::Result,
    i18n::{say, t, t_string, use_i18n},
    ui::{
        Address, Badge, ChoiceChip, LogBuffer, LogFound, LogMatch, LogSearch, LogTools, LogView, Tone,
        address::escaped, use_address, use_log_look,
    },
};
use icondata_lu as lu;
use leptos::prelude::*;

const USUAL_TAIL: &str = "500";

/// How the stream of lines stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "hydrate"), expect(dead_code, reason = "only the browser follows"))]
enum Link {
    Opening,
    Live,
    /// The container has ended, and its log with it.
    Ended,
    /// The connection is gone and will be made again.
    Waiting,
}

/// Which part of the log is shown, as the address says.
#[derive(Clone, Debug, PartialEq)]
struct Choice {
    stream: String,
    since: String,
    tail: String,
}

impl Choice {
    fn of(address: Address) -> Memo<Self> {
        let (stream, since, tail) = (address.get("stream"), address.get("since"), address.get("tail"));
        Memo::new(move |_| Self { stream: stream.get(), since: since.get(), tail: tail.get() })
    }

    /// The query of the REST route, without the tail.
    fn query(&self) -> String {
        let mut query = String::from("timestamps=true");
        match self.stream.as_str() {
            "out" => query.push_str("&stdout=true&stderr=false"),
            "err" => query.push_str("&stdout=false&stderr=true"),
            _ => {}
        }
        if !self.since.is_empty() {
            query.push_str(&format!("&since={}", escaped(&self.since)));
        }
        query
    }

    fn tail(&self) -> &str {
        if self.tail.is_empty() { USUAL_TAIL } else { &self.tail }
    }

    fn for_search(&self) -> LogQuery {
        LogQuery {
            since: Some(self.since.clone()).filter(|since| !since.is_empty()),
            timestamps: true,
            stdout: (self.stream == "err").then_some(false),
            stderr: (self.stream == "out").then_some(false),
            ..LogQuery::default()
        }
    }
}

/// The log of one container.
#[component]
pub(super) fn Logs(
    engine: StoredValue<String>,
    id: StoredValue<String>,
    name: Signal<String>,
    /// Whether it has a process, so that more may come.
    alive: Memo<bool>,
) -> impl IntoView {
    let i18n = use_i18n();
    let address = use_address();
    let choice = Choice::of(address);
    let buffer = LogBuffer::default();
    let link = RwSignal::new(Link::Opening);
    let path = move || format!("/api/v1/engines/{}/containers/{}/logs", engine.get_value(), id.get_value());
    #[cfg(feature = "hydrate")]
    browser::follow(path, choice, alive, buffer, link);
    #[cfg(not(feature = "hydrate"))]
    let _ = alive;
    let look = use_log_look();
    let set = move |key: &'static str| Callback::new(move |value: String| address.set(&[(key, &value)]));
    let marked = RwSignal::new(None::<String>);
    let streams = Signal::derive(move || {
        vec![
            ("out".to_owned(), t_string!(i18n, deployments.logs.stdout).to_owned()),
            ("err".to_owned(), t_string!(i18n, deployments.logs.stderr).to_owned()),
        ]
    });
    let sinces = Signal::derive(move || {
        [
            ("10m", t_string!(i18n, deployments.logs.since.ten_minutes)),
            ("1h", t_string!(i18n, deployments.logs.since.hour)),
            ("24h", t_string!(i18n, deployments.logs.since.day)),
            ("168h", t_string!(i18n, deployments.logs.since.week)),
        ]
        .map(|(value, words)| (value.to_owned(), words.to_owned()))
        .to_vec()
    });
    let tails = Signal::stored(["100", "500", "2000", "5000"].map(|n| (n.to_owned(), n.to_owned())).to_vec());
    let empty = Signal::derive(move || match link.get() {
        Link::Opening => t_string!(i18n, common.loading).to_owned(),
        Link::Live | Link::Ended | Link::Waiting => t_string!(i18n, deployments.logs.empty).to_owned(),
    });
    view! {
        <div class="filters log-tools">
            <ChoiceChip
                label=say!(i18n, deployments.logs.stream)
                value=Signal::derive(move || choice.get().stream)
                options=streams
                on_choose=set("stream")
            />
            <ChoiceChip
                label=say!(i18n, deployments.logs.since.label)
                value=Signal::derive(move || choice.get().since)
                options=sinces
                on_choose=set("since")
            />
            <label class="choice-chip" data-chosen="true">
                <span>{t!(i18n, deployments.logs.tail)}</span>
                <select
                    prop:value=move || choice.get().tail().to_owned()
                    on:change=move |event| {
                        let value = event_target_value(&event);
                        address.set(&[("tail", if value == USUAL_TAIL { "" } else { &value })]);
                    }
                >
                    {move || {
                        let chosen = choice.get().tail().to_owned();
                        tails
                            .get()
                            .into_iter()
                            .map(|(value, words)| {
                                let is_chosen = value == chosen;
                                view! { <option value=value selected=is_chosen>{words}</option> }
                            })
                            .collect_view()
                    }}
                </select>
            </label>
            <LinkBadge link />
            <LogTools
                look
                download=Signal::derive(move || format!("{}?download=true&{}", path(), choice.get().query()))
            />
        </div>
        <LogSearch
            label=say!(i18n, deployments.logs.search)
            search=move |words| {
                search(engine.get_value(), id.get_value(), words, choice.with_untracked(Choice::for_search))
            }
            marked
        />
        <LogView
            buffer
            label=Signal::derive(move || t_string!(i18n, deployments.containers.act.logs_name, name = name.get()))
            wrap=look.wrap
            times=look.times
            marked
            empty
        />
    }
}

#[component]
fn LinkBadge(link: RwSignal<Link>) -> impl IntoView {
    let i18n = use_i18n();
    let look = move || match link.get() {
        Link::Opening => (Tone::Busy, lu::LuLoaderCircle),
        Link::Live => (Tone::Good, lu::LuRadio),
        Link::Ended => (Tone::Idle, lu::LuSquare),
        Link::Waiting => (Tone::Warn, lu::LuRotateCcw),
    };
    let label = Signal::derive(move || {
        match link.get() {
            Link::Opening => t_string!(i18n, deployments.logs.link.opening),
            Link::Live => t_string!(i18n, deployments.logs.link.live),
            Link::Ended => t_string!(i18n, deployments.logs.link.ended),
            Link::Waiting => t_string!(i18n, deployments.logs.link.waiting),
        }
        .to_owned()
    });
    view! {
        <span role="status">
            <Badge tone=Signal::derive(move || look().0) icon=Signal::derive(move || look().1) label />
        </span>
    }
}

/// Searches the whole log where it is.
async fn search(engine: String, id: String, words: String, query: LogQuery) -> Result<LogFound> {
    let found = search_log(engine, id, words, query).await?;
    let matches: Vec<LogMatch> = found
        .matches
        .into_iter()
        .map(|(number, line)| LogMatch {
            number,
            time: line.at.as_ref().map(|at| at.chars().take(19).collect::<String>().replace('T', " ")),
            mark: line.at,
            text: line.text,
        })
        .collect();
    // The last ones are given.
    let before = found.total.saturating_sub(matches.len() as u64);
    Ok(LogFound { matches, before, total: found.total, lines: Some(found.lines), truncated: found.truncated })
}

#[cfg(feature = "hydrate")]
mod browser {
    use super::{Choice, Link};
    use crate::{
        deployments::model::LogLine,
        events::stream::{EventStream, StreamState},
        ui::{LogBuffer, LogRow, address::escaped},
    };
    use leptos::prelude::*;
    use std::{
        cell::{Cell, RefCell},
        rc::Rc,
        time::Duration,
    };

    /// Lines within this time are drawn together.
    const GATHER: Duration = Duration::from_millis(80);
    /// More lines than this at once are not drawn one by one: the view keeps no more anyway.
    const GATHERED: usize = 5000;

    /// The lines of one choice on their way into the view.
    struct Flow {
        buffer: LogBuffer,
        waiting: RefCell<Vec<LogRow>>,
        drawing: Cell<bool>,
        /// The time of the last line, and the one up to which lines were shown before this opening.
        last: RefCell<String>,
        shown: RefCell<String>,
        closed: Cell<bool>,
    }

    impl Flow {
        /// Where the log goes on: after a break where it stopped; what was shown before is left out.
        fn address(&self, path: &str, choice: &Choice) -> String {
            let last = self.last.borrow().clone();
            self.shown.borrow_mut().clone_from(&last);
            if last.is_empty() {
                format!("{path}?follow=true&tail={}&{}", choice.tail(), choice.query())
            } else {
                let choice = Choice { since: String::new(), ..choice.clone() };
                format!("{path}?follow=true&since={}&{}", escaped(&last), choice.query())
            }
        }

        fn add(self: &Rc<Self>, lines: Vec<LogLine>) {
            let mut waiting = self.waiting.borrow_mut();
            for line in lines {
                if let Some(at) = &line.at {
                    if *at <= *self.shown.borrow() {
                        continue;
                    }
                    self.last.borrow_mut().clone_from(at);
                }
                waiting.push(LogRow { at: line.at, stream: line.stream, text: line.text });
            }
            let surplus = waiting.len().saturating_sub(GATHERED);
            waiting.drain(..surplus);
            if !self.drawing.replace(true) {
                let flow = self.clone();
                set_timeout(
                    move || {
                        flow.drawing.set(false);
                        let rows = flow.waiting.take();
                        if !flow.closed.get() {
                            flow.buffer.append(rows);
                        }
                    },
                    GATHER,
                );
            }
        }
    }

    /// Follows the log while the caller lives; begins anew when the choice changes, and goes on when the
    /// container is started again.
    pub(super) fn follow(
        path: impl Fn() -> String + 'static,
        choice: Memo<Choice>,
        alive: Memo<bool>,
        buffer: LogBuffer,
        link: RwSignal<Link>,
    ) {
        let slot = StoredValue::new_local(None::<(Rc<EventStream>, Rc<Flow>)>);
        let end = move || {
            let former = slot.try_update_value(Option::take).flatten()?;
            former.0.close();
            former.1.closed.set(true);
            Some(former.1.last.borrow().clone())
        };
        Effect::new(move |last: Option<(Choice, bool)>| {
            let now = (choice.get(), alive.get());
            let is_same_choice = last.as_ref().is_some_and(|(choice, _)| *choice == now.0);
            if is_same_choice && !now.1 {
                // It has ended: the stream tells so by itself, after its last lines.
                return now;
            }
            let mut seen = end().unwrap_or_default();
            if !is_same_choice {
                buffer.clear();
                seen.clear();
            }
            link.set(Link::Opening);
            let flow = Rc::new(Flow {
                buffer,
                waiting: RefCell::default(),
                drawing: Cell::new(false),
                last: RefCell::new(seen),
                shown: RefCell::default(),
                closed: Cell::new(false),
            });
            let (path, choice, asking, hearing) = (path(), now.0.clone(), flow.clone(), flow.clone());
            let stream = EventStream::open(
                move |_| asking.address(&path, &choice),
                &["lines"],
                move |_, data| {
                    if let Ok(lines) = crate::json::read(data) {
                        hearing.add(lines);
                    }
                    true
                },
                move |state| {
                    link.try_set(match state {
                        StreamState::Live => Link::Live,
                        StreamState::Waiting | StreamState::Away => Link::Waiting,
                        StreamState::Ended => Link::Ended,
                    });
                },
            );
            slot.set_value(Some((stream, flow)));
            now
        });
        on_cleanup(move || drop(end()));
    }
}
