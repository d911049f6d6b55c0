//! One element of `msg_list` as the rules see it.

use crate::model::StoreTime;
use crate::wecom::id::ExternalUserId;

use super::Undecidable;

/// What was heard in a kf account.
pub(super) struct Heard {
    /// The customer; `None` for events about the account or its receptionists.
    pub contact: Option<ExternalUserId>,
    /// `send_time`.
    pub sent: StoreTime,
    pub what: HeardWhat,
}

/// The kinds that rules or the session care for.
pub(super) enum HeardWhat {
    /// The customer wrote; the text of a text message.
    Customer { text: Option<String> },
    /// A receptionist wrote.
    Servicer,
    /// The customer came in (`enter_session`).
    Entered {
        code: Option<String>,
        scene: Option<String>,
        scene_param: Option<String>,
    },
    /// `session_status_change`
    SessionChanged { change: i64, code: Option<String> },
    /// `msg_send_fail`
    SendFailed { fail_type: i64 },
    /// `user_recall_msg`
    Recalled,
    /// Anything else: kept whole in the entry, decided with nothing to do.
    Other,
}

impl Heard {
    /// Reads the JSON of one element.
    pub fn read(_raw: &[u8]) -> Result<Self, Undecidable> {
        Err(Undecidable::new("unreadable_kf_message"))
    }
}
