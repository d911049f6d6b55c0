//! The table of kinds: which callbacks exist, whom each names, by what a repeat is recognised.
//!
//! Source: callbacks.md §3 (kinds) and §6 (dedupe). The sheet's keys that name too little are made longer here:
//! every key has both people where there are two. A kind that the sheet lists without a key is recognised by
//! its payload's hash.

use self::Family::{Bot, Event, Info, Message};
use self::KeyOf::{Fields, FieldsAndHash, Hash, Never};
use self::Scope::{App, Corp};
use self::Who::{BotChat, Contact, Group, KfAccount, Member, Nobody};

/// Which element holds a kind's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `Event`, where MsgType is `event`.
    Event,
    /// `MsgType`: an ordinary message of a member.
    Message,
    /// `InfoType`: provider callbacks.
    Info,
    /// `msgtype` or `event.eventtype` of 智能机器人, JSON.
    Bot,
}

/// Whom a kind names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// ExternalUserID.
    Contact,
    /// FromUserName.
    Member,
    /// ChatId.
    Group,
    /// OpenKfId.
    KfAccount,
    /// `chatid` of a group, else `from.userid`.
    BotChat,
    /// Nobody: its conversation is the kind itself.
    Nobody,
}

/// How far a dedupe key reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Two apps of one corp get copies of the same event: the first copy counts.
    Corp,
    /// Each app's callbacks are its own.
    App,
}

/// How a repeat is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOf {
    /// By these elements: `A/B` is B inside A, `?` behind a name means that it may be missing. Where another one
    /// is missing, the payload's hash joins the key, because the rest would name too little.
    Fields(&'static [&'static str]),
    /// By these elements and the payload's hash.
    FieldsAndHash(&'static [&'static str]),
    /// By the payload's hash.
    Hash,
    /// Not at all: every copy counts.
    Never,
}

/// One kind of callback.
#[derive(Debug)]
pub struct Kind {
    /// Where its name stands.
    pub family: Family,
    /// Event, MsgType or InfoType.
    pub word: &'static str,
    /// ChangeType, where the event has several; `None` takes any.
    pub change: Option<&'static str>,
    /// The name that rules know it by; body types may be more precise ([`super::Event::rules_name`]).
    pub rule: Option<&'static str>,
    /// Whom it names.
    pub who: Who,
    /// How far its key reaches.
    pub scope: Scope,
    /// How a repeat is recognised; the kind and ChangeType always belong to the key.
    pub key: KeyOf,
}

/// The kind of this name; letter case does not matter.
pub fn find(family: Family, word: &str, change: Option<&str>) -> Option<&'static Kind> {
    // Very old change_external_chat events come without a ChangeType.
    let change = change.or((word == "change_external_chat").then_some("update"));
    KINDS.iter().find(|k| {
        k.family == family
            && k.word.eq_ignore_ascii_case(word)
            && k.change
                .is_none_or(|c| change.is_some_and(|given| c.eq_ignore_ascii_case(given)))
    })
}

const PAIR: KeyOf = Fields(&["UserID", "ExternalUserID", "CreateTime"]);
const GROUP: KeyOf = Fields(&["ChatId", "CreateTime"]);
const TAG: KeyOf = Fields(&["Id", "TagType?", "StrategyId?", "CreateTime"]);
const MESSAGE: KeyOf = Fields(&["MsgId"]);
const BY_MEMBER: KeyOf = Fields(&["AgentID?", "FromUserName", "CreateTime"]);
const MENU: KeyOf = Fields(&["AgentID?", "FromUserName", "CreateTime", "EventKey?"]);
const MENU_MORE: KeyOf = FieldsAndHash(&["AgentID?", "FromUserName", "CreateTime", "EventKey?"]);
const CARD: KeyOf = Fields(&["TaskId", "FromUserName", "EventKey?", "ResponseCode?", "CreateTime"]);
const LINK: KeyOf = Fields(&[
    "LinkId?",
    "UserID?",
    "ExternalUserID?",
    "ChatKey?",
    "OnceKey?",
    "CreateTime",
    "State?",
]);
const BALANCE: KeyOf = Fields(&["ExpireTime?", "CreateTime"]);
const BOT: KeyOf = Fields(&["msgid"]);
const AUTHORISED: KeyOf = Fields(&["AuthCorpId", "CreateTime"]);
const PROVIDED: KeyOf = FieldsAndHash(&["AuthCorpId", "ChangeType?", "CreateTime"]);

