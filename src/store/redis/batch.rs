//! Accepting on the common connection: what comes together goes out together, as one pipeline of script calls.
//!
//! Without it each event of a burst is a write of its own: the connection's task is woken by the first and runs
//! at once, before the others that are ready have spoken. Here the first of a round steps back once, so that
//! everything that is ready joins. Nobody waits for a clock: a lone event goes out alone, at once. Measured
//! together with what else docs/architecture.md, "Speed", lists.
//!
//! Each event is still a script call of its own, of its own partition; one that fails fails alone.

use std::sync::Arc;

use redis::{Cmd, Pipeline};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::super::{StoreError, StoreResult};
use super::link::Link;
use super::scripts::Scripts;

/// Calls of one round.
const ROUND: usize = 128;
/// Bytes after which a round takes no more: large events shall not make one write of a hundred megabytes.
const BYTES: usize = 1 << 20;
/// Rounds under way: one is with the server while the next is gathered; more make rounds smaller, not faster.
const UNDER_WAY: usize = 2;

struct Request {
    call: Cmd,
    bytes: usize,
    answer: oneshot::Sender<StoreResult<Vec<i64>>>,
}

/// The queue to the gathering task, which ends when this is dropped.
pub struct Batcher(mpsc::Sender<Request>);

fn gone() -> StoreError {
    StoreError::Unavailable("redis: the store is closed".into())
}

impl Batcher {
    /// Starts the task.
    pub fn new(link: Arc<Link>, scripts: Arc<Scripts>) -> Self {
        let (sender, requests) = mpsc::channel(ROUND);
        tokio::spawn(rounds(link, scripts, requests));
        Self(sender)
    }

    /// One call; cancelled midway it is sent all the same. `bytes`: how large it is, about.
    pub async fn append(&self, call: Cmd, bytes: usize) -> StoreResult<Vec<i64>> {
        let (answer, told) = oneshot::channel();
        let request = Request { call, bytes, answer };
        self.0.send(request).await.map_err(|_| gone())?;
        told.await.map_err(|_| gone())?
    }
}

async fn rounds(link: Arc<Link>, scripts: Arc<Scripts>, mut requests: mpsc::Receiver<Request>) {
    let under_way = Arc::new(Semaphore::new(UNDER_WAY));
    while let Some(first) = requests.recv().await {
        tokio::task::yield_now().await;
        let Ok(permit) = Arc::clone(&under_way).acquire_owned().await else {
            return;
        };
        let mut bytes = first.bytes;
        let mut round = vec![first];
        while round.len() < ROUND && bytes < BYTES {
            let Ok(next) = requests.try_recv() else { break };
            bytes += next.bytes;
            round.push(next);
        }
        let (link, scripts) = (Arc::clone(&link), Arc::clone(&scripts));
        tokio::spawn(async move {
            send(&link, &scripts, round).await;
            drop(permit);
        });
    }
}

async fn send(link: &Link, scripts: &Scripts, round: Vec<Request>) {
    let mut pipe = Pipeline::with_capacity(round.len());
    let mut answers = Vec::with_capacity(round.len());
    for Request { call, answer, .. } in round {
        pipe.add_command(call);
        answers.push(answer);
    }
    let done = link.script_calls(&scripts.append, pipe).await;
    match done {
        Ok(done) => {
            for (answer, result) in answers.into_iter().zip(done) {
                let _ = answer.send(result);
            }
        }
        Err(e) => {
            for answer in answers {
                let _ = answer.send(Err(e.clone()));
            }
        }
    }
}
