//! Builds a whole gateway, and stops it.
//!
//! Comes in: checked settings. Goes out: a running gateway that listens, owns and delivers. The listener is
//! bound and everything checked before anything is called; so a gateway that started is one that can work.
//!
//! The hard decision: the store's absence at start is not an error when a spool can take the events (Redis);
//! everything else that is wrong at start is.

mod bundles;
mod http;
mod node;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::callback::{self, Callbacks};
use crate::clock::{self, StoreClock};
use crate::delivery::{Bundles, Delivery};
use crate::intake::{Accept, Intake, Local};
use crate::metrics::Metrics;
use crate::model::{Diagnostic, Partition};
use crate::owner::{Context, Owner, OwnerOptions, Waker};
use crate::settings::{Settings, StoreUrl};
use crate::store::{self, Role, Store, StoreError, spool::Spool};

pub use bundles::BundleShelf;
pub use node::{Node, NodeError};

/// Readiness is withdrawn so long before the listener closes (DESIGN, `serve`).
const ANNOUNCE_STOP: Duration = Duration::from_secs(1);

/// Media and stored bundles are looked at so often.
const WARM: Duration = Duration::from_secs(3600);

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Templates, rules or channels are wrong; nothing of them is used.
    #[error("the content has errors")]
    Content(Vec<Diagnostic>),
    /// The address cannot be bound.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// The node file is locked or unreadable.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The store refuses, or is weaker than asked.
    #[error("{0}")]
    Store(String),
}

/// A running gateway.
pub struct App {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Its store, for commands and tests that look into it.
    pub store: Arc<dyn Store>,
    /// Its metrics.
    pub metrics: Arc<Metrics>,
    parts: Parts,
    server: tokio::task::JoinHandle<()>,
    close: watch::Sender<bool>,
    ready: Arc<http::Readiness>,
}

/// What a gateway is made of below HTTP: also what `broadcast send` runs when no gateway lives.
pub struct Parts {
    /// Appends.
    pub intake: Arc<Intake>,
    owner: Owner,
    beside: Vec<tokio::task::JoinHandle<()>>,
}

impl App {
    /// Starts everything. `listener`: already bound (tests); else the settings' address.
    pub async fn start(settings: Settings, listener: Option<TcpListener>) -> Result<Self, StartError> {
        let settings = Arc::new(settings);
        let metrics = new_metrics()?;
        let shelf = BundleShelf::load(&settings, &metrics)?;
        Self::start_with(settings, shelf, metrics, listener).await
    }

    /// The same with bundles that are compiled already.
    pub async fn start_with(
        settings: Arc<Settings>,
        shelf: BundleShelf,
        metrics: Arc<Metrics>,
        listener: Option<TcpListener>,
    ) -> Result<Self, StartError> {
        let listener = match listener {
            Some(l) => l,
            None => {
                let at = settings.server.listen;
                TcpListener::bind(at).await.map_err(|e| StartError::Listen(at, e))?
            }
        };
        let addr = listener
            .local_addr()
            .map_err(|e| StartError::Listen(settings.server.listen, e))?;
        let node = Node::open(&settings.server.node)?;
        let store = open(&settings, Role::Serve).await?;
        let max = settings.server.max_partitions;
        let parts = Parts::start(&settings, &store, &metrics, shelf, node, max, None).await?;
        let accept: Arc<dyn Accept> = parts.intake.clone();
        let ready = Arc::new(http::Readiness::new(
            Arc::clone(&parts.intake),
            Arc::clone(&store),
            Arc::clone(&metrics),
            parts.owner.status(),
        ));
        let callbacks =
            Callbacks::new(&settings, accept, Arc::clone(&metrics)).map_err(|e| StartError::Store(e.to_string()))?;
        let router = callback::router(callbacks).merge(http::router(Arc::clone(&ready), Arc::clone(&metrics)));
        let (close, closed) = watch::channel(false);
        let server = tokio::spawn(http::serve(listener, router, closed));
        tracing::info!(%addr, partitions = max, "listening");
        Ok(Self {
            addr,
            store,
            metrics,
            parts,
            server,
            close,
            ready,
        })
    }

    /// Stops: readiness is withdrawn, a second later the listener closes, calls in flight get 8 s, partitions are
    /// handed over.
    pub async fn stop(self) {
        self.ready.withdraw();
        clock::sleep(ANNOUNCE_STOP).await;
        let _ = self.close.send(true);
        self.parts.stop().await;
        // Idle keep-alive connections must not hold the exit.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.server).await;
        tracing::info!("stopped");
    }
}

