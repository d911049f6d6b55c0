//! The limiter and the quota book.

use std::time::Duration;

use wecom_gateway::model::StoreTime;
use wecom_gateway::store::{Ask, Permit, QuotaRule, Reserve, StoreError, Verdict, Window};

use crate::support::harness::*;

const MINUTE: Duration = Duration::from_secs(60);

fn window(window: Duration, limit: u32) -> Window {
    Window { window, limit }
}

fn ask(scope: &str, windows: &[Window]) -> Ask {
    Ask {
        scopes: vec![(scope.into(), windows.to_vec())],
    }
}

/// Asks as early as allowed until `span` has passed; returns when it was granted.
async fn greedy(h: &Harness, ask: &Ask, span: Duration) -> Vec<i64> {
    let until = h.now().plus(span);
    let mut granted = Vec::new();
    while h.now() < until {
        match h.store.permit("ww1", std::slice::from_ref(ask)).await.unwrap()[0] {
            Permit::Granted => {
                granted.push(h.now().0);
                h.advance(Duration::from_millis(granted.len() as u64 * 37 % 500));
            }
            Permit::NotBefore(at) => {
                assert!(at > h.now(), "not before {at:?}, now {:?}", h.now());
                h.set_time(at.0);
            }
        }
    }
    granted
}

fn most_in_any(granted: &[i64], window: Duration) -> usize {
    let ms = window.as_millis() as i64;
    (0..granted.len())
        .map(|i| granted[i..].iter().take_while(|t| **t < granted[i] + ms).count())
        .max()
        .unwrap_or(0)
}

pub async fn no_rolling_window_holds_more_than_its_limit_and_95_of_100_are_usable(h: &Harness) {
    let a = ask(
        "message/send:zhangsan",
        &[window(MINUTE, 30), window(MINUTE * 60, 1000)],
    );
    let granted = greedy(h, &a, MINUTE * 10).await;
    assert!(most_in_any(&granted, MINUTE) <= 30);
    assert!(granted.len() >= 285, "{} of 300", granted.len());
}

pub async fn the_longer_window_holds_too(h: &Harness) {
    let a = ask("s", &[window(Duration::from_secs(1), 5), window(MINUTE, 20)]);
    let granted = greedy(h, &a, MINUTE * 5).await;
    assert!(most_in_any(&granted, Duration::from_secs(1)) <= 5);
    assert!(most_in_any(&granted, MINUTE) <= 20);
    assert!(granted.len() >= 95, "{}", granted.len());
}

pub async fn all_scopes_have_room_or_none_is_taken(h: &Harness) {
    let both = Ask {
        scopes: vec![
            ("wide".into(), vec![window(MINUTE, 2)]),
            ("tight".into(), vec![window(MINUTE, 1)]),
        ],
    };
    let wide = ask("wide", &[window(MINUTE, 2)]);
    let got = h
        .store
        .permit("ww1", &[both.clone(), both, wide.clone(), wide])
        .await
        .unwrap();
    assert_eq!(got[0], Permit::Granted);
    assert!(matches!(got[1], Permit::NotBefore(_)));
    assert_eq!(got[2], Permit::Granted, "the refused ask took nothing");
    assert!(matches!(got[3], Permit::NotBefore(_)));
    let other = h
        .store
        .permit("ww2", &[ask("wide", &[window(MINUTE, 1)])])
        .await
        .unwrap();
    assert_eq!(other, [Permit::Granted], "another corp");
    assert!(h.store.permit("ww1", &[]).await.unwrap().is_empty());
    assert_eq!(
        h.store.permit("ww1", &[Ask { scopes: vec![] }]).await.unwrap(),
        [Permit::Granted]
    );
}

pub async fn a_refusal_names_the_exact_time_and_not_a_millisecond_too_early(h: &Harness) {
    let a = ask("x", &[window(MINUTE, 1)]);
    let one = std::slice::from_ref(&a);
    assert_eq!(h.store.permit("ww1", one).await.unwrap(), [Permit::Granted]);
    let Permit::NotBefore(at) = h.store.permit("ww1", one).await.unwrap()[0] else {
        panic!("granted twice")
    };
    assert!(at >= h.now().plus(MINUTE) && at <= h.now().plus(MINUTE + MINUTE / 50));
    h.set_time(at.0 - 1);
    assert_eq!(h.store.permit("ww1", one).await.unwrap(), [Permit::NotBefore(at)]);
    h.set_time(at.0);
    assert_eq!(h.store.permit("ww1", one).await.unwrap(), [Permit::Granted]);
}

pub async fn concurrent_askers_share_one_window(h: &Harness) {
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let store = h.store.clone();
            tokio::spawn(async move { store.permit("ww1", &[ask("c", &[window(MINUTE, 7)])]).await.unwrap()[0] })
        })
        .collect();
    let mut granted = 0;
    for call in calls {
        granted += usize::from(call.await.unwrap() == Permit::Granted);
    }
    assert_eq!(granted, 7);
}

