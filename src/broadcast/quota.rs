//! The quota of one chunk: reserved before the call, given back when it is not used.
//!
//! A reservation's id names the slice of the list and WeCom's day. So a second preparation on the same day
//! gets the same verdicts and takes nothing, and one on the next day counts in the windows in which the
//! message really goes out; what was reserved on the days before is given back first.

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest, Sha256};

use super::ledger::{ChunkResult, RefusedRecipient};
use crate::model::entry::BroadcastOrder;
use crate::model::{Conversation, Job, Partition, StoreTime};
use crate::settings::{BroadcastRule, MonthQuota};
use crate::store::{QuotaRule, Reserve, Store, StoreResult, Verdict};
use crate::wecom::id::{ExternalUserId, UserId};

/// The store takes so many contacts in one reservation.
const SLICE: usize = 250;
/// A chunk that waited longer than this has lost nothing: a month's window is the longest.
const DAYS_BACK: i64 = 31;

/// Contacts of one partition, reserved together.
struct Slice {
    partition: Partition,
    name: String,
    contacts: Vec<ExternalUserId>,
}

impl Slice {
    fn id(&self, day: i64) -> String {
        format!("{}/{day}", self.name)
    }
}

/// One reservation that was made, and for whom.
pub(super) struct Reserved {
    partition: Partition,
    id: String,
    contacts: Vec<String>,
}

/// Who asks: the chunk of a broadcast.
pub(super) struct Claim<'a> {
    pub store: &'a dyn Store,
    pub job: &'a Job,
    pub order: &'a BroadcastOrder,
    pub chunk: u32,
    pub now: StoreTime,
}

impl Claim<'_> {
    fn slices(&self, wanted: &[ExternalUserId]) -> Vec<Slice> {
        let mut by_partition: BTreeMap<Partition, Vec<ExternalUserId>> = BTreeMap::new();
        for id in wanted {
            let partition = Conversation::Contact(self.job.corp.clone(), id.clone()).partition();
            by_partition.entry(partition).or_default().push(id.clone());
        }
        let mut slices = Vec::new();
        for (partition, ids) in by_partition {
            for contacts in ids.chunks(SLICE) {
                let mut hash = Sha256::new();
                for c in contacts {
                    hash.update(c.as_str().as_bytes());
                    hash.update([0]);
                }
                let hash: String = hash.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect();
                let name = format!("{}/{}/{hash}", self.order.id, self.chunk);
                slices.push(Slice {
                    partition,
                    name,
                    contacts: contacts.to_vec(),
                });
            }
        }
        slices
    }

    /// Reserves one message for each; who is refused goes into `result`. Again on the same day: the same.
    pub async fn reserve(
        &self,
        wanted: Vec<ExternalUserId>,
        sender: Option<&UserId>,
        rule: BroadcastRule,
        result: &mut ChunkResult,
    ) -> StoreResult<(Vec<ExternalUserId>, Vec<Reserved>)> {
        let slices = self.slices(&wanted);
        self.release_before_today(&slices).await?;
        let rule = quota_rule(rule, self.now);
        let today = self.now.shanghai_day();
        let mut verdicts: HashMap<ExternalUserId, Verdict> = HashMap::with_capacity(wanted.len());
        let mut reserved = Vec::new();
        for slice in &slices {
            let member = sender.map(ToString::to_string);
            let ask = Reserve {
                partition: slice.partition,
                id: slice.id(today),
                corp: self.job.corp.to_string(),
                contacts: slice.contacts.iter().map(|c| (c.to_string(), member.clone())).collect(),
                rule,
            };
            let got = self.store.reserve(&ask).await?;
            let mine = slice
                .contacts
                .iter()
                .zip(&got)
                .filter(|(_, v)| matches!(v, Verdict::Reserved));
            let contacts = mine.map(|(c, _)| c.to_string()).collect();
            reserved.push(Reserved {
                partition: slice.partition,
                id: ask.id,
                contacts,
            });
            verdicts.extend(slice.contacts.iter().cloned().zip(got));
        }
        let mut granted = Vec::with_capacity(wanted.len());
        for id in wanted {
            match verdicts.remove(&id) {
                Some(Verdict::Full { window, until }) => result.refused.push(RefusedRecipient {
                    external_userid: id.to_string(),
                    reason: format!("quota_{window}"),
                    until: Some(until),
                }),
                Some(Verdict::Reserved) => granted.push(id),
                None => {}
            }
        }
        Ok((granted, reserved))
    }

    /// Gives back whatever an earlier preparation reserved for these people: the chunk ends without a call.
    pub async fn release(&self, wanted: &[ExternalUserId]) -> StoreResult<()> {
        let slices = self.slices(wanted);
        self.release_before_today(&slices).await?;
        for slice in &slices {
            self.give_back(slice, self.now.shanghai_day()).await?;
        }
        Ok(())
    }

    async fn release_before_today(&self, slices: &[Slice]) -> StoreResult<()> {
        let today = self.now.shanghai_day();
        for day in self.job.accepted.shanghai_day().max(today - DAYS_BACK)..today {
            for slice in slices {
                self.give_back(slice, day).await?;
            }
        }
        Ok(())
    }

    async fn give_back(&self, slice: &Slice, day: i64) -> StoreResult<()> {
        let contacts: Vec<String> = slice.contacts.iter().map(ToString::to_string).collect();
        self.store.settle(slice.partition, &slice.id(day), &contacts).await
    }
}

/// Ends the reservations of a chunk that was called; `refund`: whom WeCom would not take.
pub(super) async fn settle(
    store: &dyn Store,
    reserved: &[Reserved],
    refund: &std::collections::HashSet<&str>,
) -> StoreResult<()> {
    for r in reserved {
        let back: Vec<String> = r
            .contacts
            .iter()
            .filter(|c| refund.contains(c.as_str()))
            .cloned()
            .collect();
        store.settle(r.partition, &r.id, &back).await?;
    }
    Ok(())
}

fn quota_rule(rule: BroadcastRule, now: StoreTime) -> QuotaRule {
    QuotaRule {
        per_day: rule.per_day,
        per_week: rule.per_week,
        per_month: match rule.per_month {
            MonthQuota::Unlimited => None,
            MonthQuota::Count(n) => Some(n),
            MonthQuota::DaysOfMonth => Some(days_of_month(now)),
        },
        member_per_day: rule.member_per_day,
    }
}

/// Days of the month in China.
fn days_of_month(now: StoreTime) -> u32 {
    u32::try_from(now.shanghai_date().days_in_month()).unwrap_or(28)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_month_has_its_own_number_of_days_in_china() {
        // 2026-02-28 23:00 in China is still February; an hour later it is March.
        let feb_28 = StoreTime::of_shanghai_day(20_512).plus(Duration::from_secs(23 * 3600));
        assert_eq!(days_of_month(feb_28), 28);
        assert_eq!(days_of_month(feb_28.plus(Duration::from_secs(3600))), 31);
    }
}
