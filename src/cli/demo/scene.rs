//! The scene: a customer scans a poster, gets welcomed and tagged, asks in 微信客服, and a broadcast goes out
//! once and not twice.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::broadcast::Report;
use super::super::out;
use crate::broadcast::{self as room, PreparedList, Recipient};
use crate::clock;
use crate::intake::{Intake, Local};
use crate::model::text::{Lang, Text};
use crate::model::{AppName, BundleHash, Conversation, Doc};
use crate::sandbox::{Act, Sandbox, Seen};
use crate::store::Store;
use crate::wecom::id::{CorpId, ExternalUserId};

const CORP: &str = "ww0123456789abcdef";
/// Longer than anything in the scene takes; a demo that hangs must end.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(5);

/// Who plays before whom.
pub(super) struct Stage {
    wecom: Sandbox,
    store: Arc<dyn Store>,
    lang: Lang,
    began: Instant,
}

impl Stage {
    pub fn new(wecom: Sandbox, store: Arc<dyn Store>, lang: Lang) -> Self {
        Self {
            wecom,
            store,
            lang,
            began: clock::monotonic(),
        }
    }

    /// Plays it all. The error says what did not come.
    pub async fn play(&self) -> Result<(), String> {
        self.title("一、扫码、欢迎、标签", "1. Scan, welcome, tags");
        self.welcome().await?;
        self.title("二、微信客服", "2. WeChat customer service");
        self.ask().await?;
        self.title("三、成员打开应用", "3. A member opens the app");
        let seen = self.wecom.messages_to("zhangsan").len();
        self.says("张三", "（打开应用）", "(opens the app)");
        let began = self
            .act(Act::MemberEnterAgent {
                app: None,
                member: "zhangsan".into(),
            })
            .await?;
        self.answers("zhangsan", seen, 1, began).await?;
        self.title(
            "四、群发：第二次因次数用完而不发",
            "4. A broadcast: the second run is refused by quota",
        );
        self.broadcast("demo-1").await?;
        self.broadcast("demo-2").await
    }

    async fn welcome(&self) -> Result<(), String> {
        self.says(
            "小王",
            "（扫描上海海报上的二维码，添加张三）",
            "(scans the code on the Shanghai poster, adds 张三)",
        );
        let began = self
            .act(Act::Scan {
                member: "zhangsan".into(),
                contact: "wmXiaoWang".into(),
                state: Some("sh-poster".into()),
                half: false,
                name: None,
            })
            .await?;
        self.answers("wmXiaoWang", 0, 1, began).await?;
        let tags = self.until("tags", || {
            Some(self.wecom.tags_of("zhangsan", "wmXiaoWang")).filter(|t| !t.is_empty())
        });
        let tags = tags.await?.join("、");
        self.notes(
            &format!("张三给小王打上标签：{tags}"),
            &format!("tags of 小王 with 张三: {tags}"),
        );
        Ok(())
    }

    async fn ask(&self) -> Result<(), String> {
        let who = "wmLaoChen";
        self.says("老陈", "（进入客服会话）", "(enters the chat)");
        let entered = Act::KfEnter {
            account: None,
            contact: who.into(),
            scene: "web".into(),
            scene_param: String::new(),
        };
        let began = self.act(entered).await?;
        self.answers(who, 0, 1, began).await?;
        for (text, answers) in [("拿铁多少钱？", 2), ("你们的门店在哪", 1)] {
            let seen = self.wecom.messages_to(who).len();
            self.says("老陈", text, text);
            let wrote = Act::KfWrite {
                account: None,
                contact: who.into(),
                text: Some(text.into()),
                menu_id: None,
                content: None,
            };
            let began = self.act(wrote).await?;
            self.answers(who, seen, answers, began).await?;
        }
        Ok(())
    }

    async fn broadcast(&self, id: &str) -> Result<(), String> {
        let corp = CorpId::parse(CORP).map_err(|e| e.to_string())?;
        let people = ["wmLaoChen", "wmLaoZhou"].map(|p| {
            ExternalUserId::parse(p)
                .map(|contact| Recipient { contact, sender: None })
                .map_err(|e| e.to_string())
        });
        let people = people.into_iter().collect::<Result<Vec<_>, _>>()?;
        let bundle = self.bundle().await?;
        self.says(
            "运营",
            "broadcast send --template coupon --to 老客户.csv",
            "broadcast send --template coupon --to regulars.csv",
        );
        let list = PreparedList::new(id, "coupon", bundle, None, &people).ok_or("empty list")?;
        let metrics = crate::app::new_metrics().map_err(|e| e.to_string())?;
        let intake = Intake::new(Arc::clone(&self.store), None, metrics, Local::nobody()).await;
        let intake = intake.map_err(|e| e.to_string())?;
        let app = AppName::new("main");
        room::store_order(&*self.store, &intake, &corp, &app, &list)
            .await
            .map_err(|e| e.to_string())?;
        let conversation = Conversation::Broadcast(corp.clone(), id.into());
        let patience = clock::monotonic() + PATIENCE;
        loop {
            let doc = self.store.docs(conversation.partition(), &[conversation.key()]).await;
            let doc = doc
                .ok()
                .and_then(|d| d.into_iter().next().flatten())
                .and_then(|b| Doc::decode(&b).ok());
            if let Some(state) = doc
                .and_then(|d| d.broadcast)
                .filter(|b| b.ended as usize >= b.order.chunks.len())
            {
                let report = Report::collect(&*self.store, &corp, &state.order).await;
                report.map_err(|_| "no report")?.print(false, self.lang);
                break;
            }
            if clock::monotonic() > patience {
                return Err(format!("broadcast {id}"));
            }
            clock::sleep(LOOK).await;
        }
        for msgid in self.wecom.broadcasts() {
            // Members confirm on their phones; only then do customers see it. A second confirmation is no news.
            let _ = self.wecom.act(Act::ConfirmBroadcast { msgid, member: None }).await;
        }
        Ok(())
    }

