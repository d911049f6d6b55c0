//! What the rules chose for one event.

use super::{Action, Doc, StoreTime};

/// The decision for one entry: applied in one atomic commit, or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    /// Jobs in order; a job's place here is the second half of its id.
    pub jobs: Vec<PlannedJob>,
    /// The conversation's document afterwards; `None` leaves it as it is.
    pub doc: Option<Doc>,
    /// The rule (or `channel:<state>`) that won, for metrics, history and `explain`.
    pub rule: Option<String>,
    /// What was deliberately not done, and why: a person who asks "why nothing?" reads this.
    pub skipped: Vec<Skipped>,
    /// Counters to raise, by name (`channel:sh-poster:added`): per transition, never per event.
    pub counters: Vec<(String, i64)>,
}

/// A job without its id: the commit gives it one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedJob {
    /// The call.
    pub action: Action,
    /// Rule or channel that chose it.
    pub rule: Option<String>,
    /// From here on it can no longer matter.
    pub deadline: Option<StoreTime>,
}

/// Something the rules looked at and left undone.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Skipped {
    /// What: `welcome`, `reply`, `tags`, `pool`.
    pub what: String,
    /// Stable snake_case reason: `no_welcome_code`, `already_welcomed`, `cooldown`, `person_serves`, `too_old`, …
    pub reason: String,
    /// The rule concerned, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}
