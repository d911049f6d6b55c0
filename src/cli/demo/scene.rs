//! The scene: a customer scans a poster, gets welcomed and tagged, asks in 微信客服, and a broadcast goes out
//! once and not twice.

use std::sync::Arc;
use std::time::Duration;

use super::super::broadcast::Report;
use super::narrate::Narrator;
use crate::broadcast::{self as room, PreparedList, Recipient};
use crate::clock;
use crate::intake::{Intake, Local};
use crate::model::text::Lang;
use crate::model::{AppName, BundleHash, Conversation, Doc};
use crate::sandbox::{Act, Sandbox};
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
    hash: BundleHash,
    tell: Narrator,
}

impl Stage {
    /// `hash`: of the live bundle, which broadcasts name.
    pub fn new(wecom: Sandbox, store: Arc<dyn Store>, hash: BundleHash, lang: Lang) -> Self {
        Self {
            wecom,
            store,
            hash,
            tell: Narrator::new(lang),
        }
    }

    /// Plays it all. The error says what did not come.
    pub async fn play(&self) -> Result<(), String> {
        self.tell.title("一、扫码、欢迎、标签", "1. Scan, welcome, tags");
        self.welcome().await?;
        self.tell.title("二、微信客服", "2. WeChat customer service");
        self.ask().await?;
        self.tell.title("三、成员打开应用", "3. A member opens the app");
        let seen = self.wecom.messages_to("zhangsan").len();
        self.tell.says("zhangsan", "（打开应用）", "(opens the app)");
        let began = self
            .act(Act::MemberEnterAgent {
                app: None,
                member: "zhangsan".into(),
            })
            .await?;
        let took = self.answers("zhangsan", seen, 1, began).await?;
        self.tell
            .took("成员打开应用 → 消息", "a member opens the app → message", took);
        self.tell.title(
            "四、群发：第二次因次数用完而不发",
            "4. A broadcast: the second run is refused by quota",
        );
        self.broadcast("demo-1").await?;
        self.broadcast("demo-2").await?;
        self.tell.table();
        Ok(())
    }

    async fn welcome(&self) -> Result<(), String> {
        self.tell.says(
            "wmXiaoWang",
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
        let took = self.answers("wmXiaoWang", 0, 1, began).await?;
        self.tell.took("扫码 → 欢迎语", "scan → welcome", took);
        let tags = self.until("tags", || {
            Some(self.wecom.tags_of("zhangsan", "wmXiaoWang")).filter(|t| !t.is_empty())
        });
        let tags = self.tell.list(&tags.await?);
        self.tell.notes(
            &format!("张三给小王打上标签：{tags}"),
            &format!("tags of 小王 with 张三: {tags}"),
        );
        Ok(())
    }

    async fn ask(&self) -> Result<(), String> {
        let who = "wmLaoChen";
        self.tell.says(who, "（进入客服会话）", "(enters the chat)");
        let entered = Act::KfEnter {
            account: None,
            contact: who.into(),
            scene: "web".into(),
            scene_param: String::new(),
        };
        let began = self.act(entered).await?;
        let took = self.answers(who, 0, 1, began).await?;
        self.tell.took("进入客服会话 → 菜单", "enters 微信客服 → menu", took);
        for (text, answers) in [("拿铁多少钱？", 2), ("你们的门店在哪", 1)] {
            let seen = self.wecom.messages_to(who).len();
            self.tell.says(who, text, text);
            let wrote = Act::KfWrite {
                account: None,
                contact: who.into(),
                text: Some(text.into()),
                menu_id: None,
                content: None,
            };
            let began = self.act(wrote).await?;
            let took = self.answers(who, seen, answers, began).await?;
            let (zh, en) = (format!("客服提问「{text}」→ 回答"), format!("asks “{text}” → answer"));
            self.tell.took(&zh, &en, took);
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
        self.tell
            .types("wecom-gateway broadcast send --template coupon --to regulars.csv");
        let list = PreparedList::new(id, "coupon", self.hash.clone(), None, &people).ok_or("empty list")?;
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
                report
                    .map_err(|_| "no report")?
                    .lines()
                    .iter()
                    .for_each(|l| self.tell.prints(l));
                break;
            }
            if clock::monotonic() > patience {
                return Err(format!("broadcast {id}"));
            }
            clock::sleep(LOOK).await;
        }
        self.confirm().await
    }

    /// Members confirm on their phones; only then do customers see it. A second confirmation is no news.
    async fn confirm(&self) -> Result<(), String> {
        let people = ["wmLaoChen", "wmLaoZhou"];
        let before = people.map(|p| self.wecom.messages_to(p).len());
        for msgid in self.wecom.broadcasts() {
            let _ = self.wecom.act(Act::ConfirmBroadcast { msgid, member: None }).await;
        }
        for (person, seen) in people.into_iter().zip(before) {
            for message in self.wecom.messages_to(person).iter().skip(seen) {
                self.tell.sees(message, None);
            }
        }
        Ok(())
    }

    async fn act(&self, act: Act) -> Result<i64, String> {
        let began = self.wecom.now_ms();
        let acted = self.wecom.act(act).await?;
        if let Some(refused) = acted.callbacks.iter().find(|c| !c.delivered()) {
            return Err(format!("a callback was not accepted: {refused:?}"));
        }
        Ok(began)
    }

    /// Prints the answers that a person sees, from the `seen`-th on; returns after how many ms the first came.
    async fn answers(&self, person: &str, seen: usize, count: usize, began: i64) -> Result<i64, String> {
        let all = self.until(person, || {
            Some(self.wecom.messages_to(person)).filter(|m| m.len() >= seen + count)
        });
        let all = all.await?;
        for message in all.iter().skip(seen) {
            self.tell.sees(message, Some(message.at_ms - began));
        }
        Ok(all.get(seen).map_or(0, |m| m.at_ms - began))
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
}
