//! One element of `sync_msg`'s `msg_list`, typed (微信客服).
//!
//! In: its JSON as the API gave it. Out: [`KfMessage`]. What we do not know is kept as [`KfBody::Other`], and a
//! field that cannot be read is missing; an error comes only of what has no `msgid` to be recognised by.

use serde_json::Value;

use super::event::WelcomeCode;
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

/// `event` by its `event_type`. Codes cannot print themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KfEvent {
    /// `enter_session`
    EnterSession {
        /// Of the kf link: our channel.
        scene: Option<String>,
        /// The link's own parameter, as WeCom gives it (percent-encoded by whoever made the link).
        scene_param: Option<String>,
        /// For one answer within 20 s; missing when the customer was welcomed within 48 h or has written before.
        welcome_code: Option<WelcomeCode>,
    },
    /// `msg_send_fail`: a message that the API had accepted did not arrive.
    SendFailed {
        /// The message of ours.
        fail_msgid: String,
        /// WeCom's number; see callbacks.md §4.5.
        fail_type: i64,
    },
    /// `session_status_change`: a receptionist took, passed on, ended or re-opened a session.
    SessionChanged {
        /// 1 taken from the pool, 2 transferred, 3 ended, 4 re-opened.
        change_type: i64,
        /// Who had it.
        old_servicer: Option<UserId>,
        /// Who has it.
        new_servicer: Option<UserId>,
        /// For one message: 48 h after 1, 20 s after 3.
        msg_code: Option<WelcomeCode>,
    },
    /// `servicer_status_change`
    ServicerStatus {
        /// 1 receiving, 2 stopped.
        status: i64,
    },
    /// `user_recall_msg`: the customer took a message back.
    UserRecalled {
        /// Which.
        recall_msgid: String,
    },
    /// `servicer_recall_msg`
    ServicerRecalled {
        /// Which.
        recall_msgid: String,
    },
    /// `reject_customer_msg_switch_change`
    RejectSwitch {
        /// True: the receptionist takes no messages of this customer.
        rejects: bool,
    },
    /// In no table of ours.
    Other {
        /// As written.
        event_type: String,
    },
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

/// A JSON object whose fields are read leniently: numbers as text and the other way round, empty as missing.
#[derive(Clone, Copy)]
struct Fields<'v>(&'v Value);

impl<'v> Fields<'v> {
    fn text(self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(s) if !s.is_empty() => Some(s.clone()),
            Value::Number(n) => Some(n.to_string()),
            _ => None,
        }
    }

    fn number(self, name: &str) -> Option<i64> {
        match self.0.get(name)? {
            Value::Number(n) => n.as_i64(),
            Value::String(s) => s.trim().parse().ok(),
            _ => None,
        }
    }

    fn user(self, name: &str) -> Option<UserId> {
        UserId::parse(self.0.get(name)?.as_str()?.trim()).ok()
    }

    fn code(self, name: &str) -> Option<WelcomeCode> {
        self.text(name).map(WelcomeCode)
    }

    fn inside(self, name: &str) -> Fields<'v> {
        Fields(self.0.get(name).unwrap_or(&Value::Null))
    }
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

impl KfEvent {
    fn of(event: Fields<'_>) -> Self {
        let event_type = event.text("event_type").unwrap_or_default();
        let number = |name| event.number(name).unwrap_or(0);
        let msgid = |name| event.text(name).unwrap_or_default();
        match event_type.as_str() {
            "enter_session" => Self::EnterSession {
                scene: event.text("scene"),
                scene_param: event.text("scene_param"),
                welcome_code: event.code("welcome_code"),
            },
            "msg_send_fail" => Self::SendFailed {
                fail_msgid: msgid("fail_msgid"),
                fail_type: number("fail_type"),
            },
            "session_status_change" => Self::SessionChanged {
                change_type: number("change_type"),
                old_servicer: event.user("old_servicer_userid"),
                new_servicer: event.user("new_servicer_userid"),
                msg_code: event.code("msg_code"),
            },
            "servicer_status_change" => Self::ServicerStatus {
                status: number("status"),
            },
            "user_recall_msg" => Self::UserRecalled {
                recall_msgid: msgid("recall_msgid"),
            },
            "servicer_recall_msg" => Self::ServicerRecalled {
                recall_msgid: msgid("recall_msgid"),
            },
            "reject_customer_msg_switch_change" => Self::RejectSwitch {
                rejects: number("reject_switch") == 1,
            },
            _ => Self::Other { event_type },
        }
    }

