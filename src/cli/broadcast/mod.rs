//! `broadcast send` and `broadcast resume`.
//!
//! `send` stores the list, appends one order to the broadcast's journal, and follows it. The gateway that owns
//! the partition does the work; where none lives, this command runs the same loop for that one partition. It
//! may be killed at any moment: the same `--id` again goes on where it stood.

mod list;
mod report;

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{Context, Exit, out, serve};
use crate::app::{self, BundleShelf, Node, Parts};
use crate::broadcast::{self as room, PreparedList};
use crate::clock;
use crate::content::Place;
use crate::intake::{Intake, Local};
use crate::metrics::Metrics;
use crate::model::diagnostic::Severity;
use crate::model::doc::BroadcastState;
use crate::model::job::Part;
use crate::model::text::{Lang, Text};
use crate::model::{Conversation, Doc, EntryBody};
use crate::settings::{AppKind, Corp, Settings};
use crate::store::{Quarantined, Role, Store, StoreResult};
use crate::wecom::id::UserId;

pub(super) use report::Report;
use report::Stop;

/// A gateway that lives shows itself within this (DESIGN, `broadcast send`).
const LIVE_WITHIN: Duration = Duration::from_secs(5);
/// Chunks of one broadcast: their jobs and sizes go into one commit.
const CHUNKS: usize = 100;
const LOOK: Duration = Duration::from_millis(200);

/// `broadcast …`
#[derive(Debug, Subcommand)]
pub enum BroadcastCommand {
    /// 向名单上的客户群发（成员确认后送达） · Send to the customers on a list (members confirm)
    Send(SendArgs),
    /// 数据丢失报告之后，允许群发继续 · Let broadcasts go on after a reported data loss
    Resume(ResumeArgs),
}

/// Arguments of `broadcast send`.
#[derive(Debug, Args)]
pub struct SendArgs {
    /// 模板名 · Template name
    #[arg(long)]
    pub template: String,
    /// 名单文件：每行一个 external_userid，或带表头的 CSV · List: one id a line, or CSV with a header
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
    /// 由哪位成员发送 · Through which member
    #[arg(long, value_name = "USERID")]
    pub sender: Option<String>,
    /// 群发编号；同一编号再次运行会继续而不会重发 · Id; the same id again resumes and never repeats
    #[arg(long)]
    pub id: Option<String>,
    /// 哪个企业（有多个时必填） · Which corp (needed where there are several)
    #[arg(long)]
    pub corp: Option<String>,
    /// 不再询问 · Do not ask
    #[arg(long)]
    pub yes: bool,
    /// 以 JSON 输出 · Report as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `broadcast resume`.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// 群发编号 · Broadcast id
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub id: Option<String>,
    /// 全部 · All of them
    #[arg(long)]
    pub all: bool,
}

/// Runs `broadcast …`.
pub async fn run(command: &BroadcastCommand, context: &Context) -> Exit {
    let settings = match context.settings() {
        Ok(settings) => Arc::new(settings),
        Err(exit) => return exit,
    };
    let lang = context.lang;
    let done = match command {
        BroadcastCommand::Send(args) => send(args, &settings, lang).await,
        BroadcastCommand::Resume(args) => resume(args, &settings).await,
    };
    done.unwrap_or_else(|stop| stop.tell(lang))
}

async fn resume(args: &ResumeArgs, settings: &Settings) -> Result<Exit, Stop> {
    let store = app::open(settings, Role::Command).await?;
    room::resume(&*store, args.id.as_deref()).await?;
    Ok(Exit::Done)
}

/// What is to be sent, all of it checked.
struct Order {
    corp: Corp,
    list: PreparedList,
    shelf: BundleShelf,
    metrics: Arc<Metrics>,
}

async fn send(args: &SendArgs, settings: &Arc<Settings>, lang: Lang) -> Result<Exit, Stop> {
    let order = prepare(args, settings, lang)?;
    let id = order.list.order.id.clone();
    // The id comes first, whatever happens next; with --json stdout is for the one object.
    let first = Text::new(format!("群发编号 {id}"), format!("broadcast {id}"));
    if args.json {
        out::error(first.say(lang))
    } else {
        out::line(first.say(lang))
    }
    let store = app::open(settings, Role::Command).await?;
    let conversation = Conversation::Broadcast(order.corp.corp_id.clone(), id.clone());
    if state(&*store, &conversation).await?.is_none() {
        confirm(args, &order, lang)?;
    }
    order.shelf.put_live(&*store, &order.corp.corp_id).await;
    let app = order
        .corp
        .app_for("", AppKind::Contacts)
        .map(|a| a.name.clone())
        .ok_or_else(no_app)?;
    let intake = Intake::new(Arc::clone(&store), None, Arc::clone(&order.metrics), Local::nobody()).await?;
    room::store_order(&*store, &intake, &order.corp.corp_id, &app, &order.list).await?;
    let report = follow(store, settings, order, &conversation, args.json, lang).await?;
    report.print(args.json, lang);
    Ok(report.exit())
}

