//! The access token of each app: one flight per gateway, one value for all gateways.
//!
//! A caller whose call was refused names the token it used; only if that is still the current one is a new
//! one fetched, so a hundred refusals of one token cost one `gettoken`. Before that the shared value is read:
//! another gateway may have been faster.
//!
//! A wrong secret must never be tried in a loop (WeCom bans the whole IP). So a refused `gettoken` is noted
//! under the *hash of the secret*, for all gateways; the next try comes after five minutes, then ten, up to an
//! hour, by one gateway. A restart with another secret finds no note and goes at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::api::CallError;
use super::http::Trouble;
use super::limiter::pause;
use super::{Inner, hex};
use crate::model::{AppName, StoreTime};
use crate::settings::{App, Corp};
use crate::store::Shared;
use crate::wecom::api::{Call, GetToken, Token};
use crate::wecom::errcode::{self, Class};
use crate::wecom::id::CorpId;

/// `gettoken` is answered within this or given up.
const WITHIN: Duration = Duration::from_secs(5);
/// After a passing failure nobody fetches for so long.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// A pause note is forgotten a day after its end.
const KEEP_NOTE: Duration = Duration::from_secs(2 * 86_400);

/// A token in use, and which one it is: a caller hands the number back when WeCom refuses it.
#[derive(Clone)]
pub(super) struct Lease {
    pub(super) token: SecretString,
    pub(super) number: u64,
}

#[derive(Default)]
struct Slot {
    held: Option<Held>,
    number: u64,
    /// Nothing is fetched before this; the errcode is why.
    paused: Option<Pause>,
    /// The last fetch failed for a passing reason: waiters of that flight do not all try again at once.
    failed: Option<StoreTime>,
}

struct Held {
    token: SecretString,
    expires: StoreTime,
}

/// All tokens of this gateway.
#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<(CorpId, AppName), Shelf>>);

type Shelf = Arc<tokio::sync::Mutex<Slot>>;

/// The shared value of a token.
#[derive(serde::Serialize, serde::Deserialize)]
struct SharedToken {
    token: String,
    expires: StoreTime,
}

/// The shared note that a secret was refused.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
struct Pause {
    until: StoreTime,
    times: u32,
    errcode: i64,
}

impl Tokens {
    fn slot(&self, corp: &Corp, app: &App) -> Shelf {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(map.entry((corp.corp_id.clone(), app.name.clone())).or_default())
    }
}

impl Slot {
    /// The token in memory, unless it has expired or is the refused one.
    fn current(&self, now: StoreTime, refused: Option<u64>) -> Option<Lease> {
        let held = self.held.as_ref().filter(|h| now < h.expires)?;
        (refused != Some(self.number)).then(|| Lease {
            token: held.token.clone(),
            number: self.number,
        })
    }

    fn take(&mut self, held: Held) -> Lease {
        self.number += 1;
        let lease = Lease {
            token: held.token.clone(),
            number: self.number,
        };
        self.held = Some(held);
        self.paused = None;
        self.failed = None;
        lease
    }
}

fn read<T: serde::de::DeserializeOwned>(shared: &Shared) -> Option<T> {
    serde_json::from_slice(shared.value.as_deref()?).ok()
}

impl Inner {
    /// The app's token; `refused`: the one that WeCom has just refused. Waiters of one flight share its result. The
    /// flight is a task of its own: a look-up that runs out of time does not stop it.
    pub(super) async fn token(
        self: &Arc<Self>,
        corp: &Corp,
        app: &App,
        refused: Option<u64>,
    ) -> Result<Lease, CallError> {
        let slot = self.tokens.slot(corp, app);
        if let Some(lease) = slot.try_lock().ok().and_then(|s| s.current(self.clock.now(), refused)) {
            return Ok(lease);
        }
        let (inner, corp, app) = (Arc::clone(self), corp.corp_id.clone(), app.name.clone());
        tokio::spawn(async move {
            let corp = inner.settings.corp_by_id(&corp);
            match corp.and_then(|c| Some((c, c.app(app.as_str())?))) {
                Some((corp, app)) => inner.flight_of_token(corp, app, slot, refused).await,
                None => Err(CallError::NotSent("no_app")),
            }
        })
        .await
        .unwrap_or(Err(CallError::NotSent("no_token")))
    }

