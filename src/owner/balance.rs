//! Which partitions to take and which to give back: pure, told the time.
//!
//! No two clocks are compared. An owner shows that it lives by raising `beats`; who has seen a record
//! unchanged for [`SILENT`] **on its own monotonic clock** may replace it. Seen: who could not look (the store was
//! away, or it was stopped itself) has seen nothing, and the owners have not beaten either. So one look counts for
//! at most [`LOOK`]; or every gateway would rob every other one when the store comes back.

use std::time::{Duration, Instant};

use crate::model::Partition;
use crate::model::partition::PARTITIONS;
use crate::store::OwnerRecord;

/// A record unchanged for so long has no living owner.
pub const SILENT: Duration = Duration::from_secs(5);

/// The longest silence that one look can show: two beats.
const LOOK: Duration = Duration::from_secs(2);

/// What one look at the records leads to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// To acquire, with the record seen.
    pub take: Vec<(Partition, OwnerRecord)>,
    /// To give back.
    pub give: Vec<Partition>,
}

/// Who we are.
#[derive(Debug, Clone)]
pub struct Me {
    /// Nonce of this run.
    pub nonce: String,
    /// Node identity from the locked node file.
    pub node: String,
    /// At most so many.
    pub max: usize,
    /// A lock outside the store already says that nobody else can own anything (SQLite's file lock).
    pub exclusive: bool,
    /// Own only this one (a command that runs the loop for one broadcast).
    pub only: Option<Partition>,
}

/// What has been seen of all records so far.
#[derive(Default)]
pub struct Watch {
    /// By partition: the record, and for how long it has been seen unchanged.
    seen: Vec<(OwnerRecord, Duration)>,
    looked: Option<Instant>,
}

impl Watch {
    /// Takes a new reading of all 64 records and says what to do. `owners`: nodes that are alive and take
    /// partitions; `held`: those we hold now.
    pub fn look(
        &mut self,
        me: &Me,
        records: Vec<OwnerRecord>,
        owners: &[String],
        held: &[Partition],
        now: Instant,
    ) -> Plan {
        self.note(records, now);
        let mut plan = Plan::default();
        if me.max == 0 {
            return plan;
        }
        let share = usize::from(PARTITIONS).div_ceil(owners.len().max(1)).min(me.max);
        let mut count = held.len();
        for partition in Partition::all().filter(|p| me.only.is_none_or(|only| only == *p)) {
            let Some((record, unchanged)) = self.seen.get(partition.index()) else {
                continue;
            };
            if held.contains(&partition) || count >= me.max {
                continue;
            }
            let silent = *unchanged >= SILENT;
            let ours = record.nonce == me.nonce || (record.node == me.node && !record.node.is_empty());
            // A free one goes at once to a gateway below its share; one at its share leaves it to the others
            // for 5 s, or giving back and taking would play ping-pong.
            let free = record.nonce.is_empty() && count < share;
            if silent || me.exclusive || ours || free {
                plan.take.push((partition, record.clone()));
                count += 1;
            }
        }
        if plan.take.is_empty() && me.only.is_none() {
            plan.give = self.surplus(me, owners, held, share);
        }
        plan
    }

    fn note(&mut self, records: Vec<OwnerRecord>, now: Instant) {
        let before = self.looked.replace(now).unwrap_or(now);
        let passed = now.saturating_duration_since(before).min(LOOK);
        self.seen.resize_with(records.len(), Default::default);
        for ((seen, unchanged), record) in self.seen.iter_mut().zip(records) {
            if *seen == record {
                *unchanged += passed;
            } else {
                (*seen, *unchanged) = (record, Duration::ZERO);
            }
        }
    }

