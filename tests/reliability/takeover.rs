use std::time::{Duration, Instant};

use wecom_gateway::model::{Conversation, Partition};
use wecom_gateway::sandbox::{Fault, Way};
use wecom_gateway::store::Store;
use wecom_gateway::wecom::id::CorpId;

use crate::support::gateway::{until, within};
use crate::support::site::{
    CORP, On, Seeded, Site, answer, contact, customer_asks, kf_customer, member_asks, scan, target,
};

/// Five seconds of silence, a beat, and some patience for a busy machine.
const TAKEOVER: Duration = Duration::from_secs(9);
/// The held calls are answered after everything has been taken over.
const HELD_MS: u64 = 9_500;
const CALLS: [&str; 4] = [
    "externalcontact/send_welcome_msg",
    "externalcontact/add_msg_template",
    "message/send",
    "kf/send_msg",
];

/// The partitions that a node owns.
async fn owned(store: &dyn Store, node: &str) -> Vec<Partition> {
    let records = store.owners().await.unwrap();
    let all = Partition::all().zip(records);
    all.filter(|(_, r)| r.node == node).map(|(p, _)| p).collect()
}

/// What was said; facts may be read at any time.
fn messages(mut endings: Vec<(String, String)>) -> Vec<(String, String)> {
    endings.retain(|(action, _)| action != "read_contact");
    endings
}

/// An owner is stopped inside a call of each class, longer than its lease; another gateway goes on; then the
/// first one wakes up and gets its answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_was_stopped_past_its_lease_inside_calls_changes_nothing_and_repeats_nothing() {
    let site = Site::new(On::Redis).await;
    let first = site.started("a").await;
    let second = site.started("b").await;
    let store = site.store(&first).await;
    let (a, b) = (first.node(), second.node());
    until("both own partitions", async || {
        (owned(&*store, &b).await.len() == 32).then_some(())
    })
    .await;
    let mine = owned(&*store, &a).await;
    let corp = CorpId::parse(CORP).unwrap();
    let is_mine = |c: &Conversation| mine.contains(&c.partition());
    // One of each whose conversation the first gateway owns.
    let scanned = (0..99)
        .map(|n| format!("wmS{n}"))
        .find(|s| is_mine(&contact(s)))
        .unwrap();
    let customer = (0..99).map(kf_customer).find(|s| is_mine(&contact(s))).unwrap();
    let member_chat = |m: &String| format!("m/{CORP}/main/{m}").try_into().unwrap();
    let member = (0..99)
        .map(|n| format!("m{n}"))
        .find(|m| is_mine(&member_chat(m)))
        .unwrap();
    let broadcast = |id: &String| Conversation::Broadcast(corp.clone(), id.clone());
    let id = (0..99)
        .map(|n| format!("b{n}"))
        .find(|id| is_mine(&broadcast(id)))
        .unwrap();
    for path in CALLS {
        site.wecom.fault(Fault::on(path).delay_ms(HELD_MS));
    }
    let sent = site.broadcast(&second, &id, &target(0));
    site.front.send_to(&[second.port]);
    site.act(scan(&scanned)).await;
    site.act(customer_asks(&customer, 1)).await;
    site.act(member_asks(&member, 2)).await;
    // A fault leaves the script as soon as its call has come.
    until("every call is held", async || {
        site.wecom.state()["faults"].as_array()?.is_empty().then_some(())
    })
    .await;
    first.signal("STOP");
    let began = Instant::now();
    within(TAKEOVER, "the second gateway took over", async || {
        (owned(&*store, &b).await.len() == 64).then_some(())
    })
    .await;
    eprintln!("taken over after {:?}", began.elapsed());
    let sent = sent.await.unwrap();
    site.settled(&second, 0).await;
    until("the held calls reached WeCom", async || {
        let held = site.wecom.calls().into_iter().filter(|c| c.fault.is_some()).count();
        (held == CALLS.len()).then_some(())
    })
    .await;
    let conversations = [
        contact(&scanned),
        contact(&customer),
        member_chat(&member),
        broadcast(&id),
    ];
    let mut before = Vec::new();
    for c in &conversations {
        before.push(messages(site.endings(&second, c).await));
    }
    first.signal("CONT");
    until("the first gateway owns its share again", async || {
        (owned(&*store, &a).await.len() >= 32).then_some(())
    })
    .await;
    site.settled(&first, 0).await;
    for (c, before) in conversations.iter().zip(before) {
        assert_eq!(
            messages(site.endings(&first, c).await),
            before,
            "a stale fence changed {}",
            c.key()
        );
        assert_eq!(before.len(), 1, "{}: {before:?}", c.key());
    }
    assert_eq!(
        site.broadcasts_to(&target(0)).len(),
        1,
        "the call that is never repeated"
    );
    assert_eq!(sent.said["uncertain"][0], target(0).as_str(), "{sent:?}");
    assert_eq!(sent.code, Some(1));
    assert_eq!(site.seen(&scanned, Way::Welcome).len(), 1);
    assert_eq!(site.seen(&customer, Way::Kf), [answer(1)]);
    assert_eq!(site.seen(&member, Way::App), [answer(2)]);
    // Both gateways called with the one msgid.
    let sends = site.wecom.calls_of("kf/send_msg");
    assert_eq!(sends.len(), 2);
    assert_eq!(sends[0].body["msgid"], sends[1].body["msgid"]);
}

