//! What stands between WeCom and the gateways, as a proxy would: it brings every callback to one of them, again
//! and again until one says 200, and can bring it several times at once. WeCom gets its 200 only then: whatever
//! the front took is an event that a gateway accepted.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;

/// WeCom hangs up after so long.
const ONE_TRY: Duration = Duration::from_secs(5);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(40);
/// Who is not heard by then is given up, and the test fails.
const GIVE_UP: Duration = Duration::from_secs(60);

/// A small HTTP client.
#[derive(Clone)]
pub struct Http(Client<HttpConnector, Full<Bytes>>);

impl Http {
    pub fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }

    /// Status and body; `None` without an answer in time.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Option<(u16, Bytes)> {
        let exchange = async {
            let answer = self.0.request(request).await.ok()?;
            let status = answer.status().as_u16();
            Some((status, answer.into_body().collect().await.ok()?.to_bytes()))
        };
        tokio::time::timeout(ONE_TRY, exchange).await.ok().flatten()
    }

    pub async fn get(&self, url: &str) -> Option<(u16, Bytes)> {
        self.send(Request::get(url).body(Full::default()).unwrap()).await
    }
}

/// One callback as WeCom posted it.
#[derive(Clone)]
pub struct Callback {
    path: String,
    body: Bytes,
}

struct Shared {
    http: Http,
    backends: Mutex<Vec<u16>>,
    copies: AtomicUsize,
    next: AtomicUsize,
    taken: Mutex<Vec<Callback>>,
}

/// The front. Callbacks go to [`Front::url`].
#[derive(Clone)]
pub struct Front {
    url: String,
    shared: Arc<Shared>,
}

impl Front {
    pub async fn start() -> Self {
        let shared = Arc::new(Shared {
            http: Http::new(),
            backends: Mutex::default(),
            copies: AtomicUsize::new(1),
            next: AtomicUsize::new(0),
            taken: Mutex::default(),
        });
        let router = axum::Router::new().fallback(take).with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/callback/acme/main", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on callbacks go to these ports, one after the other.
    pub fn send_to(&self, ports: &[u16]) {
        *self.shared.backends.lock().unwrap() = ports.to_vec();
    }

    /// From now on each callback is brought so many times at once.
    pub fn copies(&self, n: usize) {
        self.shared.copies.store(n, Ordering::SeqCst);
    }

    /// Everything that was accepted so far.
    pub fn taken(&self) -> Vec<Callback> {
        self.shared.taken.lock().unwrap().clone()
    }

    /// Brings it once more, until a gateway says 200.
    pub async fn again(&self, callback: &Callback) {
        assert!(self.shared.bring(callback).await, "nobody took a repeated callback");
    }
}

impl Shared {
    /// True as soon as somebody said 200.
    async fn bring(&self, callback: &Callback) -> bool {
        let trying = async {
            loop {
                let backends = self.backends.lock().unwrap().clone();
                let n = self.next.fetch_add(1, Ordering::Relaxed);
                if let Some(port) = backends.get(n % backends.len().max(1)) {
                    let url = format!("http://127.0.0.1:{port}{}", callback.path);
                    let request = Request::post(url).body(Full::new(callback.body.clone())).unwrap();
                    if matches!(self.http.send(request).await, Some((200, _))) {
                        return;
                    }
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::time::timeout(GIVE_UP, trying).await.is_ok()
    }
}

async fn take(State(shared): State<Arc<Shared>>, uri: Uri, body: Bytes) -> StatusCode {
    let path = uri.path_and_query().unwrap().to_string();
    let callback = Callback { path, body };
    let copies = shared.copies.load(Ordering::SeqCst);
    let all = (0..copies).map(|_| shared.bring(&callback));
    if !futures_util::future::join_all(all).await.into_iter().all(|taken| taken) {
        return StatusCode::BAD_GATEWAY;
    }
    shared.taken.lock().unwrap().push(callback);
    StatusCode::OK
}