/// A registry of metrics; fails only on a name used twice, which is a bug.
pub fn new_metrics() -> Result<Arc<Metrics>, StartError> {
    Metrics::new()
        .map(Arc::new)
        .map_err(|e| StartError::Store(e.to_string()))
}

/// Opens the settings' store.
pub async fn open(settings: &Settings, role: Role) -> Result<Arc<dyn Store>, StartError> {
    store::open(&settings.store, role)
        .await
        .map_err(|e| StartError::Store(e.to_string()))
}

impl Parts {
    /// Starts intake, delivery and owner over a store. `only`: own just this partition.
    pub async fn start(
        settings: &Arc<Settings>,
        store: &Arc<dyn Store>,
        metrics: &Arc<Metrics>,
        shelf: BundleShelf,
        node: Node,
        max_partitions: u8,
        only: Option<Partition>,
    ) -> Result<Self, StartError> {
        let first = tokio::time::timeout(Duration::from_secs(1), store.announce(node.id(), false)).await;
        let (now, generation) = match first {
            Ok(Ok(live)) => (live.now, live.generation),
            Ok(Err(_)) | Err(_) => (clock::wall(), String::new()),
        };
        let clock = StoreClock::new(now);
        shelf.keep_in(Arc::clone(store));
        let shelf = Arc::new(shelf);
        let waker: Arc<OnceLock<Waker>> = Arc::default();
        let intake = intake(settings, store, metrics, &waker, only.is_some()).await?;
        let bundles: Arc<dyn Bundles> = shelf.clone();
        let delivery = Delivery::new(
            Arc::clone(settings),
            Arc::clone(store),
            bundles,
            Arc::clone(metrics),
            clock.clone(),
            &generation,
        );
        let mut beside = Vec::new();
        if only.is_none() && max_partitions > 0 {
            let warming = keep_warm(
                delivery.clone(),
                Arc::clone(settings),
                Arc::clone(&shelf),
                Arc::clone(store),
            );
            beside.push(tokio::spawn(warming));
        }
        let live = Arc::clone(&shelf);
        let context = Context {
            store: Arc::clone(store),
            delivery,
            intake: Arc::clone(&intake),
            settings: Arc::clone(settings),
            live: Arc::new(move |corp| live.live(corp)),
            metrics: Arc::clone(metrics),
            clock,
            nonce: store::random_name(),
        };
        let options = OwnerOptions {
            node: node.id().to_owned(),
            max_partitions,
            exclusive: matches!(settings.store.url, StoreUrl::Sqlite(_)),
            only,
        };
        let (owner, w) = Owner::start(context, options);
        let _ = waker.set(w);
        beside.push(tokio::spawn(node::watch_generation(
            node,
            owner.status(),
            Arc::clone(store),
            Arc::clone(metrics),
        )));
        Ok(Self { intake, owner, beside })
    }

    /// Hands everything over.
    pub async fn stop(self) {
        self.owner.shutdown().await;
        for task in self.beside {
            task.abort();
        }
    }
}

async fn intake(
    settings: &Settings,
    store: &Arc<dyn Store>,
    metrics: &Arc<Metrics>,
    waker: &Arc<OnceLock<Waker>>,
    command: bool,
) -> Result<Arc<Intake>, StartError> {
    let trouble = |path: &std::path::Path, e: StoreError| StartError::Store(format!("spool {}: {e}", path.display()));
    let spool = match &settings.store.spool {
        Some(path) if !command => Some(Spool::open(path).map_err(|e| trouble(path, e))?),
        _ => None,
    };
    let (owns, wakes) = (Arc::clone(waker), Arc::clone(waker));
    let local = Local {
        owns: Arc::new(move |p| owns.get().is_some_and(|w| w.owns(p))),
        handover: Arc::new(move |p| {
            if let Some(w) = wakes.get() {
                w.wake(p);
            }
        }),
    };
    let intake = Intake::new(Arc::clone(store), spool, Arc::clone(metrics), local).await;
    intake.map_err(|e| StartError::Store(e.to_string()))
}

/// Uploads the live bundles' media ahead and keeps their sources stored, at start and every hour: that renews
/// media before their 3 days end, and brings the sources into a store that was emptied.
async fn keep_warm(delivery: Delivery, settings: Arc<Settings>, shelf: Arc<BundleShelf>, store: Arc<dyn Store>) {
    loop {
        for corp in &settings.corps {
            if let Some(bundle) = shelf.live(&corp.corp_id) {
                delivery.warm(corp, &bundle);
            }
        }
        clock::sleep(WARM).await;
        shelf.keep_in(Arc::clone(&store));
    }
}
