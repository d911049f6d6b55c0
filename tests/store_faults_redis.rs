//! What goes wrong around a server: it dies, hangs, forgets, or is weaker than asked.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::time::Duration;

use support::harness::*;
use support::redis::RedisServer;
use wecom_gateway::settings::Durability;
use wecom_gateway::store::redis::RedisStore;
use wecom_gateway::store::{Append, Appended, MarkKind, OwnerRecord, Role, Store, StoreError};

async fn opened(server: &RedisServer) -> RedisStore {
    RedisStore::open(server.options(None), Role::Serve).await.unwrap()
}

/// Asks until the store answers; bounded.
async fn back(store: &RedisStore) -> String {
    let again = async {
        loop {
            if let Ok(generation) = store.probe().await {
                return generation;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), again)
        .await
        .expect("the store did not come back")
}

async fn refusal(server: &RedisServer, durability: Durability) -> String {
    match RedisStore::open(server.options_with(durability, None), Role::Serve).await {
        Err(StoreError::Refused(why)) => why,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted for {durability:?}"),
    }
}

#[tokio::test]
async fn a_redis_that_is_killed_and_back_keeps_everything_and_the_store_heals_by_itself() {
    let mut server = RedisServer::start();
    let store = opened(&server).await;
    let generation = store.probe().await.unwrap();
    let p = part(1);
    let e = entry(p, Some(mark(MarkKind::Event, 1)), b"kept");
    store.append(std::slice::from_ref(&e)).await.unwrap();
    let got = store
        .acquire(p, &OwnerRecord::default(), "me", "node")
        .await
        .unwrap()
        .unwrap();
    server.kill();
    assert!(matches!(
        store.append(std::slice::from_ref(&e)).await,
        Err(StoreError::Unavailable(_))
    ));
    assert!(
        matches!(store.commit(&got.fence, 0, &at(1)).await, Err(StoreError::Lost(_))),
        "unclear is lost"
    );
    assert!(matches!(store.heads().await, Err(StoreError::Unavailable(_))));
    server.restart();
    assert_eq!(back(&store).await, generation);
    assert_eq!(store.append(&[e]).await.unwrap(), [Appended::Duplicate]);
    assert_eq!(store.read(p, 0, 9).await.unwrap()[0].blob, b"kept");
    store.commit(&got.fence, 0, &at(1)).await.unwrap();
}

#[tokio::test]
async fn a_redis_that_comes_back_empty_has_another_generation_and_every_old_fence_is_lost() {
    let mut server = RedisServer::start();
    let store = opened(&server).await;
    let generation = store.probe().await.unwrap();
    let p = part(1);
    store.append(&[entry(p, None, b"x")]).await.unwrap();
    let got = store
        .acquire(p, &OwnerRecord::default(), "me", "node")
        .await
        .unwrap()
        .unwrap();
    server.restart_empty();
    let new = back(&store).await;
    assert_ne!(new, generation);
    assert_eq!(store.announce("n", true).await.unwrap().generation, new);
    assert!(matches!(
        store.commit(&got.fence, 0, &at(0)).await,
        Err(StoreError::Lost(_))
    ));
    assert_eq!(store.owners().await.unwrap(), vec![OwnerRecord::default(); 64]);
}

#[tokio::test]
async fn a_flush_under_a_living_connection_is_noticed_too() {
    let server = RedisServer::start();
    let store = opened(&server).await;
    let generation = store.announce("n", true).await.unwrap().generation;
    let _: () = redis::cmd("FLUSHALL").query(&mut server.connection()).unwrap();
    assert_ne!(store.announce("n", true).await.unwrap().generation, generation);
}

#[tokio::test]
async fn flushed_scripts_are_loaded_again() {
    let server = RedisServer::start();
    let store = opened(&server).await;
    store.append(&[entry(part(1), None, b"1")]).await.unwrap();
    let _: () = redis::cmd("SCRIPT")
        .arg("FLUSH")
        .query(&mut server.connection())
        .unwrap();
    store.append(&[entry(part(1), None, b"2")]).await.unwrap();
    assert_eq!(store.heads().await.unwrap()[1], 2);
}

#[tokio::test]
async fn a_redis_that_hangs_is_unavailable_within_its_time_out_and_usable_afterwards() {
    let server = RedisServer::start();
    let store = opened(&server).await;
    let got = store
        .acquire(part(1), &OwnerRecord::default(), "me", "n")
        .await
        .unwrap()
        .unwrap();
    server.signal("STOP");
    let asked = tokio::time::timeout(Duration::from_secs(4), store.commit(&got.fence, 0, &at(0))).await;
    assert!(matches!(asked.expect("no answer in 4 s"), Err(StoreError::Lost(_))));
    assert!(
        matches!(store.heads().await, Err(StoreError::Unavailable(_))),
        "answered at once"
    );
    server.signal("CONT");
    back(&store).await;
    assert_eq!(store.owners().await.unwrap()[1].nonce, "me");
}

#[tokio::test]
async fn with_redis_away_serve_comes_up_and_a_command_says_so() {
    let mut server = RedisServer::start();
    server.kill();
    assert!(matches!(
        RedisStore::open(server.options(None), Role::Command).await,
        Err(StoreError::Unavailable(_))
    ));
    let store = opened(&server).await;
    assert!(matches!(store.probe().await, Err(StoreError::Unavailable(_))));
    server.restart();
    assert!(!back(&store).await.is_empty());
}

#[tokio::test]
async fn a_server_that_turns_out_weaker_at_first_contact_is_not_used() {
    let mut server = RedisServer::start_with(&["--appendonly", "no"]);
    server.kill();
    let store = opened(&server).await;
    server.restart();
    let told = async {
        loop {
            match store.probe().await {
                Err(StoreError::Unavailable(why)) if why.contains("appendonly") => return,
                Ok(_) => panic!("used"),
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), told)
        .await
        .expect("the reason was not told");
}

#[tokio::test]
async fn a_server_weaker_than_asked_is_refused_with_the_remedy() {
    let none = RedisServer::start_with(&["--appendonly", "no"]);
    for durability in [Durability::Os, Durability::Fsync, Durability::Replica] {
        let why = refusal(&none, durability).await;
        assert!(
            why.contains("appendonly yes") && why.contains("durability = \"memory\""),
            "{why}"
        );
    }
    let memory = RedisStore::open(none.options_with(Durability::Memory, None), Role::Serve)
        .await
        .unwrap();
    memory.append(&[entry(part(1), None, b"x")]).await.unwrap();

    let everysec = RedisServer::start();
    let why = refusal(&everysec, Durability::Fsync).await;
    assert!(
        why.contains("appendfsync everysec") && why.contains("appendfsync always"),
        "{why}"
    );

    let always = RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let store = RedisStore::open(always.options_with(Durability::Fsync, None), Role::Serve)
        .await
        .unwrap();
    store.append(&[entry(part(1), None, b"x")]).await.unwrap();

    let mute = RedisServer::start_with(&["--appendonly", "yes", "--rename-command", "CONFIG", ""]);
    let why = refusal(&mute, Durability::Fsync).await;
    assert!(why.contains("forbids CONFIG GET"), "{why}");
    opened(&mute).await.probe().await.unwrap();
}

#[tokio::test]
async fn with_durability_replica_nothing_is_accepted_without_one_and_a_repeat_is_covered() {
    let server = RedisServer::start_with(&["--appendonly", "yes", "--repl-diskless-sync-delay", "0"]);
    let store = RedisStore::open(server.options_with(Durability::Replica, None), Role::Serve)
        .await
        .unwrap();
    let e = entry(part(1), Some(mark(MarkKind::Event, 1)), b"x");
    let alone = store.append(std::slice::from_ref(&e)).await;
    assert!(
        matches!(&alone, Err(StoreError::Unavailable(why)) if why.contains("replica")),
        "{alone:?}"
    );
    let of = server.port().to_string();
    let replica = RedisServer::start_with(&["--appendonly", "yes", "--replicaof", "127.0.0.1", &of]);
    let covered = |batch: Vec<Append>| {
        let store = &store;
        async move {
            let again = async {
                loop {
                    if let Ok(done) = store.append(&batch).await {
                        return done;
                    }
                }
            };
            tokio::time::timeout(Duration::from_secs(60), again)
                .await
                .expect("never confirmed")
        }
    };
    assert_eq!(
        covered(vec![e]).await,
        [Appended::Duplicate],
        "the missed one had been written"
    );
    let many = (0..50)
        .map(|i| entry(part(2), Some(mark(MarkKind::Event, i)), b"y"))
        .collect();
    assert_eq!(covered(many).await.len(), 50);
    let seen: i64 = redis::cmd("XLEN")
        .arg("{p02}:journal")
        .query(&mut replica.connection())
        .unwrap();
    assert_eq!(seen, 50);
}

#[tokio::test]
async fn a_database_of_another_format_is_refused() {
    let server = RedisServer::start();
    let _: () = redis::cmd("HSET")
        .arg("{meta}:store")
        .arg("format")
        .arg("99")
        .query(&mut server.connection())
        .unwrap();
    assert!(refusal(&server, Durability::Os).await.contains("format 99"));
}

#[tokio::test]
async fn a_key_of_a_wrong_type_fails_before_anything_is_written() {
    let server = RedisServer::start();
    let store = opened(&server).await;
    let mut conn = server.connection();
    let p = part(1);
    store.append(&[entry(p, None, b"x")]).await.unwrap();
    let got = store
        .acquire(p, &OwnerRecord::default(), "me", "n")
        .await
        .unwrap()
        .unwrap();
    let _: () = redis::cmd("SET")
        .arg("{p01}:history")
        .arg("odd")
        .query(&mut conn)
        .unwrap();
    let mut c = at(1);
    c.jobs = vec![job(1, 0, wecom_gateway::model::Lane::Reply, got.now, None)];
    c.docs = vec![doc("d", Some(b"bad"), Duration::from_secs(9))];
    assert!(matches!(
        store.commit(&got.fence, 0, &c).await,
        Err(StoreError::Refused(_))
    ));
    assert_eq!(store.stats(&[p]).await.unwrap()[0].jobs, [0; 4]);
    assert_eq!(store.docs(p, &["d".into()]).await.unwrap(), [None]);
    // A journal that cannot be appended to leaves neither a number nor a mark behind.
    let _: () = redis::cmd("SET")
        .arg("{p02}:journal")
        .arg("odd")
        .query(&mut conn)
        .unwrap();
    let e = entry(part(2), Some(mark(MarkKind::Event, 1)), b"x");
    assert!(store.append(std::slice::from_ref(&e)).await.is_err());
    let _: () = redis::cmd("DEL").arg("{p02}:journal").query(&mut conn).unwrap();
    assert!(matches!(
        store.append(&[e]).await.unwrap()[0],
        Appended::New { n: 1, .. }
    ));
}

#[tokio::test]
async fn out_of_memory_is_unavailable_and_passes() {
    let server = RedisServer::start();
    let store = opened(&server).await;
    let mut conn = server.connection();
    let mut limit = |bytes: &str| {
        let _: () = redis::cmd("CONFIG")
            .arg("SET")
            .arg("maxmemory")
            .arg(bytes)
            .query(&mut conn)
            .unwrap();
    };
    limit("1mb");
    let e = entry(part(1), Some(mark(MarkKind::Event, 1)), b"x");
    assert!(matches!(
        store.append(std::slice::from_ref(&e)).await,
        Err(StoreError::Unavailable(_))
    ));
    assert!(
        matches!(store.probe().await, Err(StoreError::Unavailable(_))),
        "readiness must see it"
    );
    limit("0");
    assert!(matches!(
        store.append(&[e]).await.unwrap()[0],
        Appended::New { n: 1, .. }
    ));
}

#[tokio::test]
async fn marks_stay_small_and_expire_by_themselves() {
    let server = RedisServer::start();
    let store = opened(&server).await;
    for round in 0..10u16 {
        let batch: Vec<_> = (0..200u16)
            .map(|i| {
                let mut m = mark(MarkKind::Event, 0);
                m.key[..2].copy_from_slice(&(round * 200 + i).to_be_bytes());
                m.key[8] = 7;
                entry(part(3), Some(m), b"x")
            })
            .collect();
        store.append(&batch).await.unwrap();
    }
    let mut conn = server.connection();
    let sets: Vec<String> = redis::cmd("KEYS").arg("{p03}:m:e:*:7").query(&mut conn).unwrap();
    assert_eq!(sets.len(), 1);
    let ttl: i64 = redis::cmd("TTL").arg(&sets[0]).query(&mut conn).unwrap();
    assert!((86_400..=2 * 86_400).contains(&ttl), "{ttl}");
}
