//! Values as data, and cutting: what other people wrote never becomes markup, and no text is cut inside
//! something that people see as one thing.

use unicode_segmentation::UnicodeSegmentation;

/// What the API reads as markup in the text a value goes into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Markup {
    /// Nothing.
    None,
    /// `<a href>` and `$userName=…$` (`message/send`).
    Anchors,
    /// Markdown (bot).
    Markdown,
}

impl Markup {
    /// True for a character that this markup reads.
    fn reads(self, c: char) -> bool {
        match self {
            Self::None => false,
            Self::Anchors => matches!(c, '<' | '>' | '$'),
            Self::Markdown => matches!(
                c,
                '<' | '>' | '$' | '[' | ']' | '(' | ')' | '*' | '_' | '`' | '#' | '~' | '|' | '\\' | '!'
            ),
        }
    }
}

/// True for what has no business in a value: control characters, line breaks, and the invisible characters
/// that turn the direction of the text around them. The joiner inside emoji (U+200D) stays.
fn removed(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{FEFF}'
        )
        || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// A value as it may stand in a text: without line breaks and control characters, without white space at its
/// ends, what the markup reads made full-width.
pub(super) fn clean(value: &str, markup: Markup) -> String {
    let kept: String = value.chars().filter(|c| !removed(*c)).collect();
    let wide = |c: char| match markup.reads(c) {
        // The full-width forms stand at a fixed distance from ASCII.
        true => char::from_u32(u32::from(c) + 0xFEE0).unwrap_or(c),
        false => c,
    };
    kept.trim().chars().map(wide).collect()
}

/// The text, at most `max` bytes long. What is too long is cut before the last grapheme or WeChat face
/// (`[微笑]`) that fits, and ends with "…". Below three bytes there is no room for that and nothing remains.
pub(super) fn cut(text: &str, max: usize) -> String {
    shorten(text, None, max)
}

/// The same, with a limit of graphemes beside that of bytes; "…" counts in both.
pub(super) fn shorten(text: &str, graphemes: Option<usize>, bytes: usize) -> String {
    let few_enough = graphemes.is_none_or(|max| text.graphemes(true).take(max + 1).count() <= max);
    if text.len() <= bytes && few_enough {
        return text.to_owned();
    }
    let Some(room) = bytes.checked_sub('…'.len_utf8()) else {
        return String::new();
    };
    let most = graphemes.map_or(usize::MAX, |max| max.saturating_sub(1));
    let (mut end, mut count) = (0, 0);
    for unit in Units(text) {
        count += unit.graphemes(true).count();
        if end + unit.len() > room || count > most {
            break;
        }
        end += unit.len();
    }
    format!("{}…", text[..end].trim_end_matches('…'))
}

/// What people see as one thing: a face, or a grapheme.
struct Units<'a>(&'a str);

impl<'a> Iterator for Units<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let first = self.0.graphemes(true).next()?;
        let len = face(self.0).unwrap_or(first.len());
        let (unit, rest) = self.0.split_at(len);
        self.0 = rest;
        Some(unit)
    }
}

/// The length of the WeChat face that the text begins with. The list of faces grows with every version of
/// WeChat, so anything short in brackets is one: `[微笑]`, `[Smile]`, `[OK]`.
fn face(text: &str) -> Option<usize> {
    const LONGEST: usize = 16;
    let inner = text.strip_prefix('[')?;
    let mut end = 1;
    for (n, c) in inner.chars().enumerate() {
        end += c.len_utf8();
        match c {
            ']' => return (n > 0).then(|| whole_graphemes(text, end)),
            '[' | '\n' => return None,
            _ if n >= LONGEST => return None,
            _ => {}
        }
    }
    None
}

/// `end`, moved behind what belongs to the same grapheme (a combining mark after the bracket).
fn whole_graphemes(text: &str, end: usize) -> usize {
    text.grapheme_indices(true)
        .map(|(at, g)| at + g.len())
        .find(|at| *at >= end)
        .unwrap_or(end)
}
