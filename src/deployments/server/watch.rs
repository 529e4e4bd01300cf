//! Keeping the lists of one engine true.
//!
//! The engine keeps 256 events in memory, so "since then" cannot be trusted: we subscribe first, list
//! second, and let every event that arrives meanwhile ask for what it names again. A full list is made
//! at each connection and once a minute as a net.

use super::{
    breaker::jittered,
    convert,
    engine::{Engine, News, Of, Trouble, View},
    fault::Fault,
    wire::{Wire, escaped},
};
use crate::{deployments::model::Container, events::model::Topic, id::Id, storage::Customer, time::Timestamp};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    pin::pin,
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

/// Between two looks whether the engine still answers.
const PROBE_EVERY: Duration = Duration::from_millis(1500);

/// Between two full lists.
const LIST_EVERY: Duration = Duration::from_secs(60);

/// How long a burst of events is gathered before it is acted on.
const GATHER: Duration = Duration::from_millis(80);

/// The longest a burst is gathered.
const GATHER_AT_MOST: Duration = Duration::from_millis(400);

/// When a container is looked at again after an event, each counted from the look before. An engine tells of an end,
/// a pause or a new name before its own list shows it, which waits for a network to be left or a disk to answer.
const AGAIN: [Duration; 4] =
    [Duration::from_millis(300), Duration::from_millis(700), Duration::from_millis(1500), Duration::from_secs(3)];

/// With more changed containers than this the whole list is cheaper than asking for them.
const FEW: usize = 32;

/// How long a full list may take; an engine with ten thousand containers needs seconds.
const LIST_DEADLINE: Duration = Duration::from_secs(30);

/// The longest pause between two attempts. A local socket costs nothing, and a restarted engine shall
/// be seen within five seconds.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// The greatest line of the event stream.
const GREATEST_EVENT: usize = 256 * 1024;