fn no_app() -> Stop {
    Stop::Usage(Text::new(
        "这个企业没有 kind 含 contacts 且有 secret 的应用，无法群发。请在 [[corp.app]] 中配置",
        "this corp has no app of kind contacts with a secret. Configure one in [[corp.app]]",
    ))
}

fn prepare(args: &SendArgs, settings: &Arc<Settings>, lang: Lang) -> Result<Order, Stop> {
    let corp = choose(settings, args.corp.as_deref())?.clone();
    let metrics = app::new_metrics()?;
    let shelf = BundleShelf::load(settings, &metrics)?;
    let bundle = shelf.live(&corp.corp_id).ok_or_else(no_app)?;
    let findings = bundle.check_use(&args.template, Place::Broadcast, "broadcast send");
    if findings.iter().any(|f| f.severity == Severity::Error) {
        return Err(Stop::Start(app::StartError::Content(findings)));
    }
    let none = std::collections::BTreeMap::new();
    let trial = bundle.render(&args.template, Part::Whole, Place::Broadcast, &none, clock::wall());
    if trial.is_none_or(|t| t.text.is_none() && t.attachments.is_empty()) {
        return Err(Stop::Usage(Text::new(
            format!("模板 {} 没有可以群发的内容", args.template),
            format!("template {} has nothing to send", args.template),
        )));
    }
    let bytes = std::fs::read(&args.to).map_err(|e| {
        let path = args.to.display();
        Stop::Usage(Text::new(
            format!("无法读取名单 {path}：{e}"),
            format!("cannot read the list {path}: {e}"),
        ))
    })?;
    let read = list::read(&bytes).map_err(|why| {
        let path = args.to.display();
        Stop::Usage(Text::new(format!("{path}：{}", why.zh), format!("{path}: {}", why.en)))
    })?;
    if !read.duplicates.is_empty() && !args.json {
        let (n, (line, who)) = (read.duplicates.len(), &read.duplicates[0]);
        let text = Text::new(
            format!("名单中有 {n} 个重复（第一个在第 {line} 行：{who}），每人只发一次"),
            format!("the list names {n} people again (first in line {line}: {who}); each gets it once"),
        );
        out::line(text.say(lang));
    }
    let sender = match args.sender.as_deref().map(UserId::parse) {
        None => None,
        Some(Ok(sender)) => Some(sender),
        Some(Err(e)) => {
            return Err(Stop::Usage(Text::new(format!("--sender {e}"), format!("--sender {e}"))));
        }
    };
    let id = match &args.id {
        None => new_id(),
        Some(id) if id_ok(id) => id.clone(),
        Some(_) => {
            return Err(Stop::Usage(Text::new(
                "--id 只能用字母、数字、- 和 _，最长 64 个",
                "--id takes letters, digits, - and _, at most 64",
            )));
        }
    };
    let list = PreparedList::new(&id, &args.template, bundle.hash.clone(), sender, &read.recipients);
    let list = list.filter(|l| l.order.chunks.len() <= CHUNKS).ok_or_else(|| {
        Stop::Usage(Text::new(
            "名单太大：最多 100 批（每批 10000 人、一位发送成员），请分成几次发送",
            "the list needs more than 100 chunks (10,000 people of one sender each): split it",
        ))
    })?;
    Ok(Order {
        corp,
        list,
        shelf,
        metrics,
    })
}

fn new_id() -> String {
    let day = clock::wall().shanghai_date().to_string().replace('-', "");
    format!("{day}-{}", crate::store::random_name().get(..8).unwrap_or("0"))
}

fn id_ok(id: &str) -> bool {
    !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn choose<'a>(settings: &'a Settings, name: Option<&str>) -> Result<&'a Corp, Stop> {
    let names = || {
        settings
            .corps
            .iter()
            .map(|c| c.name.to_string())
            .collect::<Vec<_>>()
            .join(", ")
    };
    match (name, settings.corps.as_slice()) {
        (Some(name), _) => settings.corp(name).ok_or_else(|| {
            Stop::Usage(Text::new(
                format!("没有名为 {name} 的企业。已有：{}", names()),
                format!("no corp named {name}. There are: {}", names()),
            ))
        }),
        (None, [corp]) => Ok(corp),
        (None, _) => Err(Stop::Usage(Text::new(
            format!("有多个企业，请用 --corp 指明。已有：{}", names()),
            format!("there are several corps: say which by --corp. There are: {}", names()),
        ))),
    }
}

