//! 群发: one chunk of a broadcast, and where its recipients and results lie.
//!
//! Comes in: a `BroadcastChunk` job and the parts of its list. Goes out: quota reserved **before** the call,
//! one `add_msg_template`, refunds for whom WeCom would not take, one outcome per recipient. Must never know:
//! how the list was read, who asked, terminals.
//!
//! The hard decision: the call is never repeated. WeCom knows no id of ours for it; so an answer that is lost
//! ends `uncertain` for every recipient of the chunk, with their quota kept as used, and a person decides.

mod chunk;
mod ledger;
mod list;
mod quota;

pub use chunk::{Called, Chunk, Prepared, call, prepare, quiet_until};
pub use ledger::{ChunkResult, FailedRecipient, RefusedRecipient, hold, is_held, results, resume};
pub use list::{PreparedList, Recipient, part_key, parts, store_order};

/// WeCom takes at most so many recipients in one call (limits.md B6).
pub const CHUNK: usize = 10_000;
