use wecom_gateway::sandbox::{Fault, Way};

use crate::support::site::{On, Seeded, Site, answer, contact, customer_asks, kf_customer, member_asks, scan, target};

const ROUNDS: usize = 8;
const EACH: usize = 4;

/// A gateway is killed at random moments while people act. Two ledgers: what was accepted (the front saw 200),
/// and what people saw.
async fn kill_at_random_moments(on: On) {
    let mut random = Seeded::new(&format!("kill -9 on {on:?}"));
    let site = Site::new(on).await;
    let mut gateway = site.started("a").await;
    // Every call takes effect at once and is answered late: most kills fall between effect and answer.
    site.wecom.fault(Fault::on("*").delay_ms(60).after_effect().always());
    let (mut acts, mut broadcasts) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        for n in round * EACH..(round + 1) * EACH {
            acts.push(site.acts(scan(&format!("wmS{n}"))));
            acts.push(site.acts(member_asks(&format!("m{n}"), n)));
            acts.push(site.acts(customer_asks(&kf_customer(n), n)));
        }
        if round % 2 == 0 {
            broadcasts.push((round, site.broadcast(&gateway, &format!("b{round}"), &target(round))));
        }
        random.moment(20, 500).await;
        gateway.kill();
        gateway.spawn();
        // Sometimes it dies before it is ready.
        if random.below(4) > 0 {
            gateway.ready().await;
        }
    }
    for act in acts {
        act.await.unwrap();
    }
    for (round, sent) in broadcasts {
        let (sent, calls) = (sent.await.unwrap(), site.broadcasts_to(&target(round)).len());
        assert!(calls <= 1, "a call that must not be repeated was made {calls} times");
        if sent.said["delivered"] == 1 {
            assert_eq!((sent.code, calls), (Some(0), 1));
        } else {
            assert_eq!(sent.said["uncertain"][0], target(round).as_str(), "{sent:?}");
        }
    }
    site.settled(&gateway, 0).await;
    let mut late = 0;
    for n in 0..ROUNDS * EACH {
        assert_eq!(site.seen(&format!("m{n}"), Way::App), [answer(n)], "member m{n}");
        assert_eq!(site.seen(&kf_customer(n), Way::Kf), [answer(n)], "customer {n}");
        let scanned = format!("wmS{n}");
        match site.seen(&scanned, Way::Welcome).len() {
            0 => {
                // Nobody could answer within WeCom's 20 s: then it says so.
                let endings = site.endings(&gateway, &contact(&scanned)).await;
                assert_eq!(endings, [("welcome".to_owned(), "expired".to_owned())]);
                late += 1;
            }
            seen => assert_eq!(seen, 1, "welcomes of {scanned}"),
        }
    }
    eprintln!("{on:?}: {} answers, {late} welcomes late", 3 * ROUNDS * EACH);
    assert!(late <= EACH, "{late} welcomes late");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_no_accepted_event_and_repeats_nothing_on_sqlite() {
    kill_at_random_moments(On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_no_accepted_event_and_repeats_nothing_on_redis() {
    kill_at_random_moments(On::Redis).await;
}
