//! The HTTP endpoint that WeCom calls: `GET|POST /callback/{corp}/{app}`.
//!
//! In: requests of anybody. Out: an [`EntryBody`] for the intake, and a status. 200 is answered only once the
//! event is durable; every other status makes WeCom bring it again.
//!
//! The hard decision: all refusals are empty and alike by status, so that nobody can learn from them why a
//! ciphertext did not open; the reason goes to the log and to `wecom_callbacks_refused_total{reason}`, which
//! is where an integrator looks. No text and no secret is in either.

mod body;
#[cfg(test)]
pub(crate) mod fixture;
mod identity;
mod refused;
#[cfg(test)]
mod tests;

pub use identity::{conversation, mark, mark_text};

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts as _, Path, RawQuery, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::{Histogram, IntCounter};
use secrecy::ExposeSecret;

use self::refused::Refused;
use crate::intake::{Accept, Accepted};
use crate::metrics::Metrics;
use crate::model::entry::What;
use crate::model::{AppName, CorpName, EntryBody};
use crate::settings::{App, AppKind, Corp, Settings};
use crate::wecom::callback::{Credentials, Query, Refusal, Verified};
use crate::wecom::crypto::{AesKey, KeyError};
use crate::wecom::event::Notice;
use crate::wecom::id::CorpId;

/// What the endpoint needs: credentials by URL, where to put events, what to count.
pub struct Callbacks {
    /// By `corp/app`; names hold no slash.
    endpoints: HashMap<String, Endpoint>,
    intake: Arc<dyn Accept>,
    metrics: Arc<Metrics>,
}

/// One URL.
struct Endpoint {
    corp: CorpName,
    corp_id: CorpId,
    app: AppName,
    credentials: Credentials,
    accepted: IntCounter,
    duplicate: IntCounter,
    lag: Histogram,
}

/// The EncodingAESKey of an app cannot be one. Settings that were checked never cause it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("encoding_aes_key of {corp}/{app} {why}")]
pub struct BadKey {
    /// Whose.
    pub corp: CorpName,
    /// Which.
    pub app: AppName,
    /// Why.
    pub why: KeyError,
}

/// The credentials of an app: sealed for the corp, and for nobody (empty id) where it is an 智能机器人.
pub fn credentials(corp: &Corp, app: &App) -> Result<Credentials, BadKey> {
    let key = AesKey::parse(app.encoding_aes_key.expose_secret()).map_err(|why| BadKey {
        corp: corp.name.clone(),
        app: app.name.clone(),
        why,
    })?;
    let mut receive_ids = vec![corp.corp_id.as_str().to_owned()];
    if app.kind.contains(&AppKind::Bot) {
        receive_ids.push(String::new());
    }
    Ok(Credentials::new(app.token.clone(), key, receive_ids))
}

impl Callbacks {
    /// Prepares every app of the settings.
    pub fn new(settings: &Settings, intake: Arc<dyn Accept>, metrics: Arc<Metrics>) -> Result<Self, BadKey> {
        Self::serving(&settings.corps, intake, metrics)
    }

    fn serving(corps: &[Corp], intake: Arc<dyn Accept>, metrics: Arc<Metrics>) -> Result<Self, BadKey> {
        let mut endpoints = HashMap::new();
        for corp in corps {
            for app in &corp.apps {
                let endpoint = Endpoint::new(corp, app, &metrics)?;
                endpoints.insert(format!("{}/{}", corp.name, app.name), endpoint);
            }
        }
        Ok(Self {
            endpoints,
            intake,
            metrics,
        })
    }

    fn endpoint(&self, corp: &str, app: &str) -> Result<&Endpoint, Refused> {
        self.endpoints.get(&format!("{corp}/{app}")).ok_or(Refused::UnknownApp)
    }

    async fn deliver(&self, endpoint: &Endpoint, query: &str, body: Body) -> Result<StatusCode, Refused> {
        let body = body::read(body).await?;
        let verified = endpoint.open(query, &body)?;
        let notice = Notice::parse(verified.plain())?;
        let mark = mark(&endpoint.corp_id, &endpoint.app, &notice, verified.plain());
        let accepted = self.intake.accept(endpoint.entry(&notice, verified), mark).await?;
        endpoint.count(accepted, &notice, &self.metrics);
        Ok(StatusCode::OK)
    }

