//! Reads one payload by the table of kinds.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::kinds::{self, Family, KeyOf, Kind, Scope, Who};
use super::payload::Payload;
use super::{ContactChange, ContactChangeKind, Event, EventBody, MemberMessage, Subject, WelcomeCode};
use crate::wecom::id::{ChatId, ExternalUserId, OpenKfId, UserId};

/// The text is neither well-formed XML nor a JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither well-formed XML nor a JSON object")]
pub struct ParseError;

/// By what a repeat of a callback is recognised, without corp and app (see [`Scope`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dedupe {
    /// This key.
    Key(String),
    /// The SHA-256 of the payload.
    Hash,
    /// Nothing: every copy counts (doorbell, refresh poll).
    None,
}

/// One callback, read: what happened, whom it names, how a repeat is recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What happened.
    pub event: Event,
    /// Event, MsgType or InfoType as the table spells it; `unknown` for what is not in the table.
    pub kind: &'static str,
    /// ChangeType as written; borrowed where the table has it.
    pub change_type: Option<Cow<'static, str>>,
    /// Whose order it belongs to.
    pub subject: Subject,
    /// How far `dedupe` reaches.
    pub scope: Scope,
    /// By what a repeat is recognised.
    pub dedupe: Dedupe,
    rule: Option<&'static str>,
}

impl Notice {
    /// Reads the decrypted text of a callback. Bytes that are no UTF-8 (a name cut in the middle of a character)
    /// are replaced rather than refused.
    pub fn parse(plain: &[u8]) -> Result<Self, ParseError> {
        // `from_utf8_lossy` alone looks at every byte; `from_utf8` takes ASCII by the word.
        let text = std::str::from_utf8(plain).map_or_else(|_| String::from_utf8_lossy(plain), Cow::Borrowed);
        Ok(Self::read(&Payload::parse(&text)?, plain))
    }

    /// Reads a payload; `plain` is what it was read from and feeds the hash.
    pub fn read(payload: &Payload<'_>, plain: &[u8]) -> Self {
        let change_type = payload.get("ChangeType");
        let create_time = time_of(payload).and_then(|t| t.parse().ok());
        let known = kind_of(payload, change_type.as_deref()).and_then(|kind| {
            let subject = subject_of(kind, payload)?;
            let body = body_of(kind, payload, &subject)?;
            Some((kind, subject, body))
        });
        let Some((kind, subject, body)) = known else {
            return Self {
                event: Event {
                    create_time,
                    body: EventBody::Unknown,
                },
                kind: "unknown",
                change_type: change_type.map(|c| Cow::Owned(c.into_owned())),
                subject: Subject::Payload,
                scope: Scope::App,
                dedupe: Dedupe::Hash,
                rule: None,
            };
        };
        Self {
            event: Event { create_time, body },
            kind: kind.word,
            change_type: match (change_type, kind.change) {
                (Some(given), Some(known)) if given == known => Some(Cow::Borrowed(known)),
                (Some(given), _) => Some(Cow::Owned(given.into_owned())),
                (None, known) => known.map(Cow::Borrowed),
            },
            subject,
            scope: kind.scope,
            dedupe: dedupe_of(kind, payload, plain),
            rule: kind.rule,
        }
    }

    /// The name that rules know it by; `None` for what no rule can be written on.
    pub fn rules_name(&self) -> Option<&'static str> {
        self.event.rules_name().or(self.rule)
    }
}

fn time_of<'p>(payload: &'p Payload<'_>) -> Option<Cow<'p, str>> {
    let bot = || payload.get("create_time");
    payload
        .get("CreateTime")
        .or_else(|| payload.get("TimeStamp"))
        .or_else(bot)
}

