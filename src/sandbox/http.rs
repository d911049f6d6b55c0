//! HTTP: connections in, calls to the state machine, faults on the way.
//!
//! A connection is served by hand instead of by a router, because a lost answer must close the connection
//! without a byte.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming as Body;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::control;
use super::fault::{Fault, Lost, take};
use super::refusal::Refusal;
use super::shared::Shared;
use super::world::{Incoming, Recorded, Reply};

/// The largest body taken: a 20 MB file with its envelope.
const MOST_BYTES: usize = 24 << 20;

/// The connection is closed without an answer.
#[derive(Debug)]
pub(super) struct Hangup;

impl std::fmt::Display for Hangup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the sandbox was told to lose this answer")
    }
}

impl std::error::Error for Hangup {}

/// Takes connections until it is aborted; then all of them close.
pub(super) async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of file handles or the like: the next try may succeed.
            crate::clock::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&shared), peer, request));
            // An error here is a broken or a deliberately closed connection: nobody is left to tell.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    shared: Arc<Shared>,
    peer: SocketAddr,
    request: Request<Body>,
) -> Result<Response<Full<Bytes>>, Hangup> {
    let (parts, body) = request.into_parts();
    let Ok(raw) = Limited::new(body, MOST_BYTES).collect().await else {
        return Ok(plain(413, "too large"));
    };
    let raw = raw.to_bytes();
    let query = query(parts.uri.query().unwrap_or_default());
    let path = parts.uri.path().to_owned();
    if let Some(path) = path.strip_prefix("/cgi-bin/") {
        let content_type = parts
            .headers
            .get("content-type")
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default();
        let incoming = Incoming {
            path: path.to_owned(),
            get: parts.method == Method::GET,
            query,
            raw,
            content_type: content_type.to_owned(),
            ip: peer.ip().to_string(),
        };
        return call(&shared, incoming).await;
    }
    Ok(control::answer(&shared, &parts.method, &path, &query, &raw).await)
}

/// One API call: fault, state machine, ledger.
async fn call(shared: &Arc<Shared>, incoming: Incoming) -> Result<Response<Full<Bytes>>, Hangup> {
    let (fault, free) = {
        let mut world = shared.world();
        (
            take(&mut world.faults, &incoming.path, &incoming.raw),
            world.begin(&incoming.path),
        )
    };
    let running = Running(shared, &incoming.path);
    let fault = fault.unwrap_or_else(Fault::none);
    let pause = Duration::from_millis(fault.delay_ms);
    if !fault.after {
        crate::clock::sleep(pause).await;
    }
    let refused = fault.errcode.or((!free).then_some(45033));
    let skipped = fault.drop == Some(Lost::Before) || (!fault.after && (refused.is_some() || fault.status.is_some()));
    let now = shared.now();
    let reply = {
        let mut world = shared.world();
        let (app, mut reply) = if skipped {
            (None, None)
        } else {
            let (app, reply) = world.answer(&incoming, now);
            (app, Some(reply))
        };
        if let Some(code) = refused {
            let refusal = Refusal {
                code,
                about: String::new(),
            };
            reply = Some(Reply::Json(world.refusal(&refusal, &incoming.ip, now)));
        }
        world.record(recorded(&incoming, now, app, reply.as_ref(), &fault, !skipped));
        reply
    };
    if fault.after {
        crate::clock::sleep(pause).await;
    }
    drop(running);
    match (fault.drop, fault.status, reply) {
        (Some(_), ..) => Err(Hangup),
        (None, Some(status), _) => Ok(plain(status, "")),
        (None, None, Some(Reply::Json(answer))) => {
            let mut text = answer.to_string();
            if fault.malformed {
                text.truncate(super::fields::cut(&text, text.len() / 2).len());
            }
            Ok(typed(200, "application/json; charset=UTF-8", Bytes::from(text)))
        }
        (None, None, Some(Reply::File(kind, name, bytes))) => {
            let mut response = typed(200, &kind, bytes);
            if let Ok(value) = format!("attachment; filename=\"{name}\"").parse() {
                response.headers_mut().insert("content-disposition", value);
            }
            Ok(response)
        }
        (None, None, None) => Err(Hangup),
    }
}

/// Counts a call as running until it is dropped, however it ends.
struct Running<'a>(&'a Shared, &'a str);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.world().end(self.1);
    }
}

fn recorded(
    incoming: &Incoming,
    now: i64,
    app: Option<String>,
    reply: Option<&Reply>,
    fault: &Fault,
    processed: bool,
) -> Recorded {
    let lost = fault.drop.is_some() || fault.status.is_some();
    let body = serde_json::from_slice(&incoming.raw).unwrap_or_else(|_| {
        if incoming.raw.is_empty() {
            Value::Null
        } else {
            json!({"bytes": incoming.raw.len()})
        }
    });
    let answer = match reply {
        Some(Reply::Json(answer)) if !lost => answer.clone(),
        Some(Reply::File(_, _, bytes)) if !lost => json!({"bytes": bytes.len()}),
        _ => Value::Null,
    };
    Recorded {
        no: 0,
        at_ms: now,
        path: incoming.path.clone(),
        query: incoming.query.clone(),
        body,
        app,
        answer,
        fault: (*fault != Fault::none()).then(|| fault.clone()),
        processed,
    }
}

/// A response of that type; an unusable type or status falls back to a plain one.
pub(super) fn typed(status: u16, kind: &str, body: Bytes) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .header("content-type", kind)
        .body(Full::new(body.clone()))
        .unwrap_or_else(|_| Response::new(Full::new(body)))
}

/// A response in plain text.
pub(super) fn plain(status: u16, text: &str) -> Response<Full<Bytes>> {
    typed(
        status,
        "text/plain; charset=utf-8",
        Bytes::copy_from_slice(text.as_bytes()),
    )
}

/// The query's parameters, decoded.
fn query(text: &str) -> BTreeMap<String, String> {
    text.split('&')
        .filter(|p| !p.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key), decoded(value))
        })
        .collect()
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|h| std::str::from_utf8(h).ok());
        match (bytes[at], hex.and_then(|h| u8::from_str_radix(h, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
                continue;
            }
            (b'+', _) => out.push(b' '),
            (other, _) => out.push(other),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}
