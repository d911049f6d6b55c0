//! What is to be done, sent: each kind of work as its request, and failures that hide behind errcode 0.

use std::sync::Arc;
use std::time::Duration;

use super::media::{Assets, Need};
use super::{Api, CallError, FactPatch, Inner, compose};
use crate::content::Rendered;
use crate::model::job::{Code, TagName};
use crate::model::{Ending, Job, Outcome, RecipientEnd};
use crate::wecom::api::{
    AppBody, MarkTag, MsgTemplateAdded, SendKfMessage, SendKfOnEvent, SendMessage, Servicer, ServicerList, StateTrans,
    Tousers, Welcome,
};
use crate::wecom::id::{ExternalUserId, OpenKfId, UserId};

/// The waiting pool.
const POOL: u8 = 2;

/// A rendered part, the files it needs, and their ids as known now.
pub(super) struct Said {
    rendered: Rendered,
    pub(super) needs: Vec<Need>,
    pub(super) assets: Assets,
}

impl Said {
    pub(super) fn new(rendered: Rendered, needs: Vec<Need>, assets: Assets) -> Self {
        Self {
            rendered,
            needs,
            assets,
        }
    }
}

/// What is to be done.
pub(super) enum Work {
    Welcome {
        code: Code,
        said: Said,
    },
    KfEvent {
        account: OpenKfId,
        contact: ExternalUserId,
        code: Code,
        msgid: String,
        rendered: Rendered,
    },
    Kf {
        account: OpenKfId,
        contact: ExternalUserId,
        msgid: String,
        said: Said,
    },
    App {
        agent: i64,
        member: UserId,
        said: Said,
    },
    Tags {
        member: UserId,
        contact: ExternalUserId,
        add: Vec<TagName>,
        remove: Vec<TagName>,
    },
    Pool {
        account: OpenKfId,
        contact: ExternalUserId,
    },
    Read {
        job: Box<Job>,
        contact: ExternalUserId,
    },
}

/// A call that was answered with errcode 0, or that turned out to be needless.
#[derive(Default)]
pub(super) struct Fine {
    /// Another outcome than `delivered: ok`.
    pub(super) ending: Option<Ending>,
    pub(super) facts: FactPatch,
}

impl From<Ending> for Fine {
    fn from(ending: Ending) -> Self {
        Self {
            ending: Some(ending),
            ..Self::default()
        }
    }
}

impl Inner {
    /// One try of the work; nothing is put right, nothing is judged.
    pub(super) async fn once(
        self: &Arc<Self>,
        api: &Api<'_>,
        work: &Work,
        within: Duration,
    ) -> Result<Fine, CallError> {
        let unsayable = |_| Fine::from(Ending::new(Outcome::Rejected, "nothing_to_say"));
        match work {
            Work::Welcome { code, said } => {
                let attachments = compose::attachments(&said.rendered, &said.assets);
                match Welcome::new(code.0.clone(), said.rendered.text.clone(), attachments) {
                    Some(call) => api.send(&call, within).await.map(|_| Fine::default()),
                    None => Ok(Ending::new(Outcome::Rejected, "nothing_to_say").into()),
                }
            }
            Work::KfEvent {
                code, msgid, rendered, ..
            } => {
                let body = match compose::kf_event(rendered) {
                    Ok(body) => body,
                    Err(e) => return Ok(unsayable(e)),
                };
                let call = SendKfOnEvent {
                    code: code.0.clone(),
                    msgid: msgid.clone(),
                    body,
                };
                api.send(&call, within).await.map(|_| Fine::default())
            }
            Work::Kf {
                account,
                contact,
                msgid,
                said,
            } => {
                let body = match compose::kf(&said.rendered, &said.assets) {
                    Ok(body) => body,
                    Err(e) => return Ok(unsayable(e)),
                };
                let call = SendKfMessage {
                    touser: contact.clone(),
                    open_kfid: account.clone(),
                    msgid: msgid.clone(),
                    body,
                };
                api.send(&call, within).await.map(|_| Fine::default())
            }
            Work::App { agent, member, said } => {
                let body = match compose::app(&said.rendered, &said.assets) {
                    Ok(body) => body,
                    Err(e) => return Ok(unsayable(e)),
                };
                self.message(api, *agent, member, body, within).await
            }
            Work::Tags { .. } => self.tag(api, work, within, false).await,
            Work::Pool { account, contact } => self.pool(api, account, contact, within).await,
            Work::Read { job, contact } => {
                let got = self.read_contact(job, contact).await?;
                Ok(Fine {
                    facts: FactPatch::of_contact(&got),
                    ..Fine::default()
                })
            }
        }
    }

