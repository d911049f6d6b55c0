use std::time::{Duration, Instant};

use wecom_gateway::sandbox::{Fault, Way};

use crate::support::gateway::{Gateway, until, within};
use crate::support::site::{On, Site, answer, customer_asks, kf_customer, member_asks};

const IDLE: Duration = Duration::from_secs(4);
const BUSY: Duration = Duration::from_secs(10);
const AT_ONCE: Duration = Duration::from_secs(3);
/// Longer than a stopping gateway listens: its end finds calls in flight.
const SLOW_MS: u64 = 1_500;
const PEOPLE: usize = 60;

async fn owns(gateway: &Gateway, partitions: f64) -> Option<()> {
    (gateway.metric("wecom_owned_partitions").await == partitions).then_some(())
}

fn everybody_asks(site: &Site) -> Vec<tokio::task::JoinHandle<()>> {
    let both = |n: usize| {
        [
            site.acts(member_asks(&format!("m{n}"), n)),
            site.acts(customer_asks(&kf_customer(n), n)),
        ]
    };
    (0..PEOPLE).flat_map(both).collect()
}

async fn everybody_is_answered(site: &Site, gateway: &Gateway, acts: Vec<tokio::task::JoinHandle<()>>) {
    for act in acts {
        act.await.unwrap();
    }
    site.settled(gateway, 0).await;
    for n in 0..PEOPLE {
        assert_eq!(site.seen(&format!("m{n}"), Way::App), [answer(n)], "member m{n}");
        assert_eq!(site.seen(&kf_customer(n), Way::Kf), [answer(n)], "customer {n}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_ends_an_idle_gateway_soon_after_readyz_said_503() {
    let site = Site::new(On::Sqlite).await;
    let mut gateway = site.started("a").await;
    until("it owns everything", async || owns(&gateway, 64.0).await).await;
    gateway.signal("TERM");
    until("readyz says 503", async || {
        gateway.readyz().await.filter(|(status, _)| *status == 503)
    })
    .await;
    let (status, took) = gateway.terminate().await;
    eprintln!("idle: stopped after {took:?}");
    assert_eq!(status.code(), Some(0));
    assert!(took < IDLE, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_loses_nothing_and_the_next_process_goes_on_on_sqlite() {
    let site = Site::new(On::Sqlite).await;
    let mut first = site.started("a").await;
    site.wecom
        .fault(Fault::on("*").delay_ms(SLOW_MS).after_effect().always());
    let acts = everybody_asks(&site);
    until("some are answered", async || {
        (site.wecom.messages().len() > 5).then_some(())
    })
    .await;
    let (status, took) = first.terminate().await;
    eprintln!("busy: stopped after {took:?}");
    assert_eq!(status.code(), Some(0));
    assert!(took < BUSY, "{took:?}");
    let second = site.started("b").await;
    within(AT_ONCE, "it owns everything", async || owns(&second, 64.0).await).await;
    everybody_is_answered(&site, &second, acts).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_hands_the_partitions_to_the_other_gateway_at_once_on_redis() {
    let site = Site::new(On::Redis).await;
    let mut first = site.started("a").await;
    let second = site.started("b").await;
    until("both own partitions", async || owns(&second, 32.0).await).await;
    site.front.send_to(&[first.port, second.port]);
    site.wecom
        .fault(Fault::on("*").delay_ms(SLOW_MS).after_effect().always());
    let acts = everybody_asks(&site);
    until("some are answered", async || {
        (site.wecom.messages().len() > 5).then_some(())
    })
    .await;
    let (status, took) = first.terminate().await;
    assert_eq!(status.code(), Some(0));
    assert!(took < BUSY, "{took:?}");
    let began = Instant::now();
    within(AT_ONCE, "the other owns everything", async || owns(&second, 64.0).await).await;
    eprintln!("busy: stopped after {took:?}, taken over {:?} later", began.elapsed());
    everybody_is_answered(&site, &second, acts).await;
}
