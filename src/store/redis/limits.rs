//! The limiter, the quota book, shared values.

use std::time::Duration;

use redis::Value;
use sha2::{Digest, Sha256};

use super::super::{Ask, Permit, Reserve, Shared, StoreError, StoreResult, Verdict, rolling};
use super::{RedisStore, pack};
use crate::model::{Partition, StoreTime};

/// Eight bytes that stand for who is counted; the first one is the bucket.
fn who(parts: &[&str]) -> [u8; 8] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut out = [0; 8];
    out.copy_from_slice(&hash.finalize()[..8]);
    out
}

fn verdict(text: &str) -> StoreResult<Verdict> {
    if text.is_empty() {
        return Ok(Verdict::Reserved);
    }
    let read = || {
        let (window, until) = text.split_once(':')?;
        Some(Verdict::Full {
            window: window.to_owned(),
            until: StoreTime(until.parse().ok()?),
        })
    };
    read().ok_or_else(|| StoreError::Refused("redis holds an odd reservation".into()))
}

impl RedisStore {
    /// One script call for all asks.
    pub(super) async fn take(&self, corp: &str, asks: &[Ask]) -> StoreResult<Vec<Permit>> {
        let mut call = self.scripts.permit.call(1, 1 + 6 * asks.len(), 0);
        call.arg(format!("{{lim:{corp}}}")).arg(rolling::BUCKETS);
        for ask in asks {
            call.arg(ask.scopes.len());
            for (scope, windows) in &ask.scopes {
                call.arg(scope).arg(windows.len());
                for w in windows {
                    call.arg(pack::ms(w.window)).arg(w.limit);
                }
            }
        }
        let told: Vec<i64> = self.link.script(&self.scripts.permit, &call).await?;
        Ok(told
            .into_iter()
            .map(|at| match at {
                0 => Permit::Granted,
                at => Permit::NotBefore(StoreTime(at)),
            })
            .collect())
    }

    /// A pause.
    pub(super) async fn pause(&self, corp: &str, scope: &str, pause: Duration) -> StoreResult<StoreTime> {
        let mut call = self.scripts.freeze.call(1, 1, 0);
        call.arg(format!("{{lim:{corp}}}:f:{scope}")).arg(pack::ms(pause));
        self.link.script(&self.scripts.freeze, &call).await.map(StoreTime)
    }

    /// One script call for all contacts.
    pub(super) async fn reserve_all(&self, r: &Reserve) -> StoreResult<Vec<Verdict>> {
        let k = self.keys(r.partition);
        let mut call = self
            .scripts
            .reserve
            .call(2, 4 + 3 * r.contacts.len(), 48 * r.contacts.len());
        call.arg(format!("{}{}", k.reservations, r.id)).arg(&k.quota);
        let rule = &r.rule;
        for limit in [rule.per_day, rule.per_week, rule.per_month, rule.member_per_day] {
            call.arg(limit.map_or(String::new(), |n| n.to_string()));
        }
        for (contact, member) in &r.contacts {
            call.arg(contact).arg(&who(&[&r.corp, contact]));
            match member {
                Some(member) => call.arg(&who(&[&r.corp, contact, member])),
                None => call.arg(""),
            };
        }
        let told: Vec<String> = self.link.script(&self.scripts.reserve, &call).await?;
        told.iter().map(|t| verdict(t)).collect()
    }

    /// Ends a reservation.
    pub(super) async fn settle_one(&self, p: Partition, id: &str, refund: &[String]) -> StoreResult<()> {
        let k = self.keys(p);
        let mut call = self.scripts.settle.call(2, refund.len(), 0);
        call.arg(format!("{}{id}", k.reservations)).arg(&k.quota).arg(refund);
        self.link.script::<i64>(&self.scripts.settle, &call).await.map(|_| ())
    }

    /// A shared value.
    pub(super) async fn get_shared(&self, corp: &str, key: &str) -> StoreResult<Shared> {
        let mut call = self.scripts.shared.call(1, 0, 0);
        call.arg(format!("{{sh:{corp}}}:{key}"));
        let (now, version, value, expires): (i64, u64, Vec<u8>, Value) =
            self.link.script(&self.scripts.shared, &call).await?;
        Ok(Shared {
            version,
            value: (version > 0).then_some(value),
            expires: pack::time(&expires)?,
            now: StoreTime(now),
        })
    }

    /// Sets a shared value.
    pub(super) async fn set_shared(
        &self,
        (corp, key): (&str, &str),
        version: u64,
        value: Option<&[u8]>,
        ttl: Option<Duration>,
    ) -> StoreResult<bool> {
        let mut call = self.scripts.compare_and_set.call(2, 4, value.map_or(0, <[u8]>::len));
        call.arg(format!("{{sh:{corp}}}:{key}"))
            .arg(format!("{{sh:{corp}}}#version"))
            .arg(version);
        call.arg(i32::from(value.is_some())).arg(value.unwrap_or_default());
        match ttl.map(pack::ttl).filter(|ttl| *ttl > 0) {
            Some(ttl) => call.arg(ttl),
            None => call.arg(""),
        };
        let set: i64 = self.link.script(&self.scripts.compare_and_set, &call).await?;
        Ok(set == 1)
    }
}
