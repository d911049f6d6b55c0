//! Delivery: the one room that calls WeCom.
//!
//! Comes in: a job as it lies in the outbox, and its conversation's document. Goes out: one outcome with its
//! reason, or when to try again, and facts learnt on the way. Must never know: journals, partitions' owners, rules.
//!
//! One try in three steps, so that its owner can note the start between the second and the third:
//! [`Delivery::prepare`] (safety, look-ups, rendering, media) → [`Delivery::permit`] (limits, for all gateways)
//! → [`Delivery::call`] (the request, and what its answer means).
//!
//! The hard decision: **a call is one of three: it happened, it did not, nobody knows**, and only the code that
//! holds the socket may say which ([`CallError`]). All later judgement (`judge`) is a pure function of that.
//!
//! Error policy: nothing here fails with an error that leaves the room except [`CallError`] for callers of
//! [`Api`]; for jobs everything is an outcome or a wait. Texts, codes, tokens and URLs are never logged.

mod api;
mod cache;
mod call;
mod compose;
mod facts;
mod http;
mod judge;
mod limiter;
mod lookup;
mod media;
pub mod msgid;
mod prepare;
mod screen;
mod tags;
mod token;
mod work;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

pub use api::{Api, CallError, TIMEOUT};
pub use facts::{FactPatch, MemberNotes};
pub use prepare::BroadcastMessage;
pub use work::fail_list;

use crate::clock::StoreClock;
use crate::content::Bundle;
use crate::metrics::Metrics;
use crate::model::{AppName, BundleHash, Doc, Ending, Job, JobId, Partition, StoreTime};
use crate::settings::Settings;
use crate::store::{Ask, Started, Store};
use crate::wecom::id::CorpId;

/// Where a job's bundle is found, the live one or an older one that the job still names.
#[async_trait]
pub trait Bundles: Send + Sync {
    /// The bundle of this hash, if it can still be had.
    async fn get(&self, corp: &CorpId, hash: &BundleHash) -> Option<Arc<Bundle>>;
}

/// Everything needed to call WeCom. Cheap to clone.
#[derive(Clone)]
pub struct Delivery {
    inner: Arc<Inner>,
}

pub(in crate::delivery) struct Inner {
    settings: Arc<Settings>,
    store: Arc<dyn Store>,
    bundles: Arc<dyn Bundles>,
    metrics: Arc<Metrics>,
    clock: StoreClock,
    generation: Mutex<String>,
    http: http::Http,
    tokens: token::Tokens,
    pauses: limiter::Pauses,
    cache: cache::Cache,
}

/// One try of a job, as its owner knows it before the try's start is noted.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// The job.
    pub job: &'a Job,
    /// Its id.
    pub id: JobId,
    /// Where it lies.
    pub partition: Partition,
    /// Its conversation's document.
    pub doc: &'a Doc,
    /// Earlier tries that may have arrived.
    pub tries: u32,
    /// All earlier tries.
    pub attempts: u32,
    /// The mark of a start without an outcome.
    pub started: Option<&'a Started>,
    /// Store time.
    pub now: StoreTime,
}

/// What [`Delivery::prepare`] made of a job.
#[derive(Debug)]
pub struct Preparation {
    /// Ready, ended, or later.
    pub prepared: Prepared,
    /// To be written into the document whatever comes of the job.
    pub facts: FactPatch,
}

/// Ready to be called, or not.
#[derive(Debug)]
pub enum Prepared {
    /// Take a permit, note the start, call.
    Ready(Box<Ready>),
    /// It has its outcome without a call.
    End(Ending),
    /// Not before `until`, which is never after the deadline; nothing was called, nothing changes but the due time.
    Later {
        /// When.
        until: StoreTime,
        /// Stable word.
        reason: &'static str,
    },
}

/// A call that may go out.
#[derive(Debug)]
pub struct Ready {
    /// The job with the facts frozen into it: the start step stores it, so that a repeat has the same bytes. `None`:
    /// unchanged.
    pub job: Option<Job>,
    /// What the limiter is asked for, in the scopes of this corp.
    pub asks: Vec<Ask>,
    /// Hash of what an answer says and where: the same within 60 s in one conversation is a repeat.
    pub said: Option<u64>,
    call: call::Prepared,
}

impl Ready {
    /// The corp whose limits [`Ready::asks`] are.
    pub fn corp(&self) -> &CorpId {
        &self.call.corp
    }
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// Outcome, retry or wait.
    pub then: Then,
    /// To be written into the document with it.
    pub facts: FactPatch,
}

/// What to do with the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// Its one outcome.
    End(Ending),
    /// Again after a back-off.
    Retry {
        /// From now.
        after: Duration,
        /// This try surely did not arrive: its start is taken back.
        refused: bool,
        /// Stable word.
        reason: Cow<'static, str>,
    },
    /// Again at a time.
    Later {
        /// When.
        until: StoreTime,
        /// This try surely did not arrive: its start is taken back.
        refused: bool,
        /// Stable word.
        reason: Cow<'static, str>,
    },
}

impl Delivery {
    /// `generation`: the store's; the first letters of our message ids, so that ids of a store that was lost never
    /// come again.
    pub fn new(
        settings: Arc<Settings>,
        store: Arc<dyn Store>,
        bundles: Arc<dyn Bundles>,
        metrics: Arc<Metrics>,
        clock: StoreClock,
        generation: &str,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                settings,
                store,
                bundles,
                metrics,
                clock,
                generation: Mutex::new(generation.to_owned()),
                http: http::Http::new(),
                tokens: token::Tokens::default(),
                pauses: limiter::Pauses::default(),
                cache: cache::Cache::default(),
            }),
        }
    }

    /// The settings that it calls by.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Store time as this process knows it.
    pub fn now(&self) -> StoreTime {
        self.inner.clock.now()
    }

    /// The store's generation as the last beat told it: with another store, other message ids.
    pub fn set_generation(&self, generation: &str) {
        generation.clone_into(&mut self.inner.generation.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Takes the permits of a prepared call, or says when to come again: never later than the job's deadline, so
    /// that it is ended in time. Several gateways share them. A permit taken for a call that is then not made is
    /// lost until its window has passed.
    pub async fn permit(&self, ready: &Ready) -> Result<(), StoreTime> {
        let call = &ready.call;
        let Some(corp) = self.inner.settings.corp_by_id(&call.corp) else {
            return Ok(());
        };
        let permit = self.inner.permit(corp, &call.app, call.path, &ready.asks).await;
        permit.map_err(|until| call.case.deadline.map_or(until, |d| until.min(d)))
    }

    /// How far this host's clock is ahead of WeCom's, in milliseconds and to about a second, as the last answer
    /// told; `None` before the first.
    pub fn clock_ahead_ms(&self) -> Option<i64> {
        self.inner.http.clock_ahead_ms()
    }

    /// The job that a message id of ours names (`msg_send_fail` tells of it later).
    pub fn job_of_msgid(&self, msgid: &str) -> Option<(Partition, JobId)> {
        msgid::decode(&self.inner.generation(), msgid)
    }

    /// The app names of a corp whose calls wait because WeCom refuses their secret, as far as this gateway knows.
    pub fn paused(&self, corp: &CorpId) -> Vec<AppName> {
        let Some(corp) = self.inner.settings.corp_by_id(corp) else {
            return Vec::new();
        };
        let paused = |a: &&crate::settings::App| self.inner.token_paused(corp, &a.name).is_some();
        corp.apps.iter().filter(paused).map(|a| a.name.clone()).collect()
    }
}

impl Inner {
    fn generation(&self) -> String {
        self.generation.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Lower-case hex.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}
