//! The database file: its lock, its pragmas, its format and generation.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};

use super::super::{Role, StoreError, StoreResult};
use super::worker::unavailable;
use crate::model::Partition;

/// Version of the tables in `schema.sql` and of the partitioning. Another one is refused: there is nothing
/// older to read.
const FORMAT: &str = "1";

/// How long a connection waits for another process' transaction: those of the command line take milliseconds.
const BUSY: Duration = Duration::from_secs(5);

/// An opened file.
pub struct Opened {
    /// For the writer thread.
    pub writer: Connection,
    /// For the reader thread.
    pub reader: Connection,
    /// Random name of this store, made with it.
    pub generation: String,
    /// Held while this process serves; `None` for other commands.
    pub lock: Option<File>,
}

/// Opens the file, made with its folder if it is missing. `Role::Serve` takes the lock `PATH.lock` first.
///
/// Errors: `Refused` when another process serves it or when its format is another one; `Unavailable` when
/// the file system refuses (no permission, disk full).
pub fn open(path: &Path, role: Role) -> StoreResult<Opened> {
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(parent)
            .map_err(|e| StoreError::Unavailable(format!("cannot create {}: {e}", parent.display())))?;
    }
    let lock = match role {
        Role::Serve => Some(take_lock(path)?),
        Role::Command => None,
    };
    private(path)?;
    let mut writer = Connection::open(path).map_err(|e| cannot_open(path, &e))?;
    // NORMAL locking (SQLite's default) on purpose: in WAL, EXCLUSIVE shuts every other process out.
    pragmas(&writer, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;").map_err(|e| cannot_open(path, &e))?;
    let generation = format_and_generation(&mut writer, path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let reader = Connection::open_with_flags(path, flags).map_err(|e| cannot_open(path, &e))?;
    pragmas(&reader, "PRAGMA query_only = ON;").map_err(|e| cannot_open(path, &e))?;
    Ok(Opened {
        writer,
        reader,
        generation,
        lock,
    })
}

/// The file holds what people wrote, codes and access tokens: only its owner may read it. SQLite gives its `-wal`
/// and `-shm` the same mode.
fn private(path: &Path) -> StoreResult<()> {
    let refused = |e| StoreError::Unavailable(format!("cannot open {}: {e}", path.display()));
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600);
    let file = options.open(path).map_err(refused)?;
    // An older file may be open to others; one of another user is left as it is, if it can be used at all.
    let _ = file.set_permissions(fs::Permissions::from_mode(0o600));
    Ok(())
}

/// `PATH.lock`, taken. The lock goes with the process, however it ends.
pub fn take_lock(path: &Path) -> StoreResult<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&name)
        .map_err(|e| StoreError::Unavailable(format!("cannot open {}: {e}", name.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Refused(format!(
            "{} is served by another process (it holds {}); stop that one, or give this one a store of its own \
             with store.url",
            path.display(),
            name.display()
        ))),
        Err(TryLockError::Error(e)) => Err(StoreError::Unavailable(format!("cannot lock {}: {e}", name.display()))),
    }
}

fn cannot_open(path: &Path, e: &rusqlite::Error) -> StoreError {
    StoreError::Unavailable(format!("cannot open {}: {e}", path.display()))
}

fn pragmas(conn: &Connection, own: &str) -> rusqlite::Result<()> {
    conn.busy_timeout(BUSY)?;
    conn.set_prepared_statement_cache_capacity(128);
    conn.execute_batch(own)
}

/// Makes the tables if there are none. Two processes that do it at once: one waits for the other.
fn format_and_generation(conn: &mut Connection, path: &Path) -> StoreResult<String> {
    let tx = conn
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(|e| cannot_open(path, &e))?;
    let tables: i64 = tx
        .query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))
        .map_err(|e| cannot_open(path, &e))?;
    if tables == 0 {
        create(&tx).map_err(|e| unavailable(&e))?;
    }
    let read = |key: &str| {
        tx.query_row("SELECT value FROM meta WHERE key = ?1", [key], |r| {
            r.get::<_, String>(0)
        })
        .optional()
    };
    // No table `meta`: somebody else's database.
    let format = read("format").unwrap_or_default();
    if format.as_deref() != Some(FORMAT) {
        return Err(StoreError::Refused(format!(
            "{} has format {}, this program reads format {FORMAT}; point store.url to a new file or run the \
             version that made it",
            path.display(),
            format.as_deref().unwrap_or("unknown")
        )));
    }
    let generation = read("generation").map_err(|e| unavailable(&e))?.unwrap_or_default();
    tx.commit().map_err(|e| unavailable(&e))?;
    Ok(generation)
}

fn create(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(include_str!("schema.sql"))?;
    for p in Partition::all() {
        conn.execute("INSERT INTO parts (p) VALUES (?1)", [p.index() as i64])?;
    }
    let mut put = conn.prepare("INSERT INTO meta (key, value) VALUES (?1, ?2)")?;
    put.execute(["format", FORMAT])?;
    put.execute(["generation", &super::super::random_name()])?;
    Ok(())
}