    /// WeCom's `event_type`.
    pub fn word(&self) -> &str {
        match self {
            Self::EnterSession { .. } => "enter_session",
            Self::SendFailed { .. } => "msg_send_fail",
            Self::SessionChanged { .. } => "session_status_change",
            Self::ServicerStatus { .. } => "servicer_status_change",
            Self::UserRecalled { .. } => "user_recall_msg",
            Self::ServicerRecalled { .. } => "servicer_recall_msg",
            Self::RejectSwitch { .. } => "reject_customer_msg_switch_change",
            Self::Other { event_type } => event_type,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(json: &str) -> KfMessage {
        KfMessage::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn a_customers_text_is_typed_with_its_menu_item() {
        let m = message(
            r#"{"msgid":"m1","open_kfid":"wk1","external_userid":"wm1","send_time":1615478585,"origin":3,
                "msgtype":"text","text":{"content":"hi","menu_id":"price"}}"#,
        );
        assert_eq!(m.account, OpenKfId::parse("wk1").ok());
        assert_eq!(m.contact, ExternalUserId::parse("wm1").ok());
        assert_eq!((m.send_time, m.origin), (Some(1_615_478_585), Origin::Customer));
        assert_eq!(m.rules_name(), Some("message"));
        let KfBody::Text { content, menu_id } = &m.body else {
            panic!()
        };
        assert_eq!((content.as_str(), menu_id.as_deref()), ("hi", Some("price")));
        assert!(!format!("{m:?}").contains("hi\""));
    }

    #[test]
    fn an_event_names_account_and_customer_inside_and_keeps_its_code_to_itself() {
        let m = message(
            r#"{"msgid":"m2","send_time":"1615478585","origin":4,"msgtype":"event","event":{"event_type":"enter_session",
                "open_kfid":"wk1","external_userid":"wm1","scene":"s","scene_param":"a%3D1","welcome_code":"SECRET"}}"#,
        );
        assert_eq!(m.account, OpenKfId::parse("wk1").ok());
        assert_eq!(m.contact, ExternalUserId::parse("wm1").ok());
        assert_eq!((m.kind(), m.rules_name()), ("enter_session", Some("enter_session")));
        assert!(format!("{m:?}").contains("WelcomeCode(…)") && !format!("{m:?}").contains("SECRET"));
    }

    #[test]
    fn every_documented_event_is_typed() {
        let event = |fields: &str| {
            let json = format!(r#"{{"msgid":"m","msgtype":"event","origin":4,"event":{{{fields}}}}}"#);
            match message(&json).body {
                KfBody::Event(e) => e,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            event(r#""event_type":"msg_send_fail","fail_msgid":"f","fail_type":6"#),
            KfEvent::SendFailed {
                fail_msgid: "f".into(),
                fail_type: 6
            }
        );
        assert_eq!(
            event(
                r#""event_type":"session_status_change","change_type":3,"old_servicer_userid":"li","new_servicer_userid":"","msg_code":"c""#
            ),
            KfEvent::SessionChanged {
                change_type: 3,
                old_servicer: UserId::parse("li").ok(),
                new_servicer: None,
                msg_code: Some(WelcomeCode("c".into())),
            }
        );
        assert_eq!(
            event(r#""event_type":"servicer_status_change","status":2,"stop_type":1"#),
            KfEvent::ServicerStatus { status: 2 }
        );
        assert_eq!(
            event(r#""event_type":"user_recall_msg","recall_msgid":"r""#),
            KfEvent::UserRecalled {
                recall_msgid: "r".into()
            }
        );
        assert_eq!(
            event(r#""event_type":"servicer_recall_msg","recall_msgid":"r""#),
            KfEvent::ServicerRecalled {
                recall_msgid: "r".into()
            }
        );
        assert_eq!(
            event(r#""event_type":"reject_customer_msg_switch_change","reject_switch":1"#),
            KfEvent::RejectSwitch { rejects: true }
        );
        assert_eq!(
            event(r#""event_type":"new""#),
            KfEvent::Other {
                event_type: "new".into()
            }
        );
        assert_eq!(
            event(""),
            KfEvent::Other {
                event_type: String::new()
            }
        );
    }

    #[test]
    fn what_is_unknown_is_kept_and_only_what_has_no_msgid_is_an_error() {
        let m = message(r#"{"msgid":"m","msgtype":"hologram","origin":3,"external_userid":"","send_time":null}"#);
        assert_eq!((m.kind(), &m.body, &m.contact), ("hologram", &KfBody::Other, &None));
        assert_eq!(KfMessage::parse(b"{\"msgtype\":\"text\"}"), Err(KfParseError::NoMsgId));
        assert_eq!(KfMessage::parse(b"[]"), Err(KfParseError::Json));
        assert_eq!(KfMessage::parse(b""), Err(KfParseError::Json));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>, word in "[a-z_]{0,12}", n: i64) {
            let _ = KfMessage::parse(&bytes);
            let json = format!(r#"{{"msgid":"m","msgtype":"{word}","origin":{n},"event":{n},"text":[{n}],"send_time":"{word}"}}"#);
            let _ = KfMessage::parse(json.as_bytes());
        }
    }
}
