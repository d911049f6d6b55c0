//! The sandbox as Rust code uses it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::act::{self, Act};
use super::corp::{App, Corp};
use super::fault::Fault;
use super::limits::Limits;
use super::post::{self, Posted};
use super::setup::Setup;
use super::shared::Shared;
use super::world::World;

/// A running simulated WeCom; clones are the same one.
#[derive(Clone)]
pub struct Sandbox(pub(super) Arc<Shared>);

/// A sandbox that listens. Dropping it closes the listener and every connection.
pub struct Handle {
    sandbox: Sandbox,
    addr: SocketAddr,
    serving: JoinHandle<()>,
}

/// Whom an act concerns, and what happens to its callbacks.
#[derive(Debug, Clone)]
pub struct ToldTo {
    /// The corp's id; `None`: the first.
    pub corp: Option<String>,
    /// How many times each callback is delivered: 0 = WeCom loses it, 2 = it comes twice.
    pub copies: u32,
    /// Wait for the first try of each callback (at most its time-out).
    pub wait: bool,
}

impl Default for ToldTo {
    fn default() -> Self {
        Self {
            corp: None,
            copies: 1,
            wait: true,
        }
    }
}

/// What an act brought about.
#[derive(Debug, Clone, Serialize)]
pub struct Acted {
    /// Ids of what was made: `msgid`, `welcome_code`, `code` …
    pub result: Value,
    /// The first try of each callback; empty when nobody waited.
    pub callbacks: Vec<Posted>,
}

impl Sandbox {
    /// The ready-made corp, see [`Setup::coffee`].
    pub fn coffee() -> Setup {
        Setup::coffee()
    }

    /// Starts on a listener. Fails with `InvalidInput` when an app's key is none.
    pub fn start(setup: Setup, listener: TcpListener) -> io::Result<Handle> {
        Self::start_many(vec![setup], listener)
    }

    /// Starts with several corps.
    pub fn start_many(setups: Vec<Setup>, listener: TcpListener) -> io::Result<Handle> {
        let now = crate::clock::wall().0;
        let mut world = World::default();
        for setup in setups {
            let mut seed = [0; 4];
            getrandom::fill(&mut seed).map_err(io::Error::other)?;
            let seed = format!("{:08x}", u32::from_be_bytes(seed));
            let corp = setup
                .build(seed, now)
                .map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
            world.corps.insert(corp.corp_id.clone(), corp);
        }
        let sandbox = Self(Arc::new(Shared::new(world)));
        let addr = listener.local_addr()?;
        let serving = tokio::spawn(super::http::serve(Arc::clone(&sandbox.0), listener));
        Ok(Handle { sandbox, addr, serving })
    }

    pub(super) fn of(shared: &Arc<Shared>) -> Self {
        Self(Arc::clone(shared))
    }

    pub(super) fn with<T>(&self, f: impl FnOnce(&mut World, i64) -> T) -> T {
        let now = self.now_ms();
        f(&mut self.0.world(), now)
    }

    pub(super) fn corp<T>(&self, id: Option<&str>, f: impl FnOnce(&mut Corp, i64) -> T) -> Result<T, String> {
        self.with(|world, now| match world.corp(id) {
            Some(corp) => Ok(f(corp, now)),
            None => Err("no such corp".to_owned()),
        })
    }

    /// Somebody does something in the first corp; returns after the first try of each callback. An error is a
    /// sentence: the act makes no sense here.
    pub async fn act(&self, act: Act) -> Result<Acted, String> {
        self.act_with(act, ToldTo::default()).await
    }

    /// The same, and WeCom loses the callbacks.
    pub async fn act_silently(&self, act: Act) -> Result<Acted, String> {
        self.act_with(
            act,
            ToldTo {
                copies: 0,
                ..ToldTo::default()
            },
        )
        .await
    }

    /// The same, told which corp and what happens to the callbacks.
    pub async fn act_with(&self, act: Act, told: ToldTo) -> Result<Acted, String> {
        let (corp_id, done) = self.corp(told.corp.as_deref(), |corp, now| {
            let done = act::perform(corp, act, now);
            done.map(|done| (corp.corp_id.clone(), done))
        })??;
        let rings: Vec<_> = (0..told.copies).flat_map(|_| done.rings.iter().cloned()).collect();
        let shared = Arc::clone(&self.0);
        let posting = tokio::spawn(async move { post::deliver(&shared, &corp_id, rings).await });
        let callbacks = if told.wait {
            posting.await.unwrap_or_default()
        } else {
            Vec::new()
        };
        Ok(Acted {
            result: done.result,
            callbacks,
        })
    }

    /// Adds a line to the fault script.
    pub fn fault(&self, fault: Fault) {
        self.0.world().faults.push(fault);
    }

    /// Nothing goes wrong any more.
    pub fn clear_faults(&self) {
        self.0.world().faults.clear();
    }

    /// Moves the clock.
    pub fn advance(&self, ms: i64) {
        self.0.world().offset_ms += ms;
    }

    /// The sandbox's time.
    pub fn now_ms(&self) -> i64 {
        self.0.now()
    }

    /// All tokens given so far answer 42001.
    pub fn expire_tokens(&self) {
        self.0.world().expire_tokens();
    }

    /// All tokens given so far answer 40014.
    pub fn forget_tokens(&self) {
        self.0.world().forget_tokens();
    }

    /// Changes numbers of every corp.
    pub fn change_limits(&self, change: impl FnMut(&mut Limits)) {
        self.0
            .world()
            .corps
            .values_mut()
            .map(|corp| &mut corp.limits)
            .for_each(change);
    }

    /// Lays named numbers over every corp's; an unknown name or a wrong type changes nothing.
    pub(super) fn overlay_limits(&self, change: &serde_json::Map<String, Value>) -> Result<(), String> {
        let mut world = self.0.world();
        for corp in world.corps.values_mut() {
            let mut all = serde_json::to_value(&corp.limits).map_err(|e| e.to_string())?;
            for (key, value) in change {
                all[key] = value.clone();
            }
            corp.limits = serde_json::from_value(all).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    /// Tells an app of the first corp where its callbacks go.
    pub fn set_callback(&self, app: &str, url: &str) -> Result<(), String> {
        self.change_app(None, app, |a| a.callback_url = Some(url.to_owned()))
    }

    /// Changes an app.
    pub fn change_app(&self, corp: Option<&str>, app: &str, change: impl FnOnce(&mut App)) -> Result<(), String> {
        self.corp(corp, |corp, _| match corp.apps.iter_mut().find(|a| a.name == app) {
            Some(found) => {
                change(found);
                Ok(())
            }
            None => Err(format!("no app {app}")),
        })?
    }

    /// Verifies an app's URL as the admin page does on saving.
    pub async fn verify_callback(&self, app: &str) -> Result<(), String> {
        let corp_id = self.corp(None, |corp, _| corp.corp_id.clone())?;
        post::verify(&self.0, &corp_id, app).await
    }
}

impl Handle {
    /// `http://127.0.0.1:PORT`, for a gateway's `api_base`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The sandbox itself, to keep beyond the handle.
    pub fn sandbox(&self) -> Sandbox {
        self.sandbox.clone()
    }
}

impl std::ops::Deref for Handle {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Setup {
    /// Starts on a free port of 127.0.0.1.
    pub async fn start(self) -> io::Result<Handle> {
        Sandbox::start(self, TcpListener::bind("127.0.0.1:0").await?)
    }
}
