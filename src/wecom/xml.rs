//! WeCom's XML as a flat tree of borrowed pieces.
//!
//! In: the text of an envelope (written by anybody) or of a decrypted message. Out: [`Tree`], whose elements
//! keep their order and their repetitions; CDATA, text and entities have become one value per element.
//!
//! The hard decision: one vector in document order, each element knowing where its subtree ends. Nothing is
//! looked up twice, nothing recurses, so time and memory are linear in the input whatever its shape, and a value
//! is copied only when it comes in several pieces. Document types are refused and no entity is ever defined:
//! the envelope is read before its signature can be checked. WeCom's ordinary form takes a short way (`flat`).

mod flat;

use std::borrow::Cow;

use quick_xml::events::{BytesRef, BytesStart, Event};

/// Deepest nesting that is read; WeCom's deepest message has 7 levels.
pub const MAX_DEPTH: usize = 32;
/// Most elements that are read; WeCom's largest lists (members of a group of 2,000) stay far below.
pub const MAX_ELEMENTS: usize = 65_536;

/// Why a text was not read as XML.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Not well-formed, no root or more than one, or with a document type.
    #[error("not well-formed XML")]
    Syntax,
    /// Over [`MAX_DEPTH`] or [`MAX_ELEMENTS`].
    #[error("XML is nested too deeply or has too many elements")]
    TooLarge,
}

/// A whole document; element 0 is the root.
#[derive(Debug)]
pub struct Tree<'a> {
    nodes: Vec<Node<'a>>,
}

#[derive(Debug, PartialEq, Eq)]
struct Node<'a> {
    name: &'a str,
    text: Cow<'a, str>,
    /// Index after the last element inside this one.
    end: usize,
}

/// One element of a [`Tree`].
#[derive(Debug, Clone, Copy)]
pub struct Element<'t, 'a> {
    tree: &'t Tree<'a>,
    index: usize,
}

impl<'t, 'a> Element<'t, 'a> {
    /// Its name as written.
    pub fn name(self) -> &'a str {
        self.node().name
    }

    /// Its value without white space around it; empty for an element that only holds others.
    pub fn text(self) -> &'t str {
        self.node().text.trim_ascii()
    }

    /// Its value with the white space that stood inside CDATA: what a person wrote.
    pub fn verbatim(self) -> &'t Cow<'a, str> {
        &self.node().text
    }

    /// The elements directly inside it, in order.
    pub fn children(self) -> impl Iterator<Item = Element<'t, 'a>> {
        let (tree, end) = (self.tree, self.node().end);
        let at = move |index: usize| (index < end).then_some(Element { tree, index });
        std::iter::successors(at(self.index + 1), move |e| at(e.node().end))
    }

    /// The first element of this name directly inside it; letter case does not matter, because WeCom's own
    /// samples write the same name in several ways.
    pub fn child(self, name: &str) -> Option<Element<'t, 'a>> {
        // By index rather than through `children`: this is what the hot path does most.
        let end = self.node().end;
        let mut index = self.index + 1;
        while index < end {
            let node = &self.tree.nodes[index];
            if named(node.name, name) {
                return Some(Element { tree: self.tree, index });
            }
            index = node.end;
        }
        None
    }

    fn node(self) -> &'t Node<'a> {
        &self.tree.nodes[self.index]
    }
}

impl<'a> Tree<'a> {
    /// Reads a document. Time and memory are linear in its length.
    pub fn parse(text: &'a str) -> Result<Self, XmlError> {
        let text = text.trim_start_matches('\u{feff}');
        match flat::nodes(text) {
            Some(nodes) => Ok(Self { nodes }),
            None => Self::read(text),
        }
    }

    /// Any document, by quick-xml; a byte order mark is gone.
    fn read(text: &'a str) -> Result<Self, XmlError> {
        let mut reader = quick_xml::Reader::from_str(text);
        // A bare `&` in a customer's text that somebody forgot to wrap must not lose the event.
        reader.config_mut().allow_dangling_amp = true;
        let mut build = Builder {
            nodes: Vec::with_capacity(16),
            open: [0; MAX_DEPTH],
            depth: 0,
            tail: "",
        };
        loop {
            // Matched where it lies: moving the event out of the result first costs as much as reading it.
            let event = reader.read_event();
            let after = usize::try_from(reader.buffer_position()).map_err(|_| XmlError::Syntax)?;
            match event {
                Ok(Event::Start(tag)) => build.start(name_of(text, &tag, after, 1)?)?,
                Ok(Event::Empty(tag)) => {
                    build.start(name_of(text, &tag, after, 2)?)?;
                    build.finish();
                }
                Ok(Event::End(_)) => build.finish(),
                Ok(Event::Text(piece)) => build.text(piece.into_inner())?,
                Ok(Event::CData(piece)) => build.piece(piece.into_inner())?,
                Ok(Event::GeneralRef(name)) => build.piece(resolved(&name))?,
                Ok(Event::DocType(_)) | Err(_) => return Err(XmlError::Syntax),
                Ok(Event::Comment(_) | Event::Decl(_) | Event::PI(_)) => {}
                Ok(Event::Eof) => return build.done(),
            }
        }
    }

