//! One element of `sync_msg`'s `msg_list`, typed (微信客服).
//!
//! In: its JSON as the API gave it. Out: [`KfMessage`]. What we do not know is kept as [`KfBody::Other`], and a
//! field that cannot be read is missing; an error comes only of what has no `msgid` to be recognised by.

mod event;
mod fields;
#[cfg(test)]
mod tests;

pub use event::KfEvent;

use serde_json::Value;

use self::fields::Fields;
use super::id::{ExternalUserId, OpenKfId, UserId};

/// A message or event of a kf account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KfMessage {
    /// By which a repeat is recognised.
    pub msgid: String,
    /// The account; events carry it inside, here it is always in this place.
    pub account: Option<OpenKfId>,
    /// The customer; missing in events that are about receptionists only.
    pub contact: Option<ExternalUserId>,
    /// Seconds since the epoch, WeCom's clock.
    pub send_time: Option<i64>,
    /// Who spoke.
    pub origin: Origin,
    /// The receptionist, where one spoke or changed something.
    pub servicer: Option<UserId>,
    /// `msgtype` as written.
    pub msgtype: String,
    /// What it says.
    pub body: KfBody,
}

/// Who sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// 3: the customer.
    Customer,
    /// 4: WeCom itself, that is events.
    System,
    /// 5: a receptionist in the WeCom client.
    Servicer,
    /// Another number, or none.
    Other(i64),
}

/// What a kf message says.
#[derive(Clone, PartialEq, Eq)]
pub enum KfBody {
    /// `text`
    Text {
        /// What was written.
        content: String,
        /// The menu item that was clicked instead of writing.
        menu_id: Option<String>,
    },
    /// `event`
    Event(KfEvent),
    /// Every other msgtype; the raw JSON has the rest.
    Other,
}

/// Texts of customers do not print themselves.
impl std::fmt::Debug for KfBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text { content, menu_id } => f
                .debug_struct("Text")
                .field("content_bytes", &content.len())
                .field("menu_id", menu_id)
                .finish(),
            Self::Event(event) => event.fmt(f),
            Self::Other => f.write_str("Other"),
        }
    }
}

/// Why bytes are no kf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KfParseError {
    /// Not a JSON object.
    #[error("not a JSON object")]
    Json,
    /// Without a `msgid` a repeat cannot be recognised.
    #[error("has no msgid")]
    NoMsgId,
}

impl KfMessage {
    /// Types one element of `msg_list`.
    pub fn parse(json: &[u8]) -> Result<Self, KfParseError> {
        let value: Value = serde_json::from_slice(json).map_err(|_| KfParseError::Json)?;
        Self::from_value(&value)
    }

    /// The same for an element that has been read as JSON already.
    pub fn from_value(value: &Value) -> Result<Self, KfParseError> {
        if !value.is_object() {
            return Err(KfParseError::Json);
        }
        let fields = Fields(value);
        let event = fields.inside("event");
        let either = |name| {
            let inner = fields.0.get(name).or(event.0.get(name));
            inner.and_then(Value::as_str).map(str::trim)
        };
        let msgtype = fields.text("msgtype").unwrap_or_default();
        Ok(Self {
            msgid: fields.text("msgid").ok_or(KfParseError::NoMsgId)?,
            account: either("open_kfid").and_then(|t| OpenKfId::parse(t).ok()),
            contact: either("external_userid").and_then(|t| ExternalUserId::parse(t).ok()),
            send_time: fields.number("send_time"),
            origin: match fields.number("origin").unwrap_or(0) {
                3 => Origin::Customer,
                4 => Origin::System,
                5 => Origin::Servicer,
                other => Origin::Other(other),
            },
            servicer: fields.user("servicer_userid").or_else(|| event.user("servicer_userid")),
            body: match msgtype.as_str() {
                "text" => KfBody::Text {
                    content: fields.inside("text").text("content").unwrap_or_default(),
                    menu_id: fields.inside("text").text("menu_id"),
                },
                "event" => KfBody::Event(KfEvent::of(event)),
                _ => KfBody::Other,
            },
            msgtype,
        })
    }

    /// `event_type` of an event, else `msgtype`.
    pub fn kind(&self) -> &str {
        match &self.body {
            KfBody::Event(event) => event.word(),
            KfBody::Text { .. } | KfBody::Other => &self.msgtype,
        }
    }

    /// The name that rules know it by; `None` for what no rule can be written on.
    pub fn rules_name(&self) -> Option<&'static str> {
        match &self.body {
            KfBody::Event(KfEvent::EnterSession { .. }) => Some("enter_session"),
            KfBody::Event(KfEvent::SessionChanged { .. }) => Some("session_changed"),
            KfBody::Event(_) => None,
            KfBody::Text { .. } | KfBody::Other => (self.origin == Origin::Customer).then_some("message"),
        }
    }
}