/// Connects, follows, and connects again, until the server stops.
pub(super) async fn keep_true(engine: Engine) {
    let Some(wire) = engine.wire.clone() else { return };
    let stopping = engine.stopping.clone();
    let mut pause = Duration::from_millis(250);
    loop {
        let followed = tokio::select! {
            () = stopping.cancelled() => return,
            followed = follow(&engine, &wire) => followed,
        };
        if followed.was_up {
            pause = Duration::from_millis(250);
        }
        set_trouble(&engine, followed.trouble);
        tokio::select! {
            () = stopping.cancelled() => return,
            () = sleep(jittered(pause)) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// How following an engine ended.
struct Followed {
    was_up: bool,
    trouble: Trouble,
}

/// What changed since the lists were last made.
#[derive(Default)]
struct Dirty {
    containers: BTreeSet<String>,
    images: bool,
    all: bool,
}

impl Dirty {
    fn is_clean(&self) -> bool {
        self.containers.is_empty() && !self.images && !self.all
    }
}

/// Containers that events named and that are to be looked at again: when, and which look that will be.
#[derive(Default)]
struct Settling(BTreeMap<String, (Instant, usize)>);

impl Settling {
    /// They were looked at because of an event. So many that each look is a list of all are looked at once more.
    fn begin(&mut self, ids: &BTreeSet<String>, now: Instant) {
        let look = if ids.len() > FEW { AGAIN.len() - 1 } else { 0 };
        self.0.extend(ids.iter().map(|id| (id.clone(), (now + AGAIN[look], look))));
    }

    /// When the next look is due.
    fn due(&self) -> Option<Instant> {
        self.0.values().map(|(at, _)| *at).min()
    }

    /// Those to look at now, with those that would follow in a moment.
    fn take(&mut self, now: Instant) -> BTreeSet<String> {
        let mut ids = BTreeSet::new();
        self.0.retain(|id, (at, look)| {
            if *at > now + GATHER {
                return true;
            }
            ids.insert(id.clone());
            *look += 1;
            let next = AGAIN.get(*look);
            *at = now + next.copied().unwrap_or_default();
            next.is_some()
        });
        ids
    }
}

async fn follow(engine: &Engine, wire: &Wire) -> Followed {
    let ended = |was_up: bool, fault: &Fault| Followed { was_up, trouble: Trouble::of(fault) };
    if let Err(fault) = wire.word("/_ping", engine.probe_deadline()).await {
        return ended(false, &fault);
    }
    if let Err(trouble) = engine.negotiate(wire).await {
        return Followed { was_up: false, trouble };
    }
    // The engine sends the head before it subscribes us, so what happened just now is asked for too.
    let since = Timestamp::now().seconds() - 2;
    let filters = escaped(r#"{"type":["container","image"]}"#);
    let path = engine.path(&format!("/events?since={since}&filters={filters}"));
    let events = match wire.stream(&path, engine.timeout, None).await {
        Ok(events) => events,
        Err(fault) => return ended(false, &fault),
    };
    if let Err(fault) = while_alive(engine, wire, list_all(engine, wire)).await {
        return ended(false, &fault);
    }
    tracing::info!(engine = engine.name, "the engine is up");
    set_up(engine);

    let mut events = pin!(read_events(events));
    let mut probe = interval(PROBE_EVERY);
    probe.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut list = interval(LIST_EVERY);
    list.set_missed_tick_behavior(MissedTickBehavior::Delay);
    list.reset();
    let mut dirty = Dirty::default();
    let mut settling = Settling::default();
    let mut act_at: Option<(Instant, Instant)> = None;
    loop {
        let due = act_at.map_or_else(|| Instant::now() + LIST_EVERY, |(soon, latest)| soon.min(latest));
        let again = settling.due();
        tokio::select! {
            event = events.next() => match event {
                None => return ended(true, &Fault::Away(std::io::ErrorKind::ConnectionReset.into())),
                Some(Err(fault)) => return ended(true, &fault),
                Some(Ok(event)) => {
                    note(&mut dirty, event);
                    if !dirty.is_clean() {
                        let now = Instant::now();
                        let latest = act_at.map_or(now + GATHER_AT_MOST, |(_, latest)| latest);
                        act_at = Some((now + GATHER, latest));
                    }
                }
            },
            () = sleep_until(due), if act_at.is_some() => {
                act_at = None;
                let changed = std::mem::take(&mut dirty);
                let ids = changed.containers.clone();
                if let Err(fault) = while_alive(engine, wire, refresh(engine, wire, changed)).await {
                    return ended(true, &fault);
                }
                settling.begin(&ids, Instant::now());
            }
            () = sleep_until(again.unwrap_or(due)), if again.is_some() => {
                let changed = Dirty { containers: settling.take(Instant::now()), ..Dirty::default() };
                if let Err(fault) = while_alive(engine, wire, refresh(engine, wire, changed)).await {
                    return ended(true, &fault);
                }
            }
            _ = list.tick() => {
                if let Err(fault) = while_alive(engine, wire, list_all(engine, wire)).await {
                    return ended(true, &fault);
                }
            }
            () = engine.bell.notified() => {
                if let Err(fault) = wire.word("/_ping", engine.probe_deadline()).await {
                    return ended(true, &fault);
                }
            }
            _ = probe.tick() => {
                if let Err(fault) = wire.word("/_ping", engine.probe_deadline()).await {
                    return ended(true, &fault);
                }
            }
        }
    }
}

/// Does work that may take long, as long as the engine answers meanwhile.
async fn while_alive<T>(
    engine: &Engine,
    wire: &Wire,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let frozen = async {
        loop {
            sleep(PROBE_EVERY).await;
            if let Err(fault) = wire.word("/_ping", engine.probe_deadline()).await {
                return fault;
            }
        }
    };
    tokio::select! {
        done = work => done,
        fault = frozen => Err(fault),
    }
}

fn set_up(engine: &Engine) {
    engine.update(|view| {
        if view.trouble.take().is_none() {
            return Vec::new();
        }
        view.since = Timestamp::now();
        of_the_engine(engine)
    });
}

fn set_trouble(engine: &Engine, trouble: Trouble) {
    engine.update(|view| {
        if view.trouble.as_ref() == Some(&trouble) {
            return Vec::new();
        }
        tracing::warn!(engine = engine.name, ?trouble, "the engine is not up");
        if view.trouble.as_ref().map(Trouble::state) != Some(trouble.state()) {
            view.since = Timestamp::now();
        }
        view.trouble = Some(trouble);
        of_the_engine(engine)
    });
    engine.tell_away();
}

/// That an engine came or went: everybody's lists are to be asked for again.
fn of_the_engine(engine: &Engine) -> Vec<News> {
    let name = || engine.name.clone();
    let topics = [Topic::Engine(name()), Topic::Containers(name()), Topic::Images(name())];
    topics.into_iter().map(shared).collect()
}

fn shared(topic: Topic) -> News {
    News { topic, of: Of::Everybody }
}

/// An event as far as we look at it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    #[serde(rename = "Type")]
    kind: Option<String>,
    action: Option<String>,
    actor: Option<Actor>,
}

#[derive(Deserialize)]
struct Actor {
    #[serde(rename = "ID")]
    id: Option<String>,
}

fn note(dirty: &mut Dirty, event: Event) {
    let action = event.action.unwrap_or_default();
    match event.kind.as_deref() {
        // Health checks run a command every few seconds; that alone changes nothing.
        Some("container") if action.starts_with("exec_") || action == "top" || action == "resize" => {}
        // The image that it makes has no event of its own.
        Some("container") if action == "commit" => dirty.images = true,
        Some("container") => match event.actor.and_then(|actor| actor.id) {
            Some(id) => drop(dirty.containers.insert(id)),
            None => dirty.all = true,
        },
        Some("image") => dirty.images = true,
        _ => {}
    }
}

/// Splits the stream into events; a line that cannot be read is passed over.
fn read_events(
    pieces: impl Stream<Item = Result<Bytes, Fault>> + Send,
) -> impl Stream<Item = Result<Event, Fault>> + Send {
    async_stream::stream! {
        let mut pieces = pin!(pieces);
        let mut buffer = BytesMut::new();
        while let Some(piece) = pieces.next().await {
            match piece {
                Ok(piece) => buffer.extend_from_slice(&piece),
                Err(fault) => {
                    yield Err(fault);
                    return;
                }
            }
            while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
                let line = buffer.split_to(end + 1);
                match convert::json(&line) {
                    Ok(event) => yield Ok(event),
                    Err(error) => tracing::debug!("an event cannot be read: {error}"),
                }
            }
            if buffer.len() > GREATEST_EVENT {
                yield Err(Fault::Unreadable("an endless event".to_owned()));
                return;
            }
        }
    }
}

/// Asks again for what events named.
async fn refresh(engine: &Engine, wire: &Wire, dirty: Dirty) -> Result<(), Fault> {
    if dirty.all || dirty.containers.len() > FEW {
        return list_all(engine, wire).await;
    }
    if !dirty.containers.is_empty() {
        refresh_containers(engine, wire, &dirty.containers).await?;
    }
    if dirty.images {
        refresh_images(engine, wire).await?;
    }
    Ok(())
}

/// Asks again for the images.
///
/// # Errors
/// What the engine says.
pub(super) async fn refresh_images(engine: &Engine, wire: &Wire) -> Result<(), Fault> {
    let images = wire.get(&engine.path("/images/json"), LIST_DEADLINE).await?;
    let images = convert::images(&images)?;
    engine.update(|view| set_images(engine, view, images));
    Ok(())
}

/// Asks again for these containers, by identifier.
///
/// # Errors
/// What the engine says.
pub(super) async fn refresh_containers(engine: &Engine, wire: &Wire, ids: &BTreeSet<String>) -> Result<(), Fault> {
    let filters = escaped(&serde_json::json!({ "id": ids }).to_string());
    let answer = wire.get(&engine.path(&format!("/containers/json?all=1&filters={filters}")), LIST_DEADLINE).await?;
    let fresh = convert::containers(&answer)?;
    engine.update(|view| {
        let mut all: BTreeMap<String, Arc<Container>> =
            view.containers.iter().map(|container| (container.id.clone(), Arc::clone(container))).collect();
        for id in ids {
            all.remove(id);
        }
        all.extend(fresh.into_iter().map(|container| (container.id.clone(), Arc::new(container))));
        set_containers(engine, view, all.into_values().collect())
    });
    Ok(())
}

/// Makes both lists and the general information anew.
///
/// # Errors
/// What the engine says.
pub(super) async fn list_all(engine: &Engine, wire: &Wire) -> Result<(), Fault> {
    let (containers, images, info, version) = (
        engine.path("/containers/json?all=1"),
        engine.path("/images/json"),
        engine.path("/info"),
        engine.path("/version"),
    );
    let (containers, images, info, version) = tokio::try_join!(
        wire.get(&containers, LIST_DEADLINE),
        wire.get(&images, LIST_DEADLINE),
        wire.word(&info, LIST_DEADLINE),
        wire.word(&version, LIST_DEADLINE),
    )?;
    let containers = convert::containers(&containers)?.into_iter().map(Arc::new).collect();
    let images = convert::images(&images)?;
    let info = convert::info(&info, &version)?;
    engine.update(|view| {
        let mut news = set_images(engine, view, images);
        news.extend(set_containers(engine, view, containers));
        if view.info.as_ref() != Some(&info) {
            view.info = Some(info);
            news.push(shared(Topic::Engine(engine.name.clone())));
        }
        news
    });
    Ok(())
}

fn set_containers(engine: &Engine, view: &mut View, mut containers: Vec<Arc<Container>>) -> Vec<News> {
    containers.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.id.cmp(&b.id)));
    view.at = Timestamp::now();
    if *view.containers == containers {
        return Vec::new();
    }
    if let Some(info) = &mut view.info {
        convert::count_states(info, &containers);
    }
    let owners = owners_of_changed(&view.containers, &containers);
    view.containers = Arc::new(containers);
    // The figures of an engine count containers, so they are the owners' news too and nobody else's.
    let topics = [Topic::Containers(engine.name.clone()), Topic::Engine(engine.name.clone())];
    owners.into_iter().flat_map(|of| topics.clone().map(|topic| News { topic, of: Of::Owner(of) })).collect()
}

