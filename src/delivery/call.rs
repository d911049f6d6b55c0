//! The call itself, and what becomes of its job.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::api::TIMEOUT;
use super::judge::{Answer, Case, Kind, Verdict, judge, of_session};
use super::media::{Assets, Need};
use super::{Api, CallError, Called, Delivery, FactPatch, Inner, Ready, Then, compose, limiter};
use crate::content::Rendered;
use crate::model::job::{Code, TagName};
use crate::model::{AppName, Ending, Job, Outcome, RecipientEnd};
use crate::wecom::api::{
    MarkTag, SendKfMessage, SendKfOnEvent, SendMessage, ServicerList, StateGet, StateTrans, Tousers, Welcome,
};
use crate::wecom::id::{CorpId, ExternalUserId, OpenKfId, UserId};

/// A welcome or event message is answered within this; there must be time for a second try in its 20 seconds.
const URGENT_TIMEOUT: Duration = Duration::from_secs(5);
/// The waiting pool.
const POOL: u8 = 2;

/// A call with everything it takes.
pub(super) struct Prepared {
    pub(super) corp: CorpId,
    pub(super) app: AppName,
    pub(super) path: &'static str,
    pub(super) word: &'static str,
    pub(super) case: Case,
    pub(super) notes: Vec<String>,
    pub(super) said: Option<u64>,
    pub(super) work: Work,
}

/// Without texts and codes.
impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// A rendered part, the files it needs, and their ids as known now.
pub(super) struct Said {
    rendered: Rendered,
    needs: Vec<Need>,
    assets: Assets,
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
struct Fine {
    /// Another outcome than `delivered: ok`.
    ending: Option<Ending>,
    facts: FactPatch,
}

impl From<Ending> for Fine {
    fn from(ending: Ending) -> Self {
        Self {
            ending: Some(ending),
            ..Self::default()
        }
    }
}

impl Delivery {
    /// Makes the call and judges the answer. The start must have been noted before. Dropped midway the call may
    /// have happened: the noted start says so.
    pub async fn call(&self, ready: Ready) -> Called {
        let inner = &self.inner;
        let mut call = ready.call;
        let Some(corp) = inner.settings.corp_by_id(&call.corp) else {
            return Called::end(Ending::new(Outcome::Rejected, "no_corp"));
        };
        let Some(app) = corp.app(call.app.as_str()) else {
            return Called::end(Ending::new(Outcome::Rejected, "no_app"));
        };
        let api = Api { inner, corp, app };
        call.case.now = inner.clock.now();
        if call.case.earlier == 0 {
            call.case.started = call.case.now;
        }
        let result = match inner.time_left(&call.case) {
            Some(within) => inner.perform(&api, &mut call, within).await,
            None => Err(CallError::NotSent("too_late")),
        };
        call.case.now = inner.clock.now();
        let called = match result {
            Ok(fine) => Called {
                then: Then::End(fine.ending.unwrap_or_else(|| Ending::new(Outcome::Delivered, "ok"))),
                facts: fine.facts,
            },
            Err(e) => inner.judged(&api, &call, &e).await,
        };
        inner.finish(&call, called)
    }
}

impl Called {
    fn end(ending: Ending) -> Self {
        Self {
            then: Then::End(ending),
            facts: FactPatch::default(),
        }
    }
}

impl Inner {
    /// How long the call may take; `None`: its deadline has passed.
    fn time_left(&self, case: &Case) -> Option<Duration> {
        let urgent = matches!(case.kind, Kind::Welcome | Kind::KfEvent);
        let within = if urgent { URGENT_TIMEOUT } else { TIMEOUT };
        let left = case.deadline.map(|d| d.since(case.now));
        match left {
            Some(Duration::ZERO) => None,
            Some(left) if urgent => Some(within.min(left)),
            Some(_) | None => Some(within),
        }
    }

