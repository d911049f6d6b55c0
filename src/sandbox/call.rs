//! The table of simulated APIs: which path, which verb, whose permission, which function.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;

use super::corp::{Corp, Kind};
use super::fields::Fields;
use super::refusal::{Answer, Refusal};
use super::{
    broadcast, contacts, groupmsg, kf_account, kf_send, kf_session, kf_sync, media, members, message, tags, welcome,
};

/// A call whose token was found good.
pub(super) struct Call<'a> {
    /// The calling app's name.
    pub app: &'a str,
    /// The decoded query, without the token.
    pub query: &'a BTreeMap<String, String>,
    /// The JSON body; null for GET and for uploads.
    pub body: &'a Value,
    /// The body's bytes, for uploads.
    pub raw: &'a Bytes,
    /// Content-Type, for uploads.
    pub content_type: &'a str,
    /// The sandbox's time in milliseconds.
    pub now: i64,
}

impl<'a> Call<'a> {
    /// The body's fields.
    pub(super) fn fields(&self) -> Fields<'a> {
        Fields(self.body)
    }

    /// A query parameter that must be there; `missing` is the API's number for its absence.
    pub(super) fn param(&self, key: &str, missing: i64) -> Result<&'a str, Refusal> {
        match self.query.get(key) {
            Some(v) if !v.is_empty() => Ok(v),
            _ => Err(Refusal {
                code: missing,
                about: key.to_owned(),
            }),
        }
    }
}

/// HTTP verb of an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    /// POST with JSON; GET too, from the API's older days, and SDKs still use it.
    Either,
    /// POST with a multipart body.
    Upload,
}

/// A file as an answer: content type, name, bytes.
pub(super) type File = (String, String, Bytes);

/// How an API answers.
#[derive(Clone, Copy)]
pub(super) enum Run {
    Json(fn(&mut Corp, &Call<'_>) -> Answer),
    File(fn(&mut Corp, &Call<'_>) -> Result<File, Refusal>),
}

/// One API.
pub(super) struct Api {
    /// Below `/cgi-bin/`.
    pub path: &'static str,
    pub verb: Verb,
    /// What the app must be allowed; `None`: every app.
    pub kind: Option<Kind>,
    pub run: Run,
}

const fn api(path: &'static str, verb: Verb, kind: Option<Kind>, run: fn(&mut Corp, &Call<'_>) -> Answer) -> Api {
    Api {
        path,
        verb,
        kind,
        run: Run::Json(run),
    }
}

const C: Option<Kind> = Some(Kind::Contacts);
const K: Option<Kind> = Some(Kind::Kf);

/// Every API that needs a token (`gettoken` needs none).
pub(super) static APIS: &[Api] = &[
    api("getcallbackip", Verb::Get, None, members::ip_list),
    api("get_api_domain_ip", Verb::Get, None, members::ip_list),
    api("user/get", Verb::Get, None, members::get),
    api("message/send", Verb::Post, Some(Kind::Agent), message::send),
    api("externalcontact/send_welcome_msg", Verb::Post, C, welcome::send),
    api("externalcontact/get", Verb::Get, C, contacts::get),
    api("externalcontact/list", Verb::Get, C, contacts::list),
    api(
        "externalcontact/get_follow_user_list",
        Verb::Get,
        C,
        contacts::follow_users,
    ),
    api("externalcontact/batch/get_by_user", Verb::Post, C, contacts::by_user),
    api("externalcontact/remark", Verb::Post, C, contacts::remark),
    api("externalcontact/mark_tag", Verb::Post, C, tags::mark),
    api("externalcontact/get_corp_tag_list", Verb::Post, C, tags::list),
    api("externalcontact/add_corp_tag", Verb::Post, C, tags::add),
    api("externalcontact/edit_corp_tag", Verb::Post, C, tags::edit),
    api("externalcontact/del_corp_tag", Verb::Post, C, tags::delete),
    api("externalcontact/add_msg_template", Verb::Post, C, broadcast::add),
    api("externalcontact/remind_groupmsg_send", Verb::Post, C, groupmsg::remind),
    api("externalcontact/cancel_groupmsg_send", Verb::Post, C, groupmsg::cancel),
    api("externalcontact/get_groupmsg_list_v2", Verb::Post, C, groupmsg::list),
    api("externalcontact/get_groupmsg_task", Verb::Post, C, groupmsg::tasks),
    api(
        "externalcontact/get_groupmsg_send_result",
        Verb::Post,
        C,
        groupmsg::results,
    ),
    api("kf/sync_msg", Verb::Post, K, kf_sync::sync),
    api("kf/send_msg", Verb::Post, K, kf_send::send),
    api("kf/send_msg_on_event", Verb::Post, K, kf_send::on_event),
    api("kf/service_state/get", Verb::Post, K, kf_session::get),
    api("kf/service_state/trans", Verb::Post, K, kf_session::trans),
    api("kf/account/list", Verb::Either, K, kf_account::list),
    api("kf/servicer/list", Verb::Get, K, kf_account::servicers),
    api("kf/customer/batchget", Verb::Post, K, kf_account::customers),
    api("media/upload", Verb::Upload, None, media::upload),
    api("media/uploadimg", Verb::Upload, None, media::upload_image),
    Api {
        path: "media/get",
        verb: Verb::Get,
        kind: None,
        run: Run::File(media::get),
    },
];

/// The API at a path below `/cgi-bin/`.
pub(super) fn find(path: &str) -> Option<&'static Api> {
    APIS.iter().find(|a| a.path == path)
}
