//! The intake: straight to the store while it answers, through the spool while it does not, in order, once.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::redis::RedisServer;
use wecom_gateway::intake::{Accept, Accepted, Intake, Local, Step};
use wecom_gateway::metrics::Metrics;
use wecom_gateway::model::entry::What;
use wecom_gateway::model::{AppName, Conversation, EntryBody};
use wecom_gateway::store::redis::RedisStore;
use wecom_gateway::store::spool::Spool;
use wecom_gateway::store::{Appended, Mark, MarkKind, Role, Store};
use wecom_gateway::wecom::id::{CorpId, ExternalUserId};

fn body(n: usize) -> EntryBody {
    EntryBody {
        conversation: Conversation::Contact(CorpId::parse("ww1").unwrap(), ExternalUserId::parse("wm1").unwrap()),
        app: AppName::new("main"),
        what: What::Callback,
        raw: format!("<xml>{n}</xml>").into_bytes(),
    }
}

fn mark(n: usize) -> Option<Mark> {
    Some(Mark::new(MarkKind::Event, &format!("ww1/{n}")))
}

async fn journalled(store: &dyn Store) -> Vec<String> {
    let p = body(0).conversation.partition();
    let all = store.read(p, 0, 1000).await.unwrap();
    all.iter()
        .map(|e| String::from_utf8(EntryBody::decode(&e.blob).unwrap().raw).unwrap())
        .collect()
}

fn expected(n: usize) -> Vec<String> {
    (0..n).map(|n| format!("<xml>{n}</xml>")).collect()
}

async fn gateway(server: &RedisServer, spool: Option<&Path>) -> (Arc<RedisStore>, Arc<Intake>, Arc<Metrics>) {
    let store = Arc::new(RedisStore::open(server.options(None), Role::Serve).await.unwrap());
    let metrics = Arc::new(Metrics::new().unwrap());
    let spool = spool.map(|p| Spool::open(p).unwrap());
    let intake = Intake::new(store.clone(), spool, metrics.clone(), Local::nobody())
        .await
        .unwrap();
    (store, intake, metrics)
}