pub async fn a_frozen_scope_refuses_until_its_time_and_a_shorter_pause_never_shortens(h: &Harness) {
    let a = ask("add_msg_template", &[window(MINUTE, 100)]);
    let one = std::slice::from_ref(&a);
    let until = h.store.freeze("ww1", "add_msg_template", MINUTE).await.unwrap();
    assert_eq!(until, h.now().plus(MINUTE));
    assert_eq!(
        h.store.freeze("ww1", "add_msg_template", MINUTE / 2).await.unwrap(),
        until
    );
    assert_eq!(h.store.permit("ww1", one).await.unwrap(), [Permit::NotBefore(until)]);
    assert_eq!(
        h.store.permit("ww1", &[ask("other", &[])]).await.unwrap(),
        [Permit::Granted]
    );
    let no_windows = ask("add_msg_template", &[]);
    assert_eq!(
        h.store.permit("ww1", &[no_windows]).await.unwrap(),
        [Permit::NotBefore(until)]
    );
    h.set_time(until.0);
    assert_eq!(h.store.permit("ww1", one).await.unwrap(), [Permit::Granted]);
}

pub async fn a_clock_set_back_stalls_for_one_window_at_most_and_opens_nothing(h: &Harness) {
    let a = ask("b", &[window(MINUTE, 2)]);
    let one = std::slice::from_ref(&a);
    for _ in 0..2 {
        assert_eq!(h.store.permit("ww1", one).await.unwrap(), [Permit::Granted]);
    }
    h.set_time(START - 600_000);
    let Permit::NotBefore(at) = h.store.permit("ww1", one).await.unwrap()[0] else {
        panic!("burst")
    };
    assert!(at <= h.now().plus(MINUTE * 2));
}

pub async fn an_ask_that_names_a_scope_twice_is_refused(h: &Harness) {
    let twice = Ask {
        scopes: vec![("a".into(), vec![]), ("a".into(), vec![])],
    };
    assert!(matches!(
        h.store.permit("ww1", &[twice]).await,
        Err(StoreError::Refused(_))
    ));
}

fn reserve(id: &str, contacts: &[&str], rule: QuotaRule) -> Reserve {
    Reserve {
        partition: part(42),
        id: id.into(),
        corp: "ww1".into(),
        contacts: contacts
            .iter()
            .map(|c| ((*c).to_owned(), Some("zhangsan".to_owned())))
            .collect(),
        rule,
    }
}

const DAY_1: QuotaRule = QuotaRule {
    per_day: Some(1),
    per_week: None,
    per_month: None,
    member_per_day: None,
};

fn full(window: &str, until: StoreTime) -> Verdict {
    Verdict::Full {
        window: window.into(),
        until,
    }
}

pub async fn quota_is_per_contact_and_calendar_day_in_china(h: &Harness) {
    let midnight = StoreTime(START + 3 * 3_600_000);
    let got = h.store.reserve(&reserve("r1", &["a", "b"], DAY_1)).await.unwrap();
    assert_eq!(got, [Verdict::Reserved, Verdict::Reserved]);
    let got = h.store.reserve(&reserve("r2", &["c", "a"], DAY_1)).await.unwrap();
    assert_eq!(got, [Verdict::Reserved, full("day", midnight)]);
    h.set_time(midnight.0 - 1);
    assert_eq!(
        h.store.reserve(&reserve("r3", &["a"], DAY_1)).await.unwrap(),
        [full("day", midnight)]
    );
    h.set_time(midnight.0);
    assert_eq!(
        h.store.reserve(&reserve("r4", &["a"], DAY_1)).await.unwrap(),
        [Verdict::Reserved]
    );
}

pub async fn the_same_reservation_again_returns_the_same_and_takes_nothing(h: &Harness) {
    let rule = QuotaRule {
        per_day: Some(2),
        ..DAY_1
    };
    for _ in 0..5 {
        assert_eq!(
            h.store.reserve(&reserve("same", &["a"], rule)).await.unwrap(),
            [Verdict::Reserved]
        );
    }
    assert_eq!(
        h.store.reserve(&reserve("next", &["a"], rule)).await.unwrap(),
        [Verdict::Reserved]
    );
    assert!(matches!(
        h.store.reserve(&reserve("third", &["a"], rule)).await.unwrap()[0],
        Verdict::Full { .. }
    ));
    assert!(matches!(
        h.store.reserve(&reserve("third", &["a"], rule)).await.unwrap()[0],
        Verdict::Full { .. }
    ));
}

