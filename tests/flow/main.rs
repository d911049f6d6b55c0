//! A whole gateway before a whole simulated WeCom: what issue 2 and CONTENT.md promise, seen from outside.

#![expect(clippy::unwrap_used, reason = "what is missing in a test fails the test")]

mod broadcasts;
mod channels;
mod kf;
mod members;
mod safety;
mod script;
mod stage;
mod tokens;
mod welcomes;
