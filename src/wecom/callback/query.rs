//! The query string of a callback, read by hand.
//!
//! The hard decision: a plus is a plus. Form decoders make it a space, and so does a proxy that has already
//! turned `%2B` into `+`; but none of these values ever holds a space, so every space becomes a plus again.

use std::borrow::Cow;

/// What WeCom puts behind the `?`, percent-decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query<'q> {
    /// Lower-case hex.
    pub msg_signature: Cow<'q, str>,
    /// As written; never re-formatted, for it is signed as text.
    pub timestamp: Cow<'q, str>,
    /// As written.
    pub nonce: Cow<'q, str>,
    /// URL verification only.
    pub echostr: Option<Cow<'q, str>>,
}

/// Why a query string was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// msg_signature, timestamp or nonce is not there.
    #[error("msg_signature, timestamp or nonce is missing")]
    Missing,
    /// One of our parameters stands there twice: which one was signed?
    #[error("a parameter is repeated")]
    Repeated,
    /// A broken `%XX`, or bytes that are no UTF-8.
    #[error("a value is not percent-encoded UTF-8")]
    Encoding,
}

impl QueryError {
    /// The word in logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "query_missing",
            Self::Repeated => "query_repeated",
            Self::Encoding => "query_encoding",
        }
    }
}

impl<'q> Query<'q> {
    /// Reads what stands behind the `?`. Other parameters are ignored: operators may put their own into the URL.
    pub fn parse(raw: &'q str) -> Result<Self, QueryError> {
        let (mut msg_signature, mut timestamp, mut nonce, mut echostr) = (None, None, None, None);
        for pair in raw.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let slot = match name {
                "msg_signature" => &mut msg_signature,
                "timestamp" => &mut timestamp,
                "nonce" => &mut nonce,
                "echostr" => &mut echostr,
                _ => continue,
            };
            if slot.replace(decoded(value)?).is_some() {
                return Err(QueryError::Repeated);
            }
        }
        Ok(Self {
            msg_signature: msg_signature.ok_or(QueryError::Missing)?,
            timestamp: timestamp.ok_or(QueryError::Missing)?,
            nonce: nonce.ok_or(QueryError::Missing)?,
            echostr,
        })
    }
}

fn decoded(value: &str) -> Result<Cow<'_, str>, QueryError> {
    if !value.bytes().any(|b| b == b'%' || b == b' ') {
        return Ok(Cow::Borrowed(value));
    }
    let mut out = Vec::with_capacity(value.len());
    let mut bytes = value.bytes();
    while let Some(b) = bytes.next() {
        let byte = if b == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            let pair = digit().zip(digit()).ok_or(QueryError::Encoding)?;
            u8::try_from(pair.0 * 16 + pair.1).map_err(|_| QueryError::Encoding)?
        } else {
            b
        };
        out.push(if byte == b' ' { b'+' } else { byte });
    }
    String::from_utf8(out).map(Cow::Owned).map_err(|_| QueryError::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_percent_decoded_and_every_space_is_a_plus() {
        let q = Query::parse("nonce=a&echostr=%2Bb%20c+d e%2F%3D&timestamp=1&msg_signature=f&own=1").unwrap();
        assert_eq!(q.echostr.as_deref(), Some("+b+c+d+e/="));
        assert_eq!((&*q.nonce, &*q.timestamp, &*q.msg_signature), ("a", "1", "f"));
    }

    #[test]
    fn missing_repeated_and_broken_parameters_are_told_apart() {
        for (raw, why) in [
            ("", QueryError::Missing),
            ("msg_signature=a&timestamp=1", QueryError::Missing),
            ("msg_signature=a&timestamp=1&nonce=1&nonce=1", QueryError::Repeated),
            ("msg_signature=a&timestamp=1&nonce=%", QueryError::Encoding),
            ("msg_signature=a&timestamp=1&nonce=%4", QueryError::Encoding),
            ("msg_signature=a&timestamp=1&nonce=%zz", QueryError::Encoding),
            ("msg_signature=a&timestamp=1&nonce=%ff", QueryError::Encoding),
        ] {
            assert_eq!(Query::parse(raw), Err(why), "{raw}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_query_strings_never_panic(raw: String) {
            let _ = Query::parse(&raw);
            let _ = Query::parse(&format!("nonce={raw}&timestamp=1&msg_signature=2"));
        }
    }
}