const ROUNDS: usize = 3;
const EACH: usize = 10;

/// Each gateway in turn is stopped at a random moment of its work, past its lease, and wakes up again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn owners_that_are_stopped_past_their_lease_at_random_moments_lose_and_repeat_nothing() {
    let mut random = Seeded::new("stopped at random moments");
    let site = Site::new(On::Redis).await;
    let gateways = [site.started("a").await, site.started("b").await];
    let store = site.store(&gateways[0]).await;
    site.front.send_to(&[gateways[0].port, gateways[1].port]);
    site.wecom
        .fault(Fault::on(CALLS[1]).delay_ms(700).after_effect().always());
    site.wecom.fault(Fault::on("*").delay_ms(60).after_effect().always());
    let (mut acts, mut broadcasts) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (stopped, other) = (&gateways[round % 2], &gateways[(round + 1) % 2]);
        until("both own partitions", async || {
            (owned(&*store, &stopped.node()).await.len() == 32).then_some(())
        })
        .await;
        for n in round * EACH..(round + 1) * EACH {
            acts.push(site.acts(scan(&format!("wmS{n}"))));
            acts.push(site.acts(member_asks(&format!("m{n}"), n)));
            acts.push(site.acts(customer_asks(&kf_customer(n), n)));
            broadcasts.push((n, site.broadcast(other, &format!("b{n}"), &target(n))));
        }
        random.moment(20, 700).await;
        stopped.signal("STOP");
        within(TAKEOVER, "the other gateway took over", async || {
            (owned(&*store, &other.node()).await.len() == 64).then_some(())
        })
        .await;
        random.moment(0, 700).await;
        stopped.signal("CONT");
    }
    for act in acts {
        act.await.unwrap();
    }
    let mut uncertain = 0;
    for (n, sent) in broadcasts {
        let (sent, calls) = (sent.await.unwrap(), site.broadcasts_to(&target(n)).len());
        assert!(calls <= 1, "a call that must not be repeated was made {calls} times");
        match sent.code {
            Some(0) => assert_eq!(calls, 1),
            _ => {
                assert_eq!(sent.said["uncertain"][0], target(n).as_str(), "{sent:?}");
                uncertain += 1;
            }
        }
    }
    site.settled(&gateways[0], 0).await;
    for n in 0..ROUNDS * EACH {
        assert_eq!(site.seen(&format!("m{n}"), Way::App), [answer(n)], "member m{n}");
        assert_eq!(site.seen(&kf_customer(n), Way::Kf), [answer(n)], "customer {n}");
        assert_eq!(site.seen(&format!("wmS{n}"), Way::Welcome).len(), 1, "welcome {n}");
    }
    eprintln!(
        "stopped at random: {} answers, {uncertain} of {} broadcasts uncertain",
        3 * ROUNDS * EACH,
        ROUNDS * EACH
    );
}
