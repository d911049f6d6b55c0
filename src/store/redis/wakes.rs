//! Wake-ups from other gateways: a subscription on a connection of its own, best effort. The poll is the truth.

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
    sender: broadcast::Sender<u8>,
    task: Option<AbortHandle>,
}

impl Drop for Wakes {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Wakes {
    /// Subscribes in the background, and again whenever the connection is lost. Commands own nothing and do not
    /// listen.
    pub fn listen(client: Client, role: Role) -> Self {
        let sender = broadcast::channel(1024).0;
        let task = (role == Role::Serve).then(|| {
            let out = sender.clone();
            tokio::spawn(async move {
                loop {
                    if let Err(e) = hear(&client, &out).await {
                        tracing::debug!(error = %e, "no wake-ups from other gateways for now");
                    }
                    clock::sleep(PAUSE).await;
                }
            })
            .abort_handle()
        });
        Self { sender, task }
    }

    /// A receiver of partition indexes.
    pub fn subscribe(&self) -> broadcast::Receiver<u8> {
        self.sender.subscribe()
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
