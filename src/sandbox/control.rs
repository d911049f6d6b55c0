//! The control side: `/sandbox/…`. What a test or a person tells the simulated WeCom, and what they ask it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::act::Act;
use super::fault::Fault;
use super::http::typed;
use super::shared::Shared;
use super::{Sandbox, ToldTo};

/// The control paths, for whoever looks at `/`.
pub(super) const PATHS: &[&str] = &[
    "POST /sandbox/act       {\"do\": …}           people act; callbacks follow",
    "POST /sandbox/fault     {\"path\", \"times\", …}  the next calls fail",
    "DELETE /sandbox/fault                       no more faults",
    "POST /sandbox/clock     {\"advance_ms\"}        time passes",
    "POST /sandbox/tokens    {\"do\": \"expire\"|\"forget\"}",
    "POST /sandbox/limits    {\"api_per_minute\", …} numbers change",
    "POST /sandbox/app       {\"name\", \"callback_url\", …} an app's credentials change",
    "POST /sandbox/verify    {\"app\"}               the admin page saves the URL",
    "GET  /sandbox/calls?path=&since=            every API call",
    "GET  /sandbox/messages?to=&since=           what people saw",
    "GET  /sandbox/callbacks?since=              every try of a callback",
    "GET  /sandbox/state                         who is there, who knows whom",
];

/// What goes around an act.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Around {
    corp: Option<String>,
    copies: Option<u32>,
    silent: bool,
    wait: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_ms: i64,
}

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Tokens {
    Expire,
    Forget,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AppChange {
    corp: Option<String>,
    #[serde(alias = "app")]
    name: String,
    callback_url: Option<String>,
    token: Option<String>,
    encoding_aes_key: Option<String>,
    secret: Option<String>,
}

/// Answers a control call: 200 with JSON, 400 with `{"error"}`, 404.
pub(super) async fn answer(
    shared: &Arc<Shared>,
    method: &Method,
    path: &str,
    query: &BTreeMap<String, String>,
    raw: &Bytes,
) -> Response<Full<Bytes>> {
    let sandbox = Sandbox::of(shared);
    let since = |key: &str| query.get(key).and_then(|v| v.parse::<i64>().ok()).unwrap_or(0);
    let fits = |key: &str, value: &str| query.get(key).is_none_or(|wanted| wanted == value);
    let said = match (method.as_str(), path) {
        ("GET", "/" | "/sandbox") => return super::http::plain(200, &(PATHS.join("\n") + "\n")),
        ("GET", "/sandbox/calls") => {
            let mut calls = sandbox.calls();
            calls.retain(|c| fits("path", &c.path) && c.no > since("after") as u64 && c.at_ms >= since("since"));
            Ok(json!({"now_ms": sandbox.now_ms(), "calls": calls}))
        }
        ("GET", "/sandbox/messages") => {
            let mut seen = sandbox.messages();
            seen.retain(|m| fits("to", &m.to) && m.at_ms >= since("since"));
            Ok(json!({"now_ms": sandbox.now_ms(), "messages": seen}))
        }
        ("GET", "/sandbox/callbacks") => {
            let mut posted = sandbox.callbacks();
            posted.retain(|p| p.at_ms >= since("since"));
            Ok(json!({"now_ms": sandbox.now_ms(), "callbacks": posted}))
        }
        ("GET", "/sandbox/state") => Ok(sandbox.state()),
        ("GET", "/sandbox/clock") => Ok(json!({"now_ms": sandbox.now_ms()})),
        ("DELETE", "/sandbox/fault") => {
            sandbox.clear_faults();
            Ok(json!({}))
        }
        ("POST", _) => post(&sandbox, path, raw).await,
        _ => return super::http::plain(404, "no such control path; see GET /\n"),
    };
    match said {
        Ok(said) => json_response(200, &said),
        Err(why) => json_response(400, &json!({"error": why})),
    }
}

fn json_response(status: u16, said: &Value) -> Response<Full<Bytes>> {
    typed(status, "application/json; charset=UTF-8", Bytes::from(said.to_string()))
}

fn read<T: for<'a> Deserialize<'a>>(raw: &Bytes) -> Result<T, String> {
    serde_json::from_slice(raw).map_err(|e| e.to_string())
}

async fn post(sandbox: &Sandbox, path: &str, raw: &Bytes) -> Result<Value, String> {
    match path {
        "/sandbox/act" => {
            let (act, told) = read_act(raw)?;
            let acted = sandbox.act_with(act, told).await?;
            Ok(json!({"result": acted.result, "callbacks": acted.callbacks}))
        }
        "/sandbox/fault" => {
            let mut fault: Fault = read(raw)?;
            fault.path = fault.path.trim_start_matches("/cgi-bin/").to_owned();
            sandbox.fault(fault);
            Ok(json!({}))
        }
        "/sandbox/clock" => {
            let advance: Advance = read(raw)?;
            sandbox.advance(advance.advance_ms);
            Ok(json!({"now_ms": sandbox.now_ms()}))
        }
        "/sandbox/tokens" => {
            match read(raw)? {
                Tokens::Expire => sandbox.expire_tokens(),
                Tokens::Forget => sandbox.forget_tokens(),
            }
            Ok(json!({}))
        }
        "/sandbox/limits" => {
            let change: serde_json::Map<String, Value> = read(raw)?;
            sandbox.overlay_limits(&change)?;
            Ok(json!({}))
        }
        "/sandbox/app" => {
            let change: AppChange = read(raw)?;
            sandbox.change_app(change.corp.as_deref(), &change.name, |app| {
                app.callback_url = change.callback_url.or(app.callback_url.take());
                app.token = change.token.unwrap_or(std::mem::take(&mut app.token));
                app.encoding_aes_key = change
                    .encoding_aes_key
                    .unwrap_or(std::mem::take(&mut app.encoding_aes_key));
                app.secret = change.secret.unwrap_or(std::mem::take(&mut app.secret));
            })?;
            Ok(json!({}))
        }
        "/sandbox/verify" => {
            let change: AppChange = read(raw)?;
            sandbox
                .verify_callback(&change.name)
                .await
                .map(|()| json!({"verified": true}))
        }
        _ => Err("no such control path; see GET /".to_owned()),
    }
}

/// An act, with what goes around it in the same object: `corp`, `copies`, `silent`, `wait`.
fn read_act(raw: &Bytes) -> Result<(Act, ToldTo), String> {
    let mut act: serde_json::Map<String, Value> = read(raw)?;
    let mut around = serde_json::Map::new();
    for key in ["corp", "copies", "silent", "wait"] {
        if let Some(value) = act.remove(key) {
            around.insert(key.to_owned(), value);
        }
    }
    let around: Around = serde_json::from_value(Value::Object(around)).map_err(|e| e.to_string())?;
    let act: Act = serde_json::from_value(Value::Object(act)).map_err(|e| e.to_string())?;
    let told = ToldTo {
        corp: around.corp,
        copies: if around.silent { 0 } else { around.copies.unwrap_or(1) },
        wait: around.wait.unwrap_or(true),
    };
    Ok((act, told))
}
