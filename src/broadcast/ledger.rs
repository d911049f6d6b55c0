//! What became of a broadcast's recipients, and the hold after a reported loss of data.

use serde::{Deserialize, Serialize};

use super::list::KEEP;
use crate::model::entry::BroadcastOrder;
use crate::model::{Partition, StoreTime};
use crate::store::{DocPut, Store, StoreResult};
use crate::wecom::id::CorpId;

/// Recipients in one stored piece of a result; ids have at most 128 bytes, so a piece stays below 256 KiB.
const PIECE: usize = 800;
/// Scope of the hold: one for the whole store.
const HOLD_SCOPE: &str = "meta";
const HOLD_KEY: &str = "broadcast_hold";

/// The outcomes of one chunk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkResult {
    /// Recipients for whom WeCom took the task.
    #[serde(default)]
    pub delivered: u64,
    /// Refused by quota.
    #[serde(default)]
    pub refused: Vec<RefusedRecipient>,
    /// It may have been made; nobody knows.
    #[serde(default)]
    pub uncertain: Vec<String>,
    /// Every other end.
    #[serde(default)]
    pub failed: Vec<FailedRecipient>,
}

/// Refused by quota.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedRecipient {
    /// Who.
    pub external_userid: String,
    /// `quota_day`, `quota_week`, `quota_month`, `quota_member_day`.
    pub reason: String,
    /// When the window ends.
    pub until: Option<StoreTime>,
}

/// Not delivered for another reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedRecipient {
    /// Who.
    pub external_userid: String,
    /// Stable word.
    pub reason: String,
}

impl ChunkResult {
    fn pieces(&self) -> Vec<Self> {
        let mut all = vec![Self {
            delivered: self.delivered,
            ..Self::default()
        }];
        all.extend(self.refused.chunks(PIECE).map(|c| Self {
            refused: c.to_vec(),
            ..Self::default()
        }));
        all.extend(self.uncertain.chunks(PIECE).map(|c| Self {
            uncertain: c.to_vec(),
            ..Self::default()
        }));
        all.extend(self.failed.chunks(PIECE).map(|c| Self {
            failed: c.to_vec(),
            ..Self::default()
        }));
        all
    }

    /// Adds another result to this one.
    pub fn add(&mut self, other: Self) {
        self.delivered += other.delivered;
        self.refused.extend(other.refused);
        self.uncertain.extend(other.uncertain);
        self.failed.extend(other.failed);
    }
}

fn key(corp: &CorpId, order: &BroadcastOrder, chunk: u32, piece: usize) -> String {
    let hash = order.hash.get(..16).unwrap_or(&order.hash);
    format!("b/{corp}/{}#{hash}/result/{chunk}/{piece}", order.id)
}

/// Stores a chunk's result; again with the same result changes nothing.
pub(super) async fn store_result(
    store: &dyn Store,
    partition: Partition,
    corp: &CorpId,
    order: &BroadcastOrder,
    chunk: u32,
    result: &ChunkResult,
) -> StoreResult<()> {
    let pieces = result.pieces();
    let count = pieces.len();
    for (i, piece) in pieces.into_iter().enumerate() {
        let value = serde_json::to_vec(&(count, piece)).unwrap_or_default();
        let put = DocPut {
            key: key(corp, order, chunk, i),
            value: Some(value),
            ttl: KEEP,
        };
        store.put_part(partition, &put).await?;
    }
    Ok(())
}

/// A chunk's result, `None` while it has none.
pub async fn results(
    store: &dyn Store,
    partition: Partition,
    corp: &CorpId,
    order: &BroadcastOrder,
    chunk: u32,
) -> StoreResult<Option<ChunkResult>> {
    let mut result = ChunkResult::default();
    let (mut i, mut count) = (0, 1);
    while i < count {
        let bytes = store
            .docs(partition, &[key(corp, order, chunk, i)])
            .await?
            .pop()
            .flatten();
        let Some((n, piece)) = bytes.and_then(|b| serde_json::from_slice::<(usize, ChunkResult)>(&b).ok()) else {
            return Ok(None);
        };
        count = n;
        result.add(piece);
        i += 1;
    }
    Ok(Some(result))
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Hold {
    /// Broadcasts that a person let go on.
    resumed: Vec<String>,
}

/// Holds all broadcasts until a person resumes them: the store lost data, so quota and marks may be gone.
pub async fn hold(store: &dyn Store) -> StoreResult<()> {
    change(store, |_| Some(Hold::default())).await
}

/// Lets one broadcast (or all, with `None`) go on.
pub async fn resume(store: &dyn Store, id: Option<&str>) -> StoreResult<()> {
    change(store, |hold| match (id, hold) {
        (None, _) | (_, None) => None,
        (Some(id), Some(mut hold)) => {
            hold.resumed.push(id.to_owned());
            Some(hold)
        }
    })
    .await
}

/// Is this broadcast held?
pub async fn is_held(store: &dyn Store, id: &str) -> StoreResult<bool> {
    let value = store.shared(HOLD_SCOPE, HOLD_KEY).await?.value;
    Ok(value.is_some_and(|v| {
        let hold: Hold = serde_json::from_slice(&v).unwrap_or_default();
        !hold.resumed.iter().any(|r| r == id)
    }))
}

async fn change(store: &dyn Store, f: impl Fn(Option<Hold>) -> Option<Hold>) -> StoreResult<()> {
    loop {
        let shared = store.shared(HOLD_SCOPE, HOLD_KEY).await?;
        let before = shared.value.map(|v| serde_json::from_slice(&v).unwrap_or_default());
        let absent = before.is_none();
        let after = f(before).map(|h| serde_json::to_vec(&h).unwrap_or_default());
        if absent && after.is_none() {
            return Ok(());
        }
        if store
            .compare_and_set(HOLD_SCOPE, HOLD_KEY, shared.version, after.as_deref(), None)
            .await?
        {
            return Ok(());
        }
    }
}