macro_rules! kinds {
    ($($family:ident $word:literal $(/ $change:literal)? $(=> $rule:literal)? : $who:ident $scope:ident $key:expr;)*) => {
        &[$(Kind {
            family: $family,
            word: $word,
            change: kinds!(@option $($change)?),
            rule: kinds!(@option $($rule)?),
            who: $who,
            scope: $scope,
            key: $key,
        }),*]
    };
    (@option) => { None };
    (@option $value:literal) => { Some($value) };
}

/// All kinds, the frequent ones first.
pub const KINDS: &[Kind] = kinds! {
    Event "change_external_contact" / "add_external_contact" => "contact_added": Contact Corp PAIR;
    Event "kf_msg_or_event": KfAccount App Never;
    Message "text" => "message": Member App MESSAGE;
    Event "change_external_contact" / "add_half_external_contact" => "contact_half_added": Contact Corp PAIR;
    Event "change_external_contact" / "edit_external_contact" => "contact_edited": Contact Corp PAIR;
    Event "change_external_contact" / "del_external_contact" => "contact_removed": Contact Corp PAIR;
    Event "change_external_contact" / "del_follow_user" => "contact_lost": Contact Corp PAIR;
    Event "change_external_contact" / "msg_audit_approved" => "archive_agreed": Contact Corp PAIR;
    Event "change_external_contact" / "transfer_fail" => "transfer_failed":
        Contact Corp Fields(&["UserID", "ExternalUserID", "FailReason?", "CreateTime"]);
    Event "enter_agent" => "app_entered": Member App BY_MEMBER;
    Event "click" => "menu_click": Member App MENU;

    Event "change_external_chat" / "create" => "group_created": Group Corp GROUP;
    Event "change_external_chat" / "update" => "group_changed":
        Group Corp Fields(&["ChatId", "UpdateDetail?", "CurMemVer", "CreateTime"]);
    Event "change_external_chat" / "dismiss" => "group_dismissed": Group Corp GROUP;
    Event "change_external_tag" / "create" => "tag_created": Nobody Corp TAG;
    Event "change_external_tag" / "update" => "tag_changed": Nobody Corp TAG;
    Event "change_external_tag" / "delete" => "tag_deleted": Nobody Corp TAG;
    Event "change_external_tag" / "shuffle" => "tags_reordered":
        Nobody Corp Fields(&["Id?", "StrategyId?", "CreateTime"]);

    Message "image" => "message": Member App MESSAGE;
    Message "voice" => "message": Member App MESSAGE;
    Message "video" => "message": Member App MESSAGE;
    Message "location" => "message": Member App MESSAGE;
    Message "link" => "message": Member App MESSAGE;

    Event "subscribe" => "member_subscribed": Member App BY_MEMBER;
    Event "unsubscribe" => "member_unsubscribed": Member App BY_MEMBER;
    Event "LOCATION": Member App Fields(&["AgentID?", "FromUserName", "CreateTime", "Latitude?", "Longitude?"]);
    Event "view": Member App MENU;
    Event "view_miniprogram": Member App MENU;
    Event "scancode_push": Member App MENU_MORE;
    Event "scancode_waitmsg": Member App MENU_MORE;
    Event "pic_sysphoto": Member App MENU_MORE;
    Event "pic_photo_or_album": Member App MENU_MORE;
    Event "pic_weixin": Member App MENU_MORE;
    Event "location_select": Member App MENU_MORE;
    Event "template_card_event": Member App CARD;
    Event "template_card_menu_event": Member App CARD;
    Event "taskcard_click": Member App CARD;
    Event "batch_job_result": Nobody App Fields(&["BatchJob/JobId"]);
    Event "open_approval_change":
        Nobody App FieldsAndHash(&["ApprovalInfo/ThirdNo", "ApprovalInfo/OpenSpStatus", "CreateTime"]);

    Event "change_contact" / "create_user": Nobody App Fields(&["UserID", "CreateTime"]);
    Event "change_contact" / "update_user": Nobody App FieldsAndHash(&["UserID", "CreateTime"]);
    Event "change_contact" / "delete_user": Nobody App Fields(&["UserID", "CreateTime"]);
    Event "change_contact" / "create_party": Nobody App Fields(&["Id", "CreateTime"]);
    Event "change_contact" / "update_party": Nobody App Fields(&["Id", "CreateTime"]);
    Event "change_contact" / "delete_party": Nobody App Fields(&["Id", "CreateTime"]);
    Event "change_contact" / "update_tag": Nobody App FieldsAndHash(&["TagId", "CreateTime"]);

    Event "customer_acquisition" / "balance_low": Nobody App BALANCE;
    Event "customer_acquisition" / "balance_exhausted": Nobody App BALANCE;
    Event "customer_acquisition" / "balance_increased": Nobody App BALANCE;
    Event "customer_acquisition" / "quota_expire_soon": Nobody App BALANCE;
    Event "customer_acquisition" / "link_unavailable": Nobody App LINK;
    Event "customer_acquisition" / "delete_link": Nobody App LINK;
    Event "customer_acquisition" / "open_profile": Nobody App LINK;
    Event "customer_acquisition" / "friend_request": Nobody App LINK;
    Event "customer_acquisition" / "customer_start_chat": Contact App LINK;
    Event "customer_acquisition" / "message_from_customer": Nobody App LINK;
    Event "customer_acquisition" / "del_follow_user": Contact App LINK;
    Event "customer_acquisition" / "service_balance_low": Nobody App LINK;
    Event "customer_acquisition" / "service_balance_exhausted": Nobody App LINK;
    Event "customer_acquisition" / "service_balance_consumed": Nobody App LINK;
    Event "customer_acquisition" / "change_price": Nobody App Hash;
    Event "kf_account_auth_change": Nobody App FieldsAndHash(&["CreateTime"]);

    Event "share_agent_change": Nobody App Hash;
    Event "share_chain_change": Nobody App Hash;
    Event "inactive_alert": Nobody App Hash;
    Event "close_inactive_agent": Nobody App Hash;
    Event "reopen_inactive_agent": Nobody App Hash;
    Event "low_active_alert": Nobody App Hash;
    Event "low_active": Nobody App Hash;
    Event "active_restored": Nobody App Hash;
    Event "sys_approval_change": Nobody App Hash;
    Event "switch_workbench_mode": Nobody App Hash;
    Event "unlicensed_notify": Nobody App Hash;
    Event "living_status_change": Nobody App Hash;
    Event "upload_media_job_finish": Nobody App Hash;
    Event "msgaudit_notify": Nobody App Hash;
    Event "app_email_change": Nobody App Hash;
    Event "public_email_change": Nobody App Hash;
    Event "security": Nobody App Hash;
    Event "change_chain": Nobody App Hash;
    Event "doc_change": Nobody App Hash;
    Event "smart_sheet_change": Nobody App Hash;
    Event "modify_calendar": Nobody App Hash;
    Event "delete_calendar": Nobody App Hash;
    Event "add_schedule": Nobody App Hash;
    Event "modify_schedule": Nobody App Hash;
    Event "delete_schedule": Nobody App Hash;
    Event "respond_schedule": Nobody App Hash;
    Event "book_meeting_room": Nobody App Hash;
    Event "cancel_meeting_room": Nobody App Hash;
    Event "meeting_change": Nobody App Hash;
    Event "change_school_contact": Nobody App Hash;
    Event "submit_vip_account_approval": Nobody App Hash;
    Event "finish_vip_account_approval": Nobody App Hash;
    Event "change_app_admin": Nobody App Hash;

    Info "suite_ticket": Nobody App Fields(&["SuiteId", "CreateTime"]);
    Info "create_auth": Nobody App Fields(&["AuthCode"]);
    Info "reset_permanent_code": Nobody App Fields(&["AuthCode"]);
    Info "change_auth": Nobody App AUTHORISED;
    Info "cancel_auth": Nobody App AUTHORISED;
    Info "change_contact": Nobody App PROVIDED;
    Info "change_external_contact": Nobody App PROVIDED;
    Info "change_external_chat": Nobody App PROVIDED;
    Info "change_external_tag": Nobody App PROVIDED;
    Info "customer_acquisition": Nobody App PROVIDED;
    Info "customer_acquisition_permit_change": Nobody App Hash;
    Info "share_agent_change": Nobody App Hash;
    Info "share_chain_change": Nobody App Hash;
    Info "corp_arch_auth": Nobody App Hash;
    Info "approve_special_auth": Nobody App Hash;
    Info "cancel_special_auth": Nobody App Hash;
    Info "register_corp": Nobody App Hash;
    Info "enter_register_package": Nobody App Hash;
    Info "open_order": Nobody App Hash;
    Info "change_order": Nobody App Hash;
    Info "pay_for_app_success": Nobody App Hash;
    Info "refund": Nobody App Hash;
    Info "cancel_order": Nobody App Hash;
    Info "change_editon": Nobody App Hash;
    Info "change_edition": Nobody App Hash;
    Info "license_pay_success": Nobody App Hash;
    Info "license_refund": Nobody App Hash;
    Info "auto_activate": Nobody App Hash;
    Info "agree_external_userid_migration": Nobody App Hash;

    Bot "text": BotChat App BOT;
    Bot "mixed": BotChat App BOT;
    Bot "image": BotChat App BOT;
    Bot "voice": BotChat App BOT;
    Bot "file": BotChat App BOT;
    Bot "video": BotChat App BOT;
    Bot "stream": BotChat App Never;
    Bot "enter_chat": BotChat App BOT;
    Bot "template_card_event": BotChat App BOT;
    Bot "feedback_event": BotChat App BOT;
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_stands_in_the_table_once() {
        for (i, a) in KINDS.iter().enumerate() {
            for b in &KINDS[i + 1..] {
                let shadowed = a.family == b.family
                    && a.word.eq_ignore_ascii_case(b.word)
                    && (a.change.is_none() || b.change.is_none() || a.change == b.change);
                assert!(!shadowed, "{a:?} hides {b:?}");
            }
        }
    }

    #[test]
    fn a_key_names_everybody_whom_its_kind_names() {
        for kind in KINDS {
            let (Fields(fields) | FieldsAndHash(fields)) = kind.key else {
                continue;
            };
            let has = |name: &str| fields.iter().any(|f| f.trim_end_matches('?') == name);
            match kind.who {
                Contact => assert!(has("UserID") && has("ExternalUserID"), "{kind:?}"),
                Member => assert!(has("FromUserName") || has("MsgId"), "{kind:?}"),
                Group => assert!(has("ChatId"), "{kind:?}"),
                KfAccount | BotChat | Nobody => {}
            }
        }
    }

    #[test]
    fn only_customer_events_of_a_corp_are_the_same_through_two_apps() {
        for kind in KINDS {
            let shared = kind.family == Event && kind.word.starts_with("change_external_");
            assert_eq!(kind.scope == Corp, shared, "{kind:?}");
        }
    }
}
