//! `serve`: runs the gateway until it is told to stop.

use super::{Context, Exit, out};
use crate::app::{App, StartError};
use crate::model::text::{Lang, Text};

/// Runs the gateway. Usage when settings or content are wrong, failed when it cannot start.
pub async fn run(context: &Context) -> Exit {
    let settings = match context.settings() {
        Ok(settings) => settings,
        Err(exit) => return exit,
    };
    let app = match App::start(settings, None).await {
        Ok(app) => app,
        Err(error) => return start_failed(&error, context.lang),
    };
    stop_signal().await;
    tracing::info!("stopping");
    app.stop().await;
    Exit::Done
}

/// Says why a gateway did not start.
pub(super) fn start_failed(error: &StartError, lang: Lang) -> Exit {
    let text = match error {
        StartError::Content(findings) => {
            out::complain(findings, lang);
            return Exit::Usage;
        }
        StartError::Listen(at, e) => Text::new(
            format!("无法监听 {at}：{e}。请换一个 server.listen，或停掉占用它的程序"),
            format!("cannot listen on {at}: {e}. Choose another server.listen, or stop what uses it"),
        ),
        StartError::Node(e) => Text::new(format!("节点文件：{e}"), format!("node file: {e}")),
        StartError::Store(why) => Text::new(format!("存储：{why}"), format!("store: {why}")),
    };
    out::error(text.say(lang));
    Exit::Failed
}

/// Ctrl-C or SIGTERM.
pub(super) async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut term) => {
            tokio::select! {
                _ = interrupt => {}
                _ = term.recv() => {}
            }
        }
        // Without a handler only the terminal can stop it.
        Err(_) => {
            let _ = interrupt.await;
        }
    }
}