    /// The bundle's hash, as the gateway stored it: the demo has one corp and one bundle.
    async fn bundle(&self) -> Result<BundleHash, String> {
        let settings = super::setup::Folder::new();
        let settings = super::setup::settings(&settings, "http://127.0.0.1").map_err(|e| e.clone())?;
        let corp = settings.corps.first().ok_or("no corp")?;
        let (bundle, _) = crate::content::Bundle::demo(corp).map_err(|_| "content")?;
        Ok(bundle.hash)
    }

    async fn act(&self, act: Act) -> Result<i64, String> {
        let began = self.wecom.now_ms();
        let acted = self.wecom.act(act).await?;
        if let Some(refused) = acted.callbacks.iter().find(|c| !c.delivered()) {
            return Err(format!("a callback was not accepted: {refused:?}"));
        }
        Ok(began)
    }

    /// Prints the answers that a person sees, from the `seen`-th on, with what each took.
    async fn answers(&self, person: &str, seen: usize, count: usize, began: i64) -> Result<(), String> {
        let all = self.until(person, || {
            Some(self.wecom.messages_to(person)).filter(|m| m.len() >= seen + count)
        });
        for message in all.await?.iter().skip(seen) {
            self.seen(message, message.at_ms - began);
        }
        Ok(())
    }

    async fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T, String> {
        let patience = clock::monotonic() + PATIENCE;
        loop {
            if let Some(found) = look() {
                return Ok(found);
            }
            if clock::monotonic() > patience {
                return Err(what.to_owned());
            }
            clock::sleep(LOOK).await;
        }
    }

    fn title(&self, zh: &str, en: &str) {
        out::line(&format!("\n\x1b[1m{}\x1b[0m", Text::new(zh, en).say(self.lang)));
    }

    fn says(&self, who: &str, zh: &str, en: &str) {
        out::line(&format!(
            "{:>7} ms  {who} ▸ {}",
            self.elapsed(),
            Text::new(zh, en).say(self.lang)
        ));
    }

    fn notes(&self, zh: &str, en: &str) {
        out::line(&format!(
            "{:>7} ms  ✓ {}",
            self.elapsed(),
            Text::new(zh, en).say(self.lang)
        ));
    }

    fn seen(&self, message: &Seen, took_ms: i64) {
        let kind = message
            .content
            .get("msgtype")
            .and_then(|t| t.as_str())
            .unwrap_or("text");
        let what = match (message.text.is_empty(), kind) {
            (false, _) => message.text.clone(),
            (true, "msgmenu") => menu(&message.content),
            (true, kind) => format!("[{kind}]"),
        };
        let after = Text::new(format!("{took_ms} 毫秒后"), format!("after {took_ms} ms"));
        out::line(&format!(
            "{:>7} ms  {} ◂ ({})",
            self.elapsed(),
            message.to,
            after.say(self.lang)
        ));
        for line in what.lines() {
            out::line(&format!("            │ {line}"));
        }
        let attachments = message.content.get("attachments").and_then(|a| a.as_array());
        for a in attachments.into_iter().flatten() {
            let kind = a.get("msgtype").and_then(|t| t.as_str()).unwrap_or("");
            let title = a
                .get(kind)
                .and_then(|l| l.get("title"))
                .and_then(|t| t.as_str())
                .unwrap_or("");
            out::line(&format!("            │ [{kind}] {title}"));
        }
    }

    fn elapsed(&self) -> u128 {
        clock::monotonic().saturating_duration_since(self.began).as_millis()
    }
}

fn menu(content: &serde_json::Value) -> String {
    let Some(menu) = content.get("msgmenu") else {
        return String::new();
    };
    let text = |v: Option<&serde_json::Value>| v.and_then(|v| v.as_str()).unwrap_or("").to_owned();
    let mut lines = vec![text(menu.get("head_content"))];
    for item in menu.get("list").and_then(|l| l.as_array()).into_iter().flatten() {
        let kind = text(item.get("type"));
        lines.push(format!(
            "  • {}",
            text(item.get(kind.as_str()).and_then(|i| i.get("content")))
        ));
    }
    lines.push(text(menu.get("tail_content")));
    lines.join("\n")
}
