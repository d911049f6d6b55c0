//! What people do: customers, members, receptionists. Each act changes the corp and fires the callbacks
//! that WeCom would fire.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::corp::Corp;
use super::ring::Ring;
use super::{act_app, act_contact, act_kf};

/// One thing that somebody does. As JSON: `{"do": "scan", "member": …}`.
///
/// Where `account` is missing the corp's first kf account is meant; where `app` is missing, every app that is
/// entitled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the fields' names say what they are; who does what stands on the variants"
)]
pub enum Act {
    /// A contact scans a member's QR code; an unknown contact is born. `half`: the member needs no
    /// verification and has not added back yet.
    Scan {
        member: String,
        contact: String,
        #[serde(default)]
        state: Option<String>,
        #[serde(default)]
        half: bool,
        #[serde(default)]
        name: Option<String>,
    },
    /// The member adds a half-added contact back.
    Confirm { member: String, contact: String },
    /// The contact deletes the member (`del_follow_user`).
    DeleteMember { member: String, contact: String },
    /// The member deletes the contact (`del_external_contact`); `transfer`: because of a handover.
    DeleteContact {
        member: String,
        contact: String,
        #[serde(default)]
        transfer: bool,
    },
    /// A handover failed (`transfer_fail`): `customer_refused` or `customer_limit_exceed`.
    TransferFail {
        member: String,
        contact: String,
        reason: String,
    },
    /// The member edits remark or tags (by `Group/Tag` or id) in the client.
    Edit {
        member: String,
        contact: String,
        #[serde(default)]
        remark: Option<String>,
        #[serde(default)]
        add_tags: Vec<String>,
        #[serde(default)]
        remove_tags: Vec<String>,
    },
    /// The contact agrees to chat archiving (`msg_audit_approved`).
    ArchiveAgree { member: String, contact: String },
    /// The contact writes to the member. No callback: their chat is theirs. Ends the time of welcomes.
    ContactWrite { member: String, contact: String },
    /// Another app is sending its welcome: 41096 for `ms`, then it has succeeded (41051) or not.
    OtherWelcome {
        member: String,
        contact: String,
        ms: i64,
        #[serde(default)]
        succeeds: bool,
    },
    /// An administrator adds tags in the admin page (`change_external_tag`).
    MakeTags { group: String, tags: Vec<String> },
    /// A new member.
    AddMember { member: String, name: String },
    /// A new customer who knows nobody.
    AddContact { contact: String, name: String },
    /// A customer opens a kf account.
    KfEnter {
        #[serde(default)]
        account: Option<String>,
        contact: String,
        #[serde(default)]
        scene: String,
        #[serde(default)]
        scene_param: String,
    },
    /// A customer writes to kf: `text` (with `menu_id` it was a click on a menu), or any `content` with its
    /// msgtype. A picture without a media_id gets one.
    KfWrite {
        #[serde(default)]
        account: Option<String>,
        contact: String,
        #[serde(default)]
        text: Option<String>,
        #[serde(default)]
        menu_id: Option<String>,
        #[serde(default)]
        content: Option<Value>,
    },
    /// A customer takes a message back.
    KfRecall {
        #[serde(default)]
        account: Option<String>,
        contact: String,
        msgid: String,
    },
    /// A receptionist takes a customer from the pool.
    KfTake {
        #[serde(default)]
        account: Option<String>,
        contact: String,
        servicer: String,
    },
    /// A receptionist hands a customer to another.
    KfTransfer {
        #[serde(default)]
        account: Option<String>,
        contact: String,
        servicer: String,
    },
    /// A receptionist ends the session.
    KfEnd {
        #[serde(default)]
        account: Option<String>,
        contact: String,
    },
    /// A receptionist opens it again.
    KfReopen {
        #[serde(default)]
        account: Option<String>,
        contact: String,
        servicer: String,
    },
    /// A receptionist writes to the customer.
    KfServicerWrite {
        #[serde(default)]
        account: Option<String>,
        contact: String,
        servicer: String,
        text: String,
    },
    /// A receptionist begins or stops receiving.
    KfDuty {
        #[serde(default)]
        account: Option<String>,
        servicer: String,
        on: bool,
    },
    /// A sent message turns out not to have arrived (`msg_send_fail`).
    KfSendFail {
        #[serde(default)]
        account: Option<String>,
        contact: String,
        msgid: String,
        fail_type: i64,
    },
    /// A bare doorbell, with nothing new.
    KfRing {
        #[serde(default)]
        account: Option<String>,
    },
    /// The next `pages` pages of `sync_msg` are empty, with has_more 1. No callback.
    KfEmptyPages {
        #[serde(default)]
        account: Option<String>,
        pages: u32,
    },
    /// A member writes to an app.
    MemberWrite {
        #[serde(default)]
        app: Option<String>,
        member: String,
        text: String,
    },
    /// A member opens an app (`enter_agent`).
    MemberEnterAgent {
        #[serde(default)]
        app: Option<String>,
        member: String,
    },
    /// A member clicks an app's menu (`click`).
    MenuClick {
        #[serde(default)]
        app: Option<String>,
        member: String,
        key: String,
    },
    /// A member comes into an app's visible range.
    Subscribe {
        #[serde(default)]
        app: Option<String>,
        member: String,
    },
    /// A member leaves it.
    Unsubscribe {
        #[serde(default)]
        app: Option<String>,
        member: String,
    },
    /// Members (or one) confirm a broadcast in the client.
    ConfirmBroadcast {
        msgid: String,
        #[serde(default)]
        member: Option<String>,
    },
    /// Any XML to an app, encrypted and signed as it stands.
    Raw { app: String, xml: String },
}

/// What an act brought about.
pub(super) struct Done {
    /// For the one who asked: ids of what was made.
    pub result: Value,
    pub rings: Vec<Ring>,
}

impl Done {
    pub(super) fn new(result: Value, rings: Vec<Ring>) -> Self {
        Self { result, rings }
    }
}

/// Does it. An error is a sentence for whoever wrote the act.
pub(super) fn perform(corp: &mut Corp, act: Act, now: i64) -> Result<Done, String> {
    match act {
        Act::KfEnter { .. }
        | Act::KfWrite { .. }
        | Act::KfRecall { .. }
        | Act::KfTake { .. }
        | Act::KfTransfer { .. }
        | Act::KfEnd { .. }
        | Act::KfReopen { .. }
        | Act::KfServicerWrite { .. }
        | Act::KfDuty { .. }
        | Act::KfSendFail { .. }
        | Act::KfRing { .. }
        | Act::KfEmptyPages { .. } => act_kf::perform(corp, act, now),
        Act::MemberWrite { .. }
        | Act::MemberEnterAgent { .. }
        | Act::MenuClick { .. }
        | Act::Subscribe { .. }
        | Act::Unsubscribe { .. }
        | Act::AddMember { .. }
        | Act::AddContact { .. }
        | Act::ConfirmBroadcast { .. }
        | Act::MakeTags { .. }
        | Act::Raw { .. } => act_app::perform(corp, act, now),
        Act::Scan { .. }
        | Act::Confirm { .. }
        | Act::DeleteMember { .. }
        | Act::DeleteContact { .. }
        | Act::TransferFail { .. }
        | Act::Edit { .. }
        | Act::ArchiveAgree { .. }
        | Act::ContactWrite { .. }
        | Act::OtherWelcome { .. } => act_contact::perform(corp, act, now),
    }
}
