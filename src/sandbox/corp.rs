//! The state of one simulated corp: who is there, who knows whom, what was said.
//!
//! Plain tables. The rules stand in the rooms beside this one, each as functions on [`Corp`] that are told
//! the time; nothing here reads a clock or the network.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kf_table::{KfAccount, KfCode, Session};
use super::limits::{Limits, Meters};

/// Which functions an app's secret may call, and which callbacks it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// 客户联系
    Contacts,
    /// 微信客服
    Kf,
    /// Messages to and from members.
    Agent,
}

/// An app of a corp, with its credentials in both directions.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// The sandbox's own name for it; control calls use it.
    pub name: String,
    /// WeCom's number for it.
    pub agent_id: i64,
    /// For `gettoken`.
    pub secret: String,
    /// What it may do.
    pub kinds: BTreeSet<Kind>,
    /// Where its callbacks go; none go while it is missing.
    #[serde(default)]
    pub callback_url: Option<String>,
    /// Signs its callbacks.
    pub token: String,
    /// Encrypts its callbacks, 43 characters.
    pub encoding_aes_key: String,
    /// 应用可见范围; missing = everybody.
    #[serde(default)]
    pub visible: Option<BTreeSet<String>>,
}

/// An employee.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Member {
    /// Name.
    pub name: String,
    /// Alias.
    pub alias: String,
    /// Departments.
    pub departments: Vec<i64>,
    /// The corp set a welcome text for them in the admin page: their customers come without a WelcomeCode.
    pub console_welcome: bool,
    /// 客户联系 is not switched on for them.
    pub no_contacts: bool,
}

/// A customer.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Contact {
    /// Name.
    pub name: String,
    /// Belongs to another WeCom corp: comes without a WelcomeCode.
    pub from_wecom: bool,
    /// Has not agreed to chat archiving: welcomes are refused with 41053 until they do.
    pub archive_pending: bool,
}

/// How far a member and a contact know each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bond {
    /// The contact added a member who needs no verification; the member has not added back.
    Half,
    /// Both.
    Full,
    /// The contact deleted the member: the member's side still holds, tags can be set.
    Lost,
    /// The member deleted the contact.
    Removed,
}

/// A member and a contact.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Relation {
    /// How far they know each other.
    pub bond: Bond,
    /// 备注
    pub remark: String,
    /// 描述
    pub description: String,
    /// Company in the remark.
    pub remark_company: String,
    /// Mobiles in the remark.
    pub remark_mobiles: Vec<String>,
    /// Corp tags, by id.
    pub tags: BTreeSet<String>,
    /// Since when, milliseconds.
    pub since_ms: i64,
    /// Channel.
    pub state: Option<String>,
    /// When they last chatted; chats begin when the contact writes.
    pub chatted_ms: Option<i64>,
    /// The welcome of this acquaintance has been delivered.
    pub welcomed: bool,
    /// Another app is sending its welcome until then, and whether that will succeed.
    pub welcoming: Option<(i64, bool)>,
}

impl Relation {
    pub(super) fn new(bond: Bond, now: i64) -> Self {
        Self {
            bond,
            remark: String::new(),
            description: String::new(),
            remark_company: String::new(),
            remark_mobiles: Vec::new(),
            tags: BTreeSet::new(),
            since_ms: now,
            state: None,
            chatted_ms: None,
            welcomed: false,
            welcoming: None,
        }
    }

    /// Does the member's side hold: may tags be set, may the contact be read?
    pub(super) fn holds(&self) -> bool {
        matches!(self.bond, Bond::Full | Bond::Lost)
    }
}

/// A welcome code given to one app.
#[derive(Debug, Clone)]
pub(super) struct Code {
    pub app: String,
    pub member: String,
    pub contact: String,
    pub given_ms: i64,
}

/// A tag of the library.
#[derive(Debug, Clone)]
pub(super) struct Tag {
    pub id: String,
    pub name: String,
    pub order: i64,
    pub since_ms: i64,
}

/// A group of the tag library.
#[derive(Debug, Clone)]
pub(super) struct TagGroup {
    pub id: String,
    pub name: String,
    pub order: i64,
    pub since_ms: i64,
    /// The app that made it; nobody else's app may change it. `None`: made in the admin page.
    pub made_by: Option<String>,
    pub tags: Vec<Tag>,
}

/// An uploaded file.
#[derive(Debug, Clone)]
pub(super) struct Media {
    pub kind: String,
    pub name: String,
    pub content_type: String,
    pub bytes: bytes::Bytes,
    pub since_ms: i64,
}

