//! What we know of a conversation between two events: one document per conversation.
//!
//! Only the partition's owner writes it, in the same commit as the decision or outcome that changed it.
//! Unknown fields of a newer version are an error (the entry is quarantined), not silently dropped.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::BroadcastOrder;
use super::job::TagName;
use super::{JobId, Outcome, StoreTime};
use crate::wecom::id::{OpenKfId, UserId};

/// A conversation's document.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Doc {
    /// Last open job of each sequence: the next one waits for it. Kept by the owner, not by the rules.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tails: BTreeMap<String, JobId>,
    /// Rule → until when it cools down.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cooldowns: BTreeMap<String, StoreTime>,
    /// What was said lately (hash, when), at most 60 s back: an identical answer is a `repeat`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<(u64, StoreTime)>,
    /// What is known of the contact, for contact conversations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactFacts>,
    /// What is known of the kf account, for kf account conversations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kf_account: Option<KfAccountState>,
    /// The broadcast, for broadcast conversations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broadcast: Option<BroadcastState>,
}

/// Facts about a contact, and its sessions.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContactFacts {
    /// Name as WeCom last told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When name, tags and remarks were last read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<StoreTime>,
    /// By member.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub relations: BTreeMap<UserId, Relation>,
    /// Tags wanted for a contact who is nobody's yet; applied when added.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub labels: BTreeSet<TagName>,
    /// By kf account.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kf: BTreeMap<OpenKfId, KfSession>,
}

/// One member × contact.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relation {
    /// Where it stands.
    pub stage: Stage,
    /// Channel `state` it came by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The member's remark for the contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// Tags as last seen.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<TagName>,
    /// Tags to set as soon as the relation is complete.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub pending_tags: BTreeSet<TagName>,
    /// The effect mark "welcomed".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub welcome: Option<WelcomeMark>,
}

/// Where a relation stands; counters rise on transitions of this only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Never heard of.
    #[default]
    None,
    /// The customer added the member, who has not confirmed.
    Half,
    /// Both.
    Full,
    /// The customer deleted the member; tags can still be set.
    Lost,
    /// The member deleted the customer, or handed the customer over.
    Removed,
}

/// The welcome of a relation: at most one delivered or in flight within 10 minutes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WelcomeMark {
    /// When its job was decided.
    pub at: StoreTime,
    /// `None` while in flight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Outcome>,
}

/// A contact's session with one kf account.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KfSession {
    /// Session state as last learnt (0 new … 4 ended); `None`: unknown, which we treat as "try".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<u8>,
    /// `send_time` of the customer's last message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_message: Option<StoreTime>,
    /// Messages of ours since then; 5 are allowed within 48 h.
    #[serde(default)]
    pub sent: u8,
    /// When those were first sent: a message that the customer had written before some of them, and that we read
    /// after them, clears only the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sent_at: Vec<StoreTime>,
    /// The message that was counted last, so that a try after a refusal is not counted a second time; cleared
    /// when that message ends and by the customer's next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<String>,
    /// True once this session was sent to the waiting pool (or that was tried).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pooled: bool,
    /// Scene of the last `enter_session`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scene: Option<String>,
    /// Its parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scene_param: Option<String>,
    /// When anything last happened here; forgotten after 48 h.
    #[serde(default)]
    pub touched: StoreTime,
}

/// A kf account's cursor.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KfAccountState {
    /// `next_cursor` after the last page whose messages are all journalled; empty: from the oldest of 3 days.
    #[serde(default)]
    pub cursor: String,
    /// When this store first served the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_served: Option<StoreTime>,
    /// Journal position when the last complete pull began: a ring up to here is answered by it.
    #[serde(default)]
    pub pulled_from: u64,
    /// Journal position when the pull under way began; 0: none.
    #[serde(default)]
    pub pulling_from: u64,
}

/// How far a broadcast is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BroadcastState {
    /// What was ordered.
    pub order: BroadcastOrder,
    /// Ended chunks; finished when equal to the order's number of chunks.
    #[serde(default)]
    pub ended: u32,
}

impl Doc {
    /// As stored.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads back what [`Doc::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|e| e.to_string())
    }

    /// The contact's facts, made if this is the first we hear of it.
    pub fn contact_mut(&mut self) -> &mut ContactFacts {
        self.contact.get_or_insert_with(ContactFacts::default)
    }

    /// The contact's session with this account, made if it is the first.
    pub fn kf_mut(&mut self, account: &OpenKfId) -> &mut KfSession {
        self.contact_mut().kf.entry(account.clone()).or_default()
    }

    /// The relation with this member, made if it is the first.
    pub fn relation_mut(&mut self, member: &UserId) -> &mut Relation {
        self.contact_mut().relations.entry(member.clone()).or_default()
    }
}
