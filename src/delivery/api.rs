//! A typed call with everything around it: token, permit, time-out, metrics, freeze and pause.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::limiter::{self, ask};
use super::token::Lease;
use super::{Delivery, Inner};
use crate::clock;
use crate::model::{AppName, StoreTime};
use crate::settings::{App, AppKind, Corp};
use crate::wecom::api::{Call, Wire};
use crate::wecom::errcode::{self, Class, Reach};
use crate::wecom::id::CorpId;

/// An API call is answered within this, or the answer is lost.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// The same for an upload of at most 20 MB.
pub(super) const UPLOAD_TIMEOUT: Duration = Duration::from_secs(60);

/// Why a call has no answer to use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Nothing was called: not before `until`.
    #[error("waits: {reason}")]
    Later {
        /// Earliest time.
        until: StoreTime,
        /// Stable word.
        reason: &'static str,
    },
    /// It surely did not arrive.
    #[error("not sent: {0}")]
    NotSent(&'static str),
    /// It may have arrived.
    #[error("unclear: {0}")]
    Unclear(&'static str),
    /// WeCom refused.
    #[error("errcode {errcode}")]
    Refused {
        /// WeCom's number.
        errcode: i64,
        /// Set where the number froze the API or paused the app: until then.
        until: Option<StoreTime>,
    },
}

/// One app's access to the API: what other rooms call WeCom through.
#[derive(Clone, Copy)]
pub struct Api<'a> {
    pub(super) inner: &'a Arc<Inner>,
    /// The corp.
    pub corp: &'a Corp,
    /// The app whose token is used.
    pub app: &'a App,
}

impl Delivery {
    /// The API as the app that received an event may use it, if its kind allows; else as the first app of the
    /// corp that has the kind. The error is the reason word of a job's rejection.
    pub fn api(&self, corp: &CorpId, received: &AppName, kind: AppKind) -> Result<Api<'_>, &'static str> {
        self.inner.api(corp, received, kind)
    }
}

impl Inner {
    pub(super) fn api(
        self: &Arc<Self>,
        corp: &CorpId,
        received: &AppName,
        kind: AppKind,
    ) -> Result<Api<'_>, &'static str> {
        let corp = self.settings.corp_by_id(corp).ok_or("no_corp")?;
        let app = corp.app_for(received.as_str(), kind).ok_or(match kind {
            AppKind::Contacts => "no_app_for:contacts",
            AppKind::Kf => "no_app_for:kf",
            AppKind::Agent => "no_app_for:agent",
            AppKind::Bot => "no_app_for:bot",
        })?;
        Ok(Api { inner: self, corp, app })
    }

    /// One HTTP exchange, timed and counted; the answer typed.
    pub(super) async fn exchange<C: Call>(
        &self,
        corp: &Corp,
        token: Option<&Lease>,
        wire: Wire,
        within: Duration,
    ) -> Result<C::Answer, CallError> {
        let began = clock::monotonic();
        let token = token.map(|l| l.token.expose_secret());
        let sent = self.http.send(&corp.api_base, C::PATH, token, wire, within).await;
        let seconds = clock::monotonic().saturating_duration_since(began).as_secs_f64();
        let result = match sent {
            Err(trouble) => Err(trouble.into()),
            Ok(answer) if answer.status.errcode == 0 => {
                serde_json::from_slice(&answer.body).map_err(|_| CallError::Unclear("answer_shape"))
            }
            Ok(answer) => {
                let errcode = answer.status.errcode;
                let hint = answer.status.hint().unwrap_or_default();
                tracing::warn!(corp = %corp.name, path = C::PATH, errcode, hint, "WeCom refused a call");
                if answer.status.partly_parsed() {
                    tracing::error!(
                        path = C::PATH,
                        hint,
                        "WeCom could read only a part of our request: a bug of ours"
                    );
                }
                Err(CallError::Refused { errcode, until: None })
            }
        };
        let word = match &result {
            Ok(_) => "0".to_owned(),
            Err(CallError::Refused { errcode, .. }) => self.errcode_label(*errcode),
            Err(_) => "net".to_owned(),
        };
        self.metrics
            .api
            .with_label_values(&[C::PATH, word.as_str()])
            .observe(seconds);
        result
    }

