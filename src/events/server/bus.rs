//! The bus: whoever changes something tells it here, once and after the commit.

use crate::{
    events::model::{Event, Topic},
    id::Id,
    jobs::model::{Job, Line},
    provisioning::model::Numbered,
    storage::Customer,
    time::Timestamp,
};
use serde_json::Value;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};
use tokio::sync::{broadcast, mpsc};

/// How many events are kept for those who come back.
const KEPT: usize = 2048;
/// How many events a listener may lie behind before it is told to ask again.
const CHANNEL: usize = 1024;
/// How many pieces of one job's news a listener may lie behind before it reads from the store.
const JOB_CHANNEL: usize = 256;

/// An event with the customer it concerns.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The event.
    pub event: Event,
    /// Whose data changed; `None` is the platform's own.
    pub customer: Option<Id<Customer>>,
    /// Of something that all share, such as the state of an engine: everybody may hear of it.
    pub shared: bool,
    /// Worth telling only to those who listen now, such as progress; its id is that of the event before.
    pub passing: bool,
}

impl Told {
    fn of(topic: Topic, data: Value) -> Self {
        Self { event: Event { id: 0, topic, data }, customer: None, shared: false, passing: false }
    }

    /// Whether somebody who reaches `scope` may hear of it.
    pub fn reaches(&self, scope: crate::authentication::server::Scope) -> bool {
        self.shared || scope.reaches(self.customer)
    }
}

/// What a listener of changes hears.
#[derive(Clone, Debug)]
pub enum News {
    /// Something changed.
    Told(Arc<Told>),
    /// Something may have been missed: ask for everything again.
    Resync,
}

/// What a listener of one job hears.
#[derive(Clone, Debug)]
pub enum JobNews {
    /// Its state or progress as it is now.
    Job(Arc<Job>),
    /// Lines that are in the store, in order.
    Lines(Arc<Vec<Line>>),
    /// More lines are in the store than are told.
    MoreLines,
    /// It is a run, and these events of it are in the store, in order.
    Events(Arc<Vec<Numbered>>),
    /// It is a run, and its own row changed.
    Run,
    /// Anything of it may have changed, here or in another process: look into the store.
    Look,
    /// Somebody asked to cancel it.
    Cancel,
}

/// What is carried to the other processes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Relayed {
    /// A change.
    Told(Told),
    /// Something about one job is in the store.
    Look(Id<Job>),
    /// A job shall be cancelled.
    Cancel(Id<Job>),
}

/// Where changes are told. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bus(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    changes: broadcast::Sender<News>,
    ring: Mutex<Ring>,
    jobs: Mutex<HashMap<Id<Job>, broadcast::Sender<JobNews>>>,
    relay: OnceLock<mpsc::Sender<Relayed>>,
}

/// The last events, in order of their ids.
#[derive(Debug)]
struct Ring {
    last: i64,
    /// Events after this one are all here.
    floor: i64,
    events: VecDeque<Arc<Told>>,
}

impl Default for Bus {
    fn default() -> Self {
        Self::new()
    }
}

impl Bus {
    /// A bus that nobody listens to yet.
    ///
    /// Ids begin at the clock's milliseconds times 256, so they go on rising over restarts, stay exact
    /// as numbers of JavaScript, and an id of an earlier process is recognised as such.
    pub fn new() -> Self {
        let seed = Timestamp::now().millis() << 8;
        Self(Arc::new(Inner {
            changes: broadcast::channel(CHANNEL).0,
            ring: Mutex::new(Ring { last: seed, floor: seed, events: VecDeque::new() }),
            jobs: Mutex::default(),
            relay: OnceLock::new(),
        }))
    }

    /// Tells that something changed; call it after the commit.
    ///
    /// `customer` is the owner of what changed: its people and the platform's hear of it. `data` is
    /// small, mostly `{}` or an id: pages ask again.
    pub fn publish(&self, topic: Topic, customer: Option<Id<Customer>>, data: Value) {
        self.tell_all(Told { customer, ..Told::of(topic, data) });
    }

    /// Tells everybody that something changed which all share, such as the state of an engine.
    pub fn publish_shared(&self, topic: Topic, data: Value) {
        self.tell_all(Told { shared: true, ..Told::of(topic, data) });
    }

    /// Tells something to those who listen now; it is not kept for those who come back.
    pub fn publish_passing(&self, topic: Topic, customer: Option<Id<Customer>>, data: Value) {
        self.tell_all(Told { customer, passing: true, ..Told::of(topic, data) });
    }

    fn tell_all(&self, told: Told) {
        let told = self.tell(told);
        self.relay(|| Relayed::Told(told.as_ref().clone()));
    }

    /// Tells a change within this process alone, and gives it the next id.
    pub(super) fn tell(&self, mut told: Told) -> Arc<Told> {
        let mut ring = self.ring();
        if !told.passing {
            ring.last += 1;
        }
        told.event.id = ring.last;
        let told = Arc::new(told);
        if !told.passing {
            ring.events.push_back(told.clone());
        }
        if ring.events.len() > KEPT
            && let Some(oldest) = ring.events.pop_front()
        {
            ring.floor = oldest.event.id;
        }
        // Sent under the lock, so listeners hear events in the order of their ids. Nobody may be listening.
        drop(self.0.changes.send(News::Told(told.clone())));
        told
    }

