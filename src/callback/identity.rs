//! Whose an event is and how a repeat of it is recognised: what WeCom named, joined with corp and app.

use sha2::{Digest, Sha256};

use crate::model::{AppName, Conversation};
use crate::store::{Mark, MarkKind};
use crate::wecom::event::{Dedupe, Notice, Scope, Subject};
use crate::wecom::id::CorpId;

/// The conversation of an event. `plain` is the text it was read from.
pub fn conversation(corp: &CorpId, app: &AppName, notice: &Notice, plain: &[u8]) -> Conversation {
    let corp = corp.clone();
    match &notice.subject {
        Subject::Contact(contact) => Conversation::Contact(corp, contact.clone()),
        Subject::Member(member) => Conversation::MemberChat(corp, app.clone(), member.clone()),
        Subject::Group(chat) => Conversation::Group(corp, chat.clone()),
        Subject::KfAccount(account) => Conversation::KfAccount(corp, account.clone()),
        Subject::Event(word) => Conversation::Corp(corp, word.clone()),
        Subject::Payload => Conversation::Payload(corp, sha256_hex(plain)),
    }
}

/// The whole dedupe key: prefixed by corp where two apps get copies of one event, else by corp and app. `None`
/// for what is never a repeat.
pub fn mark_text(corp: &CorpId, app: &AppName, notice: &Notice, plain: &[u8]) -> Option<String> {
    let key = match &notice.dedupe {
        Dedupe::Key(key) => key,
        Dedupe::Hash => &format!("sha256|{}", sha256_hex(plain)),
        Dedupe::None => return None,
    };
    Some(match notice.scope {
        Scope::Corp => format!("{corp}|{key}"),
        Scope::App => format!("{corp}|{app}|{key}"),
    })
}

/// The mark that the store keeps of an event.
pub fn mark(corp: &CorpId, app: &AppName, notice: &Notice, plain: &[u8]) -> Option<Mark> {
    let text = mark_text(corp, app, notice, plain)?;
    Some(Mark {
        kind: MarkKind::Event,
        key: Sha256::digest(text).into(),
    })
}

fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, b| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{b:02x}");
        hex
    })
}
