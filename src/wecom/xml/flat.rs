//! The short way through WeCom's ordinary form: one root, elements without attributes directly inside it, each with
//! one CDATA section or one plain text. Everything else (nesting, entities, comments, declarations, attributes,
//! CDATA in pieces, names beyond ASCII, whatever is broken) is `None`: then the reader in the room above decides.
//!
//! Measured (`cargo bench --bench parse`): 1 KB, whole, from 4.35 to 3.0 times its SHA-1. It never decides what is
//! well-formed: a property test holds that whatever it reads, the reader above reads to the same tree.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use super::{MAX_ELEMENTS, Node};

/// The nodes of a flat document; `None` when it is not one. One pass, linear whatever the input.
pub(super) fn nodes(text: &str) -> Option<Vec<Node<'_>>> {
    let mut scan = Scan { text, at: 0 };
    scan.white();
    let root = scan.open()?;
    if scan.bytes().get(scan.at..scan.at + 1)? != b">" {
        return None;
    }
    scan.at += 1;
    // WeCom's usual event has 9 to 12 elements.
    let mut nodes = Vec::with_capacity(16);
    nodes.push(node(root, "", 0));
    loop {
        scan.white();
        if scan.close(root) {
            break;
        }
        if nodes.len() == MAX_ELEMENTS {
            return None;
        }
        let name = scan.open()?;
        let value = scan.value(name)?;
        nodes.push(node(name, value, nodes.len() + 1));
    }
    scan.white();
    let end = nodes.len();
    nodes.first_mut()?.end = end;
    (scan.at == text.len()).then_some(nodes)
}

fn node<'a>(name: &'a str, text: &'a str, end: usize) -> Node<'a> {
    Node {
        name,
        text: Cow::Borrowed(text),
        end,
    }
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes().get(self.at..).unwrap_or_default()
    }

    fn takes(&mut self, what: &[u8]) -> bool {
        let found = self.rest().starts_with(what);
        if found {
            self.at += what.len();
        }
        found
    }

    fn white(&mut self) {
        while self.bytes().get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    /// `<Name`; what ends the tag is left for the caller.
    fn open(&mut self) -> Option<&'a str> {
        let start = self.at + 1;
        let (first, rest) = self.rest().split_first()?;
        let letters = rest
            .iter()
            .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
            .count();
        if *first != b'<' || !rest.first()?.is_ascii_alphabetic() {
            return None;
        }
        self.at = start + letters;
        self.text.get(start..self.at)
    }

    /// `</Name>`; nothing is taken when something else stands here.
    fn close(&mut self, name: &str) -> bool {
        let Some(after) = self.rest().strip_prefix(b"</") else {
            return false;
        };
        let closes = after.starts_with(name.as_bytes()) && after.get(name.len()) == Some(&b'>');
        if closes {
            self.at += name.len() + 3;
        }
        closes
    }

    /// From behind `<Name` to behind `</Name>`.
    fn value(&mut self, name: &str) -> Option<&'a str> {
        if !self.takes(b">") {
            return self.takes(b"/>").then_some("");
        }
        let start = self.at;
        self.white();
        let value = if self.takes(b"<![CDATA[") {
            let from = self.at;
            self.at += cdata_len(self.rest())?;
            let value = self.text.get(from..self.at)?;
            self.at += 3;
            self.white();
            value
        } else {
            self.at = start;
            let len = memchr2(b'<', b'&', self.rest())?;
            self.at += len;
            self.text.get(start..self.at)?.trim_ascii()
        };
        self.close(name).then_some(value)
    }
}

