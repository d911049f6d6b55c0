//! The log: to stderr, as text for people or as JSON for machines. Set up once, by `main`.
//!
//! `RUST_LOG` filters (when unset, the command's own level), `WECOM_GATEWAY_LOG=json` writes one JSON object a line. What may stand
//! in a log line is each room's duty: never a secret, never a message's text.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

/// Starts the log; `level` is used while `RUST_LOG` says nothing. Called twice, the second call changes nothing (tests start several gateways).
pub fn init(level: &'static str) {
    let wanted = std::env::var("RUST_LOG").ok().filter(|f| !f.trim().is_empty());
    let parsed = wanted.as_deref().map(EnvFilter::try_new);
    let faulty = matches!(parsed, Some(Err(_)));
    let filter = match parsed {
        Some(Ok(filter)) => filter,
        _ => EnvFilter::new(level),
    };
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = match std::env::var("WECOM_GATEWAY_LOG").as_deref() {
        Ok("json") => builder.json().flatten_event(true).try_init(),
        _ => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    if faulty {
        tracing::warn!(
            rust_log = wanted,
            level,
            "RUST_LOG is not a filter that we understand; logging at the usual level"
        );
    }
}
