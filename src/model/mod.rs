//! What travels between the rooms: the words of the design as types. No behaviour that needs a clock, a
//! store or the network lives here.
//!
//! One event's way through these types:
//! [`Entry`] (journalled) → [`Decision`] (what the rules chose) → [`Job`] (one API call to be made) →
//! [`Ending`] (its one outcome). What is known of a conversation between two events is its [`Doc`].

pub mod conversation;
pub mod decision;
pub mod diagnostic;
pub mod doc;
pub mod entry;
pub mod job;
pub mod name;
pub mod outcome;
pub mod partition;
pub mod text;
pub mod time;

pub use conversation::Conversation;
pub use decision::{Decision, PlannedJob, Skipped};
pub use diagnostic::Diagnostic;
pub use doc::Doc;
pub use entry::{Entry, EntryBody};
pub use job::{Action, Job, JobId, Lane};
pub use name::{AppName, BundleHash, CorpName};
pub use outcome::{Ending, Outcome, RecipientEnd};
pub use partition::Partition;
pub use text::Text;
pub use time::StoreTime;
