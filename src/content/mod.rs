//! What operators write: templates, rules, channels, compiled into an immutable [`Bundle`]. Pure: files come
//! in as text, times and seeds as arguments; only `read` touches the disk.
//!
//! The way in: files (`read`) → [`sources`](Bundle::sources) → compiled by one file each (`template`,
//! `channel`, `rule_file`, `members`), every fault with its place (`faults`) → uses checked against places
//! (`place`: what a template becomes; `reach`: whether an action can reach anybody) → [`Bundle`].
//!
//! The way out: [`Bundle::channel`] and [`Bundle::matching`] say what to do, [`Bundle::render`] says it.
//!
//! The hard decision: whatever can be known beforehand is an error at load time. A bundle that exists can be
//! said: every template has a form at every place that uses it, and fits in the worst case. Only values are
//! cut at run time, never the operator's own words.

mod bundle;
mod channel;
mod choice;
mod clean;
mod compile;
mod demo;
mod faults;
mod fold;
mod index;
mod keyword;
mod media;
mod members;
mod place;
mod reach;
mod read;
mod reader;
mod render;
mod rendered;
mod rule;
mod rule_file;
mod sources;
mod tag;
mod template;
mod text;
mod trigger;
mod variable;
mod when;

#[cfg(test)]
mod tests;

pub use bundle::Bundle;
pub use channel::{Channel, ChannelMatch};
pub use place::Place;
pub use rendered::{MediaFile, MediaKind, MenuItem, Rendered, RenderedAttachment, RenderedMenu};
pub use rule::{Candidate, Known, Ranked, Rule};
pub use template::Template;
pub use trigger::{Source, Trigger};
pub use variable::Fact;
