//! The log of a container, live: the newest lines arrive as they are written, older ones stay with the
//! engine, and the search runs there over the whole of it.

use crate::{
    deployments::{
        api::search_log,
        model::{LogQuery, LogSearch},
    },
    error::Error,
    i18n::{t_string, use_i18n},
    ui::{
        ActionButton, Address, Badge, ButtonLook, LinkButton, LogBuffer, LogView, Tone, address::escaped, ansi,
        use_address,
    },
};
use icondata_lu as lu;
use leptos::prelude::*;

use super::containers::ChoiceChip;

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
    let wrap = RwSignal::new(true);
    let times = address.get("times");
    let shows_times = Memo::new(move |_| times.get() == "on");
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
                label=Signal::derive(move || t_string!(i18n, deployments.logs.stream).to_owned())
                value=Signal::derive(move || choice.get().stream)
                options=streams
                on_choose=set("stream")
            />
            <ChoiceChip
                label=Signal::derive(move || t_string!(i18n, deployments.logs.since.label).to_owned())
                value=Signal::derive(move || choice.get().since)
                options=sinces
                on_choose=set("since")
            />
            <label class="choice-chip" data-chosen="true">
                <span>{move || t_string!(i18n, deployments.logs.tail)}</span>
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
            <div class="filters__end">
                <ActionButton
                    label=Signal::derive(move || t_string!(i18n, deployments.logs.times).to_owned())
                    icon=lu::LuClock
                    look=ButtonLook::Quiet
                    pressed=shows_times
                    on_press=Callback::new(move |()| {
                        address.set(&[("times", if shows_times.get_untracked() { "" } else { "on" })]);
                    })
                />
                <ActionButton
                    label=Signal::derive(move || t_string!(i18n, deployments.logs.wrap).to_owned())
                    icon=lu::LuWrapText
                    look=ButtonLook::Quiet
                    pressed=wrap
                    on_press=Callback::new(move |()| wrap.update(|wrap| *wrap = !*wrap))
                />
                <LinkButton
                    href=Signal::derive(move || format!("{}?download=true&{}", path(), choice.get().query()))
                    label=Signal::derive(move || t_string!(i18n, deployments.logs.download).to_owned())
                    icon=lu::LuDownload
                    look=ButtonLook::Quiet
                    download=true
                />
            </div>
        </div>
        <Search engine id choice marked />
        <LogView
            buffer
            label=Signal::derive(move || t_string!(i18n, deployments.containers.act.logs_name, name = name.get()))
            wrap
            times=shows_times
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