/// Steps until the spool is drained; bounded by the test's own time-out.
async fn drained(intake: &Intake) {
    let all = async {
        while intake.spooling() {
            intake.drain_step().await;
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all)
        .await
        .expect("the spool was not drained");
}

#[tokio::test]
async fn events_taken_while_redis_is_dead_arrive_in_order_and_once() {
    let mut server = RedisServer::start();
    let dir = tempfile::tempdir().unwrap();
    let (store, intake, metrics) = gateway(&server, Some(&dir.path().join("spool.db"))).await;
    for n in 0..5 {
        assert_eq!(intake.accept(body(n), mark(n)).await.unwrap(), Accepted::New);
    }
    server.kill();
    for n in 5..20 {
        assert_eq!(intake.accept(body(n), mark(n)).await.unwrap(), Accepted::New);
    }
    // One that the store has, one that the spool has.
    assert_eq!(intake.accept(body(2), mark(2)).await.unwrap(), Accepted::New);
    assert_eq!(intake.accept(body(7), mark(7)).await.unwrap(), Accepted::Duplicate);
    assert!(intake.spooling() && intake.can_accept().await);
    assert!(metrics.spool_depth.get() >= 15);
    server.restart();
    drained(&intake).await;
    assert_eq!(intake.accept(body(20), mark(20)).await.unwrap(), Accepted::New);
    assert_eq!(journalled(&*store).await, expected(21));
    assert_eq!(metrics.spool_depth.get(), 0);
}

#[tokio::test]
async fn a_redis_that_hangs_costs_one_second_and_then_the_spool_answers() {
    let server = RedisServer::start();
    let dir = tempfile::tempdir().unwrap();
    let (store, intake, _) = gateway(&server, Some(&dir.path().join("spool.db"))).await;
    server.signal("STOP");
    assert_eq!(intake.accept(body(0), mark(0)).await.unwrap(), Accepted::New);
    assert!(intake.spooling());
    assert_eq!(intake.accept(body(1), mark(1)).await.unwrap(), Accepted::New);
    server.signal("CONT");
    drained(&intake).await;
    assert_eq!(journalled(&*store).await, expected(2));
}

#[tokio::test]
async fn without_a_spool_a_dead_redis_is_an_honest_refusal() {
    let mut server = RedisServer::start();
    let (_, intake, _) = gateway(&server, None).await;
    assert!(intake.can_accept().await);
    server.kill();
    let refused = intake.accept(body(0), mark(0)).await.unwrap_err();
    assert!(refused.to_string().contains("no spool is set"), "{refused}");
    assert!(!intake.can_accept().await);
}

#[tokio::test]
async fn a_gateway_comes_up_on_its_spool_and_hands_over_what_an_earlier_run_left() {
    let mut server = RedisServer::start();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data/spool.db");
    server.kill();
    let (_, first, _) = gateway(&server, Some(&path)).await;
    for n in 0..3 {
        assert_eq!(first.accept(body(n), mark(n)).await.unwrap(), Accepted::New);
    }
    drop(first);
    server.restart();
    let spool = reopened(&path).await;
    let store = Arc::new(RedisStore::open(server.options(None), Role::Serve).await.unwrap());
    let metrics = Arc::new(Metrics::new().unwrap());
    let second = Intake::new(store.clone(), Some(spool), metrics, Local::nobody())
        .await
        .unwrap();
    assert!(second.spooling(), "what is in the spool goes first");
    assert_eq!(second.accept(body(3), mark(3)).await.unwrap(), Accepted::New);
    drained(&second).await;
    assert_eq!(journalled(&*store).await, expected(4));
}

/// The lock goes when the old intake's last task has let go of it.
async fn reopened(path: &Path) -> Spool {
    let again = async {
        loop {
            match Spool::open(path) {
                Ok(spool) => return spool,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), again)
        .await
        .expect("the spool stayed locked")
}

#[tokio::test]
async fn a_spool_has_one_process_and_nobody_else_reads_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("spool.db");
    let spool = Spool::open(&path).unwrap();
    assert!(Spool::open(&path).is_err());
    let p = body(0).conversation.partition();
    assert!(spool.put(p, mark(1), b"x".to_vec()).await.unwrap());
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() != "spool.db.lock" {
            assert_eq!(
                entry.metadata().unwrap().permissions().mode() & 0o777,
                0o600,
                "{entry:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_full_spool_refuses_and_keeps_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open_limited(&dir.path().join("spool.db"), 256 * 1024).unwrap();
    let p = body(0).conversation.partition();
    let mut kept = 0;
    while spool.put(p, None, vec![7; 10_000]).await.is_ok() {
        kept += 1;
        assert!(kept < 100, "never full");
    }
    assert_eq!(spool.depth().await.unwrap(), kept);
    let some = spool.oldest(5, usize::MAX).await.unwrap();
    spool.remove(some.iter().map(|s| s.id).collect()).await.unwrap();
    assert!(
        spool.put(p, None, vec![7; 10_000]).await.unwrap(),
        "there is room again"
    );
}

#[tokio::test]
async fn the_owner_here_is_told_and_pages_of_any_size_are_appended_in_order() {
    let server = RedisServer::start();
    let store = Arc::new(RedisStore::open(server.options(None), Role::Serve).await.unwrap());
    let told = Arc::new(AtomicUsize::new(0));
    let which = Arc::new(Mutex::new(Vec::new()));
    let (count, list) = (told.clone(), which.clone());
    let local = Local {
        owns: Arc::new(|_| true),
        handover: Arc::new(move |p| {
            count.fetch_add(1, Ordering::SeqCst);
            list.lock().unwrap().push(p);
        }),
    };
    let metrics = Arc::new(Metrics::new().unwrap());
    let intake = Intake::new(store.clone(), None, metrics, local).await.unwrap();
    let page: Vec<_> = (0..600).map(|n| (body(n), mark(n))).collect();
    let done = intake.append_entries(&page).await.unwrap();
    assert_eq!(done.len(), 600);
    assert!(done.iter().all(|d| matches!(d, Appended::New { .. })));
    let again = intake.append_entries(&page).await.unwrap();
    assert!(again.iter().all(|d| *d == Appended::Duplicate));
    assert_eq!(journalled(&*store).await, expected(600));
    assert_eq!(told.load(Ordering::SeqCst), 600);
    assert_eq!(which.lock().unwrap()[0], body(0).conversation.partition());
    assert_eq!(intake.drain_step().await, Step::Idle);
}
