//! What the store's operations take and give.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::model::{JobId, Lane, Partition, StoreTime};

/// How long a mark is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MarkKind {
    /// Event of a callback: at least 24 h.
    Event,
    /// kf `msgid`: at least 96 h (`sync_msg` reaches back three days).
    KfMessage,
    /// For as long as a broadcast is kept: at least 90 d.
    Broadcast,
}

impl MarkKind {
    /// The least time the mark is remembered.
    pub fn keep(self) -> Duration {
        const H: u64 = 3600;
        Duration::from_secs(match self {
            Self::Event => 24 * H,
            Self::KfMessage => 96 * H,
            Self::Broadcast => 90 * 24 * H,
        })
    }
}

/// A mark: who has seen it does not journal the same thing again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mark {
    /// Kind.
    pub kind: MarkKind,
    /// SHA-256 of the dedupe key, prefix included. An implementation may keep 63 bits of it.
    pub key: [u8; 32],
}

impl Mark {
    /// The mark of a dedupe key; `key` carries its prefix (corp, or corp and app) already.
    pub fn new(kind: MarkKind, key: &str) -> Self {
        Self {
            kind,
            key: Sha256::digest(key.as_bytes()).into(),
        }
    }
}

/// One entry to append to a partition's journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// Where.
    pub partition: Partition,
    /// Known mark → not appended. `None`: always appended (doorbell).
    pub mark: Option<Mark>,
    /// How long ago it was first accepted: 0, or the time in the spool. The store subtracts it from its own time.
    pub age: Duration,
    /// [`crate::model::EntryBody::encode`].
    pub blob: Vec<u8>,
    /// Tell other gateways (best effort). False where this process owns the partition and hands over by itself.
    pub wake: bool,
}

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// Journalled under this number; durable at the chosen level when the call returns.
    New {
        /// Journal number.
        n: u64,
        /// First acceptance.
        at: StoreTime,
    },
    /// The mark was known; durable all the same.
    Duplicate,
}

/// One entry as read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    /// Gapless number, from 1.
    pub n: u64,
    /// First acceptance.
    pub at: StoreTime,
    /// What was appended.
    pub blob: Vec<u8>,
}

/// The ownership record of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnerRecord {
    /// Rises by one with every change of owner; 0: never owned.
    pub epoch: u64,
    /// Random number of the owning process' run; empty: released.
    pub nonce: String,
    /// The owner's node identity (locked node file), for the quick way back after a restart.
    pub node: String,
    /// Raised by the owner each second.
    pub beats: u64,
}

/// What the owner's writes carry: compared before the first write, else [`StoreError::Lost`](super::StoreError::Lost).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// Partition.
    pub partition: Partition,
    /// Epoch under which it was acquired.
    pub epoch: u64,
    /// Nonce under which it was acquired.
    pub nonce: String,
}

/// What an owner learns when it acquires a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acquired {
    /// For all later writes.
    pub fence: Fence,
    /// Last decided journal number.
    pub position: u64,
    /// Last journal number given out.
    pub head: u64,
    /// Store time.
    pub now: StoreTime,
}

/// What a beat tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// For each fence, in order: still ours?
    pub held: Vec<bool>,
    /// Store time.
    pub now: StoreTime,
}

/// The gateways alive now (a beat within the last 5 s of store time).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Live {
    /// Nodes that take partitions (`max_partitions` > 0), sorted.
    pub owners: Vec<String>,
    /// Store time.
    pub now: StoreTime,
    /// The store's generation: another one means the data were lost.
    pub generation: String,
}

/// A job to be added by a commit. `after` names an open job of the same partition: this one becomes due only
/// when that one has an outcome (if it has none at the time of the commit).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Id.
    pub id: JobId,
    /// Lane.
    pub lane: Lane,
    /// Not before.
    pub due: StoreTime,
    /// The job before it in its sequence. At most one job names any given one.
    pub after: Option<JobId>,
    /// [`crate::model::Job::encode`].
    pub blob: Vec<u8>,
}

/// A job as read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredJob {
    /// Id.
    pub id: JobId,
    /// Lane.
    pub lane: Lane,
    /// Not before.
    pub due: StoreTime,
    /// Tries that may have arrived (raised by a start, taken back by a refusal).
    pub tries: u32,
    /// All tries, for the back-off and its cap.
    pub attempts: u32,
    /// When the last start was noted, and under which nonce; `None` after a refusal.
    pub started: Option<Started>,
    /// The job.
    pub blob: Vec<u8>,
}

/// The mark that a call is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Store time of the first start that may have arrived.
    pub at: StoreTime,
    /// Nonce of the process that started it last.
    pub nonce: String,
}

/// One page of due jobs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Due {
    /// Jobs whose time has come, by due time, then id. Jobs that wait for another one are never among them.
    pub jobs: Vec<StoredJob>,
    /// When the next job that is not in `jobs` becomes due.
    pub next: Option<StoreTime>,
    /// Store time.
    pub now: StoreTime,
}

