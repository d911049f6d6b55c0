//! One chunk: reserve, call once, refund, one outcome per recipient.

use std::sync::Arc;
use std::time::Duration;

use super::ledger::{ChunkResult, FailedRecipient, is_held, store_result};
use super::quota::{self, Claim, Reserved};
use super::{CHUNK, list};
use crate::delivery::{self, CallError, Delivery};
use crate::model::entry::BroadcastOrder;
use crate::model::{Action, Doc, Ending, Job, Outcome, Partition, RecipientEnd, StoreTime};
use crate::settings::{AppKind, Corp};
use crate::store::{Store, StoreError};
use crate::wecom::api::{AddMsgTemplate, NonEmpty};
use crate::wecom::errcode;
use crate::wecom::id::ExternalUserId;

/// WeCom may take long over 10,000 names.
const TIMEOUT: Duration = Duration::from_secs(30);
/// `-1`: at most 3 retries (errcodes.md §0).
const RETRIES: u32 = 3;

/// A chunk whose quota is reserved and whose message is composed.
pub struct Chunk {
    order: BroadcastOrder,
    chunk: u32,
    call: AddMsgTemplate,
    granted: Vec<ExternalUserId>,
    result: ChunkResult,
    reserved: Vec<Reserved>,
    notes: Vec<String>,
}

/// What preparing led to.
pub enum Prepared {
    /// The call may start.
    Ready(Box<Chunk>),
    /// Nothing to call; the result is stored.
    End(Ending),
    /// Not now.
    Later {
        /// Not before.
        until: StoreTime,
        /// For the log.
        reason: &'static str,
    },
}

/// What the call led to.
pub enum Called {
    /// The outcome; the result is stored.
    End(Ending),
    /// It surely did not arrive; again after a while.
    Retry {
        /// How long.
        after: Duration,
        /// For the log.
        reason: &'static str,
    },
}

fn store_trouble(e: &StoreError, now: StoreTime) -> Prepared {
    tracing::warn!(error = %e, "a broadcast waits for the store");
    Prepared::Later {
        until: now.plus(Duration::from_secs(2)),
        reason: "store",
    }
}

/// Checks that it may go out at all, reserves quota, composes, takes a permit. Called twice: the reservation
/// is the same one.
pub async fn prepare(delivery: &Delivery, store: &Arc<dyn Store>, job: &Job, doc: &Doc, now: StoreTime) -> Prepared {
    let Action::BroadcastChunk { id, chunk, sender, say } = &job.action else {
        return Prepared::End(Ending::new(Outcome::Rejected, "not_a_broadcast"));
    };
    let Some(order) = doc.broadcast.as_ref().map(|b| b.order.clone()).filter(|o| &o.id == id) else {
        return Prepared::End(Ending::new(Outcome::Rejected, "no_order"));
    };
    let Some(corp) = delivery.settings().corp_by_id(&job.corp).cloned() else {
        return Prepared::End(Ending::new(Outcome::Rejected, "no_corp"));
    };
    let partition = job.conversation.partition();
    let all = match list::parts(&**store, partition, &job.corp, &order, *chunk).await {
        Ok(all) => all,
        Err(StoreError::Refused(why)) => {
            tracing::error!(broadcast = %id, chunk, why, "a broadcast's list cannot be read");
            return Prepared::End(Ending::new(Outcome::Rejected, "list_unreadable"));
        }
        Err(e) => return store_trouble(&e, now),
    };
    let claim = Claim {
        store: &**store,
        job,
        order: &order,
        chunk: *chunk,
        now,
    };
    let end = |all: &[ExternalUserId], outcome, reason: String| {
        let all = all.to_vec();
        finish_all(&claim, partition, all, outcome, reason)
    };
    if corp.safety.observe {
        return end(&all, Outcome::Cancelled, "observe".into()).await;
    }
    match is_held(&**store, id).await {
        Ok(false) => {}
        Ok(true) => {
            return Prepared::Later {
                until: now.plus(Duration::from_secs(5)),
                reason: "held_after_data_loss",
            };
        }
        Err(e) => return store_trouble(&e, now),
    }
    if let Some(until) = corp.safety.quiet_hours.and_then(|q| quiet_until(q, now)) {
        return Prepared::Later {
            until,
            reason: "quiet_hours",
        };
    }
    let api = match delivery.api(&job.corp, &job.app, AppKind::Contacts) {
        Ok(api) => api,
        Err(reason) => return end(&all, Outcome::Rejected, reason.into()).await,
    };
    let message = match delivery.compose(&job.corp, &job.app, say).await {
        Ok(message) => message,
        Err(delivery::Prepared::Later { until, reason }) => return Prepared::Later { until, reason },
        Err(delivery::Prepared::End(ending)) => {
            return end(&all, ending.outcome, ending.reason.into_owned()).await;
        }
        Err(delivery::Prepared::Ready(_)) => return end(&all, Outcome::Rejected, "empty_message".into()).await,
    };
    let mut result = ChunkResult::default();
    let wanted = only(&corp, all, &mut result);
    if let Err(until) = api.permit::<AddMsgTemplate>().await {
        return Prepared::Later { until, reason: "limit" };
    }
    let reserved = claim
        .reserve(wanted, sender.as_ref(), corp.broadcast, &mut result)
        .await;
    let (granted, reserved) = match reserved {
        Ok(x) => x,
        Err(e) => return store_trouble(&e, now),
    };
    let Some(to) = NonEmpty::new(granted.clone(), CHUNK) else {
        return match store_result(&**store, partition, &job.corp, &order, *chunk, &result).await {
            Ok(()) => Prepared::End(ending(&result, Vec::new())),
            Err(e) => store_trouble(&e, now),
        };
    };
    let Some(call) = AddMsgTemplate::new(to, sender.clone(), message.text, message.attachments) else {
        return end(&granted, Outcome::Rejected, "empty_message".into()).await;
    };
    // If this process dies during the call, this is what is known: the granted ones are uncertain, the others not.
    let names = granted.iter().map(ToString::to_string).collect();
    let known = ChunkResult {
        uncertain: names,
        ..result.clone()
    };
    if let Err(e) = store_result(&**store, partition, &job.corp, &order, *chunk, &known).await {
        return store_trouble(&e, now);
    }
    Prepared::Ready(Box::new(Chunk {
        order,
        chunk: *chunk,
        call,
        granted,
        result,
        reserved,
        notes: Vec::new(),
    }))
}

