//! The sources of a bundle: all texts and the description of all media, in one canonical form.
//!
//! Paths are relative and texts have one kind of line end, so the same content has the same bytes, and
//! therefore the same hash, on every host. Settings (names of apps, the corp's display name) are not in it.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::media::MediaInfo;
use crate::model::BundleHash;

/// What was read, before anything is understood.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sources {
    /// `channels.toml`, `members.toml`, `rules/NAME.toml`, `templates/NAME.toml` → text.
    pub files: BTreeMap<String, String>,
    /// Path under the templates folder → what it is.
    pub media: BTreeMap<String, MediaInfo>,
}

impl Sources {
    /// As stored.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads back what [`Sources::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|e| e.to_string())
    }

    /// The name that the content has.
    pub fn hash(&self) -> BundleHash {
        BundleHash::new(&sha256_hex(&self.encode()))
    }
}

/// A text as it goes into the sources: without byte order mark, line ends `\n`.
pub(super) fn normal(text: &str) -> String {
    text.trim_start_matches('\u{FEFF}').replace("\r\n", "\n")
}

/// SHA-256 in hex.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let _ = write!(out, "{byte:02x}");
    }
    out
}