/// One atomic step of an owner. All of it happens or none of it; see [`Store::commit`](super::Store::commit).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Commit {
    /// The position afterwards: the last journal number decided. Equal to the expected one for a commit of
    /// outcomes alone.
    pub position: u64,
    /// Jobs to add.
    pub jobs: Vec<NewJob>,
    /// Documents to put (`Some`) or delete (`None`), with their time to live.
    pub docs: Vec<DocPut>,
    /// Entries to append to this partition's own journal.
    pub entries: Vec<OwnEntry>,
    /// Entries that could not be decided.
    pub quarantine: Vec<Quarantined>,
    /// Jobs whose call begins now.
    pub starts: Vec<Start>,
    /// Jobs that wait for a later time.
    pub defers: Vec<Defer>,
    /// Jobs that have an outcome.
    pub ends: Vec<End>,
    /// Counters to raise.
    pub counters: Vec<(String, i64)>,
}

impl Commit {
    /// True when it would change nothing: such a commit is not sent.
    pub fn is_empty(&self, expected: u64) -> bool {
        self.position == expected
            && self.jobs.is_empty()
            && self.docs.is_empty()
            && self.entries.is_empty()
            && self.quarantine.is_empty()
            && self.starts.is_empty()
            && self.defers.is_empty()
            && self.ends.is_empty()
            && self.counters.is_empty()
    }
}

/// A document to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocPut {
    /// Conversation key, or a name below it.
    pub key: String,
    /// New bytes, or `None` to delete.
    pub value: Option<Vec<u8>>,
    /// Time to live from now.
    pub ttl: Duration,
}

/// An entry for the partition's own journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnEntry {
    /// Known mark → not appended.
    pub mark: Option<Mark>,
    /// [`crate::model::EntryBody::encode`].
    pub blob: Vec<u8>,
}

/// An entry set aside.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Quarantined {
    /// Journal number.
    pub n: u64,
    /// Why it could not be decided.
    pub reason: String,
    /// The entry.
    pub blob: Vec<u8>,
}

/// A call begins: `tries` and `attempts` rise by one; `started` gets the fence's nonce, and store time if it had
/// no time yet (an earlier try that may have arrived keeps its own: WeCom's duplicate window counts from it).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Job.
    pub id: JobId,
    /// New bytes of the job (facts frozen into it), if they changed.
    pub blob: Option<Vec<u8>>,
}

/// A job waits until later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defer {
    /// Job.
    pub id: JobId,
    /// Not before.
    pub due: StoreTime,
    /// The last try surely did not arrive (an errcode, or no byte written): `tries` falls by one, and
    /// `started` is cleared when no try is left that may have arrived. False: `started` and `tries` stay.
    pub refused: bool,
    /// New bytes of the job, if they changed.
    pub blob: Option<Vec<u8>>,
}

/// A job has an outcome: it leaves the outbox, its follower (if any) becomes due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Job.
    pub id: JobId,
    /// JSON for the capped history (the newest 1,000 of a partition).
    pub record: Vec<u8>,
}

/// What a commit tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Store time of the commit.
    pub now: StoreTime,
    /// Last journal number after the commit (own entries may have been appended).
    pub head: u64,
    /// Followers that became due by it.
    pub released: Vec<JobId>,
}

/// A rolling window: at most `limit` within any `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Length.
    pub window: Duration,
    /// Calls or messages.
    pub limit: u32,
}

/// One thing to be allowed: all its scopes must have room, then one is taken from each; else none is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Scopes and their windows.
    pub scopes: Vec<(String, Vec<Window>)>,
}

/// The limiter's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Taken.
    Granted,
    /// Nothing taken; earliest time at which it can be.
    NotBefore(StoreTime),
}

/// Which calendar windows a broadcast may use of a contact. `None`: no limit of that kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QuotaRule {
    /// Per corp × contact and day.
    pub per_day: Option<u32>,
    /// Per corp × contact and week (from Monday).
    pub per_week: Option<u32>,
    /// Per corp × contact and month.
    pub per_month: Option<u32>,
    /// Per member × contact and day.
    pub member_per_day: Option<u32>,
}

/// A reservation of one message for each of several contacts **of one partition**.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserve {
    /// Where all these contacts live.
    pub partition: Partition,
    /// Reservation id: a repeat returns the same verdicts and takes nothing.
    pub id: String,
    /// Prefix of all counters (the corp id).
    pub corp: String,
    /// Contacts, with the member where the rule counts per member.
    pub contacts: Vec<(String, Option<String>)>,
    /// What is allowed.
    pub rule: QuotaRule,
}

/// One contact's verdict.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Verdict {
    /// One message reserved.
    Reserved,
    /// A window is full (`day`, `week`, `month`, `member_day`); it ends at the given time.
    Full {
        /// Which window.
        window: String,
        /// When it ends.
        until: StoreTime,
    },
}

/// A shared value with its version for compare-and-set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// Rises with every set; 0: absent.
    pub version: u64,
    /// The bytes, if there are any.
    pub value: Option<Vec<u8>>,
    /// When they expire.
    pub expires: Option<StoreTime>,
    /// Store time.
    pub now: StoreTime,
}

/// What `readyz`, metrics and people ask of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PartitionStats {
    /// Last journal number given out.
    pub head: u64,
    /// Last decided number.
    pub position: u64,
    /// Entries in quarantine.
    pub quarantined: u64,
    /// Open jobs by lane, in the order of [`Lane::ALL`], those that wait for another one included.
    pub jobs: [u64; 4],
    /// Due time of the oldest due-or-waiting head job by lane.
    pub oldest: [Option<StoreTime>; 4],
}
