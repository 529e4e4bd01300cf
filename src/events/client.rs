//! Listening to changes in the browser: one stream for the whole tab, and one per job that is watched.
//!
//! [`provide_events`] is called once by the frame. Pages say what they depend on with [`use_changes`]
//! and make their resources depend on the count it gives. Nothing asks on a timer.

use super::model::Topic;
use crate::{
    id::Id,
    jobs::model::{Job, Line, Progress},
    provisioning::machines::{ConnectionCheck, StepResult},
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
    /// Who hears the steps of a check.
    checks: StoredValue<HashMap<Id<ConnectionCheck>, Callback<StepResult>>>,
}

impl Events {
    fn new() -> Self {
        Self {
            lamp: RwSignal::new(Lamp::default()),
            counts: StoredValue::new(HashMap::new()),
            resyncs: RwSignal::new(0),
            progress: RwSignal::new(HashMap::new()),
            checks: StoredValue::new(HashMap::new()),
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
/// Whoever reads jobs anew puts their progress here, see [`learn_progress`].
pub fn use_progress() -> RwSignal<HashMap<Id<Job>, Progress>> {
    Events::current().progress
}

/// Calls `hear` with each step of a check as it ends, for as long as the caller lives.
pub fn hear_check(id: Id<ConnectionCheck>, hear: Callback<StepResult>) {
    let checks = Events::current().checks;
    checks.update_value(|known| {
        known.insert(id, hear);
    });
    on_cleanup(move || {
        checks.try_update_value(|known| known.remove(&id));
    });
}

/// Takes over the progress of jobs that were just read.
pub fn learn_progress(known: RwSignal<HashMap<Id<Job>, Progress>>, jobs: &[Job]) {
    let fresh = || jobs.iter().filter_map(|job| Some((job.id, job.progress.clone()?)));
    known.try_update(|known| known.extend(fresh()));
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
        events::{
            model::Topic,
            stream::{EventStream, StreamState},
        },
        id::Id,
        jobs::model::{Job, Line, Progress},
    };
    use leptos::prelude::*;
    use serde::Deserialize;
    use std::{
        cell::{Cell, RefCell},
        collections::{HashMap, HashSet},
        rc::Rc,
        time::Duration,
    };

    /// Changes within this time are counted as one.
    const GATHER: Duration = Duration::from_millis(60);
    /// And then none for this long, so that a storm of changes asks a few times a second at most.
    const REST: Duration = Duration::from_millis(300);

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

    /// The address of a stream that goes on after the event of that id.
    fn resumed(path: &str, cursor: &str) -> String {
        if cursor.is_empty() { path.to_owned() } else { format!("{path}&last_event_id={cursor}") }
    }

    fn lamp_of(state: StreamState) -> Lamp {
        match state {
            StreamState::Live => Lamp::Live,
            StreamState::Waiting => Lamp::Reconnecting,
            StreamState::Away | StreamState::Ended => Lamp::Offline,
        }
    }

    /// Follows every change in reach for as long as the caller's owner lives.
    pub(super) fn follow_changes(events: &Events) {
        let events = events.clone();
        let lamp = events.lamp;
        let slot = StoredValue::new_local(None::<Rc<EventStream>>);
        Effect::new(move |_| {
            let gathered =
                Rc::new(Gathered { topics: RefCell::default(), resync: Cell::new(false), waiting: Cell::new(false) });
            let opened_before = Cell::new(false);
            let (hearing, telling) = (events.clone(), events.clone());
            let stream = EventStream::open(
                |cursor| resumed("/events?topic=all", cursor),
                &["change", "resync"],
                move |name, data| {
                    match name {
                        "change" => {
                            if let Ok(change) = crate::json::read::<Change>(data) {
                                if let (Topic::Jobs, Ok(passing)) = (&change.topic, Passing::deserialize(&change.data))
                                {
                                    hearing.progress.try_update(|known| known.insert(passing.id, passing.progress));
                                    return true;
                                }
                                if let Topic::Check(id) = change.topic {
                                    let hears = |known: &HashMap<_, _>| known.get(&id).copied();
                                    let hear: Option<Callback<_>> = hearing.checks.try_with_value(hears).flatten();
                                    if let (Some(hear), Ok(step)) = (hear, serde_json::from_value(change.data)) {
                                        hear.run(step);
                                    }
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
                move |state| {
                    let lamp = lamp_of(state);
                    if lamp == Lamp::Live && !opened_before.replace(true) {
                        // Between the rendering of the page and now something may have changed unheard.
                        telling.resyncs.try_update(|count| *count += 1);
                    }
                    telling.lamp.try_set(lamp);
                },
            );
            slot.set_value(Some(stream));
        });
        let online = window_event_listener(leptos::ev::online, move |_| {
            slot.try_with_value(|slot| slot.as_ref().map(EventStream::now));
        });
        let offline = window_event_listener(leptos::ev::offline, move |_| {
            lamp.try_set(Lamp::Offline);
        });
        on_cleanup(move || {
            online.remove();
            offline.remove();
            slot.try_update_value(|slot| slot.take().map(|stream| stream.close()));
        });
    }

    /// Follows the job that `id` names, and another when it changes.
    pub(super) fn follow_job(id: Signal<Option<Id<Job>>>, job: RwSignal<Option<Job>>, lines: RwSignal<Vec<Line>>) {
        let slot = StoredValue::new_local(None::<Rc<EventStream>>);
        Effect::new(move |_| {
            slot.try_update_value(|slot| slot.take().map(|stream| stream.close()));
            job.set(None);
            lines.set(Vec::new());
            let Some(id) = id.get() else { return };
            let stream = EventStream::open(
                move |cursor| resumed(&format!("/events?topic=job/{id}&tail={LINES_KEPT}"), cursor),
                &["job", "lines"],
                move |name, data| {
                    match name {
                        "job" => {
                            if let Ok(fresh) = crate::json::read::<Job>(data) {
                                job.try_set(Some(fresh));
                            }
                        }
                        "lines" => {
                            if let Ok(fresh) = crate::json::read::<Lines>(data) {
                                lines.try_update(|kept| append(kept, fresh.lines));
                            }
                        }
                        _ => {}
                    }
                    true
                },
                |_| {},
            );
            slot.set_value(Some(stream));
        });
        on_cleanup(move || {
            slot.try_update_value(|slot| slot.take().map(|stream| stream.close()));
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
