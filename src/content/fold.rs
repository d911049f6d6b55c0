//! Folding: what people see as the same text becomes the same text.
//!
//! Full width becomes half width, capitals become small, invisible characters go. White space between two
//! Latin letters or digits counts as one space; elsewhere it is dropped, because Chinese is written without:
//! `多 少 钱` is `多少钱`, `VIP 卡` is `vip卡`, but `how much` is not `howmuch`.
//!
//! Full width is folded by its fixed distance from ASCII, not by NFKC: that takes five times as long
//! (PERFORMANCE 2d) and differs only in characters that nobody types as a keyword.

/// The text as keywords see it.
pub(super) fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut blank = false;
    let mut last_is_latin = false;
    for c in text.chars() {
        if c.is_ascii_lowercase() && !blank {
            out.push(c);
            last_is_latin = true;
            continue;
        }
        if invisible(c) {
            continue;
        }
        let c = half_width(c);
        if c.is_whitespace() {
            blank = true;
            continue;
        }
        let latin = c.is_alphanumeric() && c < '\u{2E80}';
        if blank && last_is_latin && latin {
            out.push(' ');
        }
        blank = false;
        last_is_latin = latin;
        if c.is_ascii() {
            out.push(c.to_ascii_lowercase());
        } else if c < '\u{2E80}' {
            out.extend(c.to_lowercase());
        } else {
            out.push(c);
        }
    }
    out
}

/// The text as regular expressions see it: half width, one space for every run of white space, case as it is
/// (patterns are matched without regard to case).
pub(super) fn fold_width(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !invisible(*c)) {
        let c = half_width(c);
        match c.is_whitespace() {
            true if out.is_empty() || out.ends_with(' ') => {}
            true => out.push(' '),
            false => out.push(c),
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// A pattern for [`fold_width`]ed text: full-width letters become half-width ones, full-width punctuation its
/// half-width form *as a letter* (`（` means a bracket in the text, never a group).
pub(super) fn fold_pattern(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut escaped = false;
    for c in pattern.chars() {
        let narrow = half_width(c);
        if narrow != c && narrow.is_ascii_punctuation() && !escaped {
            out.push('\\');
        }
        escaped = c == '\\' && !escaped;
        out.push(narrow);
    }
    out
}

fn half_width(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        '\u{3000}' => ' ',
        '\u{FFE5}' => '¥',
        _ => c,
    }
}

fn invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' | '\u{00AD}' | '\u{202A}'..='\u{202E}')
        || (c.is_control() && !c.is_whitespace())
}
