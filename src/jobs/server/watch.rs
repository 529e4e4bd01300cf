//! Watching what grows: everything from a number on, then what comes, with no gap and no repeat.
//!
//! A job grows by lines and a run by events; [`Watched`] is what the two differ in.

use super::store;
use crate::{
    authentication::server::Proof,
    error::Result,
    events::server::JobNews,
    id::Id,
    jobs::model::{Job, Line},
    platform::state::State,
};
use async_stream::stream;
use futures::Stream;
use std::{future::Future, sync::Arc};
use tokio::sync::broadcast::error::RecvError;

/// What can be watched: a whole that changes and ends, and numbered parts that only become more.
pub trait Watched: Clone + PartialEq + Send + Sync + 'static {
    /// One of its parts.
    type Part: Clone + Send + Sync + 'static;

    /// The whole as it is in the store now.
    fn whole(state: &State, proof: &dyn Proof, id: Id<Job>) -> impl Future<Output = Result<Self>> + Send;

    /// The next parts after a number, in order; not all of them need to come at once.
    fn parts(
        state: &State,
        proof: &dyn Proof,
        id: Id<Job>,
        after: i64,
    ) -> impl Future<Output = Result<Vec<Self::Part>>> + Send;

    /// The number of a part: each is one more than the one before.
    fn number(part: &Self::Part) -> i64;

    /// Whether no further part will come.
    fn has_ended(&self) -> bool;

    /// What the news means to who watches.
    fn heard(news: JobNews) -> Heard<Self>;
}

/// What a watcher is told on the bus.
pub enum Heard<W: Watched> {
    /// The whole as it is now.
    Whole(W),
    /// Further parts that are in the store.
    Parts(Arc<Vec<W::Part>>),
    /// Something changed; the store knows what.
    Look,
    /// Nothing of what is watched.
    Nothing,
}

/// What a watcher gets.
pub enum Piece<W: Watched> {
    /// The whole as it is now.
    Whole(Box<W>),
    /// The next parts, in order.
    Parts(Vec<W::Part>),
    /// It has ended and everything was given.
    End,
    /// The store did not answer; the watcher comes back with the last number.
    Broken,
}

/// Follows something from the part after `after`: first the whole, then parts and changes, until it has ended and
/// all of its parts were given.
///
/// # Errors
/// [`crate::error::Error::NotFound`] when the proof does not reach it.
pub async fn follow<W: Watched>(
    state: &State,
    proof: Arc<dyn Proof>,
    id: Id<Job>,
    after: i64,
) -> Result<impl Stream<Item = Piece<W>> + Send + 'static> {
    // Listening begins before looking, so that nothing falls between the two.
    let mut news = state.bus.subscribe_job(id);
    let mut whole = W::whole(state, proof.as_ref(), id).await?;
    let state = state.clone();
    Ok(stream! {
        let mut after = after.max(0);
        yield Piece::Whole(Box::new(whole.clone()));
        let mut behind = true;
        loop {
            while behind {
                match W::parts(&state, proof.as_ref(), id, after).await {
                    Ok(parts) => match parts.last() {
                        Some(last) => {
                            after = W::number(last);
                            yield Piece::Parts(parts);
                        }
                        None => behind = false,
                    },
                    Err(_) => return yield Piece::Broken,
                }
            }
            if whole.has_ended() {
                return yield Piece::End;
            }
            let heard = match news.recv().await {
                Ok(news) => W::heard(news),
                Err(RecvError::Lagged(_)) => Heard::Look,
                // Nobody publishes on it any more in this process; listen anew and look.
                Err(RecvError::Closed) => {
                    news = state.bus.subscribe_job(id);
                    Heard::Look
                }
            };
            let now = match heard {
                Heard::Nothing => continue,
                Heard::Parts(parts) => {
                    let fresh: Vec<W::Part> = parts.iter().filter(|part| W::number(part) > after).cloned().collect();
                    match fresh.first().map(W::number) {
                        None => {}
                        Some(first) if first == after + 1 => {
                            after = fresh.last().map_or(after, W::number);
                            yield Piece::Parts(fresh);
                        }
                        Some(_) => behind = true,
                    }
                    continue;
                }
                Heard::Whole(now) => {
                    behind = now.has_ended();
                    now
                }
                Heard::Look => match W::whole(&state, proof.as_ref(), id).await {
                    Ok(now) => {
                        behind = true;
                        now
                    }
                    Err(_) => return yield Piece::Broken,
                },
            };
            if now != whole {
                whole = now;
                yield Piece::Whole(Box::new(whole.clone()));
            }
        }
    })
}

impl Watched for Job {
    type Part = Line;

    async fn whole(state: &State, proof: &dyn Proof, id: Id<Job>) -> Result<Self> {
        store::job(state, proof, id).await
    }

    async fn parts(state: &State, proof: &dyn Proof, id: Id<Job>, after: i64) -> Result<Vec<Line>> {
        store::lines(state, proof, id, after, store::LINES_LIMIT / 2).await
    }

    fn number(line: &Line) -> i64 {
        line.sequence
    }

    fn has_ended(&self) -> bool {
        self.state.is_finished()
    }

    fn heard(news: JobNews) -> Heard<Self> {
        match news {
            JobNews::Job(job) => Heard::Whole(Arc::unwrap_or_clone(job)),
            JobNews::Lines(lines) => Heard::Parts(lines),
            JobNews::MoreLines | JobNews::Look => Heard::Look,
            JobNews::Cancel | JobNews::Events(_) | JobNews::Run => Heard::Nothing,
        }
    }
}
