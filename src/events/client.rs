//! Listening to changes in the browser: one stream for the whole tab, and one per job that is watched.
//!
//! [`provide_events`] is called once by the frame. Pages say what they depend on with [`use_changes`]
//! and make their resources depend on the count it gives. Nothing asks on a timer.

use super::model::Topic;
use crate::{
    id::Id,
    jobs::model::{Job, Line, Progress},
};
use leptos::prelude::*;
use std::collections::HashMap;

/// How the tab stands with the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lamp {
    /// Changes arrive as they happen.
    Live,
    /// The stream is being opened, for the first time or again.
    #[default]
    Reconnecting,
    /// The server has not been reached for a while, or the browser has no network.
    Offline,
}

/// Lines of a job that a tab keeps; older ones are in the store and in the download.
pub const LINES_KEPT: usize = 5000;

/// What the tab knows from its stream.
#[derive(Clone)]
struct Events {
    lamp: RwSignal<Lamp>,
    /// Changes counted per topic since the tab was opened.
    counts: StoredValue<HashMap<Topic, ArcRwSignal<u64>>>,
    /// Counts how often everything must be asked again.
    resyncs: RwSignal<u64>,
    /// The newest progress of jobs that run, between two readings of the list.
    progress: RwSignal<HashMap<Id<Job>, Progress>>,
}

impl Events {
    fn new() -> Self {
        Self {
            lamp: RwSignal::new(Lamp::default()),
            counts: StoredValue::new(HashMap::new()),
            resyncs: RwSignal::new(0),
            progress: RwSignal::new(HashMap::new()),
        }
    }

    fn count(&self, topic: Topic) -> ArcRwSignal<u64> {
        self.counts
            .try_update_value(|counts| counts.entry(topic).or_insert_with(|| ArcRwSignal::new(0)).clone())
            .unwrap_or_else(|| ArcRwSignal::new(0))
    }

    fn current() -> Self {
        use_context::<Self>().unwrap_or_else(Self::new)
    }
}

/// Opens the tab's stream of changes. Called once, by the frame of signed-in pages.
pub fn provide_events() {
    let events = Events::new();
    provide_context(events.clone());
    #[cfg(feature = "hydrate")]
    browser::follow_changes(&events);
    #[cfg(not(feature = "hydrate"))]
    let _ = events;
}

/// How the tab stands with the server.
pub fn use_lamp() -> Signal<Lamp> {
    Events::current().lamp.into()
}

/// Counts up when something of these topics changed, or may have changed while nobody listened.
pub fn use_changes(topics: Vec<Topic>) -> Signal<u64> {
    let events = Events::current();
    let counts: Vec<_> = topics.into_iter().map(|topic| events.count(topic)).collect();
    let resyncs = events.resyncs;
    Signal::derive(move || resyncs.get() + counts.iter().map(Get::get).sum::<u64>())
}

/// The newest progress of the jobs in reach that run, as far as it was told since the tab was opened.
pub fn use_progress() -> Signal<HashMap<Id<Job>, Progress>> {
    Events::current().progress.into()
}

/// Follows one job while the caller lives: its state and progress, and its output, the last
/// [`LINES_KEPT`] lines. Nothing is followed while `id` is `None`.
pub fn use_job_stream(id: impl Into<Signal<Option<Id<Job>>>>) -> (Signal<Option<Job>>, Signal<Vec<Line>>) {
    let id = id.into();
    let job = RwSignal::new(None::<Job>);
    let lines = RwSignal::new(Vec::<Line>::new());
    #[cfg(feature = "hydrate")]
    browser::follow_job(id, job, lines);
    #[cfg(not(feature = "hydrate"))]
    let _ = id;
    (job.into(), lines.into())
}

/// Appends lines that are new, and lets the oldest go.
#[cfg_attr(not(feature = "hydrate"), cfg_attr(not(test), expect(dead_code, reason = "only the browser follows")))]
fn append(kept: &mut Vec<Line>, fresh: Vec<Line>) {
    let last = kept.last().map_or(0, |line| line.sequence);
    kept.extend(fresh.into_iter().filter(|line| line.sequence > last));
    if kept.len() > LINES_KEPT {
        kept.drain(..kept.len() - LINES_KEPT);
    }
}

