//! Texts with `{{ variable }}`: parsed once with places, measured in the worst case, filled in within a limit.

use super::clean::{Markup, cut};
use super::faults::{Faults, SourceFile, Spot};
use super::reader::Written;
use super::variable::{self, Variable};
use crate::model::Text;

/// A text of a template.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
    /// Where its literal begins.
    pub spot: Spot,
}

#[derive(Debug, Clone)]
enum Piece {
    Plain(String),
    Variable(&'static Variable, Spot),
}

/// Gives the value of a variable: cleaned, within its own limits.
pub(super) type Resolve<'a> = &'a dyn Fn(&'static Variable, Markup) -> String;

impl Pattern {
    /// Parses a text. Unknown variables and open braces are reported at their own line and column, and left out.
    /// The final line break of `"""` is dropped.
    pub fn parse(written: &Written, file: &SourceFile<'_>, faults: &mut Faults) -> Self {
        let text = written.text.strip_suffix('\n').unwrap_or(&written.text);
        let mut pieces = Vec::new();
        let mut rest = text;
        let mut nth = 0;
        while let Some(open) = rest.find("{{") {
            push_plain(&mut pieces, &rest[..open]);
            let spot = brace_spot(written, file, nth);
            nth += 1;
            let inside = &rest[open + 2..];
            let Some(close) = inside.find("}}").filter(|end| !inside[..*end].contains(['\n', '{'])) else {
                faults.error(
                    &spot,
                    "open_braces",
                    Text::new("“{{”没有对应的“}}”", "\"{{\" without \"}}\""),
                    Text::new(
                        "写成 {{ contact.name }} 这样，放在同一行",
                        "Write it like {{ contact.name }}, on one line",
                    ),
                );
                rest = inside;
                continue;
            };
            let word = inside[..close].trim();
            match variable::find(word) {
                Some(variable) => pieces.push(Piece::Variable(variable, spot)),
                None => {
                    faults.unknown(
                        &spot,
                        "unknown_variable",
                        ("变量", "variable"),
                        word,
                        &variable::names(),
                    );
                }
            }
            rest = &inside[close + 2..];
        }
        push_plain(&mut pieces, rest);
        Self {
            pieces,
            spot: written.spot.clone(),
        }
    }

    /// The variables it uses, with their places.
    pub fn variables(&self) -> impl Iterator<Item = (&'static Variable, &Spot)> {
        self.pieces.iter().filter_map(|p| match p {
            Piece::Variable(v, spot) => Some((*v, spot)),
            Piece::Plain(_) => None,
        })
    }

    /// True when it says nothing whatever the values are.
    pub fn is_empty(&self) -> bool {
        self.pieces
            .iter()
            .all(|p| matches!(p, Piece::Plain(t) if t.trim().is_empty()))
    }

    /// Longest it can get, in bytes. `longest` says how long the value of a variable can get.
    pub fn worst(&self, longest: &dyn Fn(&'static Variable) -> usize) -> usize {
        let piece = |p: &Piece| match p {
            Piece::Plain(t) => t.len(),
            Piece::Variable(v, _) => longest(v),
        };
        self.pieces.iter().map(piece).sum()
    }

    /// Filled in, at most `max` bytes: what the customer wrote gives way first, then names, then the text's end.
    pub fn fill(&self, resolve: Resolve<'_>, markup: Markup, max: usize) -> String {
        let mut parts: Vec<(Option<&'static Variable>, String)> = self
            .pieces
            .iter()
            .map(|p| match p {
                Piece::Plain(t) => (None, t.clone()),
                Piece::Variable(v, _) => (Some(*v), resolve(v, markup)),
            })
            .collect();
        let length = |parts: &[(Option<&Variable>, String)]| parts.iter().map(|(_, t)| t.len()).sum::<usize>();
        let mut order: Vec<usize> = (0..parts.len()).filter(|i| parts[*i].0.is_some()).collect();
        order.sort_by_key(|i| {
            (
                !parts[*i].0.is_some_and(Variable::gives_way),
                usize::MAX - parts[*i].1.len(),
            )
        });
        for i in order {
            let over = length(&parts).saturating_sub(max);
            if over == 0 {
                break;
            }
            let (variable, text) = &mut parts[i];
            // A name keeps about four Chinese characters: less is no name any more.
            let least = if variable.is_some_and(Variable::gives_way) {
                0
            } else {
                15
            };
            *text = cut(text, text.len().saturating_sub(over).max(least));
        }
        let whole: String = parts.into_iter().map(|(_, t)| t).collect();
        cut(&whole, max)
    }
}

fn push_plain(pieces: &mut Vec<Piece>, text: &str) {
    if !text.is_empty() {
        pieces.push(Piece::Plain(text.to_owned()));
    }
}

/// Where the word inside the `nth` pair of braces stands: escapes shift offsets, but not the order of braces.
fn brace_spot(written: &Written, file: &SourceFile<'_>, nth: usize) -> Spot {
    let raw = file.raw(&written.span);
    match raw.match_indices("{{").nth(nth) {
        Some((at, _)) => {
            let inside = &raw[at + 2..];
            let blank = inside.len() - inside.trim_start_matches(' ').len();
            file.spot(written.span.start + at + 2 + blank)
        }
        None => written.spot.clone(),
    }
}
