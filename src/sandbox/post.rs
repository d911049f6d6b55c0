//! Posting callbacks as WeCom does: encrypted with the app's key, signed, three tries, five seconds each.
//!
//! Every try has its own nonce, timestamp and ciphertext; the XML inside is the same. The first try is
//! awaited by whoever acted, later ones run on their own and stop with the sandbox.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde::Serialize;

use super::corp::App;
use super::ring::Ring;
use super::shared::Shared;
use crate::wecom::crypto::{AesKey, signature};

/// The client that callbacks go out with.
pub(super) type Poster = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client for http and https.
pub(super) fn poster() -> Poster {
    let https = hyper_rustls::HttpsConnectorBuilder::new()
        .with_webpki_roots()
        .https_or_http()
        .enable_http1()
        .build();
    Client::builder(TokioExecutor::new()).build(https)
}

/// One try of a callback.
#[derive(Debug, Clone, Serialize)]
pub struct Posted {
    /// When it ended, on the sandbox's clock.
    pub at_ms: i64,
    /// To which app.
    pub app: String,
    /// Which try, counted from 1.
    pub attempt: u32,
    /// What came back; `None`: no answer in time.
    pub status: Option<u16>,
    /// The answer's body, or why there was none; at most 2,048 bytes.
    pub answer: String,
    /// The XML inside.
    pub xml: String,
}

impl Posted {
    /// Did WeCom take it as delivered?
    pub fn delivered(&self) -> bool {
        self.status == Some(200)
    }
}

/// What a callback needs of its corp, copied out of the lock.
#[derive(Clone)]
struct Target {
    corp_id: String,
    app: App,
    url: String,
    attempts: u32,
    timeout: Duration,
    spacing: Duration,
}

/// Posts the rings, each app's in order and the apps side by side; returns the first tries.
pub(super) async fn deliver(shared: &Arc<Shared>, corp_id: &str, rings: Vec<Ring>) -> Vec<Posted> {
    let mut by_app: Vec<(Target, Vec<Ring>)> = Vec::new();
    for ring in rings {
        let Some(target) = target(shared, corp_id, &ring.app) else {
            continue;
        };
        match by_app.iter_mut().find(|(t, _)| t.app.name == ring.app) {
            Some((_, list)) => list.push(ring),
            None => by_app.push((target, vec![ring])),
        }
    }
    // Tasks of their own: a control call that is given up half-way must not lose callbacks.
    let mut lanes = Vec::new();
    for (target, list) in by_app {
        let shared = Arc::clone(shared);
        lanes.push(tokio::spawn(async move {
            let mut first = Vec::new();
            for ring in list {
                first.push(first_try(&shared, &target, ring).await);
            }
            first
        }));
    }
    let mut posted = Vec::new();
    for lane in lanes {
        posted.extend(lane.await.unwrap_or_default());
    }
    posted
}

fn target(shared: &Shared, corp_id: &str, app: &str) -> Option<Target> {
    let world = shared.world();
    let corp = world.corps.get(corp_id)?;
    let app = corp.app(app)?.clone();
    Some(Target {
        corp_id: corp.corp_id.clone(),
        url: app.callback_url.clone()?,
        app,
        attempts: corp.limits.callback_attempts.max(1),
        timeout: Duration::from_millis(corp.limits.callback_timeout_ms),
        spacing: Duration::from_millis(corp.limits.callback_retry_ms),
    })
}

async fn first_try(shared: &Arc<Shared>, target: &Target, ring: Ring) -> Posted {
    let posted = try_once(shared, target, &ring, 1).await;
    if !posted.delivered() && target.attempts > 1 {
        tokio::spawn(retry(Arc::downgrade(shared), target.clone(), ring));
    }
    posted
}

async fn retry(shared: Weak<Shared>, target: Target, ring: Ring) {
    for attempt in 2..=target.attempts {
        crate::clock::sleep(target.spacing).await;
        let Some(shared) = shared.upgrade() else { return };
        if try_once(&shared, &target, &ring, attempt).await.delivered() {
            return;
        }
    }
}

