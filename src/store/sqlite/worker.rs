//! The two threads that talk to SQLite: one writes, one reads.
//!
//! Comes in: closures over a connection. Goes out: what they returned, once it is durable. The hard decision is
//! **group commit**: the writer takes what waits, runs each command in a savepoint of its own inside one
//! transaction, commits once (one fsync for all), and only then answers. A command that fails undoes itself;
//! a disk that fails undoes and answers all of them `Unavailable`.

use std::thread;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::super::{StoreError, StoreResult};

/// Commands that may wait for the writer. More callers than that wait before they hand over theirs, so a
/// cancelled one among them has changed nothing.
const QUEUE: usize = 1024;

/// Most commands of one transaction: what waits longer than one fsync takes is rarely more.
const GROUP: usize = 256;

/// Why a command failed.
pub enum Fail {
    /// It decided so; the transaction is sound.
    Store(StoreError),
    /// SQLite failed.
    Sql(rusqlite::Error),
}

impl From<StoreError> for Fail {
    fn from(e: StoreError) -> Self {
        Self::Store(e)
    }
}

impl From<rusqlite::Error> for Fail {
    fn from(e: rusqlite::Error) -> Self {
        Self::Sql(e)
    }
}

impl From<Fail> for StoreError {
    fn from(f: Fail) -> Self {
        match f {
            Fail::Store(e) => e,
            Fail::Sql(e) => unavailable(&e),
        }
    }
}

/// What a command returns.
pub type Done<T> = Result<T, Fail>;

/// Everything SQLite may say is something that may pass (disk full, busy, I/O): never a panic.
pub fn unavailable(e: &rusqlite::Error) -> StoreError {
    StoreError::Unavailable(format!("sqlite: {e}"))
}

fn closed() -> StoreError {
    StoreError::Unavailable("sqlite: the store is closed".into())
}

/// What became of one command inside the group.
enum Ran {
    /// Keep its writes.
    Keep,
    /// Undo its writes, go on with the group.
    Undo,
    /// SQLite itself failed: undo the group.
    Broken(StoreError),
}

trait Command: Send {
    fn run(&mut self, conn: &Connection) -> Ran;
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Call<T, F> {
    work: Option<F>,
    result: StoreResult<T>,
    answer: oneshot::Sender<StoreResult<T>>,
}

impl<T: Send, F: FnOnce(&Connection) -> Done<T> + Send> Command for Call<T, F> {
    fn run(&mut self, conn: &Connection) -> Ran {
        let Some(work) = self.work.take() else {
            return Ran::Undo;
        };
        let (result, ran) = match work(conn) {
            Ok(value) => (Ok(value), Ran::Keep),
            Err(Fail::Store(e)) => (Err(e), Ran::Undo),
            Err(Fail::Sql(e)) => (Err(unavailable(&e)), Ran::Broken(unavailable(&e))),
        };
        self.result = result;
        ran
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        // A caller that went away does not want the answer; what it asked for has happened all the same.
        let _ = self.answer.send(committed.and(self.result));
    }
}

/// A thread with a connection. Dropping the last handle ends it after what waits is done.
#[derive(Clone)]
pub struct Worker(mpsc::Sender<Box<dyn Command>>);

impl Worker {
    /// A thread whose commands change things, in groups.
    pub fn writer(conn: Connection) -> StoreResult<Self> {
        Self::spawn("sqlite-writer", move |commands| write_loop(&conn, commands))
    }

    /// A thread whose commands read; each sees one consistent state.
    pub fn reader(conn: Connection) -> StoreResult<Self> {
        Self::spawn("sqlite-reader", move |mut commands| {
            while let Some(command) = commands.blocking_recv() {
                run_group(&conn, "BEGIN DEFERRED", vec![command]);
            }
        })
    }

    fn spawn(name: &str, body: impl FnOnce(mpsc::Receiver<Box<dyn Command>>) + Send + 'static) -> StoreResult<Self> {
        let (sender, commands) = mpsc::channel(QUEUE);
        thread::Builder::new()
            .name(name.into())
            .spawn(move || body(commands))
            .map_err(|e| StoreError::Unavailable(format!("thread {name}: {e}")))?;
        Ok(Self(sender))
    }

    /// Runs one command; returns when it is durable (writer) or read (reader). Cancelled midway: it happens
    /// or not, as a whole.
    pub async fn call<T, F>(&self, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Done<T> + Send + 'static,
    {
        let (answer, result) = oneshot::channel();
        let call = Call {
            work: Some(work),
            result: Err(closed()),
            answer,
        };
        self.0.send(Box::new(call)).await.map_err(|_| closed())?;
        result.await.map_err(|_| closed())?
    }
}

fn write_loop(conn: &Connection, mut commands: mpsc::Receiver<Box<dyn Command>>) {
    while let Some(first) = commands.blocking_recv() {
        let mut group = vec![first];
        while group.len() < GROUP {
            match commands.try_recv() {
                Ok(next) => group.push(next),
                Err(_) => break,
            }
        }
        // BEGIN IMMEDIATE: another process (a command line) may be writing; the busy time-out waits for it.
        run_group(conn, "BEGIN IMMEDIATE", group);
    }
}

fn run_group(conn: &Connection, begin: &str, mut group: Vec<Box<dyn Command>>) {
    let committed = transaction(conn, begin, &mut group);
    if committed.is_err() && !conn.is_autocommit() {
        // If even this fails the next BEGIN does, too, and says so.
        let _ = conn.execute_batch("ROLLBACK");
    }
    for command in group {
        command.answer(committed.clone());
    }
}

fn transaction(conn: &Connection, begin: &str, group: &mut [Box<dyn Command>]) -> Result<(), StoreError> {
    let sql = |text: &str| {
        conn.prepare_cached(text)
            .and_then(|mut s| s.execute([]))
            .map_err(|e| unavailable(&e))
    };
    sql(begin)?;
    for command in group.iter_mut() {
        sql("SAVEPOINT command")?;
        match command.run(conn) {
            Ran::Keep => {}
            Ran::Undo => {
                sql("ROLLBACK TO command")?;
            }
            Ran::Broken(e) => return Err(e),
        }
        sql("RELEASE command")?;
    }
    sql("COMMIT")?;
    Ok(())
}
