//! One store under test, and a hand on its clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use wecom_gateway::model::{JobId, Lane, Partition, StoreTime};
use wecom_gateway::store::redis::RedisStore;
use wecom_gateway::store::sqlite::SqliteStore;
use wecom_gateway::store::{
    Acquired, Append, Commit, DocPut, End, Fence, Mark, MarkKind, NewJob, OwnerRecord, Role, Store,
};

use crate::support::redis::RedisServer;

/// Keeps decided entries for this long in tests.
pub const KEEP: Duration = Duration::from_secs(3600);

/// Sunday 2026-11-22 21:00:00 in China.
pub const START: i64 = 1_795_352_400_000;

/// A store whose clock stands still until told.
pub struct Harness {
    pub store: Arc<dyn Store>,
    clock: Arc<AtomicI64>,
    set: Option<Box<dyn Fn(i64) + Send + Sync>>,
    _keep: Box<dyn std::any::Any + Send + Sync>,
}

impl Harness {
    pub fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(START));
        let read = clock.clone();
        let store = SqliteStore::open_with_clock(
            &dir.path().join("data/gateway.db"),
            Role::Serve,
            KEEP,
            Arc::new(move || StoreTime(read.load(Ordering::SeqCst))),
        )
        .unwrap();
        Self {
            store: Arc::new(store),
            clock,
            set: None,
            _keep: Box::new(dir),
        }
    }

    /// On a server of its own, whose scripts read the time from a key.
    pub async fn redis() -> Self {
        let server = RedisServer::start();
        let mut conn = server.connection();
        let set = move |t: i64| {
            let _: () = redis::cmd("SET").arg("test:now").arg(t).query(&mut conn).unwrap();
        };
        let set = std::sync::Mutex::new(set);
        (set.lock().unwrap())(START);
        let store = RedisStore::open(server.options(Some("test:now")), Role::Serve)
            .await
            .unwrap();
        Self::other(Arc::new(store), move |t| (set.lock().unwrap())(t), server)
    }

    /// A store of another kind: `set` is told each new time, `keep` lives as long as the harness.
    pub fn other(
        store: Arc<dyn Store>,
        set: impl Fn(i64) + Send + Sync + 'static,
        keep: impl Send + Sync + 'static,
    ) -> Self {
        set(START);
        Self {
            store,
            clock: Arc::new(AtomicI64::new(START)),
            set: Some(Box::new(set)),
            _keep: Box::new(keep),
        }
    }

    pub fn now(&self) -> StoreTime {
        StoreTime(self.clock.load(Ordering::SeqCst))
    }

    pub fn set_time(&self, t: i64) {
        self.clock.store(t, Ordering::SeqCst);
        if let Some(set) = &self.set {
            set(t);
        }
    }

    pub fn advance(&self, by: Duration) {
        self.set_time(self.now().0 + by.as_millis() as i64);
    }

    /// Takes a partition whatever its record says.
    pub async fn acquire(&self, p: Partition, nonce: &str) -> Acquired {
        let seen = self.store.owners().await.unwrap()[p.index()].clone();
        self.store.acquire(p, &seen, nonce, "node").await.unwrap().unwrap()
    }

    /// Appends entries without marks.
    pub async fn fill(&self, p: Partition, count: usize) {
        for _ in 0..count {
            self.store.append(&[entry(p, None, b"e")]).await.unwrap();
        }
    }

    pub async fn ids_due(&self, p: Partition, lane: Lane) -> Vec<JobId> {
        self.store
            .due(p, lane, 100)
            .await
            .unwrap()
            .jobs
            .iter()
            .map(|j| j.id)
            .collect()
    }
}

pub fn part(n: u8) -> Partition {
    Partition::new(n).unwrap()
}

pub fn mark(kind: MarkKind, n: u8) -> Mark {
    let mut key = [n; 32];
    key[0] = 255 - n;
    Mark { kind, key }
}

pub fn entry(partition: Partition, mark: Option<Mark>, blob: &[u8]) -> Append {
    Append {
        partition,
        mark,
        age: Duration::ZERO,
        blob: blob.to_vec(),
        wake: false,
    }
}

pub fn id(n: u64, k: u32) -> JobId {
    JobId { n, k }
}

pub fn job(n: u64, k: u32, lane: Lane, due: StoreTime, after: Option<JobId>) -> NewJob {
    NewJob {
        id: id(n, k),
        lane,
        due,
        after,
        blob: format!("job {n}-{k}").into_bytes(),
    }
}

pub fn end(id: JobId) -> End {
    End {
        id,
        record: format!("{{\"ended\":\"{id}\"}}").into_bytes(),
    }
}

pub fn doc(key: &str, value: Option<&[u8]>, ttl: Duration) -> DocPut {
    DocPut {
        key: key.into(),
        value: value.map(<[u8]>::to_vec),
        ttl,
    }
}

/// A commit that changes nothing yet.
pub fn at(position: u64) -> Commit {
    Commit {
        position,
        ..Commit::default()
    }
}

pub fn fence(p: Partition, epoch: u64, nonce: &str) -> Fence {
    Fence {
        partition: p,
        epoch,
        nonce: nonce.into(),
    }
}

pub fn record(epoch: u64, nonce: &str, beats: u64) -> OwnerRecord {
    OwnerRecord {
        epoch,
        nonce: nonce.into(),
        node: "node".into(),
        beats,
    }
}
