//! `wecom-gateway sandbox`: the simulated WeCom alone, so that any client can be tried against it.

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::net::TcpListener;

use super::{Exit, out};
use crate::sandbox::{Sandbox, Setup, control_paths};

/// What the simulated WeCom starts with. Without any of it: the ready-made corp 某某咖啡.
#[derive(Debug, clap::Args)]
pub struct SandboxArgs {
    /// Where it listens; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8070")]
    pub listen: SocketAddr,
    /// A whole corp as JSON: corp_id, apps, members, contacts, relations, kf, limits.
    #[arg(long, value_name = "FILE")]
    pub setup: Option<PathBuf>,
    /// The corp's id.
    #[arg(long)]
    pub corp_id: Option<String>,
    /// The first app's agent id.
    #[arg(long)]
    pub agent_id: Option<i64>,
    /// The first app's secret.
    #[arg(long)]
    pub secret: Option<String>,
    /// Where the first app's callbacks go.
    #[arg(long, value_name = "URL")]
    pub callback_url: Option<String>,
    /// The first app's callback token.
    #[arg(long)]
    pub token: Option<String>,
    /// The first app's EncodingAESKey.
    #[arg(long)]
    pub encoding_aes_key: Option<String>,
    /// Milliseconds between the tries of a callback.
    #[arg(long, value_name = "MS")]
    pub callback_retry_ms: Option<u64>,
}

/// Runs until it is interrupted. Exit codes: 0 stopped, 1 cannot listen, 2 the setup is unusable.
pub async fn run(args: &SandboxArgs) -> Exit {
    let setup = match setup(args) {
        Ok(setup) => setup,
        Err(why) => return failed(Exit::Usage, &why),
    };
    let listener = match TcpListener::bind(args.listen).await {
        Ok(listener) => listener,
        Err(why) => return failed(Exit::Failed, &format!("cannot listen on {}: {why}", args.listen)),
    };
    let greeting = greeting(&setup);
    let handle = match Sandbox::start(setup, listener) {
        Ok(handle) => handle,
        Err(why) => return failed(Exit::Usage, &why.to_string()),
    };
    out::line(&format!(
        "sandbox: {}  (api_base of the gateway)\n{greeting}\n",
        handle.base_url()
    ));
    for line in control_paths() {
        out::line(&format!("  {line}"));
    }
    super::serve::stop_signal().await;
    Exit::Done
}

fn failed(exit: Exit, why: &str) -> Exit {
    out::error(&format!("sandbox: {why}"));
    exit
}

fn setup(args: &SandboxArgs) -> Result<Setup, String> {
    let mut setup = match &args.setup {
        None => Setup::coffee(),
        Some(path) => {
            let text = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
            serde_json::from_slice(&text).map_err(|e| format!("{}: {e}", path.display()))?
        }
    };
    let take = |place: &mut String, value: &Option<String>| {
        if let Some(value) = value {
            place.clone_from(value);
        }
    };
    take(&mut setup.corp_id, &args.corp_id);
    if let Some(app) = setup.apps.first_mut() {
        take(&mut app.secret, &args.secret);
        take(&mut app.token, &args.token);
        take(&mut app.encoding_aes_key, &args.encoding_aes_key);
        app.agent_id = args.agent_id.unwrap_or(app.agent_id);
        app.callback_url = args.callback_url.clone().or(app.callback_url.take());
    }
    if let Some(ms) = args.callback_retry_ms {
        setup.limits.callback_retry_ms = ms;
    }
    Ok(setup)
}

/// Corp and apps with their credentials: they are simulated, so nothing is given away.
fn greeting(setup: &Setup) -> String {
    let mut lines = vec![format!("corp_id {}", setup.corp_id)];
    for app in &setup.apps {
        let url = app.callback_url.as_deref().unwrap_or("none");
        lines.push(format!(
            "app {} agent_id {} secret {} token {} encoding_aes_key {} callback_url {url}",
            app.name, app.agent_id, app.secret, app.token, app.encoding_aes_key
        ));
    }
    lines.push(format!(
        "members {}",
        setup.members.keys().cloned().collect::<Vec<_>>().join(" ")
    ));
    lines.push(format!(
        "contacts {}",
        setup.contacts.keys().cloned().collect::<Vec<_>>().join(" ")
    ));
    lines.push(format!("kf {}", setup.kf.keys().cloned().collect::<Vec<_>>().join(" ")));
    lines.join("\n")
}
