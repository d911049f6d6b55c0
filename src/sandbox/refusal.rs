//! A refusal of WeCom: a number that programs read, and words that only people may read.

use serde_json::{Value, json};

/// What a call is answered when WeCom refuses it. HTTP status stays 200.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// WeCom's number, `errcodes.md`.
    pub code: i64,
    /// Which part of the call was meant; joins the errmsg.
    pub about: String,
}

/// What one API function says: the fields of a success, or a refusal.
pub(super) type Answer = Result<Value, Refusal>;

/// Shorthand for an API function's early return.
pub(super) fn refuse<T>(code: i64, about: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal {
        code,
        about: about.into(),
    })
}

impl Refusal {
    /// The answer's body in WeCom's manner: free text, a hint id, the caller's address and a link.
    pub(super) fn body(&self, hint: &str, ip: &str) -> Value {
        let words = words(self.code);
        let about = if self.about.is_empty() {
            String::new()
        } else {
            format!(" ({})", self.about)
        };
        json!({
            "errcode": self.code,
            "errmsg": format!(
                "{words}{about}, hint: [{hint}], from ip: {ip}, \
                 more info at https://open.work.weixin.qq.com/devtool/query?e={}",
                self.code
            ),
        })
    }
}

/// WeCom's words for a number. They change at any time there; nobody may match on them.
fn words(code: i64) -> &'static str {
    match code {
        -1 => "system busy",
        40001 => "invalid credential",
        40003 => "invalid userid",
        40004 => "invalid media type",
        40005 => "invalid file type",
        40006 => "invalid media size",
        40007 => "invalid media_id",
        40008 => "invalid message type",
        40013 => "invalid corpid",
        40014 => "invalid access_token",
        40032 => "invalid user list size",
        40056 => "invalid agentid",
        40058 => "invalid parameter",
        40063 => "some parameters are empty",
        40068 => "invalid tagid",
        40071 => "tag name already exist",
        40072 => "invalid tag name length",
        40096 => "invalid external userid",
        41001 => "access_token missing",
        41002 => "corpid missing",
        41004 => "corpsecret missing",
        41035 => "external_userid missing",
        41046 => "missing msgid",
        41047 => "invalid msgid",
        41048 => "no user can receive message",
        41049 => "missing welcome code",
        41050 => "invalid welcome code",
        41051 => "externaluser has started chatting",
        41053 => "externaluser has not agreed to chat archiving",
        41063 => "group message is being dispatched",
        41064 => "too many attachments",
        41065 => "invalid attachment type",
        41093 => "group message has been cancelled",
        41094 => "remind frequency exceeded",
        41096 => "welcome msg is being distributed",
        42001 => "access_token expired",
        44001 => "empty media data",
        44004 => "empty content",
        45001 => "media size out of limit",
        45008 => "article count out of limit",
        45009 => "api freq out of limit",
        45033 => "api concurrent out of limit",
        48002 => "api forbidden for this app",
        48007 => "kf account not authorized",
        50100 => "invalid cursor",
        60011 => "no privilege to access/modify contact/party/agent",
        60111 => "userid not found",
        81013 => "user & party & tag all invalid",
        82001 => "touser & toparty & totag all empty",
        84061 => "not external contact",
        95001 => "send message count limit",
        95002 => "send message time limit",
        95004 => "open_kfid not exist",
        95007 => "invalid msg token",
        95008 => "too many menu items",
        95013 => "conversation end",
        95014 => "not a servicer",
        95016 => "invalid state transition",
        95018 => "session status not allowed",
        95019 => "servicer stopped",
        301002 => "not allow operate another agent with this accesstoken",
        _ => "request refused",
    }
}
