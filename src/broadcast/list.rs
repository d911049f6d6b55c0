//! A broadcast's list: chunked, stored in parts, ordered by one journal entry.

use sha2::{Digest, Sha256};

use super::CHUNK;
use crate::intake::Intake;
use crate::model::entry::{BroadcastOrder, ChunkSize, What};
use crate::model::{AppName, BundleHash, Conversation, EntryBody, Partition};
use crate::store::{Appended, DocPut, Mark, MarkKind, Store, StoreError, StoreResult};
use crate::wecom::id::{CorpId, ExternalUserId, UserId};

/// A part holds at most so many bytes (DESIGN: "ids in parts ≤ 200 KiB"); the store takes 256 KiB.
const PART: usize = 200 * 1024;
/// A broadcast is kept for 90 days.
pub(super) const KEEP: std::time::Duration = std::time::Duration::from_secs(90 * 86_400);

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Who gets it.
    pub contact: ExternalUserId,
    /// Through which member, where the list says so.
    pub sender: Option<UserId>,
}

/// A list ready to be stored.
#[derive(Debug)]
pub struct PreparedList {
    /// The order.
    pub order: BroadcastOrder,
    /// By chunk, by part.
    parts: Vec<Vec<String>>,
}

impl PreparedList {
    /// Chunks a list by sender and by 10,000. `None` when it is empty: nobody is addressed without being named.
    pub fn new(
        id: &str,
        template: &str,
        bundle: BundleHash,
        sender: Option<UserId>,
        recipients: &[Recipient],
    ) -> Option<Self> {
        if recipients.is_empty() {
            return None;
        }
        let mut by_sender: Vec<(Option<UserId>, Vec<&ExternalUserId>)> = Vec::new();
        for r in recipients {
            let who = r.sender.clone().or_else(|| sender.clone());
            match by_sender.iter_mut().find(|(s, _)| *s == who) {
                Some((_, list)) => list.push(&r.contact),
                None => by_sender.push((who, vec![&r.contact])),
            }
        }
        let mut chunks = Vec::new();
        let mut parts = Vec::new();
        for (who, list) in &by_sender {
            for chunk in list.chunks(CHUNK) {
                let cut = cut(chunk);
                chunks.push(ChunkSize {
                    recipients: u32::try_from(chunk.len()).unwrap_or(u32::MAX),
                    parts: u32::try_from(cut.len()).unwrap_or(u32::MAX),
                    sender: who.clone(),
                });
                parts.push(cut);
            }
        }
        let mut hash = Sha256::new();
        hash.update(template.as_bytes());
        hash.update([0]);
        hash.update(sender.as_ref().map_or("", |s| s.as_str()).as_bytes());
        for (chunk, texts) in chunks.iter().zip(&parts) {
            hash.update([0]);
            hash.update(chunk.sender.as_ref().map_or("", |s| s.as_str()).as_bytes());
            for text in texts {
                hash.update([0]);
                hash.update(text.as_bytes());
            }
        }
        let hash = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
        let count = recipients.len() as u64;
        let order = BroadcastOrder {
            id: id.into(),
            template: template.into(),
            bundle,
            sender,
            count,
            hash,
            chunks,
        };
        Some(Self { order, parts })
    }
}

fn cut(chunk: &[&ExternalUserId]) -> Vec<String> {
    let mut parts = vec![String::new()];
    for id in chunk {
        let full = parts.last().is_some_and(|p| p.len() + id.as_str().len() + 1 > PART);
        if full {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push_str(id.as_str());
            part.push('\n');
        }
    }
    parts
}

/// Key of one part of the list. The order's hash is in it, so another list under the same id touches nothing.
pub fn part_key(corp: &CorpId, order: &BroadcastOrder, chunk: u32, part: u32) -> String {
    let hash = order.hash.get(..16).unwrap_or(&order.hash);
    format!("b/{corp}/{}#{hash}/{chunk}/{part}", order.id)
}

