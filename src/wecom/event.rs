//! Events and messages of callbacks, typed.

use super::id::{ExternalUserId, OpenKfId, UserId};

/// What one decrypted callback says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// WeCom's CreateTime, seconds; `None` when missing or unreadable. Feeds the lag metric only.
    pub create_time: Option<i64>,
    /// What happened.
    pub body: EventBody,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