/// `only = [ids]`: nobody else is addressed.
fn only(corp: &Corp, all: Vec<ExternalUserId>, result: &mut ChunkResult) -> Vec<ExternalUserId> {
    if corp.safety.only.is_empty() {
        return all;
    }
    let (in_only, out): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|id| corp.safety.only.iter().any(|o| o == id.as_str()));
    let cancelled = |id: &ExternalUserId| FailedRecipient {
        external_userid: id.to_string(),
        reason: "not_in_only".into(),
    };
    result.failed.extend(out.iter().map(cancelled));
    in_only
}

/// When quiet hours end, if it is quiet now. They may go over midnight.
pub fn quiet_until((from, to): (u16, u16), now: StoreTime) -> Option<StoreTime> {
    let minute = now.shanghai_minute();
    let quiet = if from <= to {
        (from..to).contains(&minute)
    } else {
        minute >= from || minute < to
    };
    let day = now.shanghai_day() + i64::from(from > to && minute >= from);
    quiet.then(|| StoreTime::of_shanghai_day(day).plus(Duration::from_secs(u64::from(to) * 60)))
}

/// Calls once. Its start is already committed: whatever is unclear ends `uncertain`.
pub async fn call(delivery: &Delivery, store: &Arc<dyn Store>, job: &Job, chunk: Chunk, attempts: u32) -> Called {
    let api = match delivery.api(&job.corp, &job.app, AppKind::Contacts) {
        Ok(api) => api,
        Err(_) => {
            return Called::Retry {
                after: Duration::from_secs(5),
                reason: "no_app",
            };
        }
    };
    let mut chunk = chunk;
    let names: Vec<String> = chunk.granted.iter().map(ToString::to_string).collect();
    let mut refund: Vec<String> = Vec::new();
    match api.send(&chunk.call, TIMEOUT).await {
        Ok(added) => {
            let failed: std::collections::HashSet<&str> = added.fail_list.iter().map(String::as_str).collect();
            for name in &names {
                if failed.contains(name.as_str()) {
                    let reason = "wecom_fail_list".into();
                    chunk.result.failed.push(FailedRecipient {
                        external_userid: name.clone(),
                        reason,
                    });
                    refund.push(name.clone());
                } else {
                    chunk.result.delivered += 1;
                }
            }
            if !added.msgid.is_empty() {
                chunk.notes.push(format!("msgid:{}", added.msgid));
            }
        }
        Err(CallError::Later { until, reason }) => {
            return Called::Retry {
                after: until.since(delivery.now()),
                reason,
            };
        }
        Err(CallError::Refused { until: Some(until), .. }) => {
            return Called::Retry {
                after: until.since(delivery.now()),
                reason: "refused",
            };
        }
        Err(CallError::NotSent(reason)) => {
            return Called::Retry {
                after: Duration::from_secs(5),
                reason,
            };
        }
        Err(CallError::Refused { errcode, .. })
            if errcode::of(errcode).class == errcode::Class::Backoff && attempts <= RETRIES =>
        {
            return Called::Retry {
                after: Duration::from_secs(1 << attempts.min(5)),
                reason: "busy",
            };
        }
        Err(CallError::Unclear(_)) => chunk.result.uncertain.extend(names.iter().cloned()),
        Err(CallError::Refused { errcode, .. }) => {
            let reason = errcode::of(errcode).reason.to_string();
            let failed = |n: &String| FailedRecipient {
                external_userid: n.clone(),
                reason: reason.clone(),
            };
            chunk.result.failed.extend(names.iter().map(failed));
            refund.clone_from(&names);
        }
    }
    keep(&**store, job, &chunk, &refund).await;
    Called::End(ending(&chunk.result, chunk.notes))
}

