//! The call itself, and what becomes of its job.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::api::TIMEOUT;
use super::judge::{Answer, Case, Kind, Verdict, judge, of_session};
use super::work::{Fine, Work};
use super::{Api, CallError, Called, Delivery, FactPatch, Inner, Ready, Then, limiter};
use crate::model::{AppName, Ending, Outcome};
use crate::wecom::api::StateGet;
use crate::wecom::id::CorpId;

/// A welcome or event message is answered within this; there must be time for a second try in its 20 seconds.
const URGENT_TIMEOUT: Duration = Duration::from_secs(5);
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
                let seconds = self.clock.now().since(call.case.accepted).as_secs_f64();
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
