//! Events of a kf account.

use super::fields::Fields;
use crate::wecom::event::WelcomeCode;
use crate::wecom::id::UserId;

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

impl KfEvent {
    pub(super) fn of(event: Fields<'_>) -> Self {
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
