//! Wake-ups from other gateways: a subscription on a connection of its own, best effort. The poll is the truth.

use std::sync::OnceLock;
use std::time::Duration;

use futures_util::StreamExt;
use redis::Client;
use tokio::sync::broadcast;
use tokio::task::AbortHandle;

use super::super::Role;
use super::keys;
use crate::clock;

/// Pause before subscribing again; the poll covers what is missed meanwhile.
const PAUSE: Duration = Duration::from_millis(500);

/// The subscription; dropping it ends its task.
pub struct Wakes {
    client: Client,
    role: Role,
    sender: broadcast::Sender<u8>,
    task: OnceLock<AbortHandle>,
}

impl Drop for Wakes {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

impl Wakes {
    /// Listens to nothing yet.
    pub fn new(client: Client, role: Role) -> Self {
        Self {
            client,
            role,
            sender: broadcast::channel(1024).0,
            task: OnceLock::new(),
        }
    }

    /// A receiver of partition indexes. The first one subscribes in the background, and again whenever the
    /// connection is lost: a gateway that owns nothing asks for none, and its own hints do not come back to it,
    /// one message for each event that it accepts. Commands do not listen.
    pub fn subscribe(&self) -> broadcast::Receiver<u8> {
        let receiver = self.sender.subscribe();
        if self.role == Role::Serve {
            self.task.get_or_init(|| {
                let (client, out) = (self.client.clone(), self.sender.clone());
                tokio::spawn(listen(client, out)).abort_handle()
            });
        }
        receiver
    }
}

async fn listen(client: Client, out: broadcast::Sender<u8>) {
    loop {
        if let Err(e) = hear(&client, &out).await {
            tracing::debug!(error = %e, "no wake-ups from other gateways for now");
        }
        clock::sleep(PAUSE).await;
    }
}

async fn hear(client: &Client, out: &broadcast::Sender<u8>) -> redis::RedisResult<()> {
    let mut pubsub = client.get_async_pubsub().await?;
    pubsub.subscribe(keys::WAKE).await?;
    let mut messages = pubsub.on_message();
    while let Some(message) = messages.next().await {
        if let Ok(Ok(p)) = message.get_payload::<String>().map(|text| text.parse()) {
            // Nobody listens: nobody needs the hint.
            let _ = out.send(p);
        }
    }
    Ok(())
}