/// One recipient of a broadcast.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Recipient {
    pub contact: String,
    pub member: String,
    /// 0 not sent, 1 sent, 2 no friend any more, 3 quota used up.
    pub status: i64,
    pub sent_ms: i64,
}

/// A broadcast task.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Broadcast {
    pub msgid: String,
    pub since_ms: i64,
    pub content: Value,
    pub chat_type: String,
    pub recipients: Vec<Recipient>,
    /// Members who confirmed, and when.
    pub confirmed: BTreeMap<String, i64>,
    pub cancelled: bool,
    pub reminded_ms: Vec<i64>,
}

/// In which way something reached a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// `send_welcome_msg`
    Welcome,
    /// `kf/send_msg`
    Kf,
    /// `kf/send_msg_on_event`
    KfEvent,
    /// `message/send`
    App,
    /// A confirmed broadcast.
    Broadcast,
}

/// What a person saw on their phone.
#[derive(Debug, Clone, Serialize)]
pub struct Seen {
    /// When, on the sandbox's clock.
    pub at_ms: i64,
    /// In which way.
    pub way: Way,
    /// Who saw it: external_userid or userid.
    pub to: String,
    /// From whom: userid, open_kfid or app name.
    pub from: String,
    /// The text of it, as cut by WeCom; empty for messages without any.
    pub text: String,
    /// The message as sent.
    pub content: Value,
}

/// One simulated corp.
#[derive(Debug, Clone, Default)]
pub(super) struct Corp {
    pub corp_id: String,
    pub limits: Limits,
    pub apps: Vec<App>,
    pub members: BTreeMap<String, Member>,
    pub contacts: BTreeMap<String, Contact>,
    pub relations: BTreeMap<(String, String), Relation>,
    pub codes: BTreeMap<String, Code>,
    pub tag_groups: Vec<TagGroup>,
    pub kf: BTreeMap<String, KfAccount>,
    pub sessions: BTreeMap<(String, String), Session>,
    pub kf_codes: BTreeMap<String, KfCode>,
    pub media: BTreeMap<String, Media>,
    pub images: BTreeSet<String>,
    pub broadcasts: Vec<Broadcast>,
    /// When each contact was reached by broadcasts.
    pub reached: BTreeMap<String, Vec<i64>>,
    pub seen: Vec<Seen>,
    /// `message/send` with duplicate check: request → delivered when.
    pub duplicates: BTreeMap<(String, String), i64>,
    pub person_messages: BTreeMap<(String, i64), u32>,
    pub uploads_today: (i64, u32),
    pub meters: Meters,
    pub(super) ids: Ids,
}

/// Makes ids that no other run of the sandbox makes: a seed and a counter.
#[derive(Debug, Clone, Default)]
pub(super) struct Ids {
    pub seed: String,
    pub next: u64,
}

impl Ids {
    /// A new id with this prefix.
    pub(super) fn make(&mut self, prefix: &str) -> String {
        self.next += 1;
        format!("{prefix}{}{:06}", self.seed, self.next)
    }
}

impl Corp {
    /// The app of that name.
    pub(super) fn app(&self, name: &str) -> Option<&App> {
        self.apps.iter().find(|a| a.name == name)
    }

    /// Is the member there, and in the app's visible range?
    pub(super) fn sees(&self, app: &str, member: &str) -> bool {
        self.members.contains_key(member)
            && self
                .app(app)
                .is_some_and(|a| a.visible.as_ref().is_none_or(|v| v.contains(member)))
    }

    /// The relation of a pair.
    pub(super) fn relation(&self, member: &str, contact: &str) -> Option<&Relation> {
        self.relations.get(&(member.to_owned(), contact.to_owned()))
    }

    /// The relation of a pair, to change it.
    pub(super) fn relation_mut(&mut self, member: &str, contact: &str) -> Option<&mut Relation> {
        self.relations.get_mut(&(member.to_owned(), contact.to_owned()))
    }

    /// Notes what a person saw.
    pub(super) fn show(&mut self, at_ms: i64, way: Way, from: &str, to: &str, content: Value) {
        let text = content
            .pointer("/text/content")
            .or_else(|| content.pointer("/markdown/content"))
            .or_else(|| content.pointer("/msgmenu/head_content"))
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        self.seen.push(Seen {
            at_ms,
            way,
            to: to.to_owned(),
            from: from.to_owned(),
            text,
            content,
        });
    }
}