    async fn perform(
        self: &Arc<Self>,
        api: &Api<'_>,
        call: &mut Prepared,
        within: Duration,
    ) -> Result<Fine, CallError> {
        let first = self.once(api, &call.work, within).await;
        let Err(CallError::Refused { errcode, .. }) = &first else {
            return first;
        };
        // Two refusals that we can put right ourselves, once: nothing happened, so even a call that must not be
        // repeated may be.
        match (*errcode, &mut call.work) {
            (40007, Work::Welcome { said, .. } | Work::Kf { said, .. } | Work::App { said, .. })
                if !said.needs.is_empty() =>
            {
                self.drop_assets(&call.corp, &said.needs, &said.assets).await;
                let until = self.clock.now().plus(within);
                let (assets, missing) = self.assets(&call.corp, &call.app, &said.needs, Some(until)).await;
                said.assets = assets;
                call.notes.retain(|n| !n.starts_with("without:"));
                call.notes
                    .extend(missing.iter().map(|(n, _)| format!("without:{}", n.file.name)));
            }
            (40068, Work::Tags { .. }) => return self.tag(api, &call.work, within, true).await,
            _ => return first,
        }
        let asks = [limiter::ask(&call.app, call.path, None)];
        let permit = self.permit(api.corp, &call.app, call.path, &asks).await;
        permit.map_err(|until| CallError::Later { until, reason: "limit" })?;
        let mut now = call.case;
        now.now = self.clock.now();
        let within = self.time_left(&now).ok_or(CallError::NotSent("too_late"))?;
        self.once(api, &call.work, within).await
    }

    async fn once(self: &Arc<Self>, api: &Api<'_>, work: &Work, within: Duration) -> Result<Fine, CallError> {
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
        body: crate::wecom::api::AppBody,
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

    async fn tag(&self, api: &Api<'_>, work: &Work, within: Duration, fresh: bool) -> Result<Fine, CallError> {
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
        let on_duty = |s: &crate::wecom::api::Servicer| s.status == Some(0) || s.userid.is_empty();
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

    async fn judged(&self, api: &Api<'_>, call: &Prepared, error: &CallError) -> Called {
        let mut facts = FactPatch::default();
        let mut verdict = judge(&call.case, Answer::from(error));
        let session = match &call.work {
            Work::Kf { account, contact, .. }
            | Work::KfEvent { account, contact, .. }
            | Work::Pool { account, contact } => Some((account, contact)),
            Work::Welcome { .. } | Work::App { .. } | Work::Tags { .. } | Work::Read { .. } => None,
        };
        if let (Verdict::AskSession(code), Some((account, contact))) = (&verdict, session) {
            let ask = StateGet {
                open_kfid: account.clone(),
                external_userid: contact.clone(),
            };
            let state = api.call(&ask).await.ok().map(|s| s.service_state);
            facts.session = state.map(|s| (account.clone(), s));
            // A state that cannot be read now is none of the known ones.
            verdict = of_session(&call.case, *code, state.unwrap_or(u8::MAX));
        }
        if let CallError::Refused { errcode, .. } = error {
            facts.merge(learnt(*errcode, &call.work, &verdict));
        }
        let then = match verdict {
            Verdict::End(ending) => Then::End(ending),
            Verdict::Retry { after, refused, reason } => Then::Retry { after, refused, reason },
            Verdict::Later { until, refused, reason } => Then::Later { until, refused, reason },
            Verdict::AskSession(code) => Then::End(Ending::new(Outcome::Rejected, "session_state").with_errcode(code)),
        };
        Called { then, facts }
    }

    fn finish(&self, call: &Prepared, mut called: Called) -> Called {
        if let Then::End(ending) = &mut called.then {
            ending.notes.extend(call.notes.iter().cloned());
            if ending.outcome == Outcome::Delivered {
                ending.said = call.said;
                let seconds = call.case.now.since(call.case.accepted).as_secs_f64();
                let answers = &self.metrics.answer_seconds;
                answers.with_label_values(&[call.word]).observe(seconds);
            }
        }
        called
    }
}

/// What a refusal tells about the conversation.
fn learnt(errcode: i64, work: &Work, verdict: &Verdict) -> FactPatch {
    let mut facts = FactPatch::default();
    match (errcode, work) {
        (95001, Work::Kf { account, .. }) => facts.allowance_used = Some(account.clone()),
        (95013, Work::Kf { account, .. }) => facts.session = Some((account.clone(), 4)),
        (84061 | 84084, Work::Tags { member, .. }) if matches!(verdict, Verdict::End(_)) => {
            facts.not_a_friend = Some(member.clone());
        }
        _ => {}
    }
    facts
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
pub fn fail_list(added: &crate::wecom::api::MsgTemplateAdded) -> Vec<RecipientEnd> {
    added
        .fail_list
        .iter()
        .map(|id| refused(id, "wecom_fail_list"))
        .collect()
}
