//! How many calls of the API a person makes in a minute.
//!
//! Counted in memory, each server for itself: unlike guesses at a password, calls need a login, so nobody
//! can push a counter out with names that do not exist.

use crate::{id::Id, storage::User, time::Timestamp};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Milliseconds that are counted together, from a person's first call on.
const MINUTE: i64 = 60_000;

/// People who are counted at a time.
const PEOPLE: usize = 10_000;

/// The calls of everybody in their current minute.
#[derive(Debug, Default)]
pub struct Calls(Mutex<HashMap<Id<User>, Counted>>);

#[derive(Clone, Copy, Debug)]
struct Counted {
    since: i64,
    calls: u32,
}

impl Calls {
    /// Counts a call, or gives the seconds to wait when it is one more than `limit` in a minute.
    pub fn count(&self, person: Id<User>, limit: u32, now: Timestamp) -> Option<u32> {
        let now = now.millis();
        let mut people = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if people.len() >= PEOPLE && !people.contains_key(&person) {
            people.retain(|_, counted| now - counted.since < MINUTE);
            // More people than that within a minute: better to count anew than to grow or to refuse.
            if people.len() >= PEOPLE {
                people.clear();
            }
        }
        let counted = people.entry(person).or_insert(Counted { since: now, calls: 0 });
        // The clock may have been set back.
        if !(0..MINUTE).contains(&(now - counted.since)) {
            *counted = Counted { since: now, calls: 0 };
        }
        if counted.calls >= limit {
            let left = counted.since + MINUTE - now;
            return Some(u32::try_from(left.div_euclid(1000) + 1).unwrap_or(1));
        }
        counted.calls += 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_too_many_waits_for_the_minute_to_end() {
        let (calls, one, other) = (Calls::default(), Id::new(), Id::new());
        let at = |seconds: i64| Timestamp::from_seconds(1_790_000_000 + seconds);

        assert_eq!([0, 1, 2].map(|second| calls.count(one, 3, at(second))), [None; 3]);
        assert_eq!(calls.count(one, 3, at(10)), Some(51));
        assert_eq!(calls.count(other, 3, at(10)), None);
        assert_eq!(calls.count(one, 3, at(60)), None);
    }

    #[test]
    fn the_memory_is_bounded() {
        let (calls, now) = (Calls::default(), Timestamp::from_seconds(1_790_000_000));

        for _ in 0..=2 * PEOPLE {
            calls.count(Id::new(), 3, now);
        }

        assert!(calls.0.lock().expect("nobody panicked").len() <= PEOPLE);
    }
}