/// Settles the reservations and stores the result. The call is over and cannot be repeated, so this goes on
/// until the store takes it or the partition is lost; then the job is found `started` and ends `uncertain`.
async fn keep(store: &dyn Store, job: &Job, chunk: &Chunk, refund: &[String]) {
    let refund: std::collections::HashSet<&str> = refund.iter().map(String::as_str).collect();
    let partition = job.conversation.partition();
    for attempt in 0..5_u64 {
        let mut done = quota::settle(store, &chunk.reserved, &refund).await.is_ok();
        done &= store_result(store, partition, &job.corp, &chunk.order, chunk.chunk, &chunk.result)
            .await
            .is_ok();
        if done {
            return;
        }
        crate::clock::sleep(Duration::from_millis(200 << attempt)).await;
    }
    tracing::error!(broadcast = %chunk.order.id, chunk = chunk.chunk, "the store did not take a broadcast's result");
}

/// Ends all alike without a call: what was reserved is given back, the result stored.
async fn finish_all(
    claim: &Claim<'_>,
    partition: Partition,
    all: Vec<ExternalUserId>,
    outcome: Outcome,
    reason: String,
) -> Prepared {
    if let Err(e) = claim.release(&all).await {
        return store_trouble(&e, claim.now);
    }
    let failed = all.iter().map(|id| FailedRecipient {
        external_userid: id.to_string(),
        reason: reason.clone(),
    });
    let result = ChunkResult {
        failed: failed.collect(),
        ..ChunkResult::default()
    };
    match store_result(
        claim.store,
        partition,
        &claim.job.corp,
        claim.order,
        claim.chunk,
        &result,
    )
    .await
    {
        Ok(()) => Prepared::End(Ending {
            recipients: recipients(&result),
            ..Ending::new(outcome, reason)
        }),
        Err(e) => store_trouble(&e, claim.now),
    }
}

/// The chunk's own outcome: the best that any recipient got, with one outcome for each who got another.
fn ending(result: &ChunkResult, notes: Vec<String>) -> Ending {
    let (outcome, reason) = if !result.uncertain.is_empty() {
        (Outcome::Uncertain, "answer_lost".to_owned())
    } else if result.delivered > 0 {
        (Outcome::Delivered, "ok".to_owned())
    } else if let Some(f) = result.failed.first() {
        (
            if f.reason == "not_in_only" {
                Outcome::Cancelled
            } else {
                Outcome::Rejected
            },
            f.reason.clone(),
        )
    } else {
        (Outcome::Rejected, "quota".to_owned())
    };
    Ending {
        recipients: recipients(result),
        notes,
        ..Ending::new(outcome, reason)
    }
}

fn recipients(result: &ChunkResult) -> Vec<RecipientEnd> {
    let refused = result.refused.iter().map(|r| RecipientEnd {
        id: r.external_userid.clone(),
        outcome: Outcome::Rejected,
        reason: r.reason.clone().into(),
        until: r.until,
    });
    let failed = result.failed.iter().map(|f| RecipientEnd {
        id: f.external_userid.clone(),
        outcome: if matches!(f.reason.as_str(), "observe" | "not_in_only") {
            Outcome::Cancelled
        } else {
            Outcome::Rejected
        },
        reason: f.reason.clone().into(),
        until: None,
    });
    let uncertain = result.uncertain.iter().map(|id| RecipientEnd {
        id: id.clone(),
        outcome: Outcome::Uncertain,
        reason: "answer_lost".into(),
        until: None,
    });
    refused.chain(failed).chain(uncertain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64, hour: u64) -> StoreTime {
        StoreTime::of_shanghai_day(day).plus(Duration::from_secs(hour * 3600))
    }

    #[test]
    fn quiet_hours_over_midnight_end_in_the_morning_of_the_right_day() {
        let nine_to_nine = (21 * 60, 9 * 60);
        assert_eq!(quiet_until(nine_to_nine, at(20_000, 22)), Some(at(20_001, 9)));
        assert_eq!(quiet_until(nine_to_nine, at(20_001, 3)), Some(at(20_001, 9)));
        assert_eq!(quiet_until(nine_to_nine, at(20_001, 12)), None);
        assert_eq!(quiet_until((13 * 60, 14 * 60), at(20_001, 13)), Some(at(20_001, 14)));
    }
}
