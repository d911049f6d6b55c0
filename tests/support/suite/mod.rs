//! The promises of `store::Store`, one function each, for any store.

pub mod followers;
pub mod journal;
pub mod limits;
pub mod outbox;
pub mod owner;
pub mod records;
pub mod shared;
