//! 微信客服: the pull behind the doorbell.
//!
//! Comes in: a `KfPull` job. Goes out: each message appended to its contact's journal first (its `msgid` is the
//! mark), and the account's new state, whose cursor the owner commits after that. A crash in between repeats a
//! page, and the marks make the repeat harmless. Must never know: rules, sessions, what is answered.
//!
//! The hard decision: one run is one page. The owner commits the cursor between pages and calls again, so a
//! pull of three days' backlog survives restarts where it stood, and nothing is passed back up.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::delivery::{CallError, Delivery};
use crate::intake::Intake;
use crate::model::doc::KfAccountState;
use crate::model::entry::What;
use crate::model::{Action, Conversation, Doc, Ending, EntryBody, Job, Outcome, StoreTime};
use crate::settings::{AppKind, Corp};
use crate::store::{Mark, MarkKind};
use crate::wecom::api::{AccountList, SyncMsg, SyncPage};
use crate::wecom::id::{CorpId, OpenKfId};
use crate::wecom::kf::KfMessage;

/// `sync_msg` gives at most so many (api.md §12.1).
const PAGE: u32 = 1000;
/// A pull that fails so often in a row is dead; the slow poll begins another one.
const ATTEMPTS: u32 = 8;
/// The customer's message that rings for the first time is a little older than the ring, and `send_time` has
/// whole seconds of another clock: so much older is still "since we serve the account".
const FIRST_SERVED_SLACK: Duration = Duration::from_secs(10);

/// The next page to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    account: KfAccountState,
    position: u64,
}

/// What reading a page led to.
#[derive(Debug)]
pub enum Pulled {
    /// Its messages are journalled; `account` is to be committed now. `more`: `has_more` was 1.
    Page {
        /// The account's state afterwards.
        account: KfAccountState,
        /// Another page waits.
        more: bool,
    },
    /// Nothing changed; again after a while.
    Retry {
        /// How long.
        after: Duration,
        /// For the log.
        reason: &'static str,
    },
    /// No pull by this job any more.
    End(Ending),
}

/// The page that the pull of ring `n` reads next; `None` when a complete pull that began after the ring was
/// decided has answered it already. `position`: what the account's partition has decided so far.
pub fn next_page(doc: &Doc, n: u64, position: u64) -> Option<Page> {
    let account = doc.kf_account.clone().unwrap_or_default();
    (account.pulled_from < n).then_some(Page { account, position })
}

/// Reads one page and journals its messages. Called twice for one page: the second time everything is known.
pub async fn pull(delivery: &Delivery, intake: &Intake, job: &Job, attempts: u32, page: Page) -> Pulled {
    let Action::KfPull { account: id, token } = &job.action else {
        return Pulled::End(Ending::new(Outcome::Rejected, "not_a_pull"));
    };
    let api = match delivery.api(&job.corp, &job.app, AppKind::Kf) {
        Ok(api) => api,
        Err(reason) => return Pulled::End(Ending::new(Outcome::Rejected, reason)),
    };
    let Page { mut account, position } = page;
    if account.pulling_from == 0 {
        account.pulling_from = position;
    }
    let since = account.first_served.get_or_insert_with(|| first_served(job.accepted));
    let first_served = *since;
    let mut call = SyncMsg {
        cursor: account.cursor.clone(),
        token: token.as_ref().map(|t| t.0.clone()),
        limit: PAGE,
        open_kfid: id.clone(),
    };
    let mut answer = api.call(&call).await;
    // The ring's token lives 10 minutes; the cursor alone is enough, under a stricter limit.
    if matches!(answer, Err(CallError::Refused { errcode: 95007, .. })) && call.token.take().is_some() {
        answer = api.call(&call).await;
    }
    let got = match answer {
        Ok(got) => got,
        // The cursor is dead (errcodes.md, 50100): from the oldest message again; marks know what was journalled.
        Err(CallError::Refused { errcode: 50100, .. }) if !account.cursor.is_empty() => {
            tracing::warn!("WeCom no longer knows a kf cursor: reading from the oldest message again");
            account.cursor.clear();
            return Pulled::Page { account, more: true };
        }
        Err(e) => return failed(&e, attempts, delivery.now()),
    };
    let entries = entries(&got, job, id, first_served);
    if let Err(e) = intake.append_entries(&entries).await {
        tracing::warn!(error = %e, "kf messages could not be journalled; the page will be read again");
        return Pulled::Retry {
            after: Duration::from_secs(1),
            reason: "store",
        };
    }
    let more = got.has_more == 1;
    if more && got.next_cursor == account.cursor {
        if attempts >= ATTEMPTS {
            return Pulled::End(Ending::new(Outcome::Dead, "cursor_stands"));
        }
        return Pulled::Retry {
            after: Duration::from_secs(2),
            reason: "cursor_stands",
        };
    }
    if !got.next_cursor.is_empty() {
        account.cursor = got.next_cursor;
    }
    if !more {
        account.pulled_from = account.pulling_from;
        account.pulling_from = 0;
    }
    Pulled::Page { account, more }
}