/// Searches the whole log where it is, and steps through what was found.
#[component]
fn Search(
    engine: StoredValue<String>,
    id: StoredValue<String>,
    choice: Memo<Choice>,
    marked: RwSignal<Option<String>>,
) -> impl IntoView {
    let i18n = use_i18n();
    let needle = RwSignal::new(String::new());
    let found = RwSignal::new(None::<Result<LogSearch, Error>>);
    let place = RwSignal::new(0_usize);
    let busy = RwSignal::new(false);
    let show = move |to: usize| {
        place.set(to);
        let at = found.with_untracked(|found| match found {
            Some(Ok(found)) => found.matches.get(to).and_then(|(_, line)| line.at.clone()),
            Some(Err(_)) | None => None,
        });
        marked.set(at);
    };
    let clear = move || {
        found.set(None);
        marked.set(None);
    };
    let search = move || {
        let words = needle.get_untracked();
        if words.trim().is_empty() {
            clear();
            return;
        }
        busy.set(true);
        leptos::task::spawn_local(async move {
            let query = choice.with_untracked(Choice::for_search);
            let answer = search_log(engine.get_value(), id.get_value(), words, query).await;
            busy.try_set(false);
            let last = answer.as_ref().map_or(0, |found| found.matches.len().saturating_sub(1));
            if found.try_set(Some(answer)).is_none() {
                // People look for what happened last.
                show(last);
            }
        });
    };
    let count = Memo::new(move |_| {
        found.with(|found| found.as_ref().and_then(|it| it.as_ref().ok()).map_or(0, |it| it.matches.len()))
    });
    let nothing =
        Signal::derive(move || (count.get() == 0).then(|| t_string!(i18n, deployments.logs.search.none).to_owned()));
    view! {
        <form
            class="log-search"
            role="search"
            on:submit=move |event| {
                event.prevent_default();
                search();
            }
        >
            <input
                class="input"
                type="search"
                autocomplete="off"
                aria-label=move || t_string!(i18n, deployments.logs.search.label)
                placeholder=move || t_string!(i18n, deployments.logs.search.label)
                prop:value=move || needle.get()
                on:input=move |event| {
                    needle.set(event_target_value(&event));
                    if needle.with_untracked(String::is_empty) {
                        clear();
                    }
                }
            />
            <ActionButton
                label=Signal::derive(move || t_string!(i18n, common.search).to_owned())
                icon=lu::LuSearch
                kind="submit"
                busy
            />
            {move || found.with(Option::is_some).then(|| view! {
                <ActionButton
                    label=Signal::derive(move || t_string!(i18n, deployments.logs.search.previous).to_owned())
                    icon=lu::LuChevronUp
                    look=ButtonLook::Icon
                    refused=nothing
                    on_press=Callback::new(move |()| {
                        let count = count.get_untracked();
                        show((place.get_untracked() + count - 1) % count);
                    })
                />
                <ActionButton
                    label=Signal::derive(move || t_string!(i18n, deployments.logs.search.next).to_owned())
                    icon=lu::LuChevronDown
                    look=ButtonLook::Icon
                    refused=nothing
                    on_press=Callback::new(move |()| show((place.get_untracked() + 1) % count.get_untracked()))
                />
            })}
            <span class="soft number" role="status">
                {move || found.with(|found| match found {
                    None => String::new(),
                    Some(Err(error)) => error.message(i18n.get_locale()),
                    Some(Ok(found)) if found.matches.is_empty() => {
                        t_string!(i18n, deployments.logs.search.none_in, lines = found.lines.to_string())
                    }
                    Some(Ok(found)) => {
                        t_string!(i18n, deployments.logs.search.place, place = (place.get() + 1).to_string(), total = found.total.to_string())
                    }
                })}
            </span>
        </form>
        {move || found.with(|found| match found {
            Some(Ok(found)) => found.matches.get(place.get()).map(|(number, line)| {
                let number = number.to_string();
                view! {
                    <div class="log-hit">
                        <span class="soft number">
                            {move || t_string!(i18n, deployments.logs.search.line, number = number.clone())} " "
                            {line.at.clone().map(|at| at.chars().take(19).collect::<String>().replace('T', " "))}
                        </span>
                        <code class="console__line">{ansi::view(&line.text)}</code>
                    </div>
                }
            }),
            Some(Err(_)) | None => None,
        })}
    }
}

#[cfg(feature = "hydrate")]
mod browser {
    use super::{Choice, Link};
    use crate::{
        deployments::model::LogLine,
        ui::{LogBuffer, LogRow, address::escaped},
    };
    use leptos::{leptos_dom::helpers::TimeoutHandle, prelude::*};
    use serde::Deserialize;
    use std::{
        cell::{Cell, RefCell},
        rc::Rc,
        time::Duration,
    };
    use wasm_bindgen::{JsCast as _, closure::Closure};
    use web_sys::{EventSource, MessageEvent};

    /// Lines within this time are drawn together.
    const GATHER: Duration = Duration::from_millis(80);
    /// More lines than this at once are not drawn one by one: the view keeps no more anyway.
    const GATHERED: usize = 5000;

    #[derive(Deserialize)]
    struct End {
        reason: String,
    }

    struct Stream {
        source: RefCell<Option<EventSource>>,
        listeners: RefCell<Vec<Closure<dyn Fn(MessageEvent)>>>,
        handlers: RefCell<Vec<Closure<dyn Fn()>>>,
        path: String,
        choice: Choice,
        buffer: LogBuffer,
        link: RwSignal<Link>,
        waiting: RefCell<Vec<LogRow>>,
        drawing: Cell<bool>,
        /// The time of the last line, and the one up to which lines were shown before this opening.
        last: RefCell<String>,
        shown: RefCell<String>,
        failures: Cell<u32>,
        timer: Cell<Option<TimeoutHandle>>,
        closed: Cell<bool>,
    }