    async fn answer(&self, endpoint: &Endpoint, parts: &Parts, body: Body) -> StatusCode {
        let query = parts.uri.query().unwrap_or_default();
        let delivered = self.deliver(endpoint, query, body).await;
        delivered.unwrap_or_else(|refused| self.refuse(endpoint.corp.as_str(), endpoint.app.as_str(), &refused))
    }

    /// Counts and logs a refusal, and says no more than its status to the sender.
    fn refuse(&self, corp: &str, app: &str, refused: &Refused) -> StatusCode {
        self.metrics
            .callbacks_refused
            .with_label_values(&[refused.reason()])
            .inc();
        refused.log(corp, app);
        refused.status()
    }
}

impl Endpoint {
    fn new(corp: &Corp, app: &App, metrics: &Metrics) -> Result<Self, BadKey> {
        let names = [corp.name.as_str(), app.name.as_str()];
        Ok(Self {
            credentials: credentials(corp, app)?,
            corp: corp.name.clone(),
            corp_id: corp.corp_id.clone(),
            app: app.name.clone(),
            accepted: metrics.callbacks_accepted.with_label_values(&names),
            duplicate: metrics.callbacks_duplicate.with_label_values(&names),
            lag: metrics.callback_lag.with_label_values(&names[..1]),
        })
    }

    fn open(&self, query: &str, body: &[u8]) -> Result<Verified, Refusal> {
        self.credentials.open(&Query::parse(query)?, body)
    }

    fn entry(&self, notice: &Notice, verified: Verified) -> EntryBody {
        EntryBody {
            conversation: conversation(&self.corp_id, &self.app, notice, verified.plain()),
            app: self.app.clone(),
            what: What::Callback,
            raw: verified.into_plain(),
        }
    }

    fn count(&self, accepted: Accepted, notice: &Notice, metrics: &Metrics) {
        let duplicate = accepted == Accepted::Duplicate;
        tracing::debug!(corp = %self.corp, app = %self.app, kind = notice.kind, duplicate, "callback accepted");
        if duplicate {
            return self.duplicate.inc();
        }
        self.accepted.inc();
        metrics.events.with_label_values(&[notice.kind]).inc();
        if let Some(created) = notice.event.create_time {
            // Two clocks, two hosts: an indication for the metric, never a decision.
            let lag_ms = crate::clock::wall().0.saturating_sub(created.saturating_mul(1000));
            self.lag
                .observe(std::time::Duration::from_millis(u64::try_from(lag_ms).unwrap_or(0)).as_secs_f64());
        }
    }
}

/// The routes of this room. `/healthz`, `/readyz` and `/metrics` are the app's.
pub fn router(state: Callbacks) -> Router {
    Router::new()
        .route("/callback/{corp}/{app}", get(verify_url).post(deliver))
        .with_state(Arc::new(state))
}

/// URL verification: WeCom wants the bare plaintext within one second.
async fn verify_url(
    State(state): State<Arc<Callbacks>>,
    Path((corp, app)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    let proof = state.endpoint(&corp, &app).and_then(|endpoint| {
        let query = Query::parse(&query).map_err(Refusal::from)?;
        Ok(endpoint.credentials.verify_url(&query)?)
    });
    match proof {
        Ok(proof) => ([(header::CONTENT_TYPE, "text/plain")], proof).into_response(),
        Err(refused) => state.refuse(&corp, &app, &refused).into_response(),
    }
}

/// A delivery: durable first, then 200 with an empty body.
///
/// The path is looked up as it stands, without two strings made of it; only one that is not found so is decoded.
async fn deliver(State(state): State<Arc<Callbacks>>, request: Request) -> StatusCode {
    let (mut parts, body) = request.into_parts();
    let known = parts.uri.path().strip_prefix("/callback/");
    if let Some(endpoint) = known.and_then(|path| state.endpoints.get(path)) {
        return state.answer(endpoint, &parts, body).await;
    }
    let path = Path::<(String, String)>::from_request_parts(&mut parts, &()).await;
    let Ok(Path((corp, app))) = path else {
        return StatusCode::BAD_REQUEST;
    };
    match state.endpoint(&corp, &app) {
        Ok(endpoint) => state.answer(endpoint, &parts, body).await,
        Err(refused) => state.refuse(&corp, &app, &refused),
    }
}
