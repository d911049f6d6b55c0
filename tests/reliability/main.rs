//! Promises 1 to 6 of DESIGN.md from outside: the real binary, a simulated WeCom, faults by signal to a process.

#![expect(clippy::unwrap_used, reason = "what is missing in a test fails the test")]

#[path = "../support/mod.rs"]
mod support;

mod duplicates;
mod kill;
mod order;
mod poison;
mod stopped;
mod store_away;
mod takeover;
