//! What several integration tests share. Each test binary uses its own part of it.
#![expect(dead_code, reason = "each test binary uses a part")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

pub mod front;
pub mod gateway;
pub mod harness;
pub mod model;
pub mod redis;
pub mod site;
pub mod suite;
