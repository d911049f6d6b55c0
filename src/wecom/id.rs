//! WeCom's identifiers as types, so that no signature takes a bare `String` for one.
//!
//! They are opaque to us: WeCom compares them as bytes and so do we. `parse` refuses only what can never be
//! an id (empty, over 128 bytes, control characters), because a stricter rule would lose events the day
//! WeCom changes its alphabet.

use std::fmt;

/// Why a text cannot be an identifier of WeCom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text was empty.
    #[error("is empty")]
    Empty,
    /// The text had more than 128 bytes; WeCom's longest documented id has 64.
    #[error("is longer than 128 bytes")]
    TooLong,
    /// The text had a control character or white space at its ends.
    #[error("has a control character or white space around it")]
    Unprintable,
}

fn checked(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > 128 {
        return Err(IdError::TooLong);
    }
    // Nearly every id is made of printable ASCII; the rule below it is the rule.
    if text.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    }
    if text.chars().any(char::is_control) || text.trim() != text {
        return Err(IdError::Unprintable);
    }
    Ok(())
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Takes a text as this kind of id; see [`IdError`] for what can never be one.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                checked(text)?;
                Ok(Self(text.into()))
            }

            /// The id as WeCom writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().into()
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

id! {
    /// A corp (`corpid`, `ww…`).
    CorpId
}
id! {
    /// A member of the corp, that is an employee (`userid`).
    UserId
}
id! {
    /// A contact: a customer outside the corp (`external_userid`, `wo…`/`wm…`). Differs per calling corp or provider.
    ExternalUserId
}
id! {
    /// An account of WeChat customer service (`open_kfid`, `wk…`).
    OpenKfId
}
id! {
    /// A customer group (`chat_id`, `wr…`).
    ChatId
}
