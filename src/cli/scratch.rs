//! A temporary folder of one run.

use std::path::{Path, PathBuf};

/// A folder of its own, removed at the end.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes it; the error names the path.
    pub fn new() -> Result<Self, String> {
        let name = format!("wecom-gateway-{}", crate::store::random_name());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing in it outlives the run; a folder that cannot be removed harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
