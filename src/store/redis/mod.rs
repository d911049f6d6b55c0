//! The store on Redis or Valkey: any number of gateways, each atomic step one Lua script in a file of its own.
//!
//! Comes in: the trait's calls. Goes out: their results, as durable as `store.durability` asks of the server
//! (`check`). Store time is the server's `TIME`, read inside the scripts. Must never know: what the bytes mean.
//!
//! One multiplexed connection for everything (`link`); one of its own for wake-ups (`wakes`) and, with
//! `durability = "replica"`, one for accepting (`accept`). A call that is cancelled midway has been sent or
//! not: it happens whole or not at all. A call whose answer is lost may have happened: each script says in its
//! header what a repeat does.

mod accept;
mod batch;
mod check;
mod journal;
mod keys;
mod limits;
mod link;
mod outbox;
mod pack;
mod scripts;
mod wakes;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{join_all, try_join_all};
use redis::{Client, cmd, pipe};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::broadcast;

use super::{
    Acquired, Append, Appended, Ask, Beat, Commit, Committed, DocPut, Due, Fence, JournalEntry, Live, OwnerRecord,
    PartitionStats, Permit, Quarantined, Reserve, Role, Shared, Store, StoreError, StoreResult, StoredJob, Verdict,
    random_name, size,
};
use crate::model::{JobId, Lane, Partition, StoreTime};
use crate::settings::Durability;
use check::{FORMAT, Wanted};
use journal::Way;
use keys::Keys;
use link::Link;
use scripts::Scripts;
use wakes::Wakes;

/// A gateway counts as alive for this long after its last word.
const ALIVE: Duration = Duration::from_secs(5);

/// The store on Redis. Dropping the last handle ends its connections and tasks.
pub struct RedisStore {
    link: Arc<Link>,
    way: Way,
    scripts: Arc<Scripts>,
    keys: Vec<Keys>,
    keep: Duration,
    wakes: Wakes,
}

/// What [`RedisStore::open`] needs.
pub struct RedisOptions {
    /// `redis://` or `rediss://`.
    pub url: SecretString,
    /// Checked at each connect.
    pub durability: Durability,
    /// How long decided entries are kept.
    pub keep: Duration,
    /// `None`: the server's clock. Tests name a key that holds the time, to move it.
    pub clock_key: Option<String>,
}

impl RedisStore {
    /// Opens the store. `Role::Serve` comes up while the server is away (its calls answer `Unavailable` until it
    /// is there); `Role::Command` does not. A server that is there and weaker than asked is `Refused`.
    pub async fn open(options: RedisOptions, role: Role) -> StoreResult<Self> {
        // The error of the crate may quote the URL, which may hold a password.
        let client = Client::open(options.url.expose_secret())
            .map_err(|_| StoreError::Refused("store.url is no valid redis:// or rediss:// URL".into()))?;
        let wanted = Wanted {
            durability: options.durability,
        };
        let (link, first) = Link::open(client.clone(), wanted).await?;
        let link = Arc::new(link);
        if role == Role::Command {
            first?;
        } else if let Err(e) = first {
            tracing::warn!(error = %e, "Redis is away; events go to the spool until it is back");
        }
        let scripts = Arc::new(Scripts::new(options.clock_key.as_deref()));
        let way = match options.durability {
            Durability::Replica => {
                let (own, _) = Link::open(client.clone(), wanted).await?;
                Way::Replica(accept::Acceptor::new(own, scripts.clone()))
            }
            Durability::Os | Durability::Fsync | Durability::Memory => {
                Way::Common(batch::Batcher::new(Arc::clone(&link), scripts.clone()))
            }
        };
        let store = Self {
            link,
            way,
            scripts,
            keys: Partition::all().map(Keys::of).collect(),
            keep: options.keep,
            wakes: Wakes::new(client, role),
        };
        // Gives a new store its identity; one that is away gets it at the first announcement.
        if let Err(e @ StoreError::Refused(_)) = store.identify("", false).await {
            return Err(e);
        }
        Ok(store)
    }

    fn keys(&self, p: Partition) -> &Keys {
        &self.keys[p.index()]
    }

