//! The slow poll: which kf accounts there are, and when each is due.
//!
//! A poll is an entry in the account's own journal, so it goes through the same decision as a doorbell. It
//! makes lost callbacks good, and sets the moment from which this store serves the account.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Context;
use super::handle::Waker;
use super::worker::Shared;
use crate::clock;
use crate::kf;
use crate::model::entry::What;
use crate::model::{Conversation, EntryBody, Partition};
use crate::settings::AppKind;
use crate::wecom::id::{CorpId, OpenKfId};

/// Accounts are looked at so often.
const LOOK: Duration = Duration::from_secs(1);
/// The list of accounts is asked for again after so long (only where the settings name none).
const RELIST: Duration = Duration::from_secs(600);
/// After a failed list the next try comes earlier.
const RELIST_FAILED: Duration = Duration::from_secs(30);

/// What is known of all corps' accounts.
#[derive(Default)]
pub(super) struct KfAccounts {
    known: HashMap<CorpId, (Vec<OpenKfId>, Instant)>,
    polled: HashMap<(CorpId, OpenKfId), Instant>,
}

impl KfAccounts {
    /// Looks every second, for as long as the gateway runs. A task of its own: listing accounts is a call to
    /// WeCom, and the beat must never wait for one.
    pub async fn run(mut self, shared: Arc<Shared>, waker: Waker) {
        loop {
            let held: Vec<Partition> = Partition::all().filter(|p| waker.owns(*p)).collect();
            if !held.is_empty() {
                self.poll(&shared.context, &held).await;
            }
            clock::sleep(LOOK).await;
        }
    }

    /// Appends a poll for each account of a held partition whose time has come. Failures are tried again at
    /// the next look.
    async fn poll(&mut self, context: &Context, held: &[Partition]) {
        let now = clock::monotonic();
        for corp in &context.settings.corps {
            let Some(app) = corp.app_for("", AppKind::Kf) else {
                continue;
            };
            for account in self.accounts(context, corp, now).await {
                let conversation = Conversation::KfAccount(corp.corp_id.clone(), account.clone());
                let slot = (corp.corp_id.clone(), account.clone());
                let waits = self
                    .polled
                    .get(&slot)
                    .is_some_and(|at| now.saturating_duration_since(*at) < corp.kf.poll);
                if waits || !held.contains(&conversation.partition()) {
                    continue;
                }
                let what = What::KfPoll { account };
                let body = EntryBody {
                    conversation,
                    app: app.name.clone(),
                    what,
                    raw: Vec::new(),
                };
                if context.intake.append_entries(&[(body, None)]).await.is_ok() {
                    self.polled.insert(slot, now);
                }
            }
        }
    }

    async fn accounts(&mut self, context: &Context, corp: &crate::settings::Corp, now: Instant) -> Vec<OpenKfId> {
        if !corp.kf.accounts.is_empty() {
            return corp.kf.accounts.values().cloned().collect();
        }
        if let Some((list, until)) = self.known.get(&corp.corp_id)
            && *until > now
        {
            return list.clone();
        }
        let (list, keep) = match kf::accounts(&context.delivery, corp).await {
            Ok(list) => (list, RELIST),
            Err(reason) => {
                tracing::warn!(corp = %corp.name, reason, "cannot list the kf accounts");
                let old = self.known.remove(&corp.corp_id).map(|(l, _)| l).unwrap_or_default();
                (old, RELIST_FAILED)
            }
        };
        self.known.insert(corp.corp_id.clone(), (list.clone(), now + keep));
        list
    }
}