    /// Given back only when a living gateway holds fewer than the lesser share, one round at a time.
    fn surplus(&self, me: &Me, owners: &[String], held: &[Partition], share: usize) -> Vec<Partition> {
        if held.len() <= share {
            return Vec::new();
        }
        let fair = usize::from(PARTITIONS) / owners.len().max(1);
        let lacking: usize = owners
            .iter()
            .filter(|o| **o != me.node)
            .map(|o| fair.saturating_sub(self.seen.iter().filter(|(r, _)| &r.node == o).count()))
            .sum();
        held.iter()
            .rev()
            .take(lacking.min(held.len() - share))
            .copied()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me(node: &str) -> Me {
        Me {
            nonce: format!("{node}-run"),
            node: node.into(),
            max: 64,
            exclusive: false,
            only: None,
        }
    }

    fn free() -> Vec<OwnerRecord> {
        vec![OwnerRecord::default(); 64]
    }

    fn owned_by(node: &str, n: usize) -> Vec<OwnerRecord> {
        let rec = OwnerRecord {
            epoch: 1,
            nonce: format!("{node}-run"),
            node: node.into(),
            beats: 1,
        };
        (0..64)
            .map(|i| if i < n { rec.clone() } else { OwnerRecord::default() })
            .collect()
    }

    fn names(n: &[&str]) -> Vec<String> {
        n.iter().map(|s| s.to_string()).collect()
    }

    #[test]
    fn the_first_gateway_takes_everything_at_once() {
        let plan = Watch::default().look(&me("a"), free(), &names(&["a"]), &[], crate::clock::monotonic());
        assert_eq!(plan.take.len(), 64);
    }

    #[test]
    fn a_silent_owner_is_replaced_after_five_seconds_and_a_beating_one_never() {
        let t = crate::clock::monotonic();
        let mut watch = Watch::default();
        let owners = names(&["a", "b"]);
        let mut records = owned_by("b", 64);
        for second in 0..5 {
            records[3].beats += 1;
            let at = t + Duration::from_secs(second);
            assert!(watch.look(&me("a"), records.clone(), &owners, &[], at).take.is_empty());
        }
        let plan = watch.look(&me("a"), records, &owners, &[], t + Duration::from_secs(5));
        assert_eq!(plan.take.len(), 63, "all but the one that beat");
    }

    #[test]
    fn who_could_not_look_for_a_while_has_seen_no_silence() {
        let t = crate::clock::monotonic();
        let mut watch = Watch::default();
        let owners = names(&["a", "b"]);
        for at in [0, 1, 2, 60, 61].map(|s| t + Duration::from_secs(s)) {
            let plan = watch.look(&me("a"), owned_by("b", 64), &owners, &[], at);
            // 1 + 1 + 2 + 1 s: only the last look makes five.
            assert_eq!(plan.take.is_empty(), at < t + Duration::from_secs(61));
        }
    }

    #[test]
    fn a_restart_on_the_same_node_takes_its_own_back_at_once() {
        let restarted = Me {
            nonce: "a-second-run".into(),
            ..me("a")
        };
        let plan = Watch::default().look(
            &restarted,
            owned_by("a", 64),
            &names(&["a"]),
            &[],
            crate::clock::monotonic(),
        );
        assert_eq!(plan.take.len(), 64);
    }

    #[test]
    fn surplus_is_given_back_only_when_a_living_gateway_lacks_partitions() {
        let t = crate::clock::monotonic();
        let all: Vec<Partition> = Partition::all().collect();
        let alone = Watch::default().look(&me("a"), owned_by("a", 64), &names(&["a"]), &all, t);
        assert!(alone.give.is_empty());
        let joined = Watch::default().look(&me("a"), owned_by("a", 64), &names(&["a", "b"]), &all, t);
        assert_eq!(joined.give.len(), 32);
    }

    #[test]
    fn a_gateway_at_its_share_leaves_released_partitions_to_the_one_that_lacks_them() {
        let t = crate::clock::monotonic();
        let mut records = owned_by("a", 32);
        for r in &mut records[32..] {
            r.epoch = 1;
        }
        let held: Vec<Partition> = Partition::all().take(32).collect();
        let owners = names(&["a", "b"]);
        assert!(
            Watch::default()
                .look(&me("a"), records.clone(), &owners, &held, t)
                .take
                .is_empty()
        );
        assert_eq!(Watch::default().look(&me("b"), records, &owners, &[], t).take.len(), 32);
    }

    #[test]
    fn an_intake_only_gateway_takes_nothing() {
        let idle = Me { max: 0, ..me("a") };
        assert_eq!(
            Watch::default().look(&idle, free(), &[], &[], crate::clock::monotonic()),
            Plan::default()
        );
    }
}