    async fn flight_of_token(
        &self,
        corp: &Corp,
        app: &App,
        slot: Shelf,
        refused: Option<u64>,
    ) -> Result<Lease, CallError> {
        let mut slot = slot.lock().await;
        let now = self.clock.now();
        if let Some(lease) = slot.current(now, refused) {
            return Ok(lease);
        }
        if let Some(p) = slot.paused.filter(|p| now < p.until) {
            return Err(p.error());
        }
        if slot.failed.is_some_and(|at| now.since(at) < AFTER_FAILURE) {
            return Err(CallError::NotSent("no_token"));
        }
        let old = slot.held.as_ref().map(|h| h.token.expose_secret().to_owned());
        let Some(secret) = app.secret.clone() else {
            return Err(CallError::NotSent("no_secret"));
        };
        let id = secret_hash(&secret);
        let key = format!("token/{}/{id}", app.name);
        let shared = self.store.shared(corp.corp_id.as_str(), &key).await.ok();
        if let Some(s) = &shared
            && let Some(known) = read::<SharedToken>(s)
            && s.now < known.expires
            && !(refused.is_some() && old.as_deref() == Some(known.token.as_str()))
        {
            return Ok(slot.take(Held {
                token: known.token.into(),
                expires: known.expires,
            }));
        }
        let note = Note::open(self, corp, app, &id).await.inspect_err(|e| {
            if let CallError::Refused {
                errcode,
                until: Some(until),
            } = e
            {
                let (until, errcode) = (*until, *errcode);
                slot.paused = Some(Pause {
                    until,
                    times: 0,
                    errcode,
                });
            }
        })?;
        match self.get_token(corp, secret).await {
            Ok(token) => {
                note.close(self, corp).await;
                // Whatever WeCom says: not fetched all the time, not kept for ever.
                let life = Duration::from_secs(token.expires_in.clamp(5, 86_400));
                // Renewed a little before its end: 5 minutes of 7200 s.
                let life = life.saturating_sub(Duration::from_secs(300).min(life / 10));
                let held = Held {
                    token: token.access_token,
                    expires: self.clock.now().plus(life),
                };
                self.share_token(corp, &key, shared.map_or(0, |s| s.version), &held, life)
                    .await;
                Ok(slot.take(held))
            }
            Err(CallError::Refused { errcode, .. }) => {
                let (error, paused) = note.refused(self, corp, app, errcode).await;
                slot.paused = paused;
                Err(error)
            }
            Err(other) => {
                slot.failed = Some(self.clock.now());
                Err(other)
            }
        }
    }

    /// Until when this app's `gettoken` rests, as far as this gateway knows without asking anybody.
    pub(super) fn token_paused(&self, corp: &Corp, app: &AppName) -> Option<StoreTime> {
        let map = self.tokens.0.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = Arc::clone(map.get(&(corp.corp_id.clone(), app.clone()))?);
        drop(map);
        let paused = slot.try_lock().ok()?.paused?;
        (self.clock.now() < paused.until).then_some(paused.until)
    }

    async fn share_token(&self, corp: &Corp, key: &str, version: u64, held: &Held, life: Duration) {
        let shared = SharedToken {
            token: held.token.expose_secret().to_owned(),
            expires: held.expires,
        };
        if let Ok(value) = serde_json::to_vec(&shared) {
            // False or an error: another gateway has set one (WeCom gives both the same), or they fetch theirs.
            let _ = self
                .store
                .compare_and_set(corp.corp_id.as_str(), key, version, Some(&value), Some(life))
                .await;
        }
    }