/// Whose containers came, went or changed from one list to the other.
fn owners_of_changed(before: &[Arc<Container>], after: &[Arc<Container>]) -> HashSet<Option<Id<Customer>>> {
    let known: HashMap<&str, &Container> =
        before.iter().map(|container| (container.id.as_str(), &**container)).collect();
    let still: HashSet<&str> = after.iter().map(|container| container.id.as_str()).collect();
    let mut owners = HashSet::new();
    for container in after {
        let was = known.get(container.id.as_str());
        if was.is_none_or(|was| *was != &**container) {
            owners.extend(was.map(|was| owner(was)));
            owners.insert(owner(container));
        }
    }
    owners.extend(before.iter().filter(|was| !still.contains(was.id.as_str())).map(|was| owner(was)));
    owners
}

/// The customer of a container; a label that names none makes it the platform's.
fn owner(container: &Container) -> Option<Id<Customer>> {
    container.customer.as_ref().and_then(|customer| customer.parse().ok())
}

fn set_images(engine: &Engine, view: &mut View, mut images: Vec<crate::deployments::model::Image>) -> Vec<News> {
    images.sort_by(|a, b| b.created_at.cmp(&a.created_at).then_with(|| a.id.cmp(&b.id)));
    let images: Vec<_> = images.into_iter().map(Arc::new).collect();
    view.at = Timestamp::now();
    if *view.images == images {
        return Vec::new();
    }
    if let Some(info) = &mut view.info {
        info.images = i64::try_from(images.len()).unwrap_or(i64::MAX);
    }
    view.images = Arc::new(images);
    vec![shared(Topic::Images(engine.name.clone()))]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of containers: a letter for each identifier, its state, and the customer of its label.
    fn listed(containers: &[(char, &str, Option<Id<Customer>>)]) -> Vec<Arc<Container>> {
        let rows: Vec<_> = containers
            .iter()
            .map(|(letter, state, customer)| {
                let labels = customer.map(|customer| serde_json::json!({ "muelle.customer": customer }));
                let id = letter.to_string().repeat(64);
                serde_json::json!({ "Id": id, "Names": ["/web"], "State": state, "Labels": labels })
            })
            .collect();
        let containers = convert::containers(serde_json::json!(rows).to_string().as_bytes()).expect("it is a list");
        containers.into_iter().map(Arc::new).collect()
    }

    #[test]
    fn a_container_is_looked_at_again_for_some_seconds() {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
        let mut settling = Settling::default();
        let begun = Instant::now();
        settling.begin(&ids(&["a"]), begun);
        settling.begin(&ids(&["b"]), begun + GATHER / 2);

        let mut looks = Vec::new();
        while let Some(due) = settling.due() {
            looks.push((due - begun, settling.take(due)));
            assert!(looks.len() <= AGAIN.len(), "it ends");
        }

        let mut at = Duration::ZERO;
        let expected = AGAIN.iter().map(|pause| {
            at += *pause;
            (at, ids(&["a", "b"]))
        });
        assert_eq!(looks, expected.collect::<Vec<_>>());
    }

    #[test]
    fn a_change_concerns_the_owners_of_what_came_went_or_changed() {
        let (acme, globex) = (Some(Id::new()), Some(Id::new()));
        let before = listed(&[('a', "running", acme), ('b', "running", globex), ('c', "exited", None)]);

        let changed = listed(&[('a', "exited", acme), ('b', "running", globex), ('c', "exited", None)]);
        let gone = listed(&[('a', "running", acme), ('c', "exited", None)]);
        let came =
            listed(&[('a', "running", acme), ('b', "running", globex), ('c', "exited", None), ('d', "created", None)]);

        assert_eq!(owners_of_changed(&before, &changed), HashSet::from([acme]));
        assert_eq!(owners_of_changed(&before, &gone), HashSet::from([globex]));
        assert_eq!(owners_of_changed(&before, &came), HashSet::from([None]));
        assert!(owners_of_changed(&before, &before).is_empty());
    }
}
