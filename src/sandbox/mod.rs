//! The sandbox: a simulated WeCom, for tests, for the demo, and alone as `wecom-gateway sandbox`.
//!
//! In comes what a gateway calls (`/cgi-bin/…`) and what people do ([`Act`]); out go answers with WeCom's
//! error codes, and callbacks encrypted and signed as WeCom's. The state machine (`world`, `corp` and the
//! rooms named after WeCom's functions) is pure and told the time; `http`, `post` and `control` stand around
//! it. It knows only `crate::wecom`, never the gateway: what both believe about WeCom would otherwise never
//! be tested.
//!
//! Around an act stand `"corp"`, `"copies"` (0 = WeCom loses the callback, 2 = it comes twice), `"silent"` and
//! `"wait": false`. The control side (`control`) lists its paths at `GET /`.
//!
//! The hard decision: it is as strict as WeCom, also where WeCom is silent. What is over a member's limits is
//! dropped with errcode 0, a half-added contact cannot be tagged, a broadcast sends nothing until somebody
//! confirms it.

mod act;
mod act_app;
mod act_contact;
mod act_kf;
mod broadcast;
mod call;
mod contacts;
mod control;
mod corp;
mod fault;
mod fields;
mod groupmsg;
mod handle;
mod http;
mod kf_account;
mod kf_send;
mod kf_session;
mod kf_sync;
mod kf_table;
mod limits;
mod look;
mod media;
mod members;
mod message;
mod post;
mod refusal;
mod ring;
mod setup;
mod shared;
mod tags;
mod welcome;
mod world;

pub use act::Act;
pub use corp::{App, Bond, Contact, Kind, Member, Relation, Seen, Way};
pub use fault::{Fault, Lost};
pub use handle::{Acted, Handle, Sandbox, ToldTo};
pub use kf_table::{Duty, KfAccount};
pub use limits::{BroadcastRule, Limits};
pub use post::Posted;
pub use setup::Setup;
pub use world::Recorded;

/// The control paths, one line each, for a command's greeting.
pub fn control_paths() -> &'static [&'static str] {
    control::PATHS
}
