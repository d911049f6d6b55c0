//! Permission to call: which scopes a call takes from, and how long they rest when WeCom says "too often".
//!
//! Scopes live in the store, so all gateways share them. A scope without windows counts nothing; it is there to
//! be frozen. Pauses of one API for one app (a right that is missing) are only remembered here: each gateway
//! finds out by one call of its own, which does no harm.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Inner;
use crate::model::{AppName, StoreTime};
use crate::settings::{App, Corp};
use crate::store::{Ask, Permit, Shared, Window};
use crate::wecom::id::{CorpId, UserId};
use crate::wecom::limits::{self, Rate};

/// A pause for a missing right or wrong setting: five minutes at first, doubled up to an hour.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(300);
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// How long the `times`-th pause in a row lasts, counted from 0.
pub(super) fn pause(times: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << times.min(4)).min(LONGEST_PAUSE)
}

type Key = (CorpId, AppName, &'static str);

/// Pauses of one API for one app.
#[derive(Default)]
pub(super) struct Pauses(Mutex<HashMap<Key, (StoreTime, u32)>>);

impl Pauses {
    fn until(&self, key: &Key) -> Option<StoreTime> {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.get(key).map(|p| p.0)
    }

    /// Pauses; a second one soon after the first is longer.
    fn begin(&self, key: Key, now: StoreTime) -> StoreTime {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, times) = map.get(&key).copied().unwrap_or((StoreTime(0), 0));
        if now < until {
            return until;
        }
        let again = until.0 > 0 && now.since(until) < LONGEST_PAUSE;
        let times = if again { times + 1 } else { 0 };
        let until = now.plus(pause(times));
        map.insert(key, (until, times));
        until
    }

    fn end(&self, key: &Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

fn windows(rates: &[Rate]) -> Vec<Window> {
    rates
        .iter()
        .map(|r| Window {
            window: r.window,
            limit: r.limit,
        })
        .collect()
}

/// The scope that 45009 freezes: one API of the corp, for messages to members one app's (M1 counts per app).
fn api_scope(app: &AppName, path: &str) -> String {
    if path == "message/send" {
        format!("api/{path}/{app}")
    } else {
        format!("api/{path}")
    }
}

fn app_scope(app: &AppName) -> String {
    format!("app/{app}")
}

/// Everything one call takes from.
pub(super) fn ask(app: &AppName, path: &str, member: Option<&UserId>) -> Ask {
    let mut scopes = vec![
        (api_scope(app, path), windows(limits::of_api(path))),
        (app_scope(app), Vec::new()),
    ];
    if let Some(member) = member {
        scopes.push((format!("member/{app}/{member}"), windows(limits::PER_MEMBER)));
    }
    Ask { scopes }
}

impl Inner {
    /// Takes all asks or tells when to come again. A store that does not answer counts as "in a second".
    pub(super) async fn permit(
        &self,
        corp: &Corp,
        app: &AppName,
        path: &'static str,
        asks: &[Ask],
    ) -> Result<(), StoreTime> {
        let now = self.clock.now();
        let key = (corp.corp_id.clone(), app.clone(), path);
        if let Some(until) = self.pauses.until(&key).filter(|until| now < *until) {
            return Err(until);
        }
        if let Some(until) = self.token_paused(corp, app) {
            return Err(until);
        }
        let soon = || Err(now.plus(Duration::from_secs(1)));
        let Ok(permits) = self.store.permit(corp.corp_id.as_str(), asks).await else {
            return soon();
        };
        if permits.len() != asks.len() {
            return soon();
        }
        let waits = permits.iter().filter_map(|p| match p {
            Permit::Granted => None,
            Permit::NotBefore(t) => Some(*t),
        });
        waits.max().map_or(Ok(()), Err)
    }

    /// The app may not call this API: it waits, other APIs go on.
    pub(super) fn pause_call(&self, corp: &Corp, app: &App, path: &'static str) -> StoreTime {
        let key = (corp.corp_id.clone(), app.name.clone(), path);
        self.pauses.begin(key, self.clock.now())
    }

    /// The call went through: its pause is over.
    pub(super) fn resume_call(&self, corp: &Corp, app: &App, path: &'static str) {
        self.pauses.end(&(corp.corp_id.clone(), app.name.clone(), path));
    }

    /// Every call of these apps waits, on all gateways.
    pub(super) async fn pause_apps(&self, corp: &Corp, apps: &[&AppName]) -> StoreTime {
        let mut until = self.clock.now().plus(FIRST_PAUSE);
        for app in apps {
            until = self.freeze(corp, &app_scope(app), FIRST_PAUSE).await.max(until);
        }
        until
    }

    /// 45009: this API waits on all gateways, for a minute first, then an hour, then till the day ends in China.
    ///
    /// How often it has happened in a row is shared too. Answers of calls that were out when the freeze began
    /// do not lengthen it.
    pub(super) async fn freeze_api(&self, corp: &Corp, app: &App, path: &str) -> StoreTime {
        let scope = api_scope(&app.name, path);
        let key = format!("block/{scope}");
        let seen = self.store.shared(corp.corp_id.as_str(), &key).await.ok();
        let now = seen.as_ref().map_or_else(|| self.clock.now(), |s| s.now);
        let before = seen.as_ref().and_then(Block::read);
        let block = Block::next(before, now);
        if let (Some(seen), Ok(value)) = (&seen, serde_json::to_vec(&block)) {
            let keep = Some(Duration::from_secs(2 * 86_400));
            // A lost race means that another gateway has just noted the same.
            let _ = self
                .store
                .compare_and_set(corp.corp_id.as_str(), &key, seen.version, Some(&value), keep)
                .await;
        }
        self.freeze(corp, &scope, block.until.since(now)).await
    }

    async fn freeze(&self, corp: &Corp, scope: &str, length: Duration) -> StoreTime {
        let here = self.clock.now().plus(length);
        self.store
            .freeze(corp.corp_id.as_str(), scope, length)
            .await
            .unwrap_or(here)
    }
}

/// A block as all gateways know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Block {
    until: StoreTime,
    level: usize,
}

impl Block {
    fn read(shared: &Shared) -> Option<Self> {
        serde_json::from_slice(shared.value.as_deref()?).ok()
    }

    /// The block that begins now after `before`.
    fn next(before: Option<Self>, now: StoreTime) -> Self {
        let level = match before {
            Some(b) if now < b.until => return b,
            // Hit again soon after the thaw: the window that is full is a longer one.
            Some(b) if now.since(b.until) < Duration::from_secs(600) => b.level + 1,
            Some(_) | None => 0,
        };
        let until = limits::BLOCKS.get(level).map_or_else(
            || StoreTime::of_shanghai_day(now.shanghai_day() + 1),
            |length| now.plus(*length),
        );
        Self { until, level }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_grow_from_a_minute_to_an_hour_to_the_end_of_the_day_in_china() {
        let noon = StoreTime::of_shanghai_day(20_000).plus(Duration::from_secs(12 * 3600));
        let a = Block::next(None, noon);
        assert_eq!(a.until, noon.plus(Duration::from_secs(60)));
        assert_eq!(
            Block::next(Some(a), noon.plus(Duration::from_secs(5))),
            a,
            "calls in flight"
        );
        let b = Block::next(Some(a), a.until.plus(Duration::from_secs(1)));
        assert_eq!(b.until.since(a.until), Duration::from_secs(3601));
        let c = Block::next(Some(b), b.until.plus(Duration::from_secs(1)));
        assert_eq!(c.until, StoreTime::of_shanghai_day(20_001));
        let later = Block::next(Some(a), a.until.plus(Duration::from_secs(601)));
        assert_eq!(later.level, 0);
    }

    #[test]
    fn a_pause_doubles_up_to_an_hour() {
        let minutes: Vec<u64> = (0..6).map(|n| pause(n).as_secs() / 60).collect();
        assert_eq!(minutes, [5, 10, 20, 40, 60, 60]);
    }
}
