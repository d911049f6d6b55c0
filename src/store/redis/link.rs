//! The connection: one, multiplexed, checked at every (re)connect, restored in the background.
//!
//! While it is down every call answers [`StoreError::Unavailable`] at once, with the reason; nobody waits for a
//! reconnect. A call whose answer does not come within [`RESPONSE`] takes the connection down with it: behind a
//! dead path the old one would hang for minutes, and whoever still waits on it keeps it until he has his answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, ServerErrorKind,
};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::super::{StoreError, StoreResult};
use super::check::{self, Wanted};
use super::scripts::Script;
use crate::clock;

/// How long an answer may take. Above the slowest honest one (`appendfsync always` on a busy disk), below the
/// owner's 3 s without a beat, so that a stuck server is noticed before calls stop. The crate's default is 0.5 s.
pub const RESPONSE: Duration = Duration::from_secs(2);

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(1);

/// First and longest pause between tries to connect.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

enum Status {
    Up(u64, MultiplexedConnection),
    Down(String),
}

struct Inner {
    client: Client,
    wanted: Wanted,
    status: Mutex<Status>,
    down: Notify,
    ids: AtomicU64,
}

/// The connection. Dropping it ends the background task.
pub struct Link {
    inner: Arc<Inner>,
    task: AbortHandle,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Link {
    /// Tries to connect once and goes on trying in the background. `Err(Refused)` when the server is there but
    /// not what was asked for; a server that is away is no error here: `first` tells.
    pub async fn open(client: Client, wanted: Wanted) -> StoreResult<(Self, StoreResult<()>)> {
        let inner = Arc::new(Inner {
            client,
            wanted,
            status: Mutex::new(Status::Down("not connected yet".into())),
            down: Notify::new(),
            ids: AtomicU64::new(0),
        });
        let first = inner.connect().await;
        if let Err(e @ StoreError::Refused(_)) = first {
            return Err(e);
        }
        let task = tokio::spawn(keep_up(inner.clone())).abort_handle();
        Ok((Self { inner, task }, first))
    }

    /// Calls a script; loads it first where the server does not know it (new server, `SCRIPT FLUSH`).
    pub async fn script<T: FromRedisValue>(&self, script: &Script, call: &Cmd) -> StoreResult<T> {
        let (id, mut conn) = self.inner.conn()?;
        let done = match call.query_async(&mut conn).await {
            Err(e) if e.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                match script.0.load_async(&mut conn).await {
                    Ok(_) => call.query_async(&mut conn).await,
                    Err(e) => Err(e),
                }
            }
            other => other,
        };
        done.map_err(|e| self.inner.failed(id, &e))
    }

    /// Many calls of a script in one go, each with its own result. The error outside: none of them is known.
    pub async fn script_calls<T: FromRedisValue>(
        &self,
        script: &Script,
        mut calls: Pipeline,
    ) -> StoreResult<Vec<StoreResult<T>>> {
        let (id, mut conn) = self.inner.conn()?;
        let told: Vec<RedisResult<T>> = calls
            .ignore_errors()
            .query_async(&mut conn)
            .await
            .map_err(|e| self.inner.failed(id, &e))?;
        let mut results = Vec::with_capacity(told.len());
        for (call, result) in calls.cmd_iter().zip(told) {
            results.push(match result {
                Ok(value) => Ok(value),
                // Nothing has happened yet: alone it loads the script first.
                Err(e) if e.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => self.script(script, call).await,
                Err(e) => Err(self.inner.failed(id, &e)),
            });
        }
        Ok(results)
    }

    /// One plain command.
    pub async fn command<T: FromRedisValue>(&self, cmd: &Cmd) -> StoreResult<T> {
        let (id, mut conn) = self.inner.conn()?;
        cmd.query_async(&mut conn).await.map_err(|e| self.inner.failed(id, &e))
    }

    /// Several commands in one go. Not over slots: a cluster would refuse.
    pub async fn pipeline<T: FromRedisValue>(&self, pipe: &Pipeline) -> StoreResult<T> {
        let (id, mut conn) = self.inner.conn()?;
        pipe.query_async(&mut conn).await.map_err(|e| self.inner.failed(id, &e))
    }
}

impl Inner {
    fn conn(&self) -> StoreResult<(u64, MultiplexedConnection)> {
        match &*self.status.lock().unwrap_or_else(PoisonError::into_inner) {
            Status::Up(id, conn) => Ok((*id, conn.clone())),
            Status::Down(why) => Err(StoreError::Unavailable(why.clone())),
        }
    }

    fn set(&self, status: Status) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }

    /// What an error means, and whether the connection is worth keeping.
    fn failed(&self, id: u64, e: &RedisError) -> StoreError {
        let (error, keep) = meaning(e);
        if !keep {
            let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
            // A late failure of an older connection says nothing about the one we have now.
            if matches!(&*status, Status::Up(current, _) if *current == id) {
                *status = Status::Down(error.to_string());
                self.down.notify_one();
            }
        }
        error
    }

    async fn connect(&self) -> StoreResult<()> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(RESPONSE));
        let tried = match self.client.get_multiplexed_async_connection_with_config(&config).await {
            Ok(mut conn) => check::server(&mut conn, &self.wanted).await.map(|()| conn),
            Err(e) => Err(StoreError::Unavailable(format!("redis: {e}"))),
        };
        match tried {
            Ok(conn) => {
                self.set(Status::Up(self.ids.fetch_add(1, Ordering::Relaxed), conn));
                Ok(())
            }
            Err(e) => {
                self.set(Status::Down(e.to_string()));
                Err(e)
            }
        }
    }
}

async fn keep_up(inner: Arc<Inner>) {
    loop {
        if inner.conn().is_ok() {
            inner.down.notified().await;
            tracing::warn!("redis connection lost, reconnecting");
        }
        let mut pause = PAUSE.0;
        while let Err(e) = inner.connect().await {
            if matches!(e, StoreError::Refused(_)) {
                tracing::error!(error = %e, "redis is there but not usable");
            }
            clock::sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
        }
        tracing::info!("redis connected");
    }
}

/// What an error of the server or the wire means, and whether the connection can stay.
pub fn meaning(e: &RedisError) -> (StoreError, bool) {
    let text = format!("redis: {e}");
    match e.code() {
        Some("LOST") => (StoreError::Lost(e.detail().unwrap_or_default().to_owned()), true),
        Some("REFUSED") => (StoreError::Refused(e.detail().unwrap_or_default().to_owned()), true),
        Some("WRONGTYPE") => (StoreError::Refused(text), true),
        // A demoted or moving server: the name may lead to another one now.
        Some("READONLY" | "MASTERDOWN" | "LOADING") => (StoreError::Unavailable(text), false),
        // MISCONF, OOM, NOPERM, BUSY, NOREPLICAS and whatever comes: the server answers, the state may pass.
        Some(_) => (StoreError::Unavailable(text), true),
        None => (StoreError::Unavailable(text), false),
    }
}