fn first_served(accepted: StoreTime) -> StoreTime {
    let t = accepted.minus(FIRST_SERVED_SLACK);
    StoreTime(t.0 - t.0.rem_euclid(1000))
}

fn entries(got: &SyncPage, job: &Job, id: &OpenKfId, first_served: StoreTime) -> Vec<(EntryBody, Option<Mark>)> {
    let corp = &job.corp;
    let entry = |value: &serde_json::Value| {
        let raw = serde_json::to_vec(value).unwrap_or_default();
        let (conversation, mark) = match KfMessage::from_value(value) {
            Ok(m) => (conversation(corp, id, &m), mark(corp, id, &m.msgid)),
            // Kept whole all the same; its content recognises a repeat.
            Err(_) => {
                let hash = hex(&Sha256::digest(&raw));
                (Conversation::KfAccount(corp.clone(), id.clone()), mark(corp, id, &hash))
            }
        };
        let what = What::Kf {
            account: id.clone(),
            first_served,
        };
        (
            EntryBody {
                conversation,
                app: job.app.clone(),
                what,
                raw,
            },
            Some(mark),
        )
    };
    got.msg_list.iter().map(entry).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn conversation(corp: &CorpId, id: &OpenKfId, message: &KfMessage) -> Conversation {
    match &message.contact {
        Some(contact) => Conversation::Contact(corp.clone(), contact.clone()),
        None => Conversation::KfAccount(corp.clone(), id.clone()),
    }
}

fn mark(corp: &CorpId, id: &OpenKfId, msgid: &str) -> Mark {
    Mark::new(MarkKind::KfMessage, &format!("kf/{corp}/{id}/{msgid}"))
}

fn failed(e: &CallError, attempts: u32, now: StoreTime) -> Pulled {
    match e {
        CallError::Later { until, reason } => Pulled::Retry {
            after: until.since(now),
            reason,
        },
        CallError::Refused { until: Some(until), .. } => Pulled::Retry {
            after: until.since(now),
            reason: "refused",
        },
        CallError::NotSent(_)
        | CallError::Unclear(_)
        | CallError::Refused {
            errcode: -1 | 45033 | 6000 | 81026,
            ..
        } => {
            if attempts >= ATTEMPTS {
                return Pulled::End(Ending::new(Outcome::Dead, "retries_used_up"));
            }
            Pulled::Retry {
                after: Duration::from_secs(1 << attempts.min(5)),
                reason: "no_answer",
            }
        }
        CallError::Refused { errcode, .. } => {
            let reason = crate::wecom::errcode::of(*errcode).reason;
            Pulled::End(Ending::new(Outcome::Rejected, reason).with_errcode(*errcode))
        }
    }
}

/// All accounts that a corp's app may serve. The error is a stable word.
pub async fn accounts(delivery: &Delivery, corp: &Corp) -> Result<Vec<OpenKfId>, String> {
    let received = corp.apps.first().map(|a| a.name.clone()).ok_or("no_app")?;
    let api = delivery.api(&corp.corp_id, &received, AppKind::Kf)?;
    let mut all = Vec::new();
    loop {
        let offset = u32::try_from(all.len()).unwrap_or(u32::MAX);
        let page = api
            .call(&AccountList { offset, limit: 100 })
            .await
            .map_err(|e| e.to_string())?;
        let last = page.account_list.len() < 100;
        all.extend(page.account_list.into_iter().map(|a| a.open_kfid));
        if last {
            return Ok(all);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_decided_before_the_last_complete_pull_began_needs_no_pull() {
        let mut doc = Doc::default();
        assert!(next_page(&doc, 3, 3).is_some());
        doc.kf_account = Some(KfAccountState {
            pulled_from: 5,
            ..KfAccountState::default()
        });
        assert!(next_page(&doc, 5, 9).is_none());
        assert!(next_page(&doc, 6, 9).is_some(), "it rang during the pull: one more");
    }

    #[test]
    fn the_first_message_that_rang_is_not_older_than_first_served() {
        assert!(first_served(StoreTime(1_700_000_000_900)) <= StoreTime::from_secs(1_700_000_000));
    }
}