    /// Tells every listener that something may have been missed.
    pub fn resync(&self) {
        let mut ring = self.ring();
        ring.last += 1;
        ring.floor = ring.last;
        ring.events.clear();
        drop(self.0.changes.send(News::Resync));
        drop(ring);
        for channel in self.jobs().values() {
            drop(channel.send(JobNews::Look));
        }
    }

    /// Listens to changes from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<News> {
        self.0.changes.subscribe()
    }

    /// Listens to changes after the event `after`: those that are kept, and the receiver of all later
    /// ones. `None` in place of the kept ones when some are gone or `after` is not of this process.
    pub fn subscribe_after(&self, after: i64) -> (Option<Vec<Arc<Told>>>, broadcast::Receiver<News>) {
        let ring = self.ring();
        let receiver = self.0.changes.subscribe();
        let known = (ring.floor..=ring.last).contains(&after);
        let kept = known.then(|| ring.events.iter().filter(|told| told.event.id > after).cloned().collect());
        (kept, receiver)
    }

    /// The id of the newest event.
    pub fn latest(&self) -> i64 {
        self.ring().last
    }

    /// Listens to one job.
    pub fn subscribe_job(&self, job: Id<Job>) -> broadcast::Receiver<JobNews> {
        self.jobs().entry(job).or_insert_with(|| broadcast::channel(JOB_CHANNEL).0).subscribe()
    }

    /// Tells those who watch a job; what it says is in the store already.
    pub fn publish_job(&self, job: Id<Job>, news: JobNews) {
        self.relay(|| match news {
            JobNews::Cancel => Relayed::Cancel(job),
            JobNews::Job(_)
            | JobNews::Lines(_)
            | JobNews::MoreLines
            | JobNews::Events(_)
            | JobNews::Run
            | JobNews::Look => Relayed::Look(job),
        });
        self.tell_job(job, news);
    }

    /// Tells those who watch a job within this process.
    pub(super) fn tell_job(&self, job: Id<Job>, news: JobNews) {
        let mut jobs = self.jobs();
        if let Some(channel) = jobs.get(&job)
            && channel.send(news).is_err()
        {
            jobs.remove(&job);
        }
    }

    /// Sets where changes go to reach other processes.
    pub(super) fn set_relay(&self, relay: mpsc::Sender<Relayed>) {
        // A bus belongs to one state, which starts its relay once.
        drop(self.0.relay.set(relay));
    }

    fn relay(&self, news: impl FnOnce() -> Relayed) {
        if let Some(relay) = self.0.relay.get()
            && relay.try_send(news()).is_err()
        {
            tracing::warn!("the relay to other servers is full; their pages may be late");
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<Id<Job>, broadcast::Sender<JobNews>>> {
        self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn machines() -> Topic {
        Topic::Records("machine".to_owned())
    }

    #[tokio::test]
    async fn who_comes_back_hears_what_was_missed_in_order() {
        let bus = Bus::new();
        bus.publish(machines(), None, json!({}));
        let seen = bus.latest();
        bus.publish(Topic::Jobs, None, json!({}));
        bus.publish(machines(), None, json!({}));

        let (missed, _) = bus.subscribe_after(seen);

        let topics: Vec<_> = missed.expect("all are kept").iter().map(|told| told.event.topic.clone()).collect();
        assert_eq!(topics, [Topic::Jobs, machines()]);
    }

    #[tokio::test]
    async fn a_gap_is_told_and_never_hidden() {
        let bus = Bus::new();
        let seen = bus.latest();
        for _ in 0..=KEPT {
            bus.publish(Topic::Jobs, None, json!({}));
        }

        assert!(bus.subscribe_after(seen).0.is_none(), "the first event is gone");
        assert!(bus.subscribe_after(seen + 1).0.is_some());
        assert!(bus.subscribe_after(7).0.is_none(), "an id of an earlier process");
        assert!(bus.subscribe_after(bus.latest() + 1).0.is_none(), "an id of the future");
    }

    #[tokio::test]
    async fn another_customers_changes_are_not_heard() {
        use crate::authentication::server::Scope;
        let (own, other) = (Id::new(), Id::new());
        let told = |topic, customer| Told { customer, ..Told::of(topic, json!({})) };

        assert!(told(machines(), Some(own)).reaches(Scope::Customer(own)));
        assert!(!told(machines(), Some(other)).reaches(Scope::Customer(own)));
        assert!(!told(machines(), None).reaches(Scope::Customer(own)));
        assert!(!told(Topic::Containers("local".into()), Some(other)).reaches(Scope::Customer(own)));
        assert!(!told(Topic::Containers("local".into()), None).reaches(Scope::Customer(own)));
        let shared = Told { shared: true, ..told(Topic::Engine("local".into()), None) };
        assert!(shared.reaches(Scope::Customer(own)) && shared.reaches(Scope::Platform));
        assert!(told(machines(), Some(other)).reaches(Scope::Platform));
    }
}
