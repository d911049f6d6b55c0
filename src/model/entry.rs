//! A journal entry: something that happened and waits to be decided.

use super::{AppName, BundleHash, Conversation, JobId, StoreTime};
use crate::wecom::id::{CorpId, ExternalUserId, OpenKfId, UserId};

/// One entry of a partition's journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Gapless number within the partition, from 1.
    pub n: u64,
    /// First acceptance in store time (the store's own time minus the time spent in the spool).
    pub accepted: StoreTime,
    /// What happened.
    pub body: EntryBody,
}

/// What happened. The raw text of WeCom is kept whole: typing it again is cheap, losing a field is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryBody {
    /// Whose order it belongs to.
    pub conversation: Conversation,
    /// The app it came through.
    pub app: AppName,
    /// Which kind.
    pub what: What,
    /// WeCom's own text: the decrypted XML or JSON of a callback, one element of `msg_list` of kf; else empty.
    pub raw: Vec<u8>,
}

/// Kind of entry.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", tag = "t")]
pub enum What {
    /// A verified callback; `raw` is its decrypted text.
    Callback,
    /// A kf message or event from `sync_msg`; `raw` is its JSON.
    Kf {
        /// kf account.
        account: OpenKfId,
        /// When this store first served the account: what is older is neither answered nor sent to the pool.
        first_served: StoreTime,
    },
    /// The slow poll of a kf account is due.
    KfPoll {
        /// kf account.
        account: OpenKfId,
    },
    /// An answer of ours in kf failed for good: a person should see the customer.
    KfAnswerFailed {
        /// kf account.
        account: OpenKfId,
        /// Who got no answer.
        contact: ExternalUserId,
        /// The job that failed.
        job: JobId,
    },
    /// A broadcast whose recipients are all stored.
    Broadcast(BroadcastOrder),
}

/// What `broadcast send` orders. Its recipients lie beside it, in parts.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BroadcastOrder {
    /// Id, given or made.
    pub id: String,
    /// Template.
    pub template: String,
    /// Bundle it was ordered under.
    pub bundle: BundleHash,
    /// The member who sends, if one was named.
    pub sender: Option<UserId>,
    /// Number of recipients, never 0.
    pub count: u64,
    /// SHA-256 (hex) over template, sender and the list: the same id with another one is refused.
    pub hash: String,
    /// Recipients of each chunk, in order.
    pub chunks: Vec<ChunkSize>,
}

/// One chunk of a broadcast: at most 10,000 recipients, stored in parts of at most 200 KiB.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ChunkSize {
    /// Recipients.
    pub recipients: u32,
    /// Parts.
    pub parts: u32,
    /// The sender of this chunk (lists with a `userid` column are chunked by member).
    pub sender: Option<UserId>,
}

#[derive(serde::Deserialize)]
struct Head {
    c: Conversation,
    a: AppName,
    #[serde(flatten)]
    what: What,
}

/// What [`Head`] reads back.
#[derive(serde::Serialize)]
struct HeadRef<'e> {
    c: &'e str,
    a: &'e str,
    #[serde(flatten)]
    what: &'e What,
}

impl EntryBody {
    /// As stored: one line of JSON, then WeCom's text as it came.
    pub fn encode(&self) -> Vec<u8> {
        // One buffer, and no key between: the accept path does this for every event.
        let mut out = Vec::with_capacity(160 + self.raw.len());
        let head = HeadRef {
            c: &self.conversation.key(),
            a: self.app.as_str(),
            what: &self.what,
        };
        // Neither writing to memory nor strings can fail.
        let _ = serde_json::to_writer(&mut out, &head);
        out.push(b'\n');
        out.extend_from_slice(&self.raw);
        out
    }

    /// Reads back what [`EntryBody::encode`] wrote; an error sends the entry to quarantine.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let end = bytes
            .iter()
            .position(|b| *b == b'\n')
            .ok_or("entry without a head line")?;
        let head: Head = serde_json::from_slice(&bytes[..end]).map_err(|e| e.to_string())?;
        Ok(Self {
            conversation: head.c,
            app: head.a,
            what: head.what,
            raw: bytes[end + 1..].to_vec(),
        })
    }

    /// The corp.
    pub fn corp(&self) -> &CorpId {
        self.conversation.corp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_back_as_it_was_written() {
        let corp = CorpId::parse("ww1").unwrap();
        let kf = OpenKfId::parse("wk1").unwrap();
        for (what, raw) in [
            (What::Callback, b"<xml>\n</xml>".to_vec()),
            (
                What::Kf {
                    account: kf.clone(),
                    first_served: StoreTime(7),
                },
                b"{\"msgid\":\"1\"}".to_vec(),
            ),
            (What::KfPoll { account: kf.clone() }, vec![]),
        ] {
            let e = EntryBody {
                conversation: Conversation::KfAccount(corp.clone(), kf.clone()),
                app: AppName::new("main"),
                what,
                raw,
            };
            assert_eq!(EntryBody::decode(&e.encode()).unwrap(), e);
        }
    }
}
