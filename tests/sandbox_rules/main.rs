//! The simulated WeCom holds to WeCom's rules, seen from outside: over HTTP, by its error codes and callbacks.

#![expect(clippy::unwrap_used, reason = "what is missing in a test fails the test")]

mod broadcasts;
mod callbacks;
mod client;
mod customers;
mod faults;
mod kf;
mod kf_sessions;
mod media;
mod members;
mod tokens;
mod welcomes;
