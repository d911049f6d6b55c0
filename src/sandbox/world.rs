//! Everything simulated, under one lock: corps, tokens, faults, the ledger, the moved clock.
//!
//! Pure: every method is told the time and answers at once. HTTP and callbacks stand around it.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use super::call::{self, Call, Run, Verb};
use super::corp::{Corp, Kind};
use super::fault::Fault;
use super::limits::Window;
use super::post::Posted;
use super::refusal::{Answer, Refusal, refuse};

/// One API call as it arrived and was answered.
#[derive(Debug, Clone, Serialize)]
pub struct Recorded {
    /// Its place in the ledger, counted from 1.
    pub no: u64,
    /// When it was answered, on the sandbox's clock.
    pub at_ms: i64,
    /// Below `/cgi-bin/`.
    pub path: String,
    /// The query, token and secret redacted.
    pub query: BTreeMap<String, String>,
    /// The JSON body; for uploads their length.
    pub body: Value,
    /// The calling app, once its token was found.
    pub app: Option<String>,
    /// What was answered; for files their length. Null when the answer was lost.
    pub answer: Value,
    /// The fault that applied.
    pub fault: Option<Fault>,
    /// Did it reach the state machine?
    pub processed: bool,
}

/// An incoming call, its HTTP taken off.
pub(super) struct Incoming {
    pub path: String,
    pub get: bool,
    pub query: BTreeMap<String, String>,
    pub raw: Bytes,
    pub content_type: String,
    pub ip: String,
}

/// What goes back.
pub(super) enum Reply {
    Json(Value),
    File(String, String, Bytes),
}

#[derive(Debug, Clone)]
struct Token {
    corp: String,
    app: String,
    until_ms: i64,
    expired: bool,
}

/// Everything simulated.
#[derive(Default)]
pub(super) struct World {
    pub corps: BTreeMap<String, Corp>,
    pub faults: Vec<Fault>,
    pub ledger: VecDeque<Recorded>,
    pub posted: Vec<Posted>,
    pub offset_ms: i64,
    tokens: BTreeMap<String, Token>,
    wrong_secrets: BTreeMap<String, Window>,
    banned: BTreeMap<String, i64>,
    running: BTreeMap<String, u32>,
    hints: u64,
    recorded: u64,
}

/// The ledger forgets its oldest calls beyond this number, so that a sandbox can run for weeks.
const MOST_RECORDED: usize = 200_000;

impl World {
    /// Answers one call.
    pub(super) fn answer(&mut self, incoming: &Incoming, now: i64) -> (Option<String>, Reply) {
        let app = self.token(incoming, now).ok().map(|(_, app)| app);
        let answer = if incoming.path == "gettoken" {
            self.get_token(incoming, now).map(Reply::Json)
        } else {
            self.call(incoming, now)
        };
        let reply = match answer {
            Ok(Reply::Json(mut fields)) => {
                fields["errcode"] = 0.into();
                fields["errmsg"] = "ok".into();
                Reply::Json(fields)
            }
            Ok(file) => file,
            Err(refusal) => Reply::Json(self.refusal(&refusal, &incoming.ip, now)),
        };
        (app, reply)
    }

    /// A refusal's body, with a hint of its own.
    pub(super) fn refusal(&mut self, refusal: &Refusal, ip: &str, now: i64) -> Value {
        self.hints += 1;
        refusal.body(&format!("{}_{}_sandbox", now / 1000, self.hints), ip)
    }

    fn call(&mut self, incoming: &Incoming, now: i64) -> Result<Reply, Refusal> {
        let (corp_id, app) = self.token(incoming, now)?;
        let Some(api) = call::find(&incoming.path) else {
            return refuse(48002, "no such api in the sandbox");
        };
        let Some(corp) = self.corps.get_mut(&corp_id) else {
            return refuse(40013, corp_id);
        };
        if let Some(kind) = api.kind
            && !corp.app(&app).is_some_and(|a| a.kinds.contains(&kind))
        {
            return refuse(if kind == Kind::Kf { 48007 } else { 48002 }, app);
        }
        // message/send has limits of its own (M3).
        let (minute, hour) = (corp.limits.api_per_minute, corp.limits.api_per_hour);
        if api.path != "message/send" && !corp.meters.pass(&format!("api {}", api.path), now, minute, hour) {
            return refuse(45009, api.path);
        }
        let body = match api.verb {
            Verb::Get if !incoming.get => return refuse(40058, "GET expected"),
            Verb::Post | Verb::Upload if incoming.get => return refuse(40058, "POST expected"),
            Verb::Get | Verb::Upload => Value::Null,
            Verb::Either if incoming.get => json!({}),
            Verb::Post | Verb::Either => match serde_json::from_slice::<Value>(&incoming.raw) {
                Ok(body @ Value::Object(_)) => body,
                _ => return refuse(40058, "the body is no JSON object"),
            },
        };
        let call = Call {
            app: &app,
            query: &incoming.query,
            body: &body,
            raw: &incoming.raw,
            content_type: &incoming.content_type,
            now,
        };
        match api.run {
            Run::Json(run) => run(corp, &call).map(Reply::Json),
            Run::File(run) => run(corp, &call).map(|(kind, name, bytes)| Reply::File(kind, name, bytes)),
        }
    }