    impl Stream {
        fn open(self: &Rc<Self>) {
            if self.closed.get() {
                return;
            }
            let last = self.last.borrow().clone();
            // After a break the log goes on where it stopped; what was shown before is left out.
            self.shown.borrow_mut().clone_from(&last);
            let url = if last.is_empty() {
                format!("{}?follow=true&tail={}&{}", self.path, self.choice.tail(), self.choice.query())
            } else {
                let choice = Choice { since: String::new(), ..self.choice.clone() };
                format!("{}?follow=true&since={}&{}", self.path, escaped(&last), choice.query())
            };
            let Ok(source) = EventSource::new(&url) else { return };
            let mut listeners = Vec::new();
            for name in ["lines", "end"] {
                let weak = Rc::downgrade(self);
                let listener = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
                    if let Some(stream) = weak.upgrade() {
                        stream.heard(name, &event.data().as_string().unwrap_or_default());
                    }
                });
                drop(source.add_event_listener_with_callback(name, listener.as_ref().unchecked_ref()));
                listeners.push(listener);
            }
            let weak = Rc::downgrade(self);
            let opened = Closure::<dyn Fn()>::new(move || {
                if let Some(stream) = weak.upgrade() {
                    stream.failures.set(0);
                    stream.link.try_set(Link::Live);
                }
            });
            source.set_onopen(Some(opened.as_ref().unchecked_ref()));
            let weak = Rc::downgrade(self);
            let failed = Closure::<dyn Fn()>::new(move || {
                let Some(stream) = weak.upgrade() else { return };
                let is_refused =
                    stream.source.borrow().as_ref().is_none_or(|it| it.ready_state() == EventSource::CLOSED);
                if is_refused {
                    stream.later();
                } else {
                    // The browser tries again by itself and names the last event it got.
                    stream.link.try_set(Link::Waiting);
                }
            });
            source.set_onerror(Some(failed.as_ref().unchecked_ref()));
            *self.source.borrow_mut() = Some(source);
            // The former listeners may be the ones that are running, so they go a moment later.
            let (old, older) = (self.listeners.replace(listeners), self.handlers.replace(vec![opened, failed]));
            set_timeout(move || drop((old, older)), Duration::ZERO);
        }

        fn heard(self: &Rc<Self>, name: &str, data: &str) {
            if name == "end" {
                let reason = serde_json::from_str::<End>(data).map(|end| end.reason).unwrap_or_default();
                self.shut();
                match reason.as_str() {
                    "finished" => drop(self.link.try_set(Link::Ended)),
                    "session" => crate::app::end_session(),
                    _ => self.later(),
                }
                return;
            }
            let Ok(lines) = serde_json::from_str::<Vec<LogLine>>(data) else { return };
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
                let stream = self.clone();
                set_timeout(
                    move || {
                        stream.drawing.set(false);
                        let rows = stream.waiting.take();
                        if !stream.closed.get() {
                            stream.buffer.append(rows);
                        }
                    },
                    GATHER,
                );
            }
        }

        fn later(self: &Rc<Self>) {
            self.shut();
            if self.closed.get() {
                return;
            }
            self.link.try_set(Link::Waiting);
            let failures = self.failures.get() + 1;
            self.failures.set(failures);
            let stream = self.clone();
            let delay = Duration::from_millis(500 * u64::from(1_u32 << failures.min(6)));
            let timer = set_timeout_with_handle(move || stream.open(), delay);
            if let Some(earlier) = self.timer.replace(timer.ok()) {
                earlier.clear();
            }
        }

        fn shut(&self) {
            if let Some(source) = self.source.borrow_mut().take() {
                source.close();
            }
        }

        fn close(&self) {
            self.closed.set(true);
            if let Some(timer) = self.timer.take() {
                timer.clear();
            }
            self.shut();
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
        let slot = StoredValue::new_local(None::<Rc<Stream>>);
        Effect::new(move |last: Option<(Choice, bool)>| {
            let now = (choice.get(), alive.get());
            let is_same_choice = last.as_ref().is_some_and(|(choice, _)| *choice == now.0);
            if is_same_choice && !now.1 {
                // It has ended: the stream tells so by itself, after its last lines.
                return now;
            }
            let former = slot.try_update_value(Option::take).flatten();
            let mut seen = String::new();
            if let Some(former) = former {
                former.close();
                seen = former.last.borrow().clone();
            }
            if !is_same_choice {
                buffer.clear();
                seen.clear();
            }
            link.set(Link::Opening);
            let stream = Rc::new(Stream {
                source: RefCell::default(),
                listeners: RefCell::default(),
                handlers: RefCell::default(),
                path: path(),
                choice: now.0.clone(),
                buffer,
                link,
                waiting: RefCell::default(),
                drawing: Cell::new(false),
                last: RefCell::new(seen),
                shown: RefCell::default(),
                failures: Cell::new(0),
                timer: Cell::new(None),
                closed: Cell::new(false),
            });
            stream.open();
            slot.set_value(Some(stream));
            now
        });
        on_cleanup(move || {
            slot.try_update_value(|slot| slot.take().map(|stream| stream.close()));
        });
    }
}
