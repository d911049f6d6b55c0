use std::time::Duration;

use wecom_gateway::model::entry::What;
use wecom_gateway::model::{AppName, EntryBody};
use wecom_gateway::sandbox::Way;
use wecom_gateway::store::Append;
use wecom_gateway::wecom::id::OpenKfId;

use crate::support::gateway::until;
use crate::support::site::{KF, On, Site, answer, contact, customer_asks, kf_customer};

/// Entries that cannot be decided, in the journal of a customer who asks before and after them.
async fn poison(on: On) {
    let site = Site::new(on).await;
    let gateway = site.started("a").await;
    let who = kf_customer(0);
    let conversation = contact(&who);
    let partition = conversation.partition();
    site.act(customer_asks(&who, 0)).await;
    until("the first answer", async || {
        (site.seen(&who, Way::Kf).len() == 1).then_some(())
    })
    .await;
    let unreadable_message = EntryBody {
        conversation,
        app: AppName::new("main"),
        what: What::Kf {
            account: OpenKfId::parse(KF).unwrap(),
            first_served: wecom_gateway::model::StoreTime(0),
        },
        raw: b"{\"msgid\":".to_vec(),
    };
    let good = unreadable_message.encode();
    let blobs: Vec<Vec<u8>> = vec![
        Vec::new(),
        vec![0xff; 100],
        b"{}".to_vec(),
        good[..good.len() / 2].to_vec(),
        vec![b'['; 100_000],
        good,
    ];
    let entry = |blob: &Vec<u8>| Append {
        partition,
        mark: None,
        age: Duration::ZERO,
        blob: blob.clone(),
        wake: false,
    };
    let store = site.store(&gateway).await;
    for blob in &blobs {
        store.append(&[entry(blob)]).await.unwrap();
    }
    site.act(customer_asks(&who, 1)).await;
    let others: Vec<String> = (1..21).map(kf_customer).collect();
    for other in &others {
        site.act(customer_asks(other, 2)).await;
    }
    site.settled(&gateway, blobs.len() as u64).await;
    assert_eq!(site.seen(&who, Way::Kf), [answer(0), answer(1)]);
    for other in &others {
        assert_eq!(site.seen(other, Way::Kf), [answer(2)]);
    }
    assert_eq!(gateway.metric("wecom_quarantined_total").await, blobs.len() as f64);
    let kept = store.quarantined(partition, 100).await.unwrap();
    assert_eq!(
        kept.iter().map(|q| q.blob.clone()).collect::<Vec<_>>(),
        blobs,
        "kept whole"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poison_event_stops_nobody_on_sqlite() {
    poison(On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poison_event_stops_nobody_on_redis() {
    poison(On::Redis).await;
}