    /// The outermost element.
    pub fn root(&self) -> Element<'_, 'a> {
        Element { tree: self, index: 0 }
    }
}

/// The tag's name, borrowed from the text: the reader lends names only until its next event, so it is cut out
/// by position. `close` is the length of what ends the tag: `>` or `/>`.
fn name_of<'a>(text: &'a str, tag: &BytesStart<'_>, after: usize, close: usize) -> Result<&'a str, XmlError> {
    let start = after.checked_sub(close + tag.len()).ok_or(XmlError::Syntax)?;
    let name = text.get(start..start + tag.name().as_ref().len());
    name.filter(|n| !n.is_empty()).ok_or(XmlError::Syntax)
}

/// What `&name;` stands for. Names that XML does not define stay as they are written.
fn resolved<'a>(name: &BytesRef<'a>) -> Cow<'a, str> {
    Cow::Borrowed(match name.as_ref() {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        other => {
            let char = name.resolve_char_ref().ok().flatten();
            return Cow::Owned(char.map_or_else(|| format!("&{other};"), String::from));
        }
    })
}

/// Equal but for the case of ASCII letters. Nearly all that differ do so in length or in their first or last letter,
/// and nearly all that agree are written alike: only the rest is walked byte by byte.
fn named(name: &str, wanted: &str) -> bool {
    let ends = |s: &str| {
        s.as_bytes()
            .first()
            .zip(s.as_bytes().last())
            .map(|(a, b)| (a | 0x20, b | 0x20))
    };
    name.len() == wanted.len() && ends(name) == ends(wanted) && (name == wanted || name.eq_ignore_ascii_case(wanted))
}

struct Builder<'a> {
    nodes: Vec<Node<'a>>,
    open: [usize; MAX_DEPTH],
    depth: usize,
    /// White space after plain text: part of the value only if more of it follows, else layout.
    tail: &'a str,
}

impl<'a> Builder<'a> {
    fn start(&mut self, name: &'a str) -> Result<(), XmlError> {
        if self.depth == 0 && !self.nodes.is_empty() {
            return Err(XmlError::Syntax);
        }
        if self.depth == MAX_DEPTH || self.nodes.len() == MAX_ELEMENTS {
            return Err(XmlError::TooLarge);
        }
        self.open[self.depth] = self.nodes.len();
        self.depth += 1;
        self.tail = "";
        self.nodes.push(Node {
            name,
            text: Cow::Borrowed(""),
            end: 0,
        });
        Ok(())
    }

    /// Ends the innermost open element; the reader has checked that there is one and that the names agree.
    fn finish(&mut self) {
        let Some(depth) = self.depth.checked_sub(1) else {
            return;
        };
        self.depth = depth;
        self.tail = "";
        let end = self.nodes.len();
        self.nodes[self.open[depth]].end = end;
    }

    /// Plain text: white space before the value is layout, and so is all of it between two elements.
    fn text(&mut self, piece: Cow<'a, str>) -> Result<(), XmlError> {
        // The reader lends pieces of a text that is in memory anyway; an owned one would come untrimmed.
        let Cow::Borrowed(whole) = piece else {
            return self.piece(piece);
        };
        let value = whole.trim_ascii_end();
        if !value.is_empty() {
            let fresh = self.depth > 0 && self.nodes[self.open[self.depth - 1]].text.is_empty();
            self.piece(Cow::Borrowed(if fresh { value.trim_ascii_start() } else { value }))?;
        }
        self.tail = &whole[value.len()..];
        Ok(())
    }

    fn piece(&mut self, piece: Cow<'a, str>) -> Result<(), XmlError> {
        let depth = self.depth.checked_sub(1).ok_or(XmlError::Syntax)?;
        let tail = std::mem::take(&mut self.tail);
        let text = &mut self.nodes[self.open[depth]].text;
        if text.is_empty() {
            *text = piece;
        } else {
            let text = text.to_mut();
            text.push_str(tail);
            text.push_str(&piece);
        }
        Ok(())
    }

