//! A job: one API call to be made, decided by the rules, delivered later.

use std::collections::BTreeMap;
use std::fmt;

use super::{AppName, BundleHash, Conversation, StoreTime};
use crate::wecom::id::{CorpId, ExternalUserId, OpenKfId, UserId};

/// Number of the event that caused the job, and the job's place in the decision. Never reused: it is the
/// idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId {
    /// Journal number of the event within its partition, from 1.
    pub n: u64,
    /// Place in the decision, from 0.
    pub k: u32,
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.n, self.k)
    }
}

impl std::str::FromStr for JobId {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        s.split_once('-')
            .and_then(|(n, k)| {
                Some(Self {
                    n: n.parse().ok()?,
                    k: k.parse().ok()?,
                })
            })
            .ok_or_else(|| format!("not a job id: {s:?}"))
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.to_string()
    }
}

impl serde::Serialize for JobId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for JobId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Urgency class; each has slots of its own, so that a lower one never holds a higher one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Welcomes, enter-session answers and the pulls that find them: 20 seconds to live.
    Urgent,
    /// Answers to what somebody wrote.
    Reply,
    /// Tags, remarks, look-ups, session moves.
    Chore,
    /// Broadcasts.
    Bulk,
}

impl Lane {
    /// All lanes, most urgent first.
    pub const ALL: [Self; 4] = [Self::Urgent, Self::Reply, Self::Chore, Self::Bulk];

    /// The word used in metrics and in the store's keys.
    pub fn word(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Reply => "reply",
            Self::Chore => "chore",
            Self::Bulk => "bulk",
        }
    }
}

/// A one-use code of WeCom (welcome code, event code). It cannot print itself.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Code(pub String);

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

/// A tag of the corp's library by its two names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct TagName {
    /// Tag group.
    pub group: String,
    /// Tag.
    pub tag: String,
}

/// Which part of a template one message is (kf and app messages send each part by itself).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Everything in one call: welcome, broadcast, event code.
    Whole,
    /// The text.
    Text,
    /// The attachment at this place, from 0.
    Attachment(u8),
    /// The menu.
    Menu,
}

/// What to say, before it is rendered.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Say {
    /// Template name.
    pub template: String,
    /// Which part of it.
    pub part: Part,
    /// The bundle that decided; rendering uses it even when a newer one is live.
    pub bundle: BundleHash,
    /// The event's time: what `{{ greeting }}`, `{{ date }}`, `{{ time }}` mean.
    pub at: StoreTime,
    /// Values of variables: at decision those the event brought (`channel.*`, `message.*`, `kf.scene`…);
    /// the start step adds the facts it looked up, so that a repeat has the same bytes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vars: BTreeMap<String, String>,
    /// True once the facts have been frozen into `vars`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub frozen: bool,
}

/// What a job does to WeCom.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Action {
    /// `externalcontact/send_welcome_msg`.
    Welcome {
        /// Usable once, 20 s, with the token of the app that received it.
        code: Code,
        /// Who was added.
        member: UserId,
        /// Who gets it.
        contact: ExternalUserId,
        /// What to say.
        say: Say,
    },
    /// `kf/send_msg_on_event`: text or menu.
    KfEventMessage {
        /// kf account.
        account: OpenKfId,
        /// Who gets it.
        contact: ExternalUserId,
        /// Usable once.
        code: Code,
        /// What to say (text or menu in one message).
        say: Say,
    },
    /// `kf/send_msg` with our own msgid.
    KfMessage {
        /// kf account.
        account: OpenKfId,
        /// Who gets it.
        contact: ExternalUserId,
        /// What to say.
        say: Say,
    },
    /// `message/send` to one member.
    AppMessage {
        /// Who gets it.
        member: UserId,
        /// What to say.
        say: Say,
    },
    /// `externalcontact/mark_tag` for one pair; tags missing in WeCom are made first.
    MarkTags {
        /// Whose tags they are …
        member: UserId,
        /// … on whom.
        contact: ExternalUserId,
        /// To set.
        #[serde(default)]
        add: Vec<TagName>,
        /// To take away.
        #[serde(default)]
        remove: Vec<TagName>,
    },
    /// `kf/service_state/trans` into the waiting pool, if a receptionist is on duty.
    KfPool {
        /// kf account.
        account: OpenKfId,
        /// Whose session.
        contact: ExternalUserId,
    },
    /// One page of `kf/sync_msg`; goes on page by page until `has_more` is 0.
    KfPull {
        /// kf account.
        account: OpenKfId,
        /// The doorbell's token, good for 10 minutes; none on the slow poll.
        token: Option<Code>,
    },
    /// `externalcontact/get`: re-read name, members, tags, remark.
    ReadContact {
        /// Whom.
        contact: ExternalUserId,
    },
    /// One `externalcontact/add_msg_template` call for one chunk of a broadcast.
    BroadcastChunk {
        /// Broadcast id.
        id: String,
        /// Which chunk, from 0.
        chunk: u32,
        /// Through which member, if one was named.
        sender: Option<UserId>,
        /// What to say.
        say: Say,
    },
}

