use std::time::Duration;

use wecom_gateway::model::Conversation;
use wecom_gateway::sandbox::{Fault, Way};
use wecom_gateway::store::Store;
use wecom_gateway::wecom::id::CorpId;

use crate::support::gateway::until;
use crate::support::site::{CORP, On, Site, answer, customer_asks, kf_customer, member_asks, scan, target};

/// Questions of one member and of one customer while the store is away.
const MEANWHILE: usize = 5;
/// Longer than the 5 s after which a silent owner is replaced.
const AWAY: Duration = Duration::from_secs(7);

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
async fn what_comes_while_redis_hangs_is_taken_once_although_it_may_lie_in_store_and_spool() {
    let site = Site::new(On::Redis).await;
    let gateway = site.started("a").await;
    site.act(member_asks("m0", 0)).await;
    site.settled(&gateway, 0).await;
    let redis = site.redis.as_ref().unwrap();
    redis.signal("STOP");
    // The first ones reach the server's socket and, when nothing comes back, the spool as well.
    let acts: Vec<_> = (0..MEANWHILE)
        .flat_map(|n| {
            let scanned = format!("wmS{n}");
            [
                site.acts(member_asks(&format!("m{n}"), n + 10)),
                site.acts(scan(&scanned)),
                site.acts(customer_asks(&kf_customer(n), n)),
            ]
        })
        .collect();
    for act in acts {
        act.await.unwrap();
    }
    assert_eq!(gateway.detail("spooling").await, true);
    redis.signal("CONT");
    until("the spool is empty", async || {
        (gateway.detail("spooling").await == false).then_some(())
    })
    .await;
    site.settled(&gateway, 0).await;
    for n in 0..MEANWHILE {
        let mut answers = vec![answer(n + 10)];
        answers.splice(0..0, (n == 0).then(|| answer(0)));
        assert_eq!(site.seen(&format!("m{n}"), Way::App), answers, "member m{n}");
        assert_eq!(site.seen(&kf_customer(n), Way::Kf), [answer(n)], "customer {n}");
        assert_eq!(site.seen(&format!("wmS{n}"), Way::Welcome).len(), 1, "welcome {n}");
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

/// Which node owns which partition.
async fn owners(store: &dyn Store) -> Option<Vec<String>> {
    let records = store.owners().await.ok()?;
    let nodes: Vec<String> = records.into_iter().map(|r| r.node).collect();
    nodes.iter().all(|n| !n.is_empty()).then_some(nodes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_away_longer_than_a_lease_moves_no_partition_and_answers_of_calls_in_flight_count() {
    let mut site = Site::new(On::Redis).await;
    let first = site.started("a").await;
    let second = site.started("b").await;
    until("both own partitions", async || {
        (second.metric("wecom_owned_partitions").await == 32.0).then_some(())
    })
    .await;
    let store = site.store(&first).await;
    let before = until("every partition has an owner", async || owners(&*store).await).await;
    // One broadcast for each gateway, held until Redis has been back for a while.
    let template = "externalcontact/add_msg_template";
    site.wecom.fault(Fault::on(template).delay_ms(11_000).times(2));
    let id_of = |node: String| {
        let corp = CorpId::parse(CORP).unwrap();
        let partition = |id: &String| Conversation::Broadcast(corp.clone(), id.clone()).partition();
        let mut ids = (0..99).map(|n| format!("b{n}"));
        ids.find(|id| before[partition(id).index()] == node).unwrap()
    };
    let ids = [id_of(first.node()), id_of(second.node())];
    let (one, two) = (target(0), target(1));
    let sent = [
        site.broadcast(&first, &ids[0], &one),
        site.broadcast(&first, &ids[1], &two),
    ];
    until("both calls are held", async || {
        site.wecom.state()["faults"].as_array()?.is_empty().then_some(())
    })
    .await;
    site.redis.as_mut().unwrap().kill();
    tokio::time::sleep(AWAY).await;
    site.redis.as_mut().unwrap().restart();
    for one in sent {
        // They met a dead store, or not.
        one.await.unwrap();
    }
    for (id, to) in ids.iter().zip([&one, &two]) {
        let sent = site.broadcast_to_its_end(&first, id, to).await;
        assert_eq!((sent.code, &sent.said["delivered"]), (Some(0), &1.into()), "{sent:?}");
        assert_eq!(site.broadcasts_to(to).len(), 1);
    }
    site.settled(&first, 0).await;
    let after = until("every partition has an owner", async || owners(&*store).await).await;
    assert_eq!(after, before);
}