#[cfg(feature = "hydrate")]
mod browser {
    use super::{Events, LINES_KEPT, Lamp, append};
    use crate::{
        events::model::Topic,
        id::Id,
        jobs::model::{Job, Line, Progress},
    };
    use leptos::{leptos_dom::helpers::TimeoutHandle, prelude::*};
    use serde::Deserialize;
    use std::{
        cell::{Cell, RefCell},
        collections::HashSet,
        rc::Rc,
        time::Duration,
    };
    use wasm_bindgen::{JsCast as _, closure::Closure};
    use web_sys::{EventSource, MessageEvent};

    /// Changes within this time are counted as one.
    const GATHER: Duration = Duration::from_millis(60);
    /// And then none for this long, so that a storm of changes asks a few times a second at most.
    const REST: Duration = Duration::from_millis(300);
    /// After so many failures in a row the lamp says offline.
    const PATIENCE: u32 = 3;

    /// An open stream with its listeners; closed when dropped.
    struct Stream {
        source: EventSource,
        _listeners: Vec<Closure<dyn Fn(MessageEvent)>>,
        _opened: Closure<dyn Fn()>,
        _failed: Closure<dyn Fn()>,
    }

    impl Drop for Stream {
        fn drop(&mut self) {
            self.source.close();
        }
    }

    /// What happens on a connection.
    #[derive(Clone, Copy, PartialEq)]
    enum Link {
        Open,
        /// The browser tries again by itself.
        Waiting,
        /// The server refused, or the browser gave up.
        Refused,
    }

    /// A stream that is opened again, with growing delays, until the connection is dropped.
    struct Connection {
        path: String,
        hear: Box<dyn Fn(&str, &str) -> bool>,
        tell: Box<dyn Fn(Lamp)>,
        stream: RefCell<Option<Stream>>,
        cursor: RefCell<String>,
        failures: Cell<u32>,
        timer: Cell<Option<TimeoutHandle>>,
        closed: Cell<bool>,
    }

    impl Connection {
        /// Opens `path`. `hear` gets each event's name and data, and says whether to go on.
        fn open(path: String, hear: impl Fn(&str, &str) -> bool + 'static, tell: impl Fn(Lamp) + 'static) -> Rc<Self> {
            let connection = Rc::new(Self {
                path,
                hear: Box::new(hear),
                tell: Box::new(tell),
                stream: RefCell::new(None),
                cursor: RefCell::default(),
                failures: Cell::new(0),
                timer: Cell::new(None),
                closed: Cell::new(false),
            });
            connection.connect();
            connection
        }