pub async fn settling_refunds_once_and_only_what_was_reserved(h: &Harness) {
    let rule = QuotaRule {
        per_day: Some(1),
        per_week: Some(7),
        per_month: Some(30),
        member_per_day: Some(1),
    };
    let p = part(42);
    h.store.reserve(&reserve("r", &["a", "b"], rule)).await.unwrap();
    let refused = h.store.reserve(&reserve("s", &["a"], rule)).await.unwrap();
    assert!(matches!(refused[0], Verdict::Full { .. }));
    h.store.settle(p, "s", &["a".into()]).await.unwrap();
    assert!(matches!(
        h.store.reserve(&reserve("t", &["a"], rule)).await.unwrap()[0],
        Verdict::Full { .. }
    ));
    h.store.settle(p, "r", &["a".into(), "nobody".into()]).await.unwrap();
    h.store.settle(p, "r", &["a".into(), "b".into()]).await.unwrap();
    h.store.settle(p, "unknown", &["a".into()]).await.unwrap();
    let got = h.store.reserve(&reserve("r", &["a", "b"], rule)).await.unwrap();
    assert_eq!(
        got,
        [Verdict::Reserved, Verdict::Reserved],
        "settled, still the same verdicts"
    );
    let got = h.store.reserve(&reserve("u", &["a", "b"], rule)).await.unwrap();
    assert_eq!(got[0], Verdict::Reserved);
    assert!(matches!(got[1], Verdict::Full { .. }), "b was not refunded");
}

pub async fn of_several_full_windows_the_one_that_ends_last_is_named(h: &Harness) {
    let rule = QuotaRule {
        per_day: Some(1),
        per_week: Some(1),
        per_month: Some(1),
        member_per_day: Some(1),
    };
    h.store.reserve(&reserve("r", &["a"], rule)).await.unwrap();
    // 2026-12-01 00:00 in China.
    let month = StoreTime(1_796_054_400_000);
    assert_eq!(
        h.store.reserve(&reserve("s", &["a"], rule)).await.unwrap(),
        [full("month", month)]
    );
    h.set_time(month.0);
    assert_eq!(
        h.store.reserve(&reserve("t", &["a"], rule)).await.unwrap(),
        [Verdict::Reserved]
    );
}

pub async fn the_week_begins_on_monday(h: &Harness) {
    let rule = QuotaRule {
        per_day: None,
        per_week: Some(1),
        per_month: None,
        member_per_day: None,
    };
    let monday = StoreTime(START + 3 * 3_600_000);
    h.store.reserve(&reserve("r", &["a"], rule)).await.unwrap();
    assert_eq!(
        h.store.reserve(&reserve("s", &["a"], rule)).await.unwrap(),
        [full("week", monday)]
    );
    h.set_time(monday.0);
    assert_eq!(
        h.store.reserve(&reserve("t", &["a"], rule)).await.unwrap(),
        [Verdict::Reserved]
    );
    h.set_time(monday.0 + 7 * 86_400_000 - 1);
    assert!(matches!(
        h.store.reserve(&reserve("u", &["a"], rule)).await.unwrap()[0],
        Verdict::Full { .. }
    ));
}

pub async fn a_members_day_counts_per_member(h: &Harness) {
    let rule = QuotaRule {
        per_day: None,
        per_week: None,
        per_month: None,
        member_per_day: Some(1),
    };
    let by = |id: &str, member: Option<&str>| {
        let mut r = reserve(id, &["a"], rule);
        r.contacts[0].1 = member.map(String::from);
        r
    };
    assert_eq!(h.store.reserve(&by("1", Some("x"))).await.unwrap(), [Verdict::Reserved]);
    assert_eq!(h.store.reserve(&by("2", Some("y"))).await.unwrap(), [Verdict::Reserved]);
    let midnight = StoreTime(START + 3 * 3_600_000);
    assert_eq!(
        h.store.reserve(&by("3", Some("x"))).await.unwrap(),
        [full("member_day", midnight)]
    );
    assert_eq!(
        h.store.reserve(&by("4", None)).await.unwrap(),
        [Verdict::Reserved],
        "nobody to count for"
    );
}

pub async fn no_rule_is_no_limit_and_zero_is_always_full(h: &Harness) {
    for i in 0..5 {
        let got = h
            .store
            .reserve(&reserve(&format!("n{i}"), &["a"], QuotaRule::default()))
            .await
            .unwrap();
        assert_eq!(got, [Verdict::Reserved]);
    }
    let zero = QuotaRule {
        per_day: Some(0),
        ..DAY_1
    };
    assert!(matches!(
        h.store.reserve(&reserve("z", &["b"], zero)).await.unwrap()[0],
        Verdict::Full { .. }
    ));
}

pub async fn a_reservation_of_256_contacts_fits_and_twice_one_contact_does_not(h: &Harness) {
    let names: Vec<String> = (0..256)
        .map(|i| format!("wmAAAAAAAAAAAAAAAAAAAAAAAAAAA{i:03}"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let got = h.store.reserve(&reserve("big", &names, DAY_1)).await.unwrap();
    assert!(got.iter().all(|v| *v == Verdict::Reserved) && got.len() == 256);
    let got = h.store.reserve(&reserve("big2", &names, DAY_1)).await.unwrap();
    assert!(got.iter().all(|v| matches!(v, Verdict::Full { .. })));
    assert!(matches!(
        h.store.reserve(&reserve("x", &["a", "a"], DAY_1)).await,
        Err(StoreError::Refused(_))
    ));
    let over = vec!["a"; 257];
    assert!(matches!(
        h.store.reserve(&reserve("x", &over, DAY_1)).await,
        Err(StoreError::Refused(_))
    ));
}