/// Stores the parts, then appends the order. Safe to call again: parts are the same bytes, the order's mark is
/// the broadcast's id. `false`: a broadcast of this id was ordered before (which one, its document says).
pub async fn store_order(
    store: &dyn Store,
    intake: &Intake,
    corp: &CorpId,
    app: &AppName,
    list: &PreparedList,
) -> StoreResult<bool> {
    let conversation = Conversation::Broadcast(corp.clone(), list.order.id.clone());
    let partition = conversation.partition();
    for (chunk, texts) in (0..).zip(&list.parts) {
        for (part, text) in (0..).zip(texts) {
            let key = part_key(corp, &list.order, chunk, part);
            store
                .put_part(
                    partition,
                    &DocPut {
                        key,
                        value: Some(text.clone().into_bytes()),
                        ttl: KEEP,
                    },
                )
                .await?;
        }
    }
    let mark = Mark::new(MarkKind::Broadcast, &format!("broadcast/{corp}/{}", list.order.id));
    let what = What::Broadcast(list.order.clone());
    let body = EntryBody {
        conversation,
        app: app.clone(),
        what,
        raw: Vec::new(),
    };
    let appended = intake.append_entries(&[(body, Some(mark))]).await?;
    Ok(matches!(appended.first(), Some(Appended::New { .. })))
}

/// Reads a chunk's recipients back. A missing part is an error: nothing is sent to half a list.
pub async fn parts(
    store: &dyn Store,
    partition: Partition,
    corp: &CorpId,
    order: &BroadcastOrder,
    chunk: u32,
) -> StoreResult<Vec<ExternalUserId>> {
    let size = order
        .chunks
        .get(chunk as usize)
        .ok_or_else(|| StoreError::Refused("no such chunk".into()))?;
    let keys: Vec<String> = (0..size.parts).map(|p| part_key(corp, order, chunk, p)).collect();
    let mut ids = Vec::with_capacity(size.recipients as usize);
    for key in keys {
        let text = store.docs(partition, &[key]).await?.pop().flatten();
        let text = text.ok_or_else(|| StoreError::Refused("a part of the list is missing".into()))?;
        let text = String::from_utf8(text).map_err(|_| StoreError::Refused("a part is not UTF-8".into()))?;
        for line in text.lines() {
            ids.push(ExternalUserId::parse(line).map_err(|e| StoreError::Refused(e.to_string()))?);
        }
    }
    if ids.len() != size.recipients as usize {
        return Err(StoreError::Refused("the list is not whole".into()));
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(n: usize) -> Vec<Recipient> {
        (0..n)
            .map(|i| Recipient {
                contact: ExternalUserId::parse(&format!("wo{i:030}")).unwrap(),
                sender: None,
            })
            .collect()
    }

    #[test]
    fn an_empty_list_cannot_be_ordered() {
        assert!(PreparedList::new("b1", "coupon", BundleHash::new("h"), None, &[]).is_none());
    }

    #[test]
    fn chunks_hold_at_most_ten_thousand_and_parts_at_most_200_kib() {
        let p = PreparedList::new("b1", "coupon", BundleHash::new("h"), None, &list(25_000)).unwrap();
        assert_eq!(
            p.order.chunks.iter().map(|c| c.recipients).collect::<Vec<_>>(),
            [10_000, 10_000, 5_000]
        );
        assert!(p.parts.iter().flatten().all(|t| t.len() <= PART));
        assert_eq!(
            p.parts.iter().flatten().map(|t| t.lines().count()).sum::<usize>(),
            25_000
        );
    }

    #[test]
    fn another_list_or_template_under_the_same_id_has_another_hash() {
        let hash = |t: &str, n| {
            PreparedList::new("b1", t, BundleHash::new("h"), None, &list(n))
                .unwrap()
                .order
                .hash
        };
        assert_eq!(hash("a", 3), hash("a", 3));
        assert_ne!(hash("a", 3), hash("a", 4));
        assert_ne!(hash("a", 3), hash("b", 3));
    }

    #[test]
    fn recipients_of_different_senders_are_in_different_chunks() {
        let mut people = list(3);
        people[1].sender = Some(UserId::parse("lisi").unwrap());
        let p = PreparedList::new("b1", "t", BundleHash::new("h"), None, &people).unwrap();
        assert_eq!(p.order.chunks.len(), 2);
    }
}
