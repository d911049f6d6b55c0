//! `demo`: the whole gateway with a simulated WeCom in one process. No account, no Redis, no file.

mod narrate;
mod scene;
mod setup;

use std::collections::HashMap;
use std::sync::Arc;

use clap::Args;
use tokio::net::TcpListener;

use super::scratch::Folder;
use super::{Context, Exit, out, serve};
use crate::app::{self, App, BundleShelf};
use crate::content::Bundle;
use crate::model::BundleHash;
use crate::model::text::{Lang, Text};
use crate::sandbox::{Handle, Sandbox};
use scene::Stage;

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// 演完就退出 · Play the scene and exit
    #[arg(long)]
    pub once: bool,
}

/// Plays the scene, then stays up until it is interrupted.
pub async fn run(args: &DemoArgs, context: &Context) -> Exit {
    let lang = context.lang;
    let folder = match Folder::new() {
        Ok(folder) => folder,
        Err(why) => return failed(&why),
    };
    let (sandbox, app, hash) = match start(&folder, lang).await {
        Ok(started) => started,
        Err(exit) => return exit,
    };
    let stage = Stage::new(sandbox.sandbox(), Arc::clone(&app.store), hash, lang);
    let played = stage.play().await;
    if !args.once && played.is_ok() {
        stay(&app, &sandbox, lang).await;
    }
    app.stop().await;
    match played {
        Ok(()) => Exit::Done,
        Err(what) => {
            let text = Text::new(
                format!("演示没有走完：{what}"),
                format!("the demo did not come through: {what}"),
            );
            out::error(text.say(lang));
            Exit::Failed
        }
    }
}

fn failed(why: &str) -> Exit {
    out::error(&format!("demo: {why}"));
    Exit::Failed
}

async fn start(folder: &Folder, lang: Lang) -> Result<(Handle, App, BundleHash), Exit> {
    let failed = |why: String| failed(&why);
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .map_err(|e| failed(e.to_string()))?;
    let sandbox = Sandbox::start(Sandbox::coffee(), listener).map_err(|e| failed(e.to_string()))?;
    let settings = Arc::new(setup::settings(folder, &sandbox.base_url()).map_err(failed)?);
    let metrics = app::new_metrics().map_err(|e| serve::start_failed(&e, lang))?;
    let corp = settings.corps.first().ok_or_else(|| failed("no corp".to_owned()))?;
    let (bundle, _) = Bundle::demo(corp).map_err(|findings| {
        out::complain(&findings, lang);
        Exit::Failed
    })?;
    let hash = bundle.hash.clone();
    let live = HashMap::from([(corp.corp_id.clone(), Arc::new(bundle))]);
    let shelf = BundleShelf::of(&settings, live);
    let app = App::start_with(Arc::clone(&settings), shelf, metrics, None).await;
    let app = app.map_err(|e| serve::start_failed(&e, lang))?;
    let url = format!("http://{}/callback/acme/main", app.addr);
    let sandboxed = sandbox.sandbox();
    sandboxed.set_callback("main", &url).map_err(failed)?;
    sandboxed.verify_callback("main").await.map_err(failed)?;
    Ok((sandbox, app, hash))
}

async fn stay(app: &App, sandbox: &Handle, lang: Lang) {
    let base = sandbox.base_url();
    let (gateway, act) = (app.addr, format!("{base}/sandbox/act"));
    let text = Text::new(
        format!(
            "\n网关和模拟的企业微信继续运行（Ctrl-C 结束）。您可以扮演客户：\n  \
             curl {act} -d '{{\"do\":\"scan\",\"member\":\"lisi\",\"contact\":\"wmXiaoLi\",\"state\":\"store-001\"}}'\n  \
             curl {act} -d '{{\"do\":\"kf_write\",\"contact\":\"wmXiaoLi\",\"text\":\"门店在哪？\"}}'\n  \
             curl {base}/sandbox/messages          看每个人收到了什么\n  \
             curl http://{gateway}/metrics         网关的指标\n  \
             curl http://{gateway}/readyz"
        ),
        format!(
            "\nThe gateway and the simulated WeCom stay up (Ctrl-C ends them). Play the customer:\n  \
             curl {act} -d '{{\"do\":\"scan\",\"member\":\"lisi\",\"contact\":\"wmXiaoLi\",\"state\":\"store-001\"}}'\n  \
             curl {act} -d '{{\"do\":\"kf_write\",\"contact\":\"wmXiaoLi\",\"text\":\"门店在哪？\"}}'\n  \
             curl {base}/sandbox/messages          what each person saw\n  \
             curl http://{gateway}/metrics         the gateway's metrics\n  \
             curl http://{gateway}/readyz"
        ),
    );
    out::line(text.say(lang));
    serve::stop_signal().await;
}
