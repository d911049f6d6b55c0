//! Append and read.

use futures_util::future::join_all;
use redis::{Cmd, cmd};

use super::super::{Append, Appended, JournalEntry, StoreError, StoreResult};
use super::accept::Acceptor;
use super::batch::Batcher;
use super::link::Link;
use super::scripts::Script;
use super::{RedisStore, keys, pack};
use crate::model::{Partition, StoreTime};

/// How a batch gets to the server.
pub enum Way {
    /// On the common connection, what came together in one go.
    Common(Batcher),
    /// On a connection of its own, with one `WAIT` for what came together.
    Replica(Acceptor),
}

/// `t`, first acceptance, `b`, blob.
type Fields = (String, i64, String, Vec<u8>);

impl RedisStore {
    /// One script call for each partition of the batch, all under way at once. If one of them fails the whole
    /// answers with its error; what the others wrote stays, and a repeat finds it by its marks.
    pub(super) async fn append_all(&self, batch: &[Append]) -> StoreResult<Vec<Appended>> {
        if let [one] = batch {
            return self.append_one(one.partition, vec![one]).await;
        }
        let mut groups: Vec<(Partition, Vec<usize>)> = Vec::new();
        for (i, a) in batch.iter().enumerate() {
            match groups.iter_mut().find(|(p, _)| *p == a.partition) {
                Some((_, places)) => places.push(i),
                None => groups.push((a.partition, vec![i])),
            }
        }
        let calls = groups.iter().map(|(p, places)| {
            let entries: Vec<&Append> = places.iter().filter_map(|i| batch.get(*i)).collect();
            self.append_one(*p, entries)
        });
        let mut out = vec![Appended::Duplicate; batch.len()];
        for ((_, places), done) in groups.iter().zip(join_all(calls).await) {
            for (place, appended) in places.iter().zip(done?) {
                if let Some(slot) = out.get_mut(*place) {
                    *slot = appended;
                }
            }
        }
        Ok(out)
    }

    async fn append_one(&self, p: Partition, entries: Vec<&Append>) -> StoreResult<Vec<Appended>> {
        let k = self.keys(p);
        let bytes: usize = entries.iter().map(|e| e.blob.len()).sum();
        let mut call = self.scripts.append.call(2, 4 + 6 * entries.len(), bytes);
        call.arg(&k.seq).arg(&k.journal).arg(&k.marks).arg(keys::WAKE);
        if entries.iter().any(|e| e.wake) {
            call.arg(p.index());
        } else {
            call.arg("");
        }
        let again = matches!(self.way, Way::Replica(_));
        call.arg(i32::from(again));
        for e in &entries {
            let (kind, hash, bucket, keep) = pack::mark(e.mark.as_ref());
            call.arg(kind)
                .arg(hash)
                .arg(bucket)
                .arg(keep)
                .arg(pack::ms(e.age))
                .arg(e.blob.as_slice());
        }
        let told = self.send(call, bytes).await?;
        let (now, numbers) = told.split_first().ok_or_else(empty)?;
        if numbers.len() != entries.len() {
            return Err(empty());
        }
        let now = StoreTime(*now);
        Ok(entries
            .iter()
            .zip(numbers)
            .map(|(e, n)| match n {
                0 => Appended::Duplicate,
                n => Appended::New {
                    n: *n as u64,
                    at: now.minus(e.age),
                },
            })
            .collect())
    }

    async fn send(&self, call: Cmd, bytes: usize) -> StoreResult<Vec<i64>> {
        match &self.way {
            Way::Common(batcher) => batcher.append(call, bytes).await,
            Way::Replica(acceptor) => acceptor.append(call).await,
        }
    }

    /// Entries after a number.
    pub(super) async fn read_journal(&self, p: Partition, after: u64, max: usize) -> StoreResult<Vec<JournalEntry>> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let mut range = cmd("XRANGE");
        range
            .arg(&self.keys(p).journal)
            .arg(format!("{}-0", after.saturating_add(1)))
            .arg("+")
            .arg("COUNT")
            .arg(max);
        let rows: Vec<(String, Fields)> = self.link.command(&range).await?;
        rows.into_iter()
            .map(|(id, (_, at, _, blob))| {
                let n = id.split_once('-').and_then(|(n, _)| n.parse().ok()).ok_or_else(empty)?;
                Ok(JournalEntry {
                    n,
                    at: StoreTime(at),
                    blob,
                })
            })
            .collect()
    }
}

/// An answer of another shape than the script's.
fn empty() -> StoreError {
    StoreError::Unavailable("redis gave an odd answer".into())
}

/// One append on a given connection: what the acceptor does.
pub async fn append_on(link: &Link, script: &Script, call: &Cmd) -> StoreResult<Vec<i64>> {
    link.script(script, call).await
}