    fn done(self) -> Result<Tree<'a>, XmlError> {
        if self.depth > 0 || self.nodes.is_empty() {
            return Err(XmlError::Syntax);
        }
        Ok(Tree { nodes: self.nodes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(xml: &str) -> String {
        let doc = format!("<xml><A>{xml}</A></xml>");
        let tree = Tree::parse(&doc).unwrap();
        tree.root().child("A").unwrap().verbatim().to_string()
    }

    #[test]
    fn cdata_text_and_entities_become_one_value() {
        assert_eq!(value("<![CDATA[ a<b ]]>"), " a<b ");
        assert_eq!(value(" \n <![CDATA[suite_ticket]]> \n"), "suite_ticket");
        assert_eq!(value("<![CDATA[x]]]]><![CDATA[>y]]>"), "x]]>y");
        assert_eq!(
            value(" 1 &amp; 2 &lt;&gt;&quot;&apos;&#x4f60;&#65; "),
            "1 & 2 <>\"'\u{4f60}A"
        );
        assert_eq!(value("&unknown; &#0; a & b"), "&unknown; &#0; a & b");
        assert_eq!(value(""), "");
    }

    #[test]
    fn a_value_is_borrowed_unless_it_comes_in_pieces() {
        let doc = "<xml><A><![CDATA[one]]></A><B> two </B><C>a&amp;b</C></xml>";
        let tree = Tree::parse(doc).unwrap();
        let borrowed = |n| matches!(tree.root().child(n).unwrap().verbatim(), Cow::Borrowed(_));
        assert!(borrowed("A") && borrowed("B") && !borrowed("C"));
    }

    #[test]
    fn repeated_and_nested_elements_are_kept_in_order() {
        let tree = Tree::parse("<xml><L><I>1</I><I>2</I></L><L/><M a='x'> 3 </M></xml>").unwrap();
        let names: Vec<_> = tree.root().children().map(|e| e.name()).collect();
        assert_eq!(names, ["L", "L", "M"]);
        let items: Vec<_> = tree.root().child("l").unwrap().children().map(|e| e.text()).collect();
        assert_eq!(items, ["1", "2"]);
        assert_eq!(tree.root().child("M").unwrap().text(), "3");
    }

    #[test]
    fn what_is_not_one_whole_document_is_refused() {
        for bad in [
            "",
            "hello",
            "<xml>",
            "<xml></yml>",
            "<xml/><xml/>",
            "<xml/>x",
            "</xml>",
            "<>",
            "< a></ a>",
            "<xml><![CDATA[x</xml>",
        ] {
            assert_eq!(Tree::parse(bad).unwrap_err(), XmlError::Syntax, "{bad}");
        }
        let bomb = r#"<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b SYSTEM "file:///etc/passwd">]><xml>&a;&b;</xml>"#;
        assert_eq!(Tree::parse(bomb).unwrap_err(), XmlError::Syntax);
    }

    #[test]
    fn nesting_and_number_of_elements_are_bounded() {
        let deep = |n: usize| "<a>".repeat(n) + &"</a>".repeat(n);
        assert!(Tree::parse(&deep(MAX_DEPTH)).is_ok());
        assert_eq!(Tree::parse(&deep(MAX_DEPTH + 1)).unwrap_err(), XmlError::TooLarge);
        let wide = format!("<x>{}</x>", "<a/>".repeat(MAX_ELEMENTS));
        assert_eq!(Tree::parse(&wide).unwrap_err(), XmlError::TooLarge);
    }

    /// Quadratic work on a megabyte would take minutes here; linear work takes a fraction of a second even in a
    /// debug build on a loaded machine.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test measures itself")]
    fn a_megabyte_of_any_shape_is_read_in_linear_time() {
        let started = std::time::Instant::now();
        const MIB: usize = 1 << 20;
        for unit in [
            "<a>",
            "<a/>",
            "<a></a>",
            "<a",
            "<![CDATA[",
            "<![CDATA[x]]>",
            "&amp;",
            "&",
            "<!--",
            "]]>",
            "x ",
            "<?",
        ] {
            let _ = Tree::parse(&unit.repeat(MIB / unit.len()));
            let doc = format!("<xml><A>{}</A></xml>", unit.repeat(MIB / unit.len()));
            let _ = Tree::parse(&doc);
        }
        assert!(started.elapsed() < std::time::Duration::from_secs(30));
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text: String, parts in prop::collection::vec(
            prop::sample::select(vec!["<a>", "</a>", "<a/>", "<![CDATA[", "]]>", "&", ";", "#x", "é", " ", "<!--", "-->", "<?", "?>", "\u{feff}"]), 0..40)) {
            for t in [text, parts.concat()] {
                if let Ok(tree) = Tree::parse(&t) {
                    for e in tree.root().children() {
                        let _ = (e.name(), e.text(), e.children().count());
                    }
                }
            }
        }
    }
}
