//! The node file: this node's identity, and the store generation it knew. Locked while a process uses it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::broadcast;
use crate::metrics::Metrics;
use crate::owner::OwnerStatus;
use crate::store::{Store, random_name};

/// The locked node file.
#[derive(Debug)]
pub struct Node {
    file: Option<File>,
    known: Known,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Known {
    node: String,
    #[serde(default)]
    generation: String,
}

/// Why the node file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Another process holds it.
    #[error("{0} is in use by another gateway process; give each process its own server.node")]
    InUse(PathBuf),
    /// It cannot be opened, read or written.
    #[error("{0}: {1}")]
    Io(PathBuf, std::io::Error),
}

impl Node {
    /// Opens (or makes) and locks the file.
    pub fn open(path: &Path) -> Result<Self, NodeError> {
        let io = |e| NodeError::Io(path.to_owned(), e);
        if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
            std::fs::create_dir_all(dir).map_err(io)?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(NodeError::InUse(path.to_owned())),
            Err(TryLockError::Error(e)) => return Err(io(e)),
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(io)?;
        let mut known = serde_json::Deserializer::from_str(&text).into_iter::<Known>();
        let known = known.next().and_then(Result::ok).unwrap_or_default();
        let fresh = known.node.is_empty();
        let known = if fresh {
            Known {
                node: random_name(),
                generation: String::new(),
            }
        } else {
            known
        };
        let mut node = Self {
            file: Some(file),
            known,
        };
        if fresh {
            node.save().map_err(io)?;
        }
        Ok(node)
    }

    /// A node that lives as long as one command.
    pub fn passing() -> Self {
        Self {
            file: None,
            known: Known {
                node: format!("cmd-{}", random_name()),
                generation: String::new(),
            },
        }
    }

    /// Its identity.
    pub fn id(&self) -> &str {
        &self.known.node
    }

    fn save(&mut self) -> std::io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let text = serde_json::to_vec(&self.known)?;
        // Written over the old text in one go, cut afterwards: a kill in between must not leave an empty file,
        // for that would be another node that knows no generation. What may stand behind is not read.
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&text)?;
        file.set_len(text.len() as u64)?;
        file.sync_all()
    }

    /// Did we know another generation than the one that the store tells? Then data were lost.
    fn lost(&self, generation: &str) -> bool {
        !generation.is_empty() && !self.known.generation.is_empty() && self.known.generation != generation
    }

    /// Remembers the generation.
    fn learn(&mut self, generation: &str) {
        if generation.is_empty() || self.known.generation == generation {
            return;
        }
        generation.clone_into(&mut self.known.generation);
        if let Err(e) = self.save() {
            tracing::warn!(error = %e, "the node file could not be written");
        }
    }
}

/// Watches the store's generation: another one than we knew means that data were lost. It is reported, and
/// broadcasts are held until a person resumes them.
pub(super) async fn watch_generation(
    mut node: Node,
    mut status: watch::Receiver<OwnerStatus>,
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
) {
    loop {
        let generation = status.borrow_and_update().generation.clone();
        if node.lost(&generation) {
            metrics.data_loss.inc();
            tracing::error!(
                "the store is not the one this node knew: data were lost. Broadcasts are held; \
                 check what was under way, then run `wecom-gateway broadcast resume --all`"
            );
            while broadcast::hold(&*store).await.is_err() {
                crate::clock::sleep(std::time::Duration::from_secs(1)).await;
            }
        }
        // Only now: a restart before the hold stands must find the loss again.
        node.learn(&generation);
        if status.changed().await.is_err() {
            // The owner has ended; the lock goes with the node.
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_keeps_its_identity_over_restarts_and_only_one_process_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/node");
        let first = Node::open(&path).unwrap();
        let id = first.id().to_owned();
        assert!(matches!(Node::open(&path), Err(NodeError::InUse(_))));
        drop(first);
        assert_eq!(Node::open(&path).unwrap().id(), id);
    }

    #[test]
    fn a_node_file_that_was_not_cut_any_more_is_still_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node");
        std::fs::write(&path, r#"{"node":"n1","generation":"g1"}eneration":"longer"}"#).unwrap();
        let mut node = Node::open(&path).unwrap();
        assert_eq!(node.id(), "n1");
        assert!(node.lost("g2"), "g1 was known");
        node.learn("g2");
        drop(node);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, r#"{"node":"n1","generation":"g2"}"#);
    }

    #[test]
    fn another_generation_than_the_known_one_is_a_loss_and_the_first_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node");
        let mut node = Node::open(&path).unwrap();
        assert!(!node.lost("g1"));
        node.learn("g1");
        assert!(!node.lost(""));
        drop(node);
        let again = Node::open(&path).unwrap();
        assert!(!again.lost("g1"));
        assert!(again.lost("g2"));
    }
}
