//! Events and messages of callbacks, typed.
//!
//! In: the decrypted text of a callback, XML or JSON. Out: [`Notice`]: what happened ([`Event`]), whom it names
//! ([`Subject`]), by what a repeat is recognised ([`Dedupe`]). It knows neither corp nor app nor rules.
//!
//! The hard decision: all that differs between kinds stands in one table ([`kinds`]); code reads it. What is not
//! in the table, or is but names nobody that could exist, is [`EventBody::Unknown`]: kept whole, never refused. Only a
//! text that is neither XML nor a JSON object is an error.

pub mod kinds;
mod notice;
pub mod payload;
#[cfg(test)]
mod tests;

pub use kinds::Scope;
pub use notice::{Dedupe, Notice, ParseError};

use super::id::{ExternalUserId, OpenKfId, UserId};

/// What one decrypted callback says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// WeCom's CreateTime, seconds; `None` when missing or unreadable. Feeds the lag metric only.
    pub create_time: Option<i64>,
    /// What happened.
    pub body: EventBody,
}

impl Event {
    /// Types the decrypted text of a callback; [`Notice::parse`] also tells whom it names.
    pub fn parse(plain: &[u8]) -> Result<Self, ParseError> {
        Notice::parse(plain).map(|notice| notice.event)
    }

    /// The name that rules know it by, as far as it is typed; [`Notice::rules_name`] also names what is not.
    pub fn rules_name(&self) -> Option<&'static str> {
        Some(match &self.body {
            EventBody::Contact(change) => match change.kind {
                ContactChangeKind::Added => "contact_added",
                ContactChangeKind::HalfAdded => "contact_half_added",
                ContactChangeKind::Edited => "contact_edited",
                ContactChangeKind::Lost => "contact_lost",
                ContactChangeKind::Removed => "contact_removed",
                ContactChangeKind::Transferred => "contact_transferred",
                ContactChangeKind::TransferFailed(_) => "transfer_failed",
                ContactChangeKind::ArchiveAgreed => "archive_agreed",
            },
            EventBody::MemberMessage(_) => "message",
            EventBody::AppEntered { .. } => "app_entered",
            EventBody::MemberSubscribed { .. } => "member_subscribed",
            EventBody::MemberUnsubscribed { .. } => "member_unsubscribed",
            EventBody::MenuClick { .. } => "menu_click",
            EventBody::KfBell { .. } | EventBody::Other | EventBody::Unknown => return None,
        })
    }
}

/// What happened.
#[derive(Clone, PartialEq, Eq)]
pub enum EventBody {
    /// `change_external_contact`, every documented ChangeType.
    Contact(ContactChange),
    /// `kf_msg_or_event`: the doorbell; the messages are pulled.
    KfBell {
        /// Which account.
        account: OpenKfId,
        /// For `sync_msg`, good for 10 minutes.
        token: Option<String>,
    },
    /// A member wrote to the app.
    MemberMessage(MemberMessage),
    /// A member opened the app (`enter_agent`).
    AppEntered {
        /// Who.
        member: UserId,
    },
    /// A member came into the app's visible range (`subscribe`).
    MemberSubscribed {
        /// Who.
        member: UserId,
    },
    /// A member left it (`unsubscribe`).
    MemberUnsubscribed {
        /// Who.
        member: UserId,
    },
    /// A menu item was clicked (`click`).
    MenuClick {
        /// Who.
        member: UserId,
        /// EventKey.
        key: String,
    },
    /// Known by name (it is in the table of kinds) but not yet used by rules; kept whole in the raw text.
    Other,
    /// In no table: kept whole, counted, does no harm.
    Unknown,
}

/// Tokens do not print themselves.
impl std::fmt::Debug for EventBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Contact(change) => change.fmt(f),
            Self::KfBell { account, .. } => f
                .debug_struct("KfBell")
                .field("account", account)
                .finish_non_exhaustive(),
            Self::MemberMessage(message) => message.fmt(f),
            Self::AppEntered { member } => f.debug_tuple("AppEntered").field(member).finish(),
            Self::MemberSubscribed { member } => f.debug_tuple("MemberSubscribed").field(member).finish(),
            Self::MemberUnsubscribed { member } => f.debug_tuple("MemberUnsubscribed").field(member).finish(),
            Self::MenuClick { member, key } => f.debug_tuple("MenuClick").field(member).field(key).finish(),
            Self::Other => f.write_str("Other"),
            Self::Unknown => f.write_str("Unknown"),
        }
    }
}

/// `change_external_contact`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactChange {
    /// Which ChangeType.
    pub kind: ContactChangeKind,
    /// The member.
    pub member: UserId,
    /// The customer.
    pub contact: ExternalUserId,
    /// Channel: the contact way's `state` or the link's `customer_channel`.
    pub state: Option<String>,
    /// Usable once, within 20 s; never printed.
    pub welcome_code: Option<WelcomeCode>,
}

/// A welcome code as received. It cannot print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct WelcomeCode(pub String);

impl std::fmt::Debug for WelcomeCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WelcomeCode(…)")
    }
}

/// ChangeType of `change_external_contact`, by direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContactChangeKind {
    /// `add_external_contact`
    Added,
    /// `add_half_external_contact`
    HalfAdded,
    /// `edit_external_contact`
    Edited,
    /// `del_follow_user`: the customer deleted the member.
    Lost,
    /// `del_external_contact`: the member deleted the customer.
    Removed,
    /// `del_external_contact` with Source `DELETE_BY_TRANSFER`.
    Transferred,
    /// `transfer_fail` with its FailReason.
    TransferFailed(Option<String>),
    /// `msg_audit_approved`
    ArchiveAgreed,
}

/// An ordinary message of a member to an app.
#[derive(Clone, PartialEq, Eq)]
pub struct MemberMessage {
    /// Who.
    pub member: UserId,
    /// MsgId, as text (up to 19 digits).
    pub msg_id: String,
    /// MsgType: text, image, voice, video, location, link, …
    pub msg_type: String,
    /// The text of a text message.
    pub text: Option<String>,
}

/// The text does not print itself.
impl std::fmt::Debug for MemberMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemberMessage")
            .field("member", &self.member)
            .field("msg_id", &self.msg_id)
            .field("msg_type", &self.msg_type)
            .field("text_bytes", &self.text.as_ref().map(String::len))
            .finish()
    }
}

/// Whom an event names: the conversation it belongs to, without corp and app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A contact.
    Contact(ExternalUserId),
    /// A member's chat with the app.
    Member(UserId),
    /// A customer group.
    Group(super::id::ChatId),
    /// A kf account.
    KfAccount(OpenKfId),
    /// Nobody: by event name.
    Event(String),
    /// Unknown kind: by payload.
    Payload,
}
