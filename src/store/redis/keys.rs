//! Names of keys. Every key of a partition carries `{pNN}`, so that one script finds them on one node of a
//! cluster.

use crate::model::{Lane, Partition};

/// Where wake-ups are published. Pub/sub knows no databases: two stores of one server hear each other's hints,
/// which costs a look.
pub const WAKE: &str = "wecom:wake";

/// Identity of the store.
pub const STORE: &str = "{meta}:store";

/// The living.
pub const NODES: &str = "{meta}:nodes";

/// Keys of one partition, made once.
pub struct Keys {
    /// Ownership record and position.
    pub state: String,
    /// Last journal number.
    pub seq: String,
    /// The journal.
    pub journal: String,
    /// Open jobs.
    pub jobs: String,
    /// Job → the one that waits for it.
    pub next: String,
    /// Lane → number of open jobs.
    pub open: String,
    /// Records of ended jobs.
    pub history: String,
    /// Entries set aside.
    pub quarantine: String,
    /// Counters.
    pub counters: String,
    /// Due jobs by lane.
    pub due: [String; 4],
    /// Prefix of mark sets.
    pub marks: String,
    /// Prefix of quota counters.
    pub quota: String,
    /// Prefix of documents.
    pub docs: String,
    /// Prefix of reservations.
    pub reservations: String,
}

impl Keys {
    /// Those of a partition.
    pub fn of(p: Partition) -> Self {
        let key = |name: &str| format!("{{{p}}}:{name}");
        Self {
            state: key("state"),
            seq: key("seq"),
            journal: key("journal"),
            jobs: key("jobs"),
            next: key("next"),
            open: key("open"),
            history: key("history"),
            quarantine: key("quarantine"),
            counters: key("counters"),
            due: Lane::ALL.map(|l| key(&format!("due:{}", l.word()))),
            marks: key("m:"),
            quota: key("q"),
            docs: key("d:"),
            reservations: key("r:"),
        }
    }
}