async fn try_once(shared: &Arc<Shared>, target: &Target, ring: &Ring, attempt: u32) -> Posted {
    let sent = tokio::time::timeout(target.timeout, send(shared, target, &ring.xml)).await;
    let (status, mut answer) = match sent {
        Ok(Ok((status, answer))) => (Some(status), answer),
        Ok(Err(why)) => (None, why),
        Err(_) => (None, "no answer in time".to_owned()),
    };
    answer.truncate(super::fields::cut(&answer, 2_048).len());
    let posted = Posted {
        at_ms: shared.now(),
        app: target.app.name.clone(),
        attempt,
        status,
        answer,
        xml: ring.xml.clone(),
    };
    shared.world().posted.push(posted.clone());
    posted
}

/// Encrypts, signs and posts once.
async fn send(shared: &Shared, target: &Target, xml: &str) -> Result<(u16, String), String> {
    let (encrypt, query) = seal(shared, target, xml.as_bytes())?;
    let envelope = format!(
        "<xml><ToUserName><![CDATA[{}]]></ToUserName><AgentID><![CDATA[{}]]></AgentID>\
         <Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>",
        target.corp_id, target.app.agent_id
    );
    let request = Request::post(with_query(&target.url, &query))
        .header("content-type", "text/xml; charset=utf-8")
        .header("user-agent", "Mozilla/4.0")
        .body(Full::new(Bytes::from(envelope)))
        .map_err(|e| e.to_string())?;
    exchange(shared, request).await
}

/// Verifies an app's URL as the admin page does on saving: one second, the decrypted echo bare.
pub(super) async fn verify(shared: &Arc<Shared>, corp_id: &str, app: &str) -> Result<(), String> {
    let target = target(shared, corp_id, app).ok_or_else(|| format!("app {app} has no callback URL"))?;
    let echo = format!("{}{:08}", shared.now(), u32::from_le_bytes(random()?) % 100_000_000);
    let (encrypt, query) = seal(shared, &target, echo.as_bytes())?;
    let escaped = encrypt.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let request = Request::get(with_query(&target.url, &format!("{query}&echostr={escaped}")))
        .body(Full::new(Bytes::new()))
        .map_err(|e| e.to_string())?;
    match tokio::time::timeout(Duration::from_secs(1), exchange(shared, request)).await {
        Err(_) => Err("no answer within a second".to_owned()),
        Ok(Err(why)) => Err(why),
        Ok(Ok((200, answer))) if answer == echo => Ok(()),
        Ok(Ok((status, answer))) => Err(format!("HTTP {status}, {} bytes that are not the echo", answer.len())),
    }
}

/// Ciphertext, and the query that signs it.
fn seal(shared: &Shared, target: &Target, msg: &[u8]) -> Result<(String, String), String> {
    let key = AesKey::parse(&target.app.encoding_aes_key).map_err(|e| e.to_string())?;
    let encrypt = key.encrypt(random()?, msg, &target.corp_id);
    let timestamp = (shared.now() / 1000).to_string();
    let nonce = u32::from_le_bytes(random()?).to_string();
    let sign = signature(&target.app.token, &timestamp, &nonce, &encrypt);
    Ok((
        encrypt,
        format!("msg_signature={sign}&timestamp={timestamp}&nonce={nonce}"),
    ))
}

fn with_query(url: &str, query: &str) -> String {
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}{query}")
}

async fn exchange(shared: &Shared, request: Request<Full<Bytes>>) -> Result<(u16, String), String> {
    let answer = shared.poster.request(request).await.map_err(|e| e.to_string())?;
    let status = answer.status().as_u16();
    let body = answer
        .into_body()
        .collect()
        .await
        .map_err(|e| e.to_string())?
        .to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| e.to_string())?;
    Ok(bytes)
}
