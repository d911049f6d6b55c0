use std::collections::BTreeMap;

use wecom_gateway::sandbox::{Fault, Way};

use crate::support::gateway::Gateway;
use crate::support::site::{On, Seeded, Site, answer, contact, customer_asks, kf_customer, member_asks, scan, target};

const ROUNDS: usize = 8;
const EACH: usize = 4;
/// The call that is never repeated is answered so late that many kills fall into it.
const BROADCAST_MS: u64 = 400;

/// Who may be killed in a round.
#[derive(Debug, Clone, Copy)]
enum Victims {
    /// The only gateway.
    One,
    /// One of two gateways, or Redis under them.
    All,
}

/// Somebody is killed at random moments while people act. Two ledgers: what was accepted (the front saw 200),
/// and what people saw.
async fn kill_at_random_moments(on: On, victims: Victims) {
    let mut random = Seeded::new(&format!("kill -9 on {on:?}, {victims:?}"));
    let mut site = Site::new(on).await;
    let mut gateways = vec![site.started("a").await];
    if matches!(victims, Victims::All) {
        gateways.push(site.started("b").await);
    }
    let ports: Vec<u16> = gateways.iter().map(|g| g.port).collect();
    site.front.send_to(&ports);
    // Every call takes effect at once and is answered late: most kills fall between effect and answer.
    let late = |path: &str, ms| Fault::on(path).delay_ms(ms).after_effect().always();
    site.wecom.fault(late("externalcontact/add_msg_template", BROADCAST_MS));
    site.wecom.fault(late("*", 60));
    let (mut acts, mut broadcasts) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        for n in round * EACH..(round + 1) * EACH {
            acts.push(site.acts(scan(&format!("wmS{n}"))));
            acts.push(site.acts(member_asks(&format!("m{n}"), n)));
            acts.push(site.acts(customer_asks(&kf_customer(n), n)));
        }
        broadcasts.push(site.broadcast(&gateways[0], &format!("b{round}"), &target(round)));
        random.moment(20, 900).await;
        let victim = random.below(3) as usize;
        match (victims, &mut site.redis) {
            (Victims::All, Some(redis)) if victim == 2 => redis.restart(),
            _ => {
                let gateway = &mut gateways[if ports.len() == 1 { 0 } else { victim.min(1) }];
                gateway.kill();
                gateway.spawn();
                // Sometimes it dies before it is ready.
                if random.below(4) > 0 {
                    gateway.ready().await;
                }
            }
        }
    }
    for act in acts {
        act.await.unwrap();
    }
    let mut uncertain = 0;
    for (round, sent) in broadcasts.into_iter().enumerate() {
        let mut sent = sent.await.unwrap();
        if matches!(victims, Victims::All) && sent.said.is_null() {
            // The command itself met a dead store.
            let id = format!("b{round}");
            sent = site.broadcast_to_its_end(&gateways[0], &id, &target(round)).await;
        }
        let calls = site.broadcasts_to(&target(round)).len();
        assert!(calls <= 1, "a call that must not be repeated was made {calls} times");
        if sent.said["delivered"] == 1 {
            assert_eq!((sent.code, calls), (Some(0), 1));
        } else {
            assert_eq!(sent.said["uncertain"][0], target(round).as_str(), "{sent:?}");
            uncertain += 1;
        }
    }
    let late = everybody_is_answered_once(&site, &gateways[0]).await;
    eprintln!(
        "{on:?}, {victims:?}: {} answers, {late} welcomes late, {uncertain} of {ROUNDS} broadcasts uncertain, repeated calls {:?}",
        3 * ROUNDS * EACH,
        repeats(&site),
    );
    assert!(late <= EACH, "{late} welcomes late");
}

/// How many welcomes came too late.
async fn everybody_is_answered_once(site: &Site, gateway: &Gateway) -> usize {
    site.settled(gateway, 0).await;
    let mut late = 0;
    for n in 0..ROUNDS * EACH {
        assert_eq!(site.seen(&format!("m{n}"), Way::App), [answer(n)], "member m{n}");
        assert_eq!(site.seen(&kf_customer(n), Way::Kf), [answer(n)], "customer {n}");
        let scanned = format!("wmS{n}");
        match site.seen(&scanned, Way::Welcome).len() {
            0 => {
                // Nobody could answer within WeCom's 20 s: then it says so.
                let endings = site.endings(gateway, &contact(&scanned)).await;
                let expired = ("welcome".to_owned(), "expired".to_owned());
                assert!(endings.contains(&expired), "{scanned}: {endings:?}");
                late += 1;
            }
            seen => assert_eq!(seen, 1, "welcomes of {scanned}"),
        }
    }
    late
}

/// Calls beyond the one that each message needs, by path: kills that fell between effect and commit.
fn repeats(site: &Site) -> BTreeMap<String, usize> {
    let mut calls: BTreeMap<String, usize> = BTreeMap::new();
    for call in site.wecom.calls() {
        *calls.entry(call.path).or_default() += 1;
    }
    calls.retain(|path, _| path.contains("send"));
    calls.values_mut().for_each(|n| *n -= (*n).min(ROUNDS * EACH));
    calls
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_no_accepted_event_and_repeats_nothing_on_sqlite() {
    kill_at_random_moments(On::Sqlite, Victims::One).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_no_accepted_event_and_repeats_nothing_on_redis() {
    kill_at_random_moments(On::Redis, Victims::One).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_of_gateways_and_of_redis_under_them_loses_no_accepted_event_and_repeats_nothing() {
    kill_at_random_moments(On::Redis, Victims::All).await;
}
