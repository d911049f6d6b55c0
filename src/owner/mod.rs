//! The partition owner: read → decide → commit → deliver, one task per partition.
//!
//! Comes in: journal entries and due jobs of the partitions that this process owns. Goes out: one atomic
//! commit per step, and calls through [`crate::delivery`]. Must never know: HTTP, WeCom's envelope, Lua, SQL.
//!
//! The hard decision: **any doubt about a commit throws the partition's memory away.** A refused fence, a
//! time-out, a broken connection: the worker ends, the supervisor acquires the partition again under a new
//! epoch and reloads it. Nothing is repaired in place, so there is one path to test instead of ten.
//!
//! `supervisor` holds the partitions, `worker` is one partition's loop, `balance` decides who holds what.

mod balance;
mod calls;
mod commit;
mod decide;
mod handle;
mod kf_accounts;
mod lease;
mod outbox;
mod recover;
mod run;
mod slots;
mod supervisor;
mod watchers;
mod worker;

use std::borrow::Cow;
use std::sync::Arc;

use crate::clock::StoreClock;
use crate::content::Bundle;
use crate::delivery::{Delivery, FactPatch};
use crate::intake::Intake;
use crate::metrics::Metrics;
use crate::model::doc::KfAccountState;
use crate::model::{Ending, StoreTime};
use crate::settings::Settings;
use crate::store::Store;
use crate::wecom::id::CorpId;

pub use handle::{Owner, OwnerOptions, OwnerStatus, Waker};
pub use slots::Slots;

/// What every worker of a process shares.
pub struct Context {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Calls WeCom.
    pub delivery: Delivery,
    /// Appends to other partitions.
    pub intake: Arc<Intake>,
    /// Settings.
    pub settings: Arc<Settings>,
    /// The live bundle of a corp.
    pub live: LiveBundles,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// Store time.
    pub clock: StoreClock,
    /// Nonce of this run of the process.
    pub nonce: String,
}

/// Gives the live bundle of a corp.
pub type LiveBundles = Arc<dyn Fn(&CorpId) -> Option<Arc<Bundle>> + Send + Sync>;

/// The result of one run of a job.
#[derive(Debug, Clone)]
pub struct Done {
    /// What becomes of the job.
    pub finish: Finish,
    /// What was learnt on the way.
    pub facts: FactPatch,
    /// A kf account's state after a page.
    pub account: Option<KfAccountState>,
}

/// What becomes of a job after one run.
#[derive(Debug, Clone)]
pub enum Finish {
    /// It has its outcome.
    End(Ending),
    /// Another try, not before `until`. `refused`: this one surely did not arrive.
    Wait {
        /// Not before.
        until: StoreTime,
        /// This try surely did not arrive.
        refused: bool,
        /// For the log.
        reason: Cow<'static, str>,
    },
    /// It did part of its work and goes on at once (the next page of a pull).
    Again,
}

impl Done {
    /// A result that only says what becomes of the job.
    pub fn only(finish: Finish) -> Self {
        Self {
            finish,
            facts: FactPatch::default(),
            account: None,
        }
    }
}
