//! 微信客服: pull, send, sessions, accounts, receptionists, customers.

use serde::{Deserialize, Serialize};

use super::message::Media;
use super::{Call, NonEmpty, Repeat, Wire, json, null};
use crate::wecom::id::{ExternalUserId, OpenKfId, UserId};

/// `POST kf/sync_msg`: one page of what happened at an account.
#[derive(Clone, Serialize)]
pub struct SyncMsg {
    /// `next_cursor` of the page before; empty: from the oldest of 3 days.
    pub cursor: String,
    /// The doorbell's token, 10 minutes; without it the rate limit is strict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// ≤ 1000
    pub limit: u32,
    /// Account.
    pub open_kfid: OpenKfId,
}

/// One page. Only `has_more` = 0 ends the pull; an empty page with `has_more` = 1 is legal.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct SyncPage {
    /// To go on from.
    #[serde(default, deserialize_with = "null")]
    pub next_cursor: String,
    /// 1: there is more.
    #[serde(default, deserialize_with = "null")]
    pub has_more: u8,
    /// Messages and events as they came.
    #[serde(default, deserialize_with = "null")]
    pub msg_list: Vec<serde_json::Value>,
}

impl Call for SyncMsg {
    const PATH: &'static str = "kf/sync_msg";
    const REPEAT: Repeat = Repeat::Safe;
    type Answer = SyncPage;

    fn wire(&self) -> Wire {
        json(self)
    }
}

/// What is said in kf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "msgtype", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are WeCom's")]
pub enum KfBody {
    Text { text: KfText },
    Image { image: Media },
    Video { video: Media },
    File { file: Media },
    Link { link: KfLink },
    Miniprogram { miniprogram: KfMiniprogram },
    Msgmenu { msgmenu: Msgmenu },
}

/// A text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KfText {
    content: String,
}

/// A link; the thumb is required.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KfLink {
    /// ≤ 128 B
    pub title: String,
    /// ≤ 512 B
    pub desc: String,
    /// ≤ 2048 B
    pub url: String,
    /// From `media/upload`.
    pub thumb_media_id: String,
}

/// A mini-program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KfMiniprogram {
    /// appid
    pub appid: String,
    /// ≤ 64 B
    pub title: String,
    /// From `media/upload`.
    pub thumb_media_id: String,
    /// Ends in `.html`.
    pub pagepath: String,
}

/// A menu.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Msgmenu {
    /// ≤ 1024 B
    #[serde(skip_serializing_if = "String::is_empty")]
    pub head_content: String,
    /// Entries.
    pub list: Vec<MenuEntry>,
    /// ≤ 1024 B
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tail_content: String,
}

/// One entry of a menu.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are WeCom's")]
pub enum MenuEntry {
    Click { click: Click },
    View { view: View },
}

/// Sends its text back with `menu_id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Click {
    id: String,
    content: String,
}

/// Opens a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct View {
    url: String,
    content: String,
}

impl MenuEntry {
    /// An entry that answers.
    pub fn click(id: String, content: String) -> Self {
        Self::Click {
            click: Click { id, content },
        }
    }

    /// An entry that opens a page.
    pub fn view(url: String, content: String) -> Self {
        Self::View {
            view: View { url, content },
        }
    }
}

impl KfBody {
    /// A text.
    pub fn text(content: String) -> Self {
        Self::Text {
            text: KfText { content },
        }
    }

    /// An image by media id.
    pub fn image(media_id: String) -> Self {
        Self::Image {
            image: Media::new(media_id),
        }
    }

    /// A video by media id.
    pub fn video(media_id: String) -> Self {
        Self::Video {
            video: Media::new(media_id),
        }
    }

    /// A file by media id.
    pub fn file(media_id: String) -> Self {
        Self::File {
            file: Media::new(media_id),
        }
    }
}

/// `POST kf/send_msg`. The msgid is ours: WeCom refuses a second message under it, so a repeat arrives once.
#[derive(Debug, Clone, Serialize)]
pub struct SendKfMessage {
    /// Who gets it.
    pub touser: ExternalUserId,
    /// Account.
    pub open_kfid: OpenKfId,
    /// `[0-9a-zA-Z_-]`, ≤ 32.
    pub msgid: String,
    /// What.
    #[serde(flatten)]
    pub body: KfBody,
}

/// WeCom's echo. Whether it was delivered is told later, by `msg_send_fail`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct KfSent {
    /// Ours.
    #[serde(default, deserialize_with = "null")]
    pub msgid: String,
}

impl Call for SendKfMessage {
    const PATH: &'static str = "kf/send_msg";
    const REPEAT: Repeat = Repeat::Safe;
    type Answer = KfSent;

    fn wire(&self) -> Wire {
        json(self)
    }
}

