use wecom_gateway::sandbox::{Act, ToldTo, Way};

use crate::support::gateway::until;
use crate::support::site::{On, Site, answer, customer_asks, kf_customer, member_asks, scan};

const PEOPLE: usize = 5;

/// WeCom posts everything twice, each time with another nonce; the front brings each post five times at once.
async fn everybody_acts(site: &Site) {
    site.front.copies(5);
    let twice = ToldTo {
        copies: 2,
        ..ToldTo::default()
    };
    let acts = (0..PEOPLE).flat_map(|n| -> [Act; 3] {
        [
            scan(&format!("wmS{n}")),
            member_asks(&format!("m{n}"), n),
            customer_asks(&kf_customer(n), n),
        ]
    });
    let all = acts.map(|act| site.wecom.act_with(act, twice.clone()));
    for acted in futures_util::future::join_all(all).await {
        assert!(acted.unwrap().callbacks.iter().all(|c| c.delivered()));
    }
    site.front.copies(1);
}

fn one_effect(site: &Site) {
    for n in 0..PEOPLE {
        assert_eq!(site.seen(&format!("wmS{n}"), Way::Welcome).len(), 1);
        assert_eq!(site.seen(&format!("m{n}"), Way::App), [answer(n)]);
        assert_eq!(site.seen(&kf_customer(n), Way::Kf), [answer(n)]);
    }
    // Not even a call: what was recognised here never reached WeCom.
    for (path, n) in [
        ("externalcontact/send_welcome_msg", PEOPLE),
        ("message/send", PEOPLE),
        ("kf/send_msg", PEOPLE),
    ] {
        assert_eq!(site.wecom.calls_of(path).len(), n, "calls of {path}");
    }
}

async fn again(site: &Site) {
    let taken = site.front.taken();
    assert_eq!(taken.len(), 2 * 3 * PEOPLE);
    let repeats = taken.iter().map(|callback| site.front.again(callback));
    futures_util::future::join_all(repeats).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_that_comes_many_times_has_one_effect_on_sqlite_also_after_a_restart() {
    let site = Site::new(On::Sqlite).await;
    let mut gateway = site.started("a").await;
    everybody_acts(&site).await;
    site.settled(&gateway, 0).await;
    one_effect(&site);
    gateway.kill();
    gateway.start().await;
    again(&site).await;
    site.settled(&gateway, 0).await;
    one_effect(&site);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_that_comes_many_times_has_one_effect_across_two_gateways_and_a_restart() {
    let site = Site::new(On::Redis).await;
    let mut first = site.started("a").await;
    let second = site.started("b").await;
    until("both own partitions", async || {
        let share = second.metric("wecom_owned_partitions").await;
        (share == 32.0).then_some(())
    })
    .await;
    site.front.send_to(&[first.port, second.port]);
    everybody_acts(&site).await;
    site.settled(&first, 0).await;
    one_effect(&site);
    first.kill();
    first.start().await;
    again(&site).await;
    site.settled(&first, 0).await;
    one_effect(&site);
}