    /// `message/send` to one member. errcode 0 with the member among the invalid ones is a refusal.
    async fn message(
        &self,
        api: &Api<'_>,
        agent: i64,
        member: &UserId,
        body: AppBody,
        within: Duration,
    ) -> Result<Fine, CallError> {
        let Some(touser) = Tousers::new(vec![member.clone()]) else {
            return Ok(Ending::new(Outcome::Rejected, "invalid_recipient").into());
        };
        let sent = api.send(&SendMessage::new(touser, agent, body), within).await?;
        let invalid = sent.invalid().map(|id| (id, "invaliduser"));
        let unlicensed = sent.unlicensed().map(|id| (id, "unlicenseduser"));
        let recipients: Vec<RecipientEnd> = invalid.chain(unlicensed).map(|(id, why)| refused(id, why)).collect();
        let Some(first) = recipients.first() else {
            return Ok(Fine::default());
        };
        let mut ending = Ending::new(Outcome::Rejected, first.reason.clone());
        ending.recipients = recipients;
        Ok(ending.into())
    }

    /// Marks tags by name. `fresh`: the library is read from WeCom first.
    pub(super) async fn tag(
        &self,
        api: &Api<'_>,
        work: &Work,
        within: Duration,
        fresh: bool,
    ) -> Result<Fine, CallError> {
        let Work::Tags {
            member,
            contact,
            add,
            remove,
        } = work
        else {
            return Ok(Fine::default());
        };
        let ids = self.tag_ids(api, add, remove, fresh).await?;
        if ids.add.len() < add.len() {
            return Ok(Ending::new(Outcome::Rejected, "tag_missing").into());
        }
        if ids.add.is_empty() && ids.remove.is_empty() {
            return Ok(Ending::new(Outcome::Cancelled, "nothing_to_do").into());
        }
        let call = MarkTag {
            userid: member.clone(),
            external_userid: contact.clone(),
            add_tag: ids.add,
            remove_tag: ids.remove,
        };
        api.send(&call, within).await.map(|_| Fine::default())
    }

    /// Into the waiting pool, if somebody is there to take the customer out of it. A department in the list may
    /// have somebody on duty; the list does not say.
    async fn pool(
        &self,
        api: &Api<'_>,
        account: &OpenKfId,
        contact: &ExternalUserId,
        within: Duration,
    ) -> Result<Fine, CallError> {
        let list = api
            .call(&ServicerList {
                open_kfid: account.clone(),
            })
            .await?;
        let on_duty = |s: &Servicer| s.status == Some(0) || s.userid.is_empty();
        if !list.servicer_list.iter().any(on_duty) {
            return Ok(Ending::new(Outcome::Cancelled, "nobody_on_duty").into());
        }
        let call = StateTrans {
            open_kfid: account.clone(),
            external_userid: contact.clone(),
            service_state: POOL,
            servicer_userid: None,
        };
        api.send(&call, within).await?;
        Ok(Fine {
            facts: FactPatch {
                session: Some((account.clone(), POOL)),
                ..FactPatch::default()
            },
            ..Fine::default()
        })
    }
}

fn refused(id: &str, reason: &'static str) -> RecipientEnd {
    RecipientEnd {
        id: id.to_owned(),
        outcome: Outcome::Rejected,
        reason: reason.into(),
        until: None,
    }
}

/// The people of a broadcast whom WeCom will not reach, from the answer's `fail_list`.
pub fn fail_list(added: &MsgTemplateAdded) -> Vec<RecipientEnd> {
    added
        .fail_list
        .iter()
        .map(|id| refused(id, "wecom_fail_list"))
        .collect()
}
