//! Verifies and opens a callback: query and body in, [`Verified`] plaintext or a [`Refusal`] out.
//!
//! It knows the credentials of one callback configuration (which may serve several apps) and nothing of HTTP.
//!
//! The hard decision: [`Verified`] can be made here only, so no room behind this one can be handed bytes that
//! WeCom did not sign. The order is fixed: packet, signature, decryption, receive id. Refusals tell our log
//! what went wrong; [`Refusal::is_malformed`] is all that may be told to the sender, because a sender who
//! learns why decryption failed can decrypt.

mod query;
#[cfg(test)]
mod vectors;

pub use query::{Query, QueryError};

use secrecy::{ExposeSecret, SecretString};

use super::crypto::{AesKey, DecryptError, Plain, signature_holds};
use super::envelope;

/// The token, key and receive ids of one callback configuration. It cannot print its secrets.
#[derive(Debug)]
pub struct Credentials {
    token: SecretString,
    key: AesKey,
    receive_ids: Vec<String>,
}

/// Why a callback was refused. No variant holds a secret or a text of a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Query or packet could not be read; nothing is known of the sender.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// The signature is not ours: wrong token, or not WeCom.
    #[error("the signature does not match: is the Token the one of WeCom's admin page?")]
    BadSignature,
    /// The signature holds but the ciphertext does not open: wrong EncodingAESKey.
    #[error("signed, but not sealed with this EncodingAESKey: {0}")]
    BadKey(DecryptError),
    /// It opens but is meant for somebody else: wrong corp id. Holds the id that came, cut to what an id may be.
    #[error("sealed for the receive id {0:?}")]
    WrongReceiveId(String),
}

impl Refusal {
    /// The word in metrics and logs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::BadSignature => "bad_signature",
            Self::BadKey(_) => "bad_key",
            Self::WrongReceiveId(_) => "wrong_receiveid",
        }
    }

    /// True for what never reached the signature; the others must look alike from outside.
    pub fn is_malformed(&self) -> bool {
        matches!(self, Self::Malformed(_))
    }
}

impl From<QueryError> for Refusal {
    fn from(e: QueryError) -> Self {
        Self::Malformed(e.word())
    }
}

/// A message that WeCom signed and sealed for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified(Plain);

impl Verified {
    /// The message: XML or JSON.
    pub fn plain(&self) -> &[u8] {
        self.0.msg()
    }

    /// The message in its own buffer; does not allocate.
    pub fn into_plain(self) -> Vec<u8> {
        self.0.into_msg()
    }
}

impl Credentials {
    /// `receive_ids` are the ids that a message may be sealed for: the corp id; an empty one for 智能机器人.
    pub fn new(token: SecretString, key: AesKey, receive_ids: Vec<String>) -> Self {
        Self {
            token,
            key,
            receive_ids,
        }
    }

    /// URL verification: the bytes that prove to WeCom that we have token and key.
    pub fn verify_url(&self, query: &Query<'_>) -> Result<Vec<u8>, Refusal> {
        let echo = query.echostr.as_deref().ok_or(Refusal::Malformed("no_echostr"))?;
        Ok(self.unseal(query, echo)?.into_plain())
    }

    /// A delivery: checks the packet in `body` against the query and opens it.
    pub fn open(&self, query: &Query<'_>, body: &[u8]) -> Result<Verified, Refusal> {
        let sealed = envelope::ciphertext(body).map_err(|_| Refusal::Malformed("no_envelope"))?;
        self.unseal(query, &sealed)
    }

    fn unseal(&self, query: &Query<'_>, sealed: &str) -> Result<Verified, Refusal> {
        let token = self.token.expose_secret();
        if !signature_holds(token, &query.timestamp, &query.nonce, sealed, &query.msg_signature) {
            return Err(Refusal::BadSignature);
        }
        let plain = self.key.decrypt(sealed).map_err(Refusal::BadKey)?;
        let id = plain.receive_id();
        if !self.receive_ids.iter().any(|known| known.as_bytes() == id) {
            let shown = String::from_utf8_lossy(&id[..id.len().min(64)]).into_owned();
            return Err(Refusal::WrongReceiveId(shown));
        }
        Ok(Verified(plain))
    }
}