/// Anything that writes to many people asks.
fn confirm(args: &SendArgs, order: &Order, lang: Lang) -> Result<(), Stop> {
    if args.yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Stop::Usage(Text::new(
            "没有终端可以询问。确认要群发，请加 --yes",
            "there is no terminal to ask on. Add --yes if you mean it",
        )));
    }
    let (n, template) = (order.list.order.count, &args.template);
    let question = Text::new(
        format!("将用模板 {template} 向 {n} 位客户创建群发任务，继续吗？[y/N] "),
        format!("This creates a broadcast of template {template} to {n} customers. Go on? [y/N] "),
    );
    out::ask(question.say(lang));
    let _ = std::io::stdout().flush();
    let mut answer = String::new();
    let _ = std::io::stdin().read_line(&mut answer);
    if matches!(answer.trim(), "y" | "Y" | "yes" | "是") {
        return Ok(());
    }
    Err(Stop::Failed(Text::new("没有发送", "nothing was sent")))
}

async fn state(store: &dyn Store, conversation: &Conversation) -> StoreResult<Option<BroadcastState>> {
    let bytes = store
        .docs(conversation.partition(), &[conversation.key()])
        .await?
        .pop()
        .flatten();
    Ok(bytes.and_then(|b| Doc::decode(&b).ok()).and_then(|d| d.broadcast))
}

/// Follows the broadcast to its end; runs the loop itself where no gateway lives.
async fn follow(
    store: Arc<dyn Store>,
    settings: &Arc<Settings>,
    order: Order,
    conversation: &Conversation,
    quiet: bool,
    lang: Lang,
) -> Result<Report, Stop> {
    let mut store = store;
    let mut own: Option<Parts> = None;
    let (mut shelf, mut told) = (Some(order.shelf), String::new());
    let began = clock::monotonic();
    let wanted = order.list.order;
    loop {
        let now = state(&*store, conversation).await.unwrap_or_default();
        if let Some(s) = &now {
            if s.order.hash != wanted.hash {
                return Err(Stop::Usage(Text::new(
                    format!("编号 {} 已经用于另一个模板或名单。请换一个 --id", wanted.id),
                    format!(
                        "id {} belongs to another template or list. Choose another --id",
                        wanted.id
                    ),
                )));
            }
            if s.ended as usize >= s.order.chunks.len() {
                let report = Report::collect(&*store, &order.corp.corp_id, &s.order).await?;
                if let Some(own) = own {
                    own.stop().await;
                }
                return Ok(report);
            }
        }
        if now.is_none()
            && let Some(why) = set_aside(&*store, conversation).await
        {
            return Err(Stop::Failed(Text::new(
                format!("网关无法处理这次群发（{why}），没有发送。改正后请换一个 --id"),
                format!(
                    "the gateway could not take this broadcast ({why}); nothing was sent. Mend it, use another --id"
                ),
            )));
        }
        let waited = clock::monotonic().saturating_duration_since(began);
        let nobody = waited >= LIVE_WITHIN && own.is_none() && !lives(&*store).await;
        if nobody && let Some(shelf) = shelf.take() {
            (store, own) = run_here(store, settings, shelf, &order.metrics, conversation).await?;
        }
        if !quiet && waited > Duration::from_secs(3) {
            let line = report::waiting(&*store, &order.corp, &wanted.id, now.as_ref()).await;
            let line = line.say(lang);
            if line != told {
                out::line(line);
                line.clone_into(&mut told);
            }
        }
        clock::sleep(LOOK).await;
    }
}

/// Why the order lies in quarantine, if it does.
async fn set_aside(store: &dyn Store, conversation: &Conversation) -> Option<String> {
    let all = store.quarantined(conversation.partition(), 200).await.ok()?;
    let of_this = |q: &&Quarantined| EntryBody::decode(&q.blob).is_ok_and(|e| &e.conversation == conversation);
    all.iter().find(of_this).map(|q| q.reason.clone())
}

async fn lives(store: &dyn Store) -> bool {
    store
        .announce("look", false)
        .await
        .is_ok_and(|live| !live.owners.is_empty())
}

/// The gateway's own loop, for one partition.
async fn run_here(
    store: Arc<dyn Store>,
    settings: &Arc<Settings>,
    shelf: BundleShelf,
    metrics: &Arc<Metrics>,
    conversation: &Conversation,
) -> Result<(Arc<dyn Store>, Option<Parts>), Stop> {
    drop(store);
    let store = app::open(settings, Role::Serve).await?;
    let only = Some(conversation.partition());
    let parts = Parts::start(settings, &store, metrics, shelf, Node::passing(), 1, only).await?;
    Ok((store, Some(parts)))
}

impl From<app::StartError> for Stop {
    fn from(e: app::StartError) -> Self {
        Self::Start(e)
    }
}

impl Stop {
    fn tell(self, lang: Lang) -> Exit {
        match self {
            Self::Usage(text) => {
                out::error(text.say(lang));
                Exit::Usage
            }
            Self::Failed(text) => {
                out::error(text.say(lang));
                Exit::Failed
            }
            Self::Start(e) => serve::start_failed(&e, lang),
        }
    }
}
