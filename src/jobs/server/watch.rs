//! Watching one job: everything from a sequence on, then what comes, with no gap and no repeat.

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
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;

/// What a watcher gets.
#[derive(Clone, Debug)]
pub enum Piece {
    /// The job as it is now.
    Job(Arc<Job>),
    /// The next lines, in order.
    Lines(Vec<Line>),
    /// The job has ended and everything was given.
    End,
    /// The store did not answer; the watcher comes back with the last sequence.
    Broken,
}

/// Follows a job from the line after `after`: first its state, then lines and changes, until it has
/// ended and all of its lines were given.
///
/// # Errors
/// [`crate::error::Error::NotFound`] when the proof does not reach such a job.
pub async fn follow(
    state: &State,
    proof: Arc<dyn Proof>,
    id: Id<Job>,
    after: i64,
) -> Result<impl Stream<Item = Piece> + Send + 'static> {
    // Listening begins before looking, so that nothing falls between the two.
    let mut news = state.bus.subscribe_job(id);
    let first = store::job(state, proof.as_ref(), id).await?;
    let state = state.clone();
    Ok(stream! {
        let mut after = after.max(0);
        let mut ended = first.state.is_finished();
        yield Piece::Job(Arc::new(first));
        let mut behind = true;
        loop {
            if behind {
                loop {
                    match store::lines(&state, proof.as_ref(), id, after, store::LINES_LIMIT / 2).await {
                        Ok(lines) => {
                            let Some(last) = lines.last() else { break };
                            after = last.sequence;
                            yield Piece::Lines(lines);
                        }
                        Err(_) => {
                            yield Piece::Broken;
                            return;
                        }
                    }
                }
            }
            if ended {
                yield Piece::End;
                return;
            }
            behind = false;
            match news.recv().await {
                Ok(JobNews::Lines(lines)) => {
                    let fresh: Vec<Line> = lines.iter().filter(|line| line.sequence > after).cloned().collect();
                    match fresh.first() {
                        None => {}
                        Some(line) if line.sequence == after + 1 => {
                            after = fresh.last().map_or(after, |line| line.sequence);
                            yield Piece::Lines(fresh);
                        }
                        Some(_) => behind = true,
                    }
                }
                Ok(JobNews::Job(job)) => {
                    ended = job.state.is_finished();
                    behind = ended;
                    yield Piece::Job(job);
                }
                Ok(JobNews::Cancel | JobNews::Events(_) | JobNews::Run) => {}
                // Too slow, or written by another server: the store knows.
                Ok(JobNews::Look) | Err(RecvError::Lagged(_)) => {
                    behind = true;
                    match store::job(&state, proof.as_ref(), id).await {
                        Ok(job) => {
                            ended = job.state.is_finished();
                            yield Piece::Job(Arc::new(job));
                        }
                        Err(_) => {
                            yield Piece::Broken;
                            return;
                        }
                    }
                }
                // Nobody publishes on it any more in this process; listen anew and look.
                Err(RecvError::Closed) => {
                    news = state.bus.subscribe_job(id);
                    behind = true;
                }
            }
        }
    })
}
