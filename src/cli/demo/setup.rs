//! The demo's settings: what an operator would write into `config/gateway.toml`, for the simulated corp.

use super::super::scratch::Folder;
use crate::settings::Settings;

/// Settings over a store in the folder and a WeCom at `api_base`.
pub(super) fn settings(folder: &Folder, api_base: &str) -> Result<Settings, String> {
    let path = folder.path();
    let file = path.join("gateway.toml");
    let text = format!(
        r#"
[server]
listen = "127.0.0.1:0"
node = '{node}'
[store]
url = 'sqlite:{db}'
[[corp]]
name = "acme"
display_name = "某某咖啡"
corp_id = "ww0123456789abcdef"
api_base = "{api_base}"
broadcast = {{ rule = "day_1" }}
[[corp.app]]
name = "main"
kind = ["contacts", "kf", "agent"]
agent_id = 1000002
secret = "main-secret"
token = "mainToken"
encoding_aes_key = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
"#,
        node = path.join("node").display(),
        db = path.join("gateway.db").display(),
    );
    std::fs::write(&file, text).map_err(|e| format!("{}: {e}", file.display()))?;
    // The environment is left out: a real corp's variables must not reach the demo.
    Settings::load(&file, std::iter::empty()).map_err(|faults| {
        let lines = faults.iter().map(|f| f.line(crate::model::text::Lang::En));
        lines.collect::<Vec<_>>().join("\n")
    })
}