    async fn get_token(&self, corp: &Corp, secret: SecretString) -> Result<Token, CallError> {
        let call = GetToken {
            corp: corp.corp_id.clone(),
            secret,
        };
        let result = self.exchange::<GetToken>(corp, None, call.wire(), WITHIN).await;
        // No token, no call: whatever became of gettoken, the business call surely did not happen.
        result.map_err(|e| match e {
            CallError::Unclear(_) => CallError::NotSent("no_token"),
            other => other,
        })
    }
}

impl Pause {
    fn error(&self) -> CallError {
        CallError::Refused {
            errcode: self.errcode,
            until: Some(self.until),
        }
    }
}

/// The shared note about one secret, as found before a `gettoken`.
struct Note {
    key: String,
    version: u64,
    before: Option<Pause>,
}

impl Note {
    /// Reads the note. After a pause only the gateway that takes the next try by compare-and-set goes on.
    async fn open(inner: &Inner, corp: &Corp, app: &App, id: &str) -> Result<Self, CallError> {
        let key = format!("pause/{}/{id}", app.name);
        let mut note = Self {
            key,
            version: 0,
            before: None,
        };
        let Ok(shared) = inner.store.shared(corp.corp_id.as_str(), &note.key).await else {
            return Ok(note);
        };
        note.version = shared.version;
        note.before = read(&shared);
        let Some(before) = note.before else {
            return Ok(note);
        };
        if shared.now < before.until {
            return Err(before.error());
        }
        let claim = Pause {
            until: shared.now.plus(Duration::from_secs(60)),
            ..before
        };
        if note.write(inner, corp, Some(&claim)).await {
            note.version = inner
                .store
                .shared(corp.corp_id.as_str(), &note.key)
                .await
                .map_or(0, |s| s.version);
            Ok(note)
        } else {
            Err(claim.error())
        }
    }

    async fn write(&self, inner: &Inner, corp: &Corp, pause: Option<&Pause>) -> bool {
        let value = pause.and_then(|p| serde_json::to_vec(p).ok());
        inner
            .store
            .compare_and_set(
                corp.corp_id.as_str(),
                &self.key,
                self.version,
                value.as_deref(),
                Some(KEEP_NOTE),
            )
            .await
            .unwrap_or(false)
    }

    /// The secret is good.
    async fn close(&self, inner: &Inner, corp: &Corp) {
        if self.before.is_some() {
            self.write(inner, corp, None).await;
        }
    }

    /// `gettoken` was refused. What passes by itself is tried again soon; all else pauses the app, unknown
    /// numbers too.
    async fn refused(&self, inner: &Inner, corp: &Corp, app: &App, errcode: i64) -> (CallError, Option<Pause>) {
        let now = inner.clock.now();
        let class = errcode::of(errcode).class;
        if class == Class::Backoff {
            return (CallError::NotSent("no_token"), None);
        }
        let times = self.before.map_or(0, |b| b.times + 1);
        let length = match (class, times) {
            (Class::Freeze, 0) => Duration::from_secs(60),
            (Class::Freeze, _) => Duration::from_secs(3600),
            _ => pause(times),
        };
        let paused = Pause {
            until: now.plus(length),
            times,
            errcode,
        };
        self.write(inner, corp, Some(&paused)).await;
        let reason = errcode::of(errcode).reason;
        inner
            .metrics
            .skipped
            .with_label_values(&["app_paused", reason.as_ref()])
            .inc();
        tracing::error!(
            corp = %corp.name, app = %app.name, errcode, pause_s = length.as_secs(),
            "WeCom refuses this app's corp id and secret; its calls wait. Check both in config/gateway.toml and restart"
        );
        (paused.error(), Some(paused))
    }
}

/// Names a secret without telling it: 64 bits of SHA-256 over at least 43 random letters.
fn secret_hash(secret: &SecretString) -> String {
    let digest = Sha256::digest(secret.expose_secret().as_bytes());
    hex(digest.get(..8).unwrap_or_default())
}

impl From<Trouble> for CallError {
    fn from(t: Trouble) -> Self {
        match t {
            Trouble::NotSent(word) => Self::NotSent(word),
            Trouble::Unclear(word) => Self::Unclear(word),
        }
    }
}
