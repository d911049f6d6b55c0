//! What a broadcast's end (or its waiting) looks like to people and machines.

use serde_json::{Value, json};

use super::super::{Exit, out};
use crate::app::StartError;
use crate::broadcast::{self as room, ChunkResult};
use crate::clock;
use crate::model::doc::BroadcastState;
use crate::model::entry::BroadcastOrder;
use crate::model::text::{Lang, Text};
use crate::model::{Conversation, StoreTime};
use crate::settings::Corp;
use crate::store::{Store, StoreError};
use crate::wecom::id::CorpId;

/// Why the command ends early.
#[derive(Debug)]
pub(in crate::cli) enum Stop {
    /// Wrong usage or configuration.
    Usage(Text),
    /// Something failed.
    Failed(Text),
    /// The store or the content cannot be used.
    Start(StartError),
}

impl From<StoreError> for Stop {
    fn from(e: StoreError) -> Self {
        Self::Failed(Text::new(
            format!("存储暂时不可用：{e}。用同一个 --id 再次运行即可继续"),
            format!("the store cannot be reached: {e}. Run again with the same --id"),
        ))
    }
}

/// All outcomes of a broadcast.
#[derive(Debug)]
pub(in crate::cli) struct Report {
    id: String,
    result: ChunkResult,
}

impl Report {
    /// Reads the results of all chunks. A chunk that ended without one was begun by a gateway that died before
    /// it knew the answer: its recipients are uncertain.
    pub async fn collect(store: &dyn Store, corp: &CorpId, order: &BroadcastOrder) -> Result<Self, Stop> {
        let partition = Conversation::Broadcast(corp.clone(), order.id.clone()).partition();
        let mut result = ChunkResult::default();
        for chunk in 0..u32::try_from(order.chunks.len()).unwrap_or(u32::MAX) {
            match room::results(store, partition, corp, order, chunk).await? {
                Some(one) => result.add(one),
                None => {
                    let ids = room::parts(store, partition, corp, order, chunk).await?;
                    result.uncertain.extend(ids.iter().map(ToString::to_string));
                }
            }
        }
        Ok(Self {
            id: order.id.clone(),
            result,
        })
    }

    /// 0 when every recipient was delivered or refused by quota.
    pub fn exit(&self) -> Exit {
        let clean = self.result.uncertain.is_empty() && self.result.failed.is_empty();
        if clean { Exit::Done } else { Exit::Failed }
    }

    pub fn print(&self, as_json: bool, lang: Lang) {
        if as_json {
            return out::json(&self.json());
        }
        for line in self.lines() {
            out::line(line.say(lang));
        }
    }

    fn json(&self) -> Value {
        let r = &self.result;
        let until = |t: &StoreTime| jiff::Timestamp::from_millisecond(t.0).map(|t| t.to_string()).ok();
        json!({
            "id": self.id,
            "delivered": r.delivered,
            "refused": r.refused.iter().map(|x| json!({
                "external_userid": x.external_userid, "reason": x.reason, "until": x.until.as_ref().and_then(until),
            })).collect::<Vec<_>>(),
            "uncertain": r.uncertain,
            "failed": r.failed,
        })
    }

    /// What people read.
    pub fn lines(&self) -> Vec<Text> {
        let r = &self.result;
        let mut lines = vec![Text::new(
            format!("已交给企业微信，等待成员确认发送：{} 人", r.delivered),
            format!("taken by WeCom, members now confirm: {}", r.delivered),
        )];
        for x in &r.refused {
            let (who, reason) = (&x.external_userid, &x.reason);
            let until = x.until.map_or_else(String::new, shanghai);
            lines.push(Text::new(
                format!("未发送 {who}：次数已用完（{reason}），{until} 之后可再发"),
                format!("not sent {who}: quota used up ({reason}), again after {until} (Beijing time)"),
            ));
        }
        for x in &r.failed {
            let (who, reason) = (&x.external_userid, &x.reason);
            lines.push(Text::new(
                format!("未发送 {who}：{reason}"),
                format!("not sent {who}: {reason}"),
            ));
        }
        if !r.uncertain.is_empty() {
            let n = r.uncertain.len();
            lines.push(Text::new(
                format!(
                    "不确定 {n} 人：企业微信的应答丢失，任务可能已经创建。请到管理后台的群发记录中核对，不会自动重发"
                ),
                format!(
                    "uncertain: {n}. WeCom's answer was lost; the task may exist. Look into the admin page's list of \
                         broadcasts; it is not repeated by itself"
                ),
            ));
        }
        lines
    }
}

/// `2026-11-23 00:00` in China.
fn shanghai(t: StoreTime) -> String {
    let minute = t.shanghai_minute();
    let day = t.shanghai_date();
    format!("{day} {:02}:{:02}", minute / 60, minute % 60)
}

/// What the broadcast waits for, as far as can be seen from here.
pub(super) async fn waiting(store: &dyn Store, corp: &Corp, id: &str, state: Option<&BroadcastState>) -> Text {
    if room::is_held(store, id).await.unwrap_or(false) {
        return Text::new(
            format!("存储曾丢失数据，群发已暂停。核对后运行 broadcast resume {id}"),
            format!("held after a data loss. Check, then run: broadcast resume {id}"),
        );
    }
    if let Some(until) = corp
        .safety
        .quiet_hours
        .and_then(|q| room::quiet_until(q, clock::wall()))
    {
        let end = shanghai(until);
        return Text::new(
            format!("现在是免打扰时段，{end} 之后发送"),
            format!("quiet hours until {end} (Beijing time)"),
        );
    }
    match state {
        None => Text::new("等待网关接手…", "waiting for a gateway…"),
        Some(s) => Text::new(
            format!("进行中：{}/{} 批已完成…", s.ended, s.order.chunks.len()),
            format!("under way: {}/{} chunks ended…", s.ended, s.order.chunks.len()),
        ),
    }
}