    /// Whose token it is: 41001, 40014, 42001.
    fn token(&self, incoming: &Incoming, now: i64) -> Result<(String, String), Refusal> {
        let Some(given) = incoming.query.get("access_token").filter(|t| !t.is_empty()) else {
            return refuse(41001, "");
        };
        match self.tokens.get(given) {
            None => refuse(40014, ""),
            Some(t) if t.expired || now >= t.until_ms => refuse(42001, ""),
            Some(t) => Ok((t.corp.clone(), t.app.clone())),
        }
    }

    /// `gettoken`: the same token again while it lives.
    fn get_token(&mut self, incoming: &Incoming, now: i64) -> Answer {
        if self.banned.get(&incoming.ip).is_some_and(|until| now < *until) {
            return refuse(45009, "this address sent too many wrong secrets");
        }
        let param = |key: &str| incoming.query.get(key).filter(|v| !v.is_empty());
        let Some(corp_id) = param("corpid") else {
            return refuse(41002, "");
        };
        let Some(secret) = param("corpsecret") else {
            return refuse(41004, "");
        };
        let Some(corp) = self.corps.get_mut(corp_id) else {
            return refuse(40013, corp_id);
        };
        let Some(app) = corp.apps.iter().find(|a| a.secret == *secret).map(|a| a.name.clone()) else {
            let hour = || Window::of_ms(3_600_000);
            let window = self.wrong_secrets.entry(incoming.ip.clone()).or_insert_with(hour);
            window.note(now);
            if window.count(now) >= corp.limits.wrong_secrets {
                self.wrong_secrets.remove(&incoming.ip);
                self.banned.insert(incoming.ip.clone(), now + 3_600_000);
            }
            return refuse(40001, "");
        };
        let live = self
            .tokens
            .iter()
            .find(|(_, t)| t.corp == *corp_id && t.app == app && !t.expired && now < t.until_ms)
            .map(|(id, t)| (id.clone(), t.until_ms));
        let (id, until_ms) = live.unwrap_or_else(|| {
            let id = corp.ids.make("token_");
            let until_ms = now + corp.limits.token_seconds * 1_000;
            let token = Token {
                corp: corp_id.clone(),
                app,
                until_ms,
                expired: false,
            };
            self.tokens.insert(id.clone(), token);
            (id, until_ms)
        });
        Ok(json!({"access_token": id, "expires_in": (until_ms - now + 999) / 1000}))
    }

    /// All tokens given so far are expired from now on: 42001.
    pub(super) fn expire_tokens(&mut self) {
        self.tokens.values_mut().for_each(|t| t.expired = true);
    }

    /// All tokens given so far are unknown from now on: 40014.
    pub(super) fn forget_tokens(&mut self) {
        self.tokens.clear();
    }

    /// Counts a call as running; false = too many at the same time (45033).
    pub(super) fn begin(&mut self, path: &str) -> bool {
        let most = self
            .corps
            .values()
            .map(|c| c.limits.api_concurrent)
            .filter(|n| *n > 0)
            .min()
            .unwrap_or(u32::MAX);
        let running = self.running.entry(path.to_owned()).or_default();
        *running += 1;
        *running <= most
    }

    /// The call has ended.
    pub(super) fn end(&mut self, path: &str) {
        if let Some(n) = self.running.get_mut(path) {
            *n = n.saturating_sub(1);
        }
    }

    /// The corp a control call means: by id, else the first.
    pub(super) fn corp(&mut self, id: Option<&str>) -> Option<&mut Corp> {
        match id {
            Some(id) => self.corps.get_mut(id),
            None => self.corps.values_mut().next(),
        }
    }

    /// Notes a call.
    pub(super) fn record(&mut self, mut entry: Recorded) {
        self.recorded += 1;
        entry.no = self.recorded;
        for secret in ["access_token", "corpsecret"] {
            if let Some(value) = entry.query.get_mut(secret) {
                *value = "***".to_owned();
            }
        }
        if entry.path == "gettoken" && entry.answer.get("access_token").is_some() {
            entry.answer["access_token"] = "***".into();
        }
        if self.ledger.len() == MOST_RECORDED {
            self.ledger.pop_front();
        }
        self.ledger.push_back(entry);
    }
}