/// Bytes before the first `]]>`.
fn cdata_len(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr(b'>', bytes.get(from..)?)?;
        if bytes.get(..at)?.ends_with(b"]]") {
            return Some(at - 2);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wecom::xml::Tree;
    use proptest::prelude::*;

    fn same(text: &str) -> bool {
        let Some(nodes) = nodes(text) else {
            return false;
        };
        assert_eq!(nodes, Tree::read(text).unwrap().nodes, "{text}");
        true
    }

    #[test]
    fn the_ordinary_form_is_read_here() {
        for text in [
            "<xml></xml>",
            "<xml><A><![CDATA[a]]></A><B>1</B><C/><D></D></xml>",
            " <xml>\r\n<A>\n<![CDATA[ a > b ]] < & ]]>\n</A>\t<B> a > ]]> b </B>\n</xml>\n",
            "<xml><A><![CDATA[]]></A><A><![CDATA[]]]></A><A><![CDATA[]]]]></A></xml>",
            "<xml><名><![CDATA[x]]></名></xml>",
            "<xml><A><![CDATA[你好]]></A><B> 你好 </B></xml>",
        ] {
            assert_eq!(same(text), !text.contains('名'), "{text}");
        }
    }

    #[test]
    fn everything_else_is_left_to_the_reader() {
        for text in [
            "",
            "<xml>",
            "<xml/>",
            "<xml><A><B>1</B></A></xml>",
            "<xml><A>&amp;</A></xml>",
            "<xml><A a='1'>1</A></xml>",
            "<xml><A >1</A ></xml>",
            "<xml><A><![CDATA[x]]><![CDATA[y]]></A></xml>",
            "<xml><A>x<![CDATA[y]]></A></xml>",
            "<xml><A><![CDATA[y]]>x</A></xml>",
            "<xml><!-- --><A>1</A></xml>",
            "<?xml version='1.0'?><xml><A>1</A></xml>",
            "<!DOCTYPE x><xml><A>1</A></xml>",
            "<xml>x<A>1</A></xml>",
            "<xml><A>1</B></xml>",
            "<xml><A>1</A></xml>x",
            "<xml><A>1</A></xml><xml/>",
            "<xml><A><![CDATA[>",
        ] {
            assert!(nodes(text).is_none(), "{text}");
        }
    }

    fn piece() -> impl Strategy<Value = String> {
        let fixed = [
            "<xml>",
            "</xml>",
            "<A>",
            "</A>",
            "<b1_>",
            "</b1_>",
            "<A/>",
            "<A ",
            "<![CDATA[",
            "]]>",
            "]",
            ">",
            "<",
            "/",
            "&",
            "&amp;",
            ";",
            "<!--",
            "-->",
            "<?xml?>",
            "<!DOCTYPE x>",
            " ",
            "\n",
            "\r\n",
            "\t",
            "\u{c}",
            "\u{b}",
            "\u{a0}",
            "\u{85}",
            "\u{feff}",
            "\0",
            "é",
            "你",
            "x",
            "0",
        ];
        prop_oneof![prop::sample::select(fixed.to_vec()).prop_map(str::to_owned), ".{0,3}"]
    }

    /// Documents that are nearly flat: pieces of every kind inside well-formed elements.
    fn document() -> impl Strategy<Value = String> {
        let text = || prop::collection::vec(piece(), 0..4).prop_map(|p| p.concat());
        let value = prop_oneof![
            3 => text().prop_map(|t| format!("<![CDATA[{t}]]>")),
            2 => text(),
            1 => "[a-z \r\n\t]{0,6}",
            1 => text().prop_map(|t| format!(" <![CDATA[{t}]]>\n")),
        ];
        let element = ("[A-Za-z_:][A-Za-z0-9_.-]{0,3}", value).prop_map(|(n, v)| format!("<{n}>{v}</{n}>"));
        let inside = prop::collection::vec(prop_oneof![6 => element, 1 => "[ \r\n\t]{0,2}", 1 => piece()], 0..6);
        inside.prop_map(|parts| format!("<xml>{}</xml>", parts.concat()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]

        #[test]
        fn whatever_is_read_here_the_reader_reads_to_the_same_tree(
            nearly in document(), soup in prop::collection::vec(piece(), 0..24), cut in 0..64_usize,
        ) {
            same(&nearly);
            same(&soup.concat());
            same(&nearly.chars().take(cut).collect::<String>());
        }
    }
}
