use wecom_gateway::sandbox::{Fault, Way};

use crate::support::gateway::until;
use crate::support::site::{On, QUESTIONS, Seeded, Site, answer, customer_asks, kf_customer};

const SEND: &str = "kf/send_msg";
/// WeCom allows five answers after a customer's message.
const BURST: usize = 5;

/// One answer in ten fails the first time: refused as busy, or with no usable answer.
fn trouble(site: &Site, random: &mut Seeded, questions: impl Iterator<Item = usize>) -> usize {
    let mut faults = 0;
    for n in questions.filter(|_| random.below(10) == 0).collect::<Vec<_>>() {
        let fault = Fault::on(SEND).containing(&answer(n));
        site.wecom.fault(match faults % 3 {
            0 => fault.errcode(-1),
            1 => fault.status(500),
            _ => fault.status(500).after_effect(),
        });
        faults += 1;
    }
    faults
}

async fn asks_in_bursts(site: &Site, who: &str, questions: usize) {
    for first in (0..questions).step_by(BURST) {
        let last = questions.min(first + BURST);
        for n in first..last {
            site.act(customer_asks(who, n)).await;
        }
        until("the burst is answered", async || {
            (site.seen(who, Way::Kf).len() >= last).then_some(())
        })
        .await;
    }
}

fn in_order(questions: usize) -> Vec<String> {
    (0..questions).map(answer).collect()
}

async fn one_customer(on: On) {
    let mut random = Seeded::new(&format!("order on {on:?}"));
    let site = Site::new(on).await;
    let gateway = site.started("a").await;
    let who = kf_customer(0);
    let faults = trouble(&site, &mut random, 0..100);
    asks_in_bursts(&site, &who, 100).await;
    site.settled(&gateway, 0).await;
    assert_eq!(site.seen(&who, Way::Kf), in_order(100), "with {faults} failures");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_messages_of_one_customer_are_answered_in_order_on_sqlite() {
    one_customer(On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_twenty_customers_are_answered_in_order_on_redis() {
    let mut random = Seeded::new("order of twenty");
    let site = Site::new(On::Redis).await;
    let gateway = site.started("a").await;
    // Each failure hits whoever asks that question first.
    let faults = trouble(&site, &mut random, 0..QUESTIONS);
    let everybody = (0..20).map(|n| {
        let site = &site;
        async move { asks_in_bursts(site, &kf_customer(n), 20).await }
    });
    futures_util::future::join_all(everybody).await;
    site.settled(&gateway, 0).await;
    for n in 0..20 {
        assert_eq!(
            site.seen(&kf_customer(n), Way::Kf),
            in_order(20),
            "with {faults} failures"
        );
    }
}
