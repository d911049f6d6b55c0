//! What goes wrong around a file: locked, of another format, full; and many callers at once.

mod support;

use std::time::Duration;

use support::harness::*;
use wecom_gateway::store::sqlite::SqliteStore;
use wecom_gateway::store::{Appended, MarkKind, OwnerRecord, Role, Store, StoreError};

#[tokio::test]
async fn two_processes_cannot_serve_one_file_but_a_command_may_append_beside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data/gateway.db");
    let serving = SqliteStore::open(&path, Role::Serve, KEEP).unwrap();
    let Err(StoreError::Refused(why)) = SqliteStore::open(&path, Role::Serve, KEEP) else {
        panic!("served twice")
    };
    assert!(why.contains("served by another process"), "{why}");
    let beside = SqliteStore::open(&path, Role::Command, KEEP).unwrap();
    beside
        .append(&[entry(part(1), Some(mark(MarkKind::Broadcast, 1)), b"order")])
        .await
        .unwrap();
    assert_eq!(serving.heads().await.unwrap()[1], 1);
    assert_eq!(beside.probe().await.unwrap(), serving.probe().await.unwrap());
    assert_eq!(serving.read(part(1), 0, 9).await.unwrap()[0].blob, b"order");
}

#[tokio::test]
async fn a_file_reopened_has_everything_and_the_same_generation() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gateway.db");
    let first = SqliteStore::open(&path, Role::Command, KEEP).unwrap();
    let generation = first.probe().await.unwrap();
    let e = entry(part(1), Some(mark(MarkKind::Event, 1)), b"x");
    first.append(std::slice::from_ref(&e)).await.unwrap();
    drop(first);
    let second = SqliteStore::open(&path, Role::Serve, KEEP).unwrap();
    assert_eq!(second.probe().await.unwrap(), generation);
    assert_eq!(second.append(&[e]).await.unwrap(), [Appended::Duplicate]);
}

#[tokio::test]
async fn a_file_of_another_format_or_of_somebody_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gateway.db");
    drop(SqliteStore::open(&path, Role::Command, KEEP).unwrap());
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute("UPDATE meta SET value = '99' WHERE key = 'format'", [])
        .unwrap();
    let Err(StoreError::Refused(why)) = SqliteStore::open(&path, Role::Serve, KEEP) else {
        panic!("opened")
    };
    assert!(why.contains("format 99"), "{why}");
    let other = dir.path().join("other.db");
    rusqlite::Connection::open(&other)
        .unwrap()
        .execute_batch("CREATE TABLE songs (id)")
        .unwrap();
    assert!(matches!(
        SqliteStore::open(&other, Role::Serve, KEEP),
        Err(StoreError::Refused(_))
    ));
    assert!(matches!(
        SqliteStore::open(std::path::Path::new("/dev/null/x.db"), Role::Command, KEEP),
        Err(StoreError::Unavailable(_))
    ));
}

#[tokio::test]
async fn many_callers_share_one_transaction_and_each_gets_its_own_answer() {
    let dir = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(SqliteStore::open(&dir.path().join("g.db"), Role::Serve, KEEP).unwrap());
    let p = part(1);
    let got = store
        .acquire(p, &OwnerRecord::default(), "me", "n")
        .await
        .unwrap()
        .unwrap();
    let calls: Vec<_> = (0..300u32)
        .map(|i| {
            let (store, fence) = (store.clone(), got.fence.clone());
            tokio::spawn(async move {
                // Every third one is a commit with a wrong position, in the middle of everybody else's appends.
                if i % 3 == 0 {
                    assert!(matches!(
                        store.commit(&fence, 99, &at(99)).await,
                        Err(StoreError::Lost(_))
                    ));
                    None
                } else {
                    match store.append(&[entry(p, None, &i.to_be_bytes())]).await.unwrap()[0] {
                        Appended::New { n, .. } => Some(n),
                        Appended::Duplicate => panic!("no mark"),
                    }
                }
            })
        })
        .collect();
    let mut numbers = Vec::new();
    for call in calls {
        numbers.extend(call.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=200).collect::<Vec<u64>>());
}

/// Linux' limit on the size of files stands in for a full disk: a process of its own, because the limit is the
/// process'. The shell ignores SIGXFSZ for it, so that writes fail instead.
#[test]
fn a_full_disk_is_an_honest_error_and_passes_when_there_is_room() {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new("sh")
        .arg("-c")
        .arg("trap '' XFSZ; ulimit -S -f 2000; exec \"$0\" --exact the_process_on_a_full_disk --ignored --nocapture")
        .arg(std::env::current_exe().unwrap())
        .env("STORE_FULL_DISK", dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    assert!(lines.by_ref().any(|l| l.contains("FULL")), "the disk never got full");
    let pid = child.id().to_string();
    let lifted = Command::new("prlimit")
        .args(["--pid", &pid, "--fsize=unlimited:unlimited"])
        .status()
        .unwrap();
    assert!(lifted.success());
    child.stdin.take().unwrap().write_all(b"room\n").unwrap();
    assert!(lines.by_ref().any(|l| l.contains("BACK")), "it did not recover");
    lines.for_each(drop);
    assert!(child.wait().unwrap().success());
}

#[tokio::test]
#[ignore = "the other process of the test above"]
async fn the_process_on_a_full_disk() {
    let Some(dir) = std::env::var_os("STORE_FULL_DISK") else {
        return;
    };
    let dir = std::path::PathBuf::from(dir);
    let store = SqliteStore::open(&dir.join("gateway.db"), Role::Serve, KEEP).unwrap();
    let spool = wecom_gateway::store::spool::Spool::open(&dir.join("spool.db")).unwrap();
    let p = part(1);
    let e = entry(p, None, &[7; 20_000]);
    let got = store
        .acquire(p, &OwnerRecord::default(), "me", "n")
        .await
        .unwrap()
        .unwrap();
    let mut kept = 0;
    let failed = loop {
        match store.append(std::slice::from_ref(&e)).await {
            Ok(_) => kept += 1,
            Err(e) => break e,
        }
        assert!(kept < 1_000);
    };
    assert!(matches!(failed, StoreError::Unavailable(_)), "{failed:?}");
    let big = doc("d", Some(&[1; 20_000]), Duration::from_secs(9));
    let mut c = at(0);
    c.docs = vec![big];
    assert!(matches!(
        store.commit(&got.fence, 0, &c).await,
        Err(StoreError::Lost(_))
    ));
    let mut spooled = 0;
    let failed = loop {
        match spool.put(p, None, vec![7; 20_000]).await {
            Ok(_) => spooled += 1,
            Err(e) => break e,
        }
        assert!(spooled < 1_000);
    };
    assert!(matches!(failed, StoreError::Unavailable(_)), "{failed:?}");
    assert_eq!(store.read(p, 0, 1_000).await.unwrap().len(), kept, "reading goes on");
    println!("FULL");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    assert!(matches!(store.append(&[e]).await.unwrap()[0], Appended::New { n, .. } if n == kept as u64 + 1));
    store.commit(&got.fence, 0, &c).await.unwrap();
    assert!(spool.put(p, None, vec![7; 20_000]).await.unwrap());
    assert_eq!(spool.depth().await.unwrap(), spooled + 1);
    println!("BACK");
}