    /// The number as a label; unknown ones are counted apart and share one label, so that they cannot flood.
    fn errcode_label(&self, errcode: i64) -> String {
        if errcode::of(errcode).known {
            return errcode.to_string();
        }
        self.metrics
            .unknown_errcode
            .with_label_values(&[errcode.to_string().as_str()])
            .inc();
        "unknown".to_owned()
    }
}

impl Api<'_> {
    /// Takes a permit and calls. For reads and uploads; a call that puts something before a person takes its
    /// permit first ([`Api::permit`]), notes its start, and then goes by [`Api::send`].
    pub async fn call<C: Call>(&self, call: &C) -> Result<C::Answer, CallError> {
        self.permit::<C>()
            .await
            .map_err(|until| CallError::Later { until, reason: "limit" })?;
        let upload = C::PATH.starts_with("media/");
        let within = if upload { UPLOAD_TIMEOUT } else { TIMEOUT };
        self.send(call, within).await
    }

    /// One permit for a call of this kind; the error is the earliest time.
    pub async fn permit<C: Call>(&self) -> Result<(), StoreTime> {
        let asks = [ask(&self.app.name, C::PATH, None)];
        self.inner.permit(self.corp, &self.app.name, C::PATH, &asks).await
    }

    /// Calls without taking a permit. A refused token is renewed once and the call repeated once: the refusal
    /// says that nothing happened. Dropped midway it may have happened.
    pub async fn send<C: Call>(&self, call: &C, within: Duration) -> Result<C::Answer, CallError> {
        let mut refused = None;
        loop {
            let lease = self.inner.token(self.corp, self.app, refused).await?;
            let result = self
                .inner
                .exchange::<C>(self.corp, Some(&lease), call.wire(), within)
                .await;
            match result {
                Err(CallError::Refused { errcode, .. })
                    if refused.is_none() && errcode::of(errcode).class == Class::RefreshToken =>
                {
                    refused = Some(lease.number);
                }
                Err(CallError::Refused { errcode, .. }) => {
                    let until = self.consequences::<C>(errcode).await;
                    return Err(CallError::Refused { errcode, until });
                }
                Ok(answer) => {
                    self.inner.resume_call(self.corp, self.app, C::PATH);
                    return Ok(answer);
                }
                Err(other) => return Err(other),
            }
        }
    }

    /// What a number means for later calls: freeze, pause, or nothing.
    async fn consequences<C: Call>(&self, errcode: i64) -> Option<StoreTime> {
        let (corp, app) = (self.corp, self.app);
        let meaning = errcode::of(errcode);
        let until = match meaning.class {
            Class::Freeze if errcode == 45009 => return Some(self.inner.freeze_api(corp, app, C::PATH).await),
            Class::Config(Reach::Tenant) => {
                let apps: Vec<&AppName> = corp.apps.iter().map(|a| &a.name).collect();
                self.inner.pause_apps(corp, &apps).await
            }
            Class::Config(Reach::App) => self.inner.pause_apps(corp, &[&app.name]).await,
            // A second token refusal right after a fresh token: this secret may not call this API.
            Class::Config(Reach::Call) | Class::RefreshToken => self.inner.pause_call(corp, app, C::PATH),
            Class::Backoff
            | Class::Freeze
            | Class::Expired
            | Class::Reject
            | Class::NotAFriend
            | Class::Config(Reach::Object) => return None,
        };
        let reason = meaning.reason.as_ref();
        let pauses = &self.inner.metrics.skipped;
        pauses.with_label_values(&["app_paused", reason]).inc();
        tracing::error!(
            corp = %corp.name, app = %app.name, path = C::PATH, errcode, reason,
            pause_s = limiter::FIRST_PAUSE.as_secs(),
            "WeCom's settings do not allow this call; such calls wait until a person has changed that"
        );
        Some(until)
    }
}
