//! A long journal in one partition: nothing known is lost from memory midway, and what is decided goes out at once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

use std::sync::Arc;
use std::time::Duration;

use wecom_gateway::app::{self, App};
use wecom_gateway::model::entry::{BroadcastOrder, ChunkSize, What};
use wecom_gateway::model::{AppName, BundleHash, Conversation, EntryBody, Partition};
use wecom_gateway::settings::Settings;
use wecom_gateway::store::{Append, PartitionStats, Role, Store};
use wecom_gateway::wecom::id::{CorpId, ExternalUserId};

/// More documents than a worker keeps in memory.
const CONTACTS: usize = 2010;

fn settings(dir: &std::path::Path) -> Settings {
    let text = format!(
        r#"
[server]
listen = "127.0.0.1:0"
node = '{0}/node'
[store]
url = 'sqlite:{0}/gateway.db'
[content]
dir = '{0}/content'
templates = '{0}/templates'
[[corp]]
name = "acme"
corp_id = "ww0123456789abcdef"
api_base = "http://127.0.0.1:9"
[[corp.app]]
name = "main"
token = "mainToken"
encoding_aes_key = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
"#,
        dir.display()
    );
    std::fs::create_dir_all(dir.join("content")).unwrap();
    std::fs::create_dir_all(dir.join("templates")).unwrap();
    let file = dir.join("gateway.toml");
    std::fs::write(&file, text).unwrap();
    Settings::load(&file, std::iter::empty()).unwrap()
}

fn corp() -> CorpId {
    CorpId::parse("ww0123456789abcdef").unwrap()
}

fn append(conversation: Conversation, what: What, raw: String) -> Append {
    let partition = conversation.partition();
    let body = EntryBody {
        conversation,
        app: AppName::new("main"),
        what,
        raw: raw.into_bytes(),
    };
    Append {
        partition,
        mark: None,
        age: Duration::ZERO,
        blob: body.encode(),
        wake: true,
    }
}

/// The customer deletes the member: decided without any call.
fn lost(contact: &str) -> Append {
    let raw = format!(
        "<xml><MsgType>event</MsgType><Event>change_external_contact</Event><ChangeType>del_follow_user</ChangeType>\
         <UserID>zhangsan</UserID><ExternalUserID>{contact}</ExternalUserID></xml>"
    );
    let conversation = Conversation::Contact(corp(), ExternalUserId::parse(contact).unwrap());
    append(conversation, What::Callback, raw)
}

async fn stats(store: &Arc<dyn Store>, partition: Partition) -> PartitionStats {
    store.stats(&[partition]).await.unwrap().remove(0)
}

async fn until(store: &Arc<dyn Store>, partition: Partition, done: impl Fn(&PartitionStats) -> bool) -> PartitionStats {
    for _ in 0..6000 {
        let now = stats(store, partition).await;
        if done(&now) {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within a minute");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_contact_is_not_forgotten_in_the_middle_of_a_batch() {
    let dir = tempfile::tempdir().unwrap();
    let app = App::start(settings(dir.path()), None).await.unwrap();
    let store = Arc::clone(&app.store);
    let partition = lost("wo1").partition;
    let mine = (0..)
        .map(|i| format!("wo{i}"))
        .filter(|c| lost(c).partition == partition);
    let contacts: Vec<String> = mine.take(CONTACTS + 1).collect();
    for some in contacts[..CONTACTS].chunks(100) {
        store
            .append(&some.iter().map(|c| lost(c)).collect::<Vec<_>>())
            .await
            .unwrap();
    }
    until(&store, partition, |s| s.head == s.position).await;
    // One that is in memory and one that is not, decided together.
    store
        .append(&[lost(&contacts[CONTACTS - 1]), lost(&contacts[CONTACTS])])
        .await
        .unwrap();
    let end = until(&store, partition, |s| s.head == s.position).await;
    assert_eq!((end.position, end.quarantined), (CONTACTS as u64 + 2, 0));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_goes_out_while_the_journal_behind_it_is_still_long() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let store = app::open(&settings, Role::Command).await.unwrap();
    let behind = lost("wo1");
    let ids = (0..).map(|i| format!("b{i}"));
    let id = ids
        .into_iter()
        .find(|id| Conversation::Broadcast(corp(), id.clone()).partition() == behind.partition)
        .unwrap();
    let order = BroadcastOrder {
        id: id.clone(),
        template: "none".into(),
        bundle: BundleHash::new("none"),
        sender: None,
        count: 1,
        hash: "b".repeat(64),
        chunks: vec![ChunkSize {
            recipients: 1,
            parts: 1,
            sender: None,
        }],
    };
    let first = append(
        Conversation::Broadcast(corp(), id),
        What::Broadcast(order),
        String::new(),
    );
    store.append(&[first]).await.unwrap();
    for _ in 0..150 {
        store.append(&vec![behind.clone(); 200]).await.unwrap();
    }
    drop(store);
    let app = App::start(settings, None).await.unwrap();
    let store = Arc::clone(&app.store);
    // Its list is missing, so the job ends by itself: it only has to be begun.
    let ended = until(&store, behind.partition, |s| s.position > 0 && s.jobs == [0; 4]).await;
    assert!(
        ended.position < ended.head,
        "it waited for all {} events behind it",
        ended.head
    );
    app.stop().await;
}
