use wecom_gateway::sandbox::Way;
use wecom_gateway::store::Store;

use crate::support::gateway::until;
use crate::support::site::{On, Site, answer, customer_asks, kf_customer, member_asks, scan, target};

/// Questions of one member and of one customer while the store is away.
const MEANWHILE: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_while_redis_is_away_is_spooled_and_answered_in_order_when_it_is_back() {
    let mut site = Site::new(On::Redis).await;
    let gateway = site.started("a").await;
    site.act(member_asks("m0", 0)).await;
    site.act(customer_asks(&kf_customer(0), 0)).await;
    site.settled(&gateway, 0).await;
    site.redis.as_mut().unwrap().kill();
    for n in 1..=MEANWHILE {
        site.act(member_asks("m0", n)).await;
        site.act(customer_asks(&kf_customer(n), n)).await;
    }
    let (status, detail) = gateway.readyz().await.unwrap();
    assert_eq!(status, 200, "it can accept durably: {detail}");
    assert_eq!(
        (&detail["spooling"], &detail["spool_events"]),
        (&true.into(), &(2 * MEANWHILE).into())
    );
    site.redis.as_mut().unwrap().restart();
    until("the spool is empty", async || {
        let idle = gateway.detail("spooling").await == false && gateway.detail("spool_events").await == 0;
        idle.then_some(())
    })
    .await;
    site.settled(&gateway, 0).await;
    assert_eq!(
        site.seen("m0", Way::App),
        (0..=MEANWHILE).map(answer).collect::<Vec<_>>()
    );
    for n in 0..=MEANWHILE {
        assert_eq!(site.seen(&kf_customer(n), Way::Kf), [answer(n)]);
    }
    assert_eq!(gateway.metric("wecom_data_loss_total").await, 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_whose_redis_comes_back_empty_heals_says_so_and_holds_broadcasts() {
    let mut site = Site::new(On::Redis).await;
    let gateway = site.started("a").await;
    site.act(member_asks("m0", 0)).await;
    site.settled(&gateway, 0).await;
    site.redis.as_mut().unwrap().restart_empty();
    until("the loss is reported", async || {
        let lost = gateway.metric("wecom_data_loss_total").await == 1.0;
        (lost && gateway.detail("broadcasts_held_after_data_loss").await == true).then_some(())
    })
    .await;
    let sent = site.broadcast(&gateway, "b0", &target(0));
    site.act(member_asks("m0", 1)).await;
    site.act(customer_asks(&kf_customer(1), 1)).await;
    site.act(scan("wmS1")).await;
    let store = site.store(&gateway).await;
    until("everybody is answered, and the broadcast waits", async || {
        let all = site.seen("m0", Way::App).len() == 2
            && site.seen(&kf_customer(1), Way::Kf).len() == 1
            && site.seen("wmS1", Way::Welcome).len() == 1;
        (all && held(&*store).await).then_some(())
    })
    .await;
    assert!(site.broadcasts_to(&target(0)).is_empty(), "it was held");
    let resumed = crate::support::gateway::command(&gateway.config)
        .args(["broadcast", "resume", "--all"])
        .status()
        .unwrap();
    assert!(resumed.success());
    let sent = sent.await.unwrap();
    assert_eq!((sent.code, &sent.said["delivered"]), (Some(0), &1.into()), "{sent:?}");
    assert_eq!(site.broadcasts_to(&target(0)).len(), 1);
    site.settled(&gateway, 0).await;
    assert_eq!(gateway.metric("wecom_data_loss_total").await, 1.0);
}

/// A broadcast's job was looked at and put off.
async fn held(store: &dyn Store) -> bool {
    use wecom_gateway::model::{Lane, Partition};
    for partition in Partition::all() {
        let due = store.due(partition, Lane::Bulk, 10).await.unwrap();
        if due.jobs.is_empty() && due.next.is_some() {
            return true;
        }
    }
    false
}