/// How often a call may be made (DESIGN, "Calls").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Just go; a repeat has no second effect.
    Repeatable,
    /// Repeatable only while WeCom's duplicate check covers it: within 50 s of `started`.
    ForAWhile,
    /// `started` is committed first; found without an outcome it ends `uncertain` and is never called again.
    Once,
}

impl Action {
    /// Stable word for logs, metrics and history.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Welcome { .. } => "welcome",
            Self::KfEventMessage { .. } => "kf_event_message",
            Self::KfMessage { .. } => "kf_message",
            Self::AppMessage { .. } => "app_message",
            Self::MarkTags { .. } => "mark_tags",
            Self::KfPool { .. } => "kf_pool",
            Self::KfPull { .. } => "kf_pull",
            Self::ReadContact { .. } => "read_contact",
            Self::BroadcastChunk { .. } => "broadcast_chunk",
        }
    }

    /// Urgency.
    pub fn lane(&self) -> Lane {
        match self {
            Self::Welcome { .. } | Self::KfEventMessage { .. } | Self::KfPull { .. } => Lane::Urgent,
            Self::KfMessage { .. } | Self::AppMessage { .. } => Lane::Reply,
            Self::MarkTags { .. } | Self::KfPool { .. } | Self::ReadContact { .. } => Lane::Chore,
            Self::BroadcastChunk { .. } => Lane::Bulk,
        }
    }

    /// Repeat class of its call.
    pub fn class(&self) -> Class {
        match self {
            Self::Welcome { .. }
            | Self::KfMessage { .. }
            | Self::MarkTags { .. }
            | Self::KfPool { .. }
            | Self::KfPull { .. }
            | Self::ReadContact { .. } => Class::Repeatable,
            Self::AppMessage { .. } => Class::ForAWhile,
            // A code is used once and nothing tells us afterwards whether it was: errcodes.md, last paragraph.
            Self::KfEventMessage { .. } | Self::BroadcastChunk { .. } => Class::Once,
        }
    }

    /// True for calls that put a message before a person: they carry `tries`.
    pub fn is_message(&self) -> bool {
        matches!(
            self,
            Self::Welcome { .. }
                | Self::KfEventMessage { .. }
                | Self::KfMessage { .. }
                | Self::AppMessage { .. }
                | Self::BroadcastChunk { .. }
        )
    }

    /// The sequence inside the conversation in which this job waits for the one before; `None`: waits for none.
    ///
    /// Two welcomes of one relation are the exception to "welcomes wait for none": the second may go only if
    /// the first fails (CONTENT, "One welcome per relation").
    pub fn sequence(&self) -> Option<String> {
        match self {
            Self::Welcome { member, .. } => Some(format!("welcome/{member}")),
            Self::KfEventMessage { .. } | Self::ReadContact { .. } => None,
            Self::KfMessage { account, .. } | Self::KfPool { account, .. } => Some(format!("kf/{account}")),
            Self::AppMessage { .. } => Some("app".into()),
            Self::MarkTags { member, .. } => Some(format!("pair/{member}")),
            Self::KfPull { .. } => Some("pull".into()),
            Self::BroadcastChunk { .. } => Some("broadcast".into()),
        }
    }

    /// What it says, if it says something.
    pub fn say(&self) -> Option<&Say> {
        match self {
            Self::Welcome { say, .. }
            | Self::KfEventMessage { say, .. }
            | Self::KfMessage { say, .. }
            | Self::AppMessage { say, .. }
            | Self::BroadcastChunk { say, .. } => Some(say),
            Self::MarkTags { .. } | Self::KfPool { .. } | Self::KfPull { .. } | Self::ReadContact { .. } => None,
        }
    }

    /// The same, to freeze facts into.
    pub fn say_mut(&mut self) -> Option<&mut Say> {
        match self {
            Self::Welcome { say, .. }
            | Self::KfEventMessage { say, .. }
            | Self::KfMessage { say, .. }
            | Self::AppMessage { say, .. }
            | Self::BroadcastChunk { say, .. } => Some(say),
            Self::MarkTags { .. } | Self::KfPool { .. } | Self::KfPull { .. } | Self::ReadContact { .. } => None,
        }
    }
}

/// A job as it lies in the outbox. Its id, lane, due time, tries and `started` lie beside it in the store.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Job {
    /// Corp.
    pub corp: CorpId,
    /// The app that received the event; its token is used if its kind allows.
    pub app: AppName,
    /// The conversation that caused it.
    pub conversation: Conversation,
    /// The rule or channel that chose it, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// When what caused it was first accepted.
    pub accepted: StoreTime,
    /// From here on it can no longer matter: `expired`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<StoreTime>,
    /// The call.
    pub action: Action,
}

impl Job {
    /// As stored.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads back what [`Job::encode`] wrote; an error is a job of another version and goes to quarantine.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|e| e.to_string())
    }
}