    /// Announces a node (or nobody), learns generation and the living.
    async fn identify(&self, node: &str, counted: bool) -> StoreResult<Live> {
        let mut call = self.scripts.announce.call(2, 5, 64);
        call.arg(keys::STORE).arg(keys::NODES).arg(node).arg(i32::from(counted));
        call.arg(random_name()).arg(FORMAT).arg(pack::ms(ALIVE));
        let told: Vec<redis::Value> = self.link.script(&self.scripts.announce, &call).await?;
        let mut told = told.into_iter();
        let now = told.next().map_or(Ok(0), |v| pack::int(&v))?;
        let mut text = told.map(|v| pack::bytes(v).map(|b| String::from_utf8_lossy(&b).into_owned()));
        let generation = text.next().transpose()?.unwrap_or_default();
        let format = text.next().transpose()?.unwrap_or_default();
        if format != FORMAT {
            return Err(StoreError::Refused(format!(
                "this Redis database has format {format:?}, this program reads format {FORMAT}"
            )));
        }
        let mut owners: Vec<String> = text.collect::<StoreResult<_>>()?;
        owners.sort_unstable();
        Ok(Live {
            owners,
            now: StoreTime(now),
            generation,
        })
    }

    async fn time(&self) -> StoreResult<StoreTime> {
        let mut call = self.scripts.time.call(1, 0, 0);
        call.arg(keys::STORE);
        self.link.script(&self.scripts.time, &call).await.map(StoreTime)
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn append(&self, batch: &[Append]) -> StoreResult<Vec<Appended>> {
        size::append(batch)?;
        self.append_all(batch).await
    }

    async fn owners(&self) -> StoreResult<Vec<OwnerRecord>> {
        let mut all = pipe();
        for k in &self.keys {
            all.cmd("HMGET").arg(&k.state).arg(&["epoch", "nonce", "node", "beats"]);
        }
        let rows: Vec<(Option<u64>, Option<String>, Option<String>, Option<u64>)> = self.link.pipeline(&all).await?;
        Ok(rows
            .into_iter()
            .map(|(epoch, nonce, node, beats)| OwnerRecord {
                epoch: epoch.unwrap_or(0),
                nonce: nonce.unwrap_or_default(),
                node: node.unwrap_or_default(),
                beats: beats.unwrap_or(0),
            })
            .collect())
    }

    async fn acquire(
        &self,
        partition: Partition,
        seen: &OwnerRecord,
        nonce: &str,
        node: &str,
    ) -> StoreResult<Option<Acquired>> {
        let k = self.keys(partition);
        let mut call = self.scripts.acquire.call(2, 6, 64);
        call.arg(&k.state).arg(&k.seq);
        call.arg(seen.epoch)
            .arg(&seen.nonce)
            .arg(&seen.node)
            .arg(seen.beats)
            .arg(nonce)
            .arg(node);
        let told: Option<(u64, u64, u64, i64)> = self.link.script(&self.scripts.acquire, &call).await?;
        Ok(told.map(|(epoch, position, head, now)| Acquired {
            fence: Fence {
                partition,
                epoch,
                nonce: nonce.to_owned(),
            },
            position,
            head,
            now: StoreTime(now),
        }))
    }

    async fn beat(&self, fences: &[Fence]) -> StoreResult<Beat> {
        let calls = fences.iter().map(|f| async move {
            let mut call = self.scripts.beat.call(1, 2, 0);
            call.arg(&self.keys(f.partition).state).arg(f.epoch).arg(&f.nonce);
            self.link.script::<(i64, i64)>(&self.scripts.beat, &call).await
        });
        let told = join_all(calls).await.into_iter().collect::<StoreResult<Vec<_>>>()?;
        let now = match told.iter().map(|(_, now)| *now).max() {
            Some(now) => StoreTime(now),
            None => self.time().await?,
        };
        Ok(Beat {
            held: told.iter().map(|(held, _)| *held == 1).collect(),
            now,
        })
    }

    async fn release(&self, fence: &Fence) -> StoreResult<()> {
        let mut call = self.scripts.release.call(1, 2, 0);
        call.arg(&self.keys(fence.partition).state)
            .arg(fence.epoch)
            .arg(&fence.nonce);
        self.link.script::<i64>(&self.scripts.release, &call).await.map(|_| ())
    }

    async fn announce(&self, node: &str, counted: bool) -> StoreResult<Live> {
        self.identify(node, counted).await
    }

    async fn retire(&self, node: &str) -> StoreResult<()> {
        let mut del = cmd("HDEL");
        del.arg(keys::NODES).arg(node);
        self.link.command::<i64>(&del).await.map(|_| ())
    }

    async fn heads(&self) -> StoreResult<Vec<u64>> {
        let mut get = cmd("MGET");
        for k in &self.keys {
            get.arg(&k.seq);
        }
        let heads: Vec<Option<u64>> = self.link.command(&get).await?;
        Ok(heads.into_iter().map(Option::unwrap_or_default).collect())
    }

    fn wakes(&self) -> broadcast::Receiver<u8> {
        self.wakes.subscribe()
    }

    async fn read(&self, partition: Partition, after: u64, max: usize) -> StoreResult<Vec<JournalEntry>> {
        self.read_journal(partition, after, max).await
    }

    async fn docs(&self, partition: Partition, names: &[String]) -> StoreResult<Vec<Option<Vec<u8>>>> {
        size::list("keys", names.len())?;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut get = cmd("MGET");
        for name in names {
            get.arg(format!("{}{name}", self.keys(partition).docs));
        }
        self.link.command(&get).await
    }

    async fn put_part(&self, partition: Partition, put: &DocPut) -> StoreResult<()> {
        size::document(put)?;
        let key = format!("{}{}", self.keys(partition).docs, put.key);
        let change = match (&put.value, pack::ttl(put.ttl)) {
            (None, _) => cmd("DEL").arg(key).to_owned(),
            (Some(v), 0) => cmd("SET").arg(key).arg(v.as_slice()).to_owned(),
            (Some(v), ttl) => cmd("SET").arg(key).arg(v.as_slice()).arg("PX").arg(ttl).to_owned(),
        };
        self.link.command::<redis::Value>(&change).await.map(|_| ())
    }

    async fn due(&self, partition: Partition, lane: Lane, max: usize) -> StoreResult<Due> {
        self.due_jobs(partition, lane, max).await
    }

    async fn commit(&self, fence: &Fence, expected: u64, commit: &Commit) -> StoreResult<Committed> {
        size::commit(commit)?;
        self.commit_step(fence, expected, commit).await
    }

    async fn job(&self, partition: Partition, id: JobId) -> StoreResult<Option<StoredJob>> {
        self.one_job(partition, id).await
    }

    async fn history(&self, partition: Partition, max: usize) -> StoreResult<Vec<Vec<u8>>> {
        self.list(&self.keys(partition).history, max).await
    }

    async fn quarantined(&self, partition: Partition, max: usize) -> StoreResult<Vec<Quarantined>> {
        self.set_aside(partition, max).await
    }

    async fn stats(&self, partitions: &[Partition]) -> StoreResult<Vec<PartitionStats>> {
        try_join_all(partitions.iter().map(|p| self.figures(*p))).await
    }

    async fn counters(&self, partition: Partition) -> StoreResult<Vec<(String, i64)>> {
        let mut get = cmd("HGETALL");
        get.arg(&self.keys(partition).counters);
        let mut all: Vec<(String, i64)> = self.link.command(&get).await?;
        all.sort_unstable();
        Ok(all)
    }

    async fn permit(&self, corp: &str, asks: &[Ask]) -> StoreResult<Vec<Permit>> {
        size::asks(asks)?;
        self.take(corp, asks).await
    }

    async fn freeze(&self, corp: &str, scope: &str, pause: Duration) -> StoreResult<StoreTime> {
        self.pause(corp, scope, pause).await
    }

    async fn reserve(&self, reserve: &Reserve) -> StoreResult<Vec<Verdict>> {
        size::reservation(reserve)?;
        self.reserve_all(reserve).await
    }

    async fn settle(&self, partition: Partition, id: &str, refund: &[String]) -> StoreResult<()> {
        size::list("refunds", refund.len())?;
        self.settle_one(partition, id, refund).await
    }

    async fn shared(&self, corp: &str, key: &str) -> StoreResult<Shared> {
        self.get_shared(corp, key).await
    }

    async fn compare_and_set(
        &self,
        corp: &str,
        key: &str,
        version: u64,
        value: Option<&[u8]>,
        ttl: Option<Duration>,
    ) -> StoreResult<bool> {
        self.set_shared((corp, key), version, value, ttl).await
    }

    async fn probe(&self) -> StoreResult<String> {
        self.identify("", false).await.map(|live| live.generation)
    }
}
