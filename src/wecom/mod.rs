//! WeCom's protocol: bytes on the wire ⇄ typed values. Imports nothing of ours.
//!
//! Inbound: [`envelope`] takes the outer packet apart, [`crypto`] checks and decrypts it, [`xml`] and
//! [`event`] type what was inside. Outbound: [`api`] has one request and one answer type per call, each
//! with its repeat class; [`errcode`] says what an answer's number means; [`limits`] what WeCom allows.

pub mod api;
pub mod callback;
pub mod crypto;
pub mod envelope;
pub mod errcode;
pub mod event;
pub mod id;
pub mod kf;
pub mod limits;
pub mod xml;