        fn connect(self: &Rc<Self>) {
            if self.closed.get() {
                return;
            }
            let cursor = self.cursor.borrow();
            let path =
                if cursor.is_empty() { self.path.clone() } else { format!("{}&last_event_id={cursor}", self.path) };
            drop(cursor);
            let Ok(source) = EventSource::new(&path) else {
                return;
            };
            let mut listeners = Vec::new();
            for name in ["change", "job", "lines", "resync", "end"] {
                let weak = Rc::downgrade(self);
                let listener = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
                    let Some(connection) = weak.upgrade() else {
                        return;
                    };
                    let id = event.last_event_id();
                    if !id.is_empty() {
                        *connection.cursor.borrow_mut() = id;
                    }
                    let data = event.data().as_string().unwrap_or_default();
                    connection.heard(name, &data);
                });
                drop(source.add_event_listener_with_callback(name, listener.as_ref().unchecked_ref()));
                listeners.push(listener);
            }
            let weak = Rc::downgrade(self);
            let opened = Closure::<dyn Fn()>::new(move || {
                if let Some(connection) = weak.upgrade() {
                    connection.moved(Link::Open);
                }
            });
            source.set_onopen(Some(opened.as_ref().unchecked_ref()));
            let weak = Rc::downgrade(self);
            let failed = Closure::<dyn Fn()>::new(move || {
                let Some(connection) = weak.upgrade() else {
                    return;
                };
                let refused = connection
                    .stream
                    .borrow()
                    .as_ref()
                    .is_some_and(|stream| stream.source.ready_state() == EventSource::CLOSED);
                connection.moved(if refused { Link::Refused } else { Link::Waiting });
            });
            source.set_onerror(Some(failed.as_ref().unchecked_ref()));
            let stream = Stream { source, _listeners: listeners, _opened: opened, _failed: failed };
            *self.stream.borrow_mut() = Some(stream);
        }

        fn heard(self: &Rc<Self>, name: &'static str, data: &str) {
            if name == "end" {
                let reason = serde_json::from_str::<End>(data).map(|end| end.reason).unwrap_or_default();
                match reason.as_str() {
                    "finished" => return self.close(),
                    "session" => {
                        self.close();
                        return crate::app::end_session();
                    }
                    _ => return self.later(),
                }
            }
            if !(self.hear)(name, data) {
                self.close();
            }
        }

        fn moved(self: &Rc<Self>, link: Link) {
            match link {
                Link::Open => {
                    self.failures.set(0);
                    (self.tell)(Lamp::Live);
                }
                Link::Waiting => {
                    self.failures.set(self.failures.get() + 1);
                    (self.tell)(self.lamp());
                }
                Link::Refused => self.later(),
            }
        }

        fn lamp(&self) -> Lamp {
            let away = !window().navigator().on_line() || self.failures.get() > PATIENCE;
            if away { Lamp::Offline } else { Lamp::Reconnecting }
        }

        /// Opens the stream again after a while: 1, 2, 4 … 30 seconds, and some chance.
        fn later(self: &Rc<Self>) {
            if self.closed.get() {
                return;
            }
            let failures = self.failures.get() + 1;
            self.failures.set(failures);
            (self.tell)(self.lamp());
            if let Some(stream) = self.stream.borrow().as_ref() {
                stream.source.close();
            }
            let seconds = f64::from(1_u32 << failures.min(5)).min(30.0) / 2.0;
            let delay = Duration::from_secs_f64(seconds * (1.0 + js_sys::Math::random()));
            let weak = Rc::downgrade(self);
            let timer = set_timeout_with_handle(
                move || {
                    if let Some(connection) = weak.upgrade() {
                        connection.connect();
                    }
                },
                delay,
            );
            if let Some(earlier) = self.timer.replace(timer.ok()) {
                earlier.clear();
            }
        }

        /// Opens it now instead of later, as when the network is back.
        fn now(self: &Rc<Self>) {
            if let Some(timer) = self.timer.take() {
                timer.clear();
                self.connect();
            }
        }

        fn close(&self) {
            self.closed.set(true);
            if let Some(timer) = self.timer.take() {
                timer.clear();
            }
            if let Some(stream) = self.stream.borrow().as_ref() {
                stream.source.close();
            }
        }
    }

    #[derive(Deserialize)]
    struct End {
        reason: String,
    }

    #[derive(Deserialize)]
    struct Change {
        topic: Topic,
        data: serde_json::Value,
    }

    #[derive(Deserialize)]
    struct Passing {
        id: Id<Job>,
        progress: Progress,
    }

    #[derive(Deserialize)]
    struct Lines {
        lines: Vec<Line>,
    }

    /// Gathers changes for a moment and then counts them, at most a few times a second.
    struct Gathered {
        topics: RefCell<HashSet<Topic>>,
        resync: Cell<bool>,
        waiting: Cell<bool>,
    }

    impl Gathered {
        fn soon(self: &Rc<Self>, events: &Events, delay: Duration) {
            if self.waiting.replace(true) {
                return;
            }
            let (gathered, events) = (self.clone(), events.clone());
            set_timeout(
                move || {
                    let topics = gathered.topics.take();
                    let resync = gathered.resync.take();
                    gathered.waiting.set(false);
                    if resync {
                        events.resyncs.try_update(|count| *count += 1);
                    }
                    for topic in &topics {
                        events.count(topic.clone()).update(|count| *count += 1);
                    }
                    if resync || !topics.is_empty() {
                        gathered.soon(&events, REST);
                    }
                },
                delay,
            );
        }
    }

    /// Follows every change in reach for as long as the caller's owner lives.
    pub(super) fn follow_changes(events: &Events) {
        let events = events.clone();
        let lamp = events.lamp;
        let slot = StoredValue::new_local(None::<Rc<Connection>>);
        Effect::new(move |_| {
            let gathered =
                Rc::new(Gathered { topics: RefCell::default(), resync: Cell::new(false), waiting: Cell::new(false) });
            let opened_before = Cell::new(false);
            let (hearing, telling) = (events.clone(), events.clone());
            let connection = Connection::open(
                "/events?topic=all".to_owned(),
                move |name, data| {
                    match name {
                        "change" => {
                            if let Ok(change) = serde_json::from_str::<Change>(data) {
                                if let (Topic::Jobs, Ok(passing)) =
                                    (&change.topic, serde_json::from_value::<Passing>(change.data))
                                {
                                    hearing.progress.try_update(|known| known.insert(passing.id, passing.progress));
                                    return true;
                                }
                                gathered.topics.borrow_mut().insert(change.topic);
                            }
                        }
                        _ => gathered.resync.set(true),
                    }
                    gathered.soon(&hearing, GATHER);
                    true
                },
                move |lamp| {
                    if lamp == Lamp::Live && !opened_before.replace(true) {
                        // Between the rendering of the page and now something may have changed unheard.
                        telling.resyncs.try_update(|count| *count += 1);
                    }
                    telling.lamp.try_set(lamp);
                },
            );
            slot.set_value(Some(connection));
        });
        let online = window_event_listener(leptos::ev::online, move |_| {
            slot.try_with_value(|slot| slot.as_ref().map(Connection::now));
        });
        let offline = window_event_listener(leptos::ev::offline, move |_| {
            lamp.try_set(Lamp::Offline);
        });
        on_cleanup(move || {
            online.remove();
            offline.remove();
            slot.try_update_value(|slot| slot.take().map(|connection| connection.close()));
        });
    }

    /// Follows the job that `id` names, and another when it changes.
    pub(super) fn follow_job(id: Signal<Option<Id<Job>>>, job: RwSignal<Option<Job>>, lines: RwSignal<Vec<Line>>) {
        let slot = StoredValue::new_local(None::<Rc<Connection>>);
        Effect::new(move |_| {
            slot.try_update_value(|slot| slot.take().map(|connection| connection.close()));
            job.set(None);
            lines.set(Vec::new());
            let Some(id) = id.get() else { return };
            let connection = Connection::open(
                format!("/events?topic=job/{id}&tail={LINES_KEPT}"),
                move |name, data| {
                    match name {
                        "job" => {
                            if let Ok(fresh) = serde_json::from_str::<Job>(data) {
                                job.try_set(Some(fresh));
                            }
                        }
                        "lines" => {
                            if let Ok(fresh) = serde_json::from_str::<Lines>(data) {
                                lines.try_update(|kept| append(kept, fresh.lines));
                            }
                        }
                        _ => {}
                    }
                    true
                },
                |_| {},
            );
            slot.set_value(Some(connection));
        });
        on_cleanup(move || {
            slot.try_update_value(|slot| slot.take().map(|connection| connection.close()));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn line(sequence: i64) -> Line {
        Line { sequence, at: Timestamp::from_millis(0), stream: "out".to_owned(), text: String::new() }
    }

    #[test]
    fn lines_are_kept_once_and_only_the_last_ones() {
        let mut kept = vec![line(1), line(2)];

        append(&mut kept, vec![line(2), line(3)]);
        assert_eq!(kept.iter().map(|line| line.sequence).collect::<Vec<_>>(), [1, 2, 3]);

        append(&mut kept, (4..=6000).map(line).collect());
        assert_eq!(kept.len(), LINES_KEPT);
        assert_eq!(kept.last().map(|line| line.sequence), Some(6000));
    }
}
