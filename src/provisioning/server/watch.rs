//! Watching one run: every event from a sequence on, then what comes, with no gap and no repeat.

use super::store;
use crate::{
    authentication::server::Proof,
    error::Result,
    events::server::JobNews,
    id::Id,
    jobs::model::Job,
    platform::state::State,
    provisioning::model::{Numbered, Run},
};
use async_stream::stream;
use futures::Stream;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;

/// What a watcher gets.
#[derive(Clone, Debug)]
pub enum Piece {
    /// The run as it is now.
    Run(Box<Run>),
    /// The next events, in order.
    Events(Vec<Numbered>),
    /// The run has ended and everything was given.
    End,
    /// The store did not answer; the watcher comes back with the last sequence.
    Broken,
}

/// Follows a run from the event after `after`: first the run itself, then events and changes, until it has
/// ended and all of its events were given.
///
/// # Errors
/// [`crate::error::Error::NotFound`] when the proof does not reach such a run.
pub async fn follow(
    state: &State,
    proof: Arc<dyn Proof>,
    id: Id<Job>,
    after: i64,
) -> Result<impl Stream<Item = Piece> + Send + 'static> {
    // Listening begins before looking, so that nothing falls between the two.
    let mut news = state.bus.subscribe_job(id);
    let mut run = store::run(state, proof.as_ref(), id).await?;
    let state = state.clone();
    Ok(stream! {
        let mut after = after.max(0);
        yield Piece::Run(Box::new(run.clone()));
        let mut behind = true;
        loop {
            while behind {
                match store::events(&state, proof.as_ref(), id, after, store::EVENTS_LIMIT / 2).await {
                    Ok(events) => match events.last() {
                        Some(last) => {
                            after = last.sequence;
                            yield Piece::Events(events);
                        }
                        None => behind = false,
                    },
                    Err(_) => {
                        yield Piece::Broken;
                        return;
                    }
                }
            }
            if run.state.is_finished() {
                yield Piece::End;
                return;
            }
            match news.recv().await {
                Ok(JobNews::Events(events)) => {
                    let fresh: Vec<Numbered> = events.iter().filter(|it| it.sequence > after).cloned().collect();
                    match fresh.first() {
                        None => {}
                        Some(event) if event.sequence == after + 1 => {
                            after = fresh.last().map_or(after, |event| event.sequence);
                            yield Piece::Events(fresh);
                        }
                        Some(_) => behind = true,
                    }
                    continue;
                }
                Ok(JobNews::Lines(_) | JobNews::Cancel) => continue,
                // Its own row changed, this was too slow, or another server wrote: the store knows.
                Ok(JobNews::Run | JobNews::Job(_) | JobNews::Look) | Err(RecvError::Lagged(_)) => {}
                // Nobody publishes on it any more in this process; listen anew and look.
                Err(RecvError::Closed) => news = state.bus.subscribe_job(id),
            }
            match store::run(&state, proof.as_ref(), id).await {
                Ok(now) => {
                    behind = true;
                    if now != run {
                        run = now;
                        yield Piece::Run(Box::new(run.clone()));
                    }
                }
                Err(_) => {
                    yield Piece::Broken;
                    return;
                }
            }
        }
    })
}
