//! The outer packet of a callback: where the ciphertext stands.
//!
//! In: a request body that anybody may have written. Out: the text of `Encrypt`, exactly as received, for the
//! signature is over that text. Everything else in the packet (`ToUserName`, `AgentID`) is not covered by the
//! signature and is therefore not even returned.

use std::borrow::Cow;

use super::xml::Tree;

/// The body is no packet of WeCom's: not XML or JSON, or without a ciphertext.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no packet with an Encrypt element")]
pub struct NoEnvelope;

#[derive(serde::Deserialize)]
struct Json<'a> {
    #[serde(borrow, alias = "Encrypt")]
    encrypt: Cow<'a, str>,
}

/// The ciphertext of an XML packet, or of a JSON one (智能机器人).
pub fn ciphertext(body: &[u8]) -> Result<Cow<'_, str>, NoEnvelope> {
    let text = std::str::from_utf8(body).map_err(|_| NoEnvelope)?;
    let found = if is_json(text) {
        serde_json::from_str::<Json<'_>>(text).map_err(|_| NoEnvelope)?.encrypt
    } else {
        let tree = Tree::parse(text).map_err(|_| NoEnvelope)?;
        let element = tree.root().child("Encrypt").ok_or(NoEnvelope)?;
        match element.verbatim() {
            Cow::Borrowed(t) => Cow::Borrowed(t.trim_ascii()),
            Cow::Owned(t) => Cow::Owned(t.trim_ascii().to_owned()),
        }
    };
    if found.is_empty() { Err(NoEnvelope) } else { Ok(found) }
}

/// Whether a text wants to be read as JSON rather than as XML.
pub(super) fn is_json(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').trim_ascii_start().starts_with('{')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_ciphertext_is_found_in_every_form_of_packet() {
        for body in [
            "<xml><ToUserName><![CDATA[ww1]]></ToUserName><AgentID><![CDATA[1]]></AgentID><Encrypt><![CDATA[a+/=]]></Encrypt></xml>",
            "<xml>\n<Encrypt>\n<![CDATA[a+/=]]>\n</Encrypt>\n<AgentID/></xml>\n",
            "<?xml version=\"1.0\"?><xml><Encrypt>a+/=</Encrypt></xml>",
            "{\"tousername\":\"ww1\",\"encrypt\":\"a+/=\",\"agentid\":218}",
            " {\"encrypt\":\"a+\\/=\"} ",
        ] {
            assert_eq!(ciphertext(body.as_bytes()).unwrap(), "a+/=", "{body}");
        }
    }

    #[test]
    fn a_ciphertext_anywhere_but_directly_inside_does_not_count() {
        for body in [
            "",
            "<xml><A><Encrypt>x</Encrypt></A></xml>",
            "<xml><Encrypt/></xml>",
            "<Encrypt>x</Encrypt>",
            "{\"a\":{\"encrypt\":\"x\"}}",
            "{\"encrypt\":7}",
            "[]",
            "Encrypt=x",
            "<!DOCTYPE x [<!ENTITY e \"x\">]><xml><Encrypt>&e;</Encrypt></xml>",
        ] {
            assert_eq!(ciphertext(body.as_bytes()), Err(NoEnvelope), "{body}");
        }
        assert_eq!(ciphertext(b"<xml><Encrypt>\xff</Encrypt></xml>"), Err(NoEnvelope));
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_never_panic(bytes: Vec<u8>) {
            let _ = ciphertext(&bytes);
        }
    }
}
