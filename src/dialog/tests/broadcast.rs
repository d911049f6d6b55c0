//! Broadcasts: never without an explicit list, never twice.

use super::*;
use crate::model::BundleHash;
use crate::model::entry::{BroadcastOrder, ChunkSize};

fn order(chunks: &[(u32, Option<&str>)]) -> BroadcastOrder {
    BroadcastOrder {
        id: "b1".into(),
        template: "hello".into(),
        bundle: BundleHash::new("old"),
        sender: Some(member("boss")),
        count: chunks.iter().map(|(n, _)| u64::from(*n)).sum(),
        hash: "h1".into(),
        chunks: chunks
            .iter()
            .map(|(recipients, sender)| ChunkSize {
                recipients: *recipients,
                parts: 1,
                sender: sender.map(member),
            })
            .collect(),
    }
}

fn give(house: &mut House, order: BroadcastOrder) -> Result<Decision, Undecidable> {
    let chat = Conversation::Broadcast(corp_id(), order.id.clone());
    house.try_decide(house.body(chat, What::Broadcast(order), String::new()))
}

#[test]
fn an_order_becomes_one_job_a_chunk_by_the_chunks_sender_else_the_orders() {
    let mut house = House::new("", "");
    let decision = give(&mut house, order(&[(10_000, None), (3, Some("lisi"))])).unwrap();
    let chunks: Vec<_> = decision
        .jobs
        .iter()
        .map(|j| match &j.action {
            Action::BroadcastChunk { chunk, sender, say, .. } => {
                assert_eq!(say.bundle, BundleHash::new("old"));
                (*chunk, sender.as_ref().map(ToString::to_string))
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(chunks, [(0, Some("boss".into())), (1, Some("lisi".into()))]);
}

#[test]
fn the_same_order_again_does_nothing() {
    let mut house = House::new("", "");
    give(&mut house, order(&[(3, None)])).unwrap();
    let again = give(&mut house, order(&[(3, None)])).unwrap();
    assert_eq!(
        (again.jobs.len(), undone(&again)),
        (0, vec!["broadcast:already_ordered".to_owned()])
    );
    let mut other = order(&[(3, None)]);
    other.hash = "h2".into();
    assert_eq!(undone(&give(&mut house, other).unwrap()), ["broadcast:id_in_use"]);
}

#[test]
fn an_order_without_recipients_is_never_planned() {
    for chunks in [&[][..], &[(0, None)], &[(5, None), (0, None)]] {
        let mut house = House::new("", "");
        let refused = give(&mut house, order(chunks)).unwrap_err();
        assert_eq!(refused.reason, "broadcast_without_recipients");
    }
}
