//! Accepting with `durability = "replica"`: on a connection of its own, one `WAIT 1` for what came together.
//!
//! `WAIT` covers the writes of its own connection and blocks it, so it can share neither. What waits while one
//! round is under way is the next round. A duplicate rewrites its mark (`append.lua`, argument 4): if the WAIT
//! after the first write was missed, the repeat's covers it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use redis::{Cmd, cmd};
use tokio::sync::{mpsc, oneshot};

use super::super::{StoreError, StoreResult};
use super::journal::append_on;
use super::link::Link;
use super::scripts::Scripts;

/// How long a replica may take; below the second after which intake turns to the spool.
const WAIT: Duration = Duration::from_millis(800);

/// Calls of one round.
const ROUND: usize = 256;

type Request = (Cmd, oneshot::Sender<StoreResult<Vec<i64>>>);

/// The queue to the accepting task, which ends when this is dropped.
pub struct Acceptor(mpsc::Sender<Request>);

fn gone() -> StoreError {
    StoreError::Unavailable("redis: the store is closed".into())
}

impl Acceptor {
    /// Starts the task on its own connection.
    pub fn new(link: Link, scripts: Arc<Scripts>) -> Self {
        let (sender, requests) = mpsc::channel(ROUND);
        tokio::spawn(rounds(link, scripts, requests));
        Self(sender)
    }

    /// Returns when a replica has it. Missed: `Unavailable`, though it may well be stored; a repeat is safe.
    pub async fn append(&self, call: Cmd) -> StoreResult<Vec<i64>> {
        let (answer, told) = oneshot::channel();
        self.0.send((call, answer)).await.map_err(|_| gone())?;
        told.await.map_err(|_| gone())?
    }
}

async fn rounds(link: Link, scripts: Arc<Scripts>, mut requests: mpsc::Receiver<Request>) {
    let mut wait = cmd("WAIT");
    wait.arg(1).arg(WAIT.as_millis() as u64);
    let mut round = Vec::with_capacity(ROUND);
    while requests.recv_many(&mut round, ROUND).await > 0 {
        let done = join_all(round.iter().map(|(call, _)| append_on(&link, &scripts.append, call))).await;
        let replicas: StoreResult<i64> = link.command(&wait).await;
        let missed = match replicas {
            Ok(n) if n >= 1 => None,
            Ok(_) => Some(StoreError::Unavailable("no replica has confirmed in time".into())),
            Err(e) => Some(e),
        };
        for ((_, answer), result) in round.drain(..).zip(done) {
            let _ = answer.send(missed.clone().map_or(result, Err));
        }
    }
}
