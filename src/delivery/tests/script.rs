//! A WeCom that answers what the test tells it to, and remembers what it was asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// What the scripted WeCom does once with a call of some path.
#[derive(Clone)]
pub(super) enum Reply {
    Json(Value),
    Status(u16),
    Text(&'static str),
    Coded(u16, &'static str),
    Slow(u64),
    Hang,
}

pub(super) fn errcode(n: i64) -> Reply {
    Reply::Json(json!({"errcode": n, "errmsg": "no"}))
}

#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) path: String,
    pub(super) query: String,
    pub(super) body: Vec<u8>,
}

impl Seen {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Default)]
pub(super) struct Script {
    pub(super) next: HashMap<String, VecDeque<Reply>>,
    pub(super) always: HashMap<String, Reply>,
    pub(super) seen: Vec<Seen>,
    pub(super) tokens: u32,
    pub(super) revoked: Option<&'static str>,
}

pub(super) type Shared = Arc<Mutex<Script>>;

/// Notes the call and takes what the test wants to be answered.
fn scripted(script: &Shared, path: &str, query: Option<&str>, body: &[u8]) -> Option<Reply> {
    let mut s = script.lock().unwrap();
    s.seen.push(Seen {
        path: path.into(),
        query: query.unwrap_or_default().into(),
        body: body.to_vec(),
    });
    let token = |t: &str| query.is_some_and(|q| q.split('&').any(|p| p == format!("access_token={t}")));
    if s.revoked.is_some_and(token) {
        return Some(errcode(42001));
    }
    let next = s.next.get_mut(path).and_then(VecDeque::pop_front);
    next.or_else(|| s.always.get(path).cloned())
}

/// What WeCom answers on a good day.
fn usual(script: &Shared, path: &str) -> Reply {
    let mut s = script.lock().unwrap();
    s.tokens += 1;
    let n = s.tokens;
    Reply::Json(match path {
        "gettoken" => json!({"errcode": 0, "access_token": format!("T{n}"), "expires_in": 7200}),
        "media/upload" => json!({"media_id": format!("M{n}")}),
        "media/uploadimg" => json!({"errcode": 0, "url": format!("https://p/{n}")}),
        _ => json!({"errcode": 0, "errmsg": "ok"}),
    })
}

pub(super) async fn answer(State(script): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 32 << 20).await.unwrap_or_default();
    let path = parts.uri.path().trim_start_matches("/cgi-bin/").to_owned();
    let mut scripted = scripted(&script, &path, parts.uri.query(), &body);
    if let Some(Reply::Slow(ms)) = scripted {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        scripted = None;
    }
    let reply = scripted.unwrap_or_else(|| usual(&script, &path));
    match reply {
        Reply::Json(v) => v.to_string().into_response(),
        Reply::Status(n) => StatusCode::from_u16(n).unwrap().into_response(),
        Reply::Coded(n, t) => (StatusCode::from_u16(n).unwrap(), t).into_response(),
        Reply::Text(t) => t.into_response(),
        Reply::Hang | Reply::Slow(_) => {
            std::future::pending::<()>().await;
            unreachable!()
        }
    }
}
