//! How a job ended: exactly one outcome, with a stable reason.

use std::borrow::Cow;

use super::StoreTime;

/// The six ways a job can end (DESIGN, promise 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// WeCom accepted the call for this recipient.
    Delivered,
    /// It could no longer matter: deadline, 41050, 95002, 95013.
    Expired,
    /// A final errcode or a quota.
    Rejected,
    /// Retries used up.
    Dead,
    /// We chose not to: observe mode, not in `only`, a repeat.
    Cancelled,
    /// It may have arrived and must not be repeated; a person decides.
    Uncertain,
}

impl Outcome {
    /// The word used in metrics and `--json`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Expired => "expired",
            Self::Rejected => "rejected",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
            Self::Uncertain => "uncertain",
        }
    }
}

/// A job's one outcome and what a person needs to understand it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ending {
    /// Which of the six.
    pub outcome: Outcome,
    /// Stable snake_case word (`ok`, `deadline`, `no_app_for:contacts`, `wecom_40003`, `observe`, …).
    pub reason: Cow<'static, str>,
    /// WeCom's number where an answer decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errcode: Option<i64>,
    /// Facts added afterwards or beside the outcome (`without:media/menu.png`, `later:msg_send_fail_6`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// One outcome per recipient where a call names several and WeCom did not treat them alike.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<RecipientEnd>,
    /// SHA-256 prefix of what was said; an identical answer within 60 s is a `repeat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<u64>,
}

impl Ending {
    /// An outcome with its reason and nothing else.
    pub fn new(outcome: Outcome, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            outcome,
            reason: reason.into(),
            errcode: None,
            notes: Vec::new(),
            recipients: Vec::new(),
            said: None,
        }
    }

    /// The same with WeCom's number.
    pub fn with_errcode(mut self, errcode: i64) -> Self {
        self.errcode = Some(errcode);
        self
    }
}

/// The outcome for one recipient of a call that named several.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RecipientEnd {
    /// `userid` or `external_userid`.
    pub id: String,
    /// Which of the six.
    pub outcome: Outcome,
    /// Stable snake_case word.
    pub reason: Cow<'static, str>,
    /// When a quota's window ends, where that is the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<StoreTime>,
}