fn kind_of(payload: &Payload<'_>, change: Option<&str>) -> Option<&'static Kind> {
    if let Payload::Json(object) = payload
        && object.contains_key("msgtype")
    {
        let word = payload.get("event/eventtype").or_else(|| payload.get("msgtype"))?;
        return kinds::find(Family::Bot, &word, None);
    }
    match payload.get("MsgType") {
        Some(word) if word.eq_ignore_ascii_case("event") => kinds::find(Family::Event, &payload.get("Event")?, change),
        Some(word) => kinds::find(Family::Message, &word, None),
        None => kinds::find(Family::Info, &payload.get("InfoType")?, change),
    }
}

/// `None` when the payload names nobody that could exist: then it is kept as unknown.
fn subject_of(kind: &Kind, payload: &Payload<'_>) -> Option<Subject> {
    Some(match kind.who {
        Who::Contact => Subject::Contact(ExternalUserId::parse(&payload.get("ExternalUserID")?).ok()?),
        Who::Member => Subject::Member(member(payload, "FromUserName")?),
        Who::Group => Subject::Group(ChatId::parse(&payload.get("ChatId")?).ok()?),
        Who::KfAccount => Subject::KfAccount(OpenKfId::parse(&payload.get("OpenKfId")?).ok()?),
        Who::BotChat => match payload.get("chatid") {
            Some(chat) => Subject::Group(ChatId::parse(&chat).ok()?),
            None => Subject::Member(member(payload, "from/userid")?),
        },
        Who::Nobody => Subject::Event(kind.word.to_owned()),
    })
}

fn member(payload: &Payload<'_>, path: &str) -> Option<UserId> {
    UserId::parse(&payload.get(path)?).ok()
}

/// `subject` is what [`subject_of`] found: an id is read once and shared.
fn body_of(kind: &Kind, payload: &Payload<'_>, subject: &Subject) -> Option<EventBody> {
    let from = || match subject {
        Subject::Member(member) => Some(member.clone()),
        _ => member(payload, "FromUserName"),
    };
    let owned = |path| payload.get(path).map(Cow::into_owned);
    Some(match (kind.family, kind.word) {
        (Family::Event, "change_external_contact") => EventBody::Contact(ContactChange {
            kind: contact_change(kind.change?, payload)?,
            member: member(payload, "UserID")?,
            contact: match subject {
                Subject::Contact(contact) => contact.clone(),
                _ => ExternalUserId::parse(&payload.get("ExternalUserID")?).ok()?,
            },
            state: owned("State"),
            welcome_code: owned("WelcomeCode").map(WelcomeCode),
        }),
        (Family::Event, "kf_msg_or_event") => EventBody::KfBell {
            account: match subject {
                Subject::KfAccount(account) => account.clone(),
                _ => OpenKfId::parse(&payload.get("OpenKfId")?).ok()?,
            },
            token: owned("Token"),
        },
        (Family::Event, "enter_agent") => EventBody::AppEntered { member: from()? },
        (Family::Event, "subscribe") => EventBody::MemberSubscribed { member: from()? },
        (Family::Event, "unsubscribe") => EventBody::MemberUnsubscribed { member: from()? },
        (Family::Event, "click") => EventBody::MenuClick {
            member: from()?,
            key: owned("EventKey").unwrap_or_default(),
        },
        (Family::Message, msg_type) => EventBody::MemberMessage(MemberMessage {
            member: from()?,
            msg_id: owned("MsgId").unwrap_or_default(),
            msg_type: msg_type.to_owned(),
            text: (msg_type == "text").then(|| payload.verbatim("Content").unwrap_or_default()),
        }),
        (Family::Event | Family::Info | Family::Bot, _) => EventBody::Other,
    })
}

fn contact_change(change: &str, payload: &Payload<'_>) -> Option<ContactChangeKind> {
    Some(match change {
        "add_external_contact" => ContactChangeKind::Added,
        "add_half_external_contact" => ContactChangeKind::HalfAdded,
        "edit_external_contact" => ContactChangeKind::Edited,
        "del_follow_user" => ContactChangeKind::Lost,
        "del_external_contact" => match payload.get("Source") {
            Some(source) if source.eq_ignore_ascii_case("DELETE_BY_TRANSFER") => ContactChangeKind::Transferred,
            _ => ContactChangeKind::Removed,
        },
        "transfer_fail" => ContactChangeKind::TransferFailed(payload.get("FailReason").map(Cow::into_owned)),
        "msg_audit_approved" => ContactChangeKind::ArchiveAgreed,
        _ => return None,
    })
}

fn dedupe_of(kind: &Kind, payload: &Payload<'_>, plain: &[u8]) -> Dedupe {
    let (fields, mut hashed) = match kind.key {
        KeyOf::Never => return Dedupe::None,
        KeyOf::Hash => return Dedupe::Hash,
        KeyOf::Fields(fields) => (fields, false),
        KeyOf::FieldsAndHash(fields) => (fields, true),
    };
    let mut key = String::with_capacity(160);
    key.push_str(kind.word);
    if let Some(change) = kind.change {
        key.push('|');
        key.push_str(change);
    }
    for field in fields {
        let (name, optional) = field.strip_suffix('?').map_or((*field, false), |name| (name, true));
        let value = if name == "CreateTime" {
            time_of(payload)
        } else {
            payload.get(name)
        };
        hashed |= value.is_none() && !optional;
        key.push('|');
        push_escaped(&mut key, value.as_deref().unwrap_or(""));
    }
    if hashed {
        key.push('|');
        key.push_str(&hex(&Sha256::digest(plain)));
    }
    Dedupe::Key(key)
}

/// Escapes the separator inside a value, so that two lists of values never make one key.
fn push_escaped(key: &mut String, value: &str) {
    if value.bytes().all(|b| b != b'|' && b != b'%') {
        return key.push_str(value);
    }
    for c in value.chars() {
        match c {
            '|' => key.push_str("%7C"),
            '%' => key.push_str("%25"),
            other => key.push(other),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, b| {
        for digit in [b >> 4, b & 15] {
            out.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
        out
    })
}
