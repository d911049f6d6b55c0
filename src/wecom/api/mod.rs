//! WeCom's API as types: one request and one answer for each call we make.
//!
//! A request says its path, how it goes over the wire and whether a repeat has a second effect; the answer
//! holds what we read of it and nothing else. Missing `errcode` means success, and failures that hide behind
//! errcode 0 (`invaliduser`, `fail_list`, `invalid_external_userid`) are fields with a name. Nothing here opens
//! a connection; the access token is added by whoever sends.

mod broadcast;
mod contact;
mod kf;
mod media;
mod member;
mod message;
mod non_empty;
mod token;

pub use broadcast::{AddMsgTemplate, MsgTemplateAdded};
pub use contact::{
    AddCorpTag, ContactGot, CorpTagAdded, CorpTagList, ExternalContact, FollowTag, FollowUser, GetContact,
    GetCorpTagList, MarkTag, NewTag, Remark, Tag, TagGroup,
};
pub use kf::{
    AccountList, Accounts, CustomerBatchGet, Customers, KfAccount, KfBody, KfCustomer, KfLink, KfMiniprogram, KfSent,
    MenuEntry, Msgmenu, SendKfMessage, SendKfOnEvent, Servicer, ServicerList, Servicers, SessionState, StateGet,
    StateTrans, SyncMsg, SyncPage, Transed,
};
pub use media::{UploadImg, UploadMedia, Uploaded, UploadedImg};
pub use member::{Member, UserGet};
pub use message::{
    AppArticle, AppBody, AppSent, AppVideo, Attachment, Link, Miniprogram, SendMessage, Tousers, Welcome,
};
pub use non_empty::NonEmpty;
pub use token::{GetToken, Token};

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

/// One API call.
pub trait Call: Send + Sync {
    /// Path below `/cgi-bin/`: in the URL, in metrics and as the name of its limits.
    const PATH: &'static str;
    /// Whether a repeat has a second effect.
    const REPEAT: Repeat;
    /// What we read of the answer.
    type Answer: DeserializeOwned + Send;

    /// The request as it goes over the wire, without the access token.
    fn wire(&self) -> Wire;
}

/// Whether a call may be made again when nobody knows what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// A repeat has no second effect.
    Safe,
    /// Only inside the duplicate window that the request itself asks for.
    ForAWhile,
    /// Never: it might happen twice.
    Never,
}

/// A request's verb, query and body.
#[derive(Clone)]
pub enum Wire {
    /// GET with these query parameters (percent-encoded by the sender).
    Get(Vec<(&'static str, String)>),
    /// POST of raw UTF-8 JSON.
    Post(Vec<u8>),
    /// POST of one file as multipart form data.
    Upload(FilePart),
}

/// The file of an upload.
#[derive(Clone)]
pub struct FilePart {
    /// Query parameters.
    pub query: Vec<(&'static str, String)>,
    /// Name that receivers of a file see.
    pub filename: String,
    /// MIME type.
    pub mime: &'static str,
    /// Content.
    pub bytes: Arc<[u8]>,
}

/// An answer that holds nothing but success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Done {}

/// What every answer may hold.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Status {
    /// 0 or missing: success.
    #[serde(default)]
    pub errcode: i64,
    /// Free text; [`Status::hint`] is the part worth logging.
    #[serde(default, deserialize_with = "null")]
    errmsg: String,
}

impl Status {
    /// The hint id (`1576065934_28_…`) that WeCom's support asks for; no other part of the text is ever shown.
    pub fn hint(&self) -> Option<&str> {
        let (_, rest) = self.errmsg.split_once("hint: [")?;
        let (hint, _) = rest.split_once(']')?;
        let plain = hint.len() <= 64 && hint.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        plain.then_some(hint)
    }

    /// WeCom parsed only a part of our body: a bug of ours.
    pub fn partly_parsed(&self) -> bool {
        self.errmsg.contains("wrong json format")
    }
}

/// WeCom writes `null` where a list or text is empty; both read as the empty value.
fn null<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(d: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(d)?.unwrap_or_default())
}

/// The body as raw UTF-8 JSON: nothing outside ASCII is escaped (40033).
fn json<T: Serialize>(body: &T) -> Wire {
    // Our bodies are structs of texts, numbers and lists; they always serialise.
    Wire::Post(serde_json::to_vec(body).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_errcode_is_success_and_only_the_hint_of_errmsg_is_kept() {
        let s: Status = serde_json::from_str("{}").unwrap();
        assert_eq!(s.errcode, 0);
        let s: Status =
            serde_json::from_str(r#"{"errcode":42001,"errmsg":"expired, hint: [157_28_ab], from ip: 1.2.3.4"}"#)
                .unwrap();
        assert_eq!((s.errcode, s.hint()), (42001, Some("157_28_ab")));
        let s: Status = serde_json::from_str(r#"{"errcode":1,"errmsg":"hint: [token=se cret]"}"#).unwrap();
        assert_eq!(s.hint(), None);
    }
}