/// `POST kf/send_msg_on_event`: text or menu. The code is used once and nothing tells afterwards whether it was.
#[derive(Clone, Serialize)]
pub struct SendKfOnEvent {
    /// Welcome code or message code of an event.
    pub code: String,
    /// Ours.
    pub msgid: String,
    /// What.
    #[serde(flatten)]
    pub body: KfBody,
}

impl Call for SendKfOnEvent {
    const PATH: &'static str = "kf/send_msg_on_event";
    const REPEAT: Repeat = Repeat::Never;
    type Answer = KfSent;

    fn wire(&self) -> Wire {
        json(self)
    }
}

/// `POST kf/service_state/get`.
#[derive(Debug, Clone, Serialize)]
pub struct StateGet {
    /// Account.
    pub open_kfid: OpenKfId,
    /// Whose session.
    pub external_userid: ExternalUserId,
}

/// A session's state.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SessionState {
    /// 0 new, 1 assistant, 2 waiting pool, 3 human, 4 ended.
    pub service_state: u8,
    /// Who serves, in state 3.
    #[serde(default, deserialize_with = "null")]
    pub servicer_userid: String,
}

impl Call for StateGet {
    const PATH: &'static str = "kf/service_state/get";
    const REPEAT: Repeat = Repeat::Safe;
    type Answer = SessionState;

    fn wire(&self) -> Wire {
        json(self)
    }
}

/// `POST kf/service_state/trans`. Twice: 95016, which tells that it has happened.
#[derive(Debug, Clone, Serialize)]
pub struct StateTrans {
    /// Account.
    pub open_kfid: OpenKfId,
    /// Whose session.
    pub external_userid: ExternalUserId,
    /// Where to: 2 waiting pool, 3 human, 4 ended.
    pub service_state: u8,
    /// Who shall serve, for state 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub servicer_userid: Option<UserId>,
}

/// The move was made.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Transed {
    /// Code for one message about it.
    #[serde(default, deserialize_with = "null")]
    pub msg_code: String,
}

impl Call for StateTrans {
    const PATH: &'static str = "kf/service_state/trans";
    const REPEAT: Repeat = Repeat::Safe;
    type Answer = Transed;

    fn wire(&self) -> Wire {
        json(self)
    }
}

/// `POST kf/account/list`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct AccountList {
    /// From.
    pub offset: u32,
    /// ≤ 100; fewer in the answer: the last page.
    pub limit: u32,
}

/// Accounts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Accounts {
    /// One page.
    #[serde(default, deserialize_with = "null")]
    pub account_list: Vec<KfAccount>,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct KfAccount {
    /// Its id.
    pub open_kfid: OpenKfId,
    /// Its name.
    #[serde(default, deserialize_with = "null")]
    pub name: String,
    /// False: this app may neither send nor assign.
    #[serde(default, deserialize_with = "null")]
    pub manage_privilege: bool,
}

impl Call for AccountList {
    const PATH: &'static str = "kf/account/list";
    const REPEAT: Repeat = Repeat::Safe;
    type Answer = Accounts;

    fn wire(&self) -> Wire {
        json(self)
    }
}

/// `GET kf/servicer/list`.
#[derive(Debug, Clone)]
pub struct ServicerList {
    /// Account.
    pub open_kfid: OpenKfId,
}

/// Receptionists.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Servicers {
    /// All.
    #[serde(default, deserialize_with = "null")]
    pub servicer_list: Vec<Servicer>,
}

/// One receptionist, or a department of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Servicer {
    /// Member; empty for a department.
    #[serde(default, deserialize_with = "null")]
    pub userid: String,
    /// 0 on duty, 1 stopped; missing for a department.
    pub status: Option<u8>,
}

impl Call for ServicerList {
    const PATH: &'static str = "kf/servicer/list";
    const REPEAT: Repeat = Repeat::Safe;
    type Answer = Servicers;

    fn wire(&self) -> Wire {
        Wire::Get(vec![("open_kfid", self.open_kfid.to_string())])
    }
}

/// `POST kf/customer/batchget`: only customers active within 48 h.
#[derive(Debug, Clone, Serialize)]
pub struct CustomerBatchGet {
    /// At most [`crate::wecom::limits::KF_CUSTOMERS`].
    pub external_userid_list: NonEmpty<ExternalUserId>,
}

/// Customers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Customers {
    /// Those who were found.
    #[serde(default, deserialize_with = "null")]
    pub customer_list: Vec<KfCustomer>,
    /// Those who were not, although errcode is 0.
    #[serde(default, deserialize_with = "null")]
    pub invalid_external_userid: Vec<String>,
}

/// One customer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct KfCustomer {
    /// Who.
    pub external_userid: ExternalUserId,
    /// Nickname.
    #[serde(default, deserialize_with = "null")]
    pub nickname: String,
}

impl Call for CustomerBatchGet {
    const PATH: &'static str = "kf/customer/batchget";
    const REPEAT: Repeat = Repeat::Safe;
    type Answer = Customers;

    fn wire(&self) -> Wire {
        json(self)
    }
}
