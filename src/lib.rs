//! wecom-gateway: the map of the house.
//!
//! One direction: [`callback`] verifies and types what WeCom posts → [`intake`] makes it durable in the
//! journal of a [`store`] → [`owner`] reads each partition's journal in order, lets [`dialog`] decide by the
//! operator's [`content`], and commits → [`delivery`] calls WeCom, one outcome per job.
//! [`kf`] pulls WeChat customer service, [`broadcast`] reserves quota and sends, [`sandbox`] simulates WeCom.
//! [`app`] builds and stops the whole; [`cli`] is what people type.
//!
//! Imports go down only (a test keeps it true):
//! `cli → app → {callback, owner} → {kf, broadcast} → {delivery, intake} → {dialog, store} → content → model → wecom`;
//! `sandbox → wecom`. `settings`, `metrics` and `clock` stand beside `model`.

pub mod app;
pub mod broadcast;
pub mod callback;
pub mod cli;
pub mod clock;
pub mod content;
pub mod delivery;
pub mod dialog;
pub mod intake;
pub mod kf;
pub mod metrics;
pub mod model;
pub mod owner;
pub mod sandbox;
pub mod settings;
pub mod store;
pub mod telemetry;
pub mod wecom;
