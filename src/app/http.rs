//! `/healthz`, `/readyz`, `/metrics`, and the server around all routes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::intake::Intake;
use crate::metrics::Metrics;
use crate::owner::OwnerStatus;
use crate::store::Store;

/// A look at the store for the detail takes no longer.
const PROBE: Duration = Duration::from_secs(1);

/// What `/readyz` asks.
pub(super) struct Readiness {
    intake: Arc<Intake>,
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
    owner: watch::Receiver<OwnerStatus>,
    withdrawn: AtomicBool,
}

impl Readiness {
    pub fn new(
        intake: Arc<Intake>,
        store: Arc<dyn Store>,
        metrics: Arc<Metrics>,
        owner: watch::Receiver<OwnerStatus>,
    ) -> Self {
        Self {
            intake,
            store,
            metrics,
            owner,
            withdrawn: AtomicBool::new(false),
        }
    }

    /// The gateway is stopping.
    pub fn withdraw(&self) {
        self.withdrawn.store(true, Ordering::Release);
    }

    /// Ready means: can accept durably. The intake finds out by a real write, to the store or to the spool.
    async fn look(&self) -> (bool, serde_json::Value) {
        let stopping = self.withdrawn.load(Ordering::Acquire);
        let accepts = self.intake.can_accept().await;
        let held_back = match tokio::time::timeout(PROBE, crate::broadcast::is_held(&*self.store, "")).await {
            Ok(Ok(held)) => held,
            Ok(Err(_)) | Err(_) => false,
        };
        let status = self.owner.borrow().clone();
        let ready = !stopping && accepts;
        let detail = serde_json::json!({
            "ready": ready,
            "stopping": stopping,
            "spooling": self.intake.spooling(),
            "spool_events": self.metrics.spool_depth.get(),
            "spool_oldest_seconds": self.metrics.spool_oldest.get(),
            "owned_partitions": status.held,
            "generation": status.generation,
            "broadcasts_held_after_data_loss": held_back,
        });
        (ready, detail)
    }
}

/// The three routes.
pub(super) fn router(ready: Arc<Readiness>, metrics: Arc<Metrics>) -> Router {
    let health = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(readyz))
        .with_state(ready);
    let numbers = Router::new().route("/metrics", get(render)).with_state(metrics);
    health.merge(numbers)
}

async fn readyz(State(ready): State<Arc<Readiness>>) -> impl IntoResponse {
    let (ok, detail) = ready.look().await;
    let status = if ok {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(detail))
}

async fn render(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        metrics.render(),
    )
}

/// Serves until `closed`; requests under way are finished.
pub(super) async fn serve(listener: TcpListener, router: Router, mut closed: watch::Receiver<bool>) {
    let shutdown = async move {
        let _ = closed.wait_for(|c| *c).await;
    };
    if let Err(e) = axum::serve(listener, router).with_graceful_shutdown(shutdown).await {
        tracing::error!(error = %e, "the listener failed");
    }
}
