//! Following one run in the browser.

use super::model::{Run, RunView, Tree};
use leptos::prelude::*;

/// A run that is followed. Cheap to copy.
#[derive(Clone, Copy)]
pub struct Followed {
    /// The run as it is now.
    pub run: RwSignal<Run>,
    /// What has happened in it so far.
    pub tree: RwSignal<Tree>,
}

/// Follows a run from what was read of it, until it ends or the caller goes.
pub fn use_run(first: RunView) -> Followed {
    let followed = Followed { run: RwSignal::new(first.run), tree: RwSignal::new(first.tree) };
    #[cfg(feature = "hydrate")]
    browser::follow(followed);
    followed
}

#[cfg(feature = "hydrate")]
mod browser {
    use super::Followed;
    use crate::{
        events::stream::EventStream,
        provisioning::model::{Numbered, Run},
    };
    use leptos::prelude::*;
    use std::rc::Rc;

    pub(super) fn follow(followed: Followed) {
        let Followed { run, tree } = followed;
        let slot = StoredValue::new_local(None::<Rc<EventStream>>);
        Effect::new(move |_| {
            let (id, is_over) = run.with_untracked(|run| (run.id, run.state.is_finished()));
            if is_over {
                return;
            }
            let stream = EventStream::open(
                // What is known counts, not what was last heard: an event that comes twice changes nothing.
                move |_| {
                    let after = tree.try_with_untracked(|tree| tree.last).unwrap_or(0);
                    format!("/api/v1/provisioning/runs/{id}/events?after={after}")
                },
                &["run", "events"],
                move |name, data| {
                    if name == "run" {
                        if let Ok(fresh) = crate::json::read::<Run>(data) {
                            run.try_set(fresh);
                        }
                    } else if let Ok(fresh) = crate::json::read::<Vec<Numbered>>(data) {
                        tree.try_update(|tree| fresh.iter().for_each(|event| tree.apply(event)));
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
