//! A broadcast that was ordered: one job per chunk, in order.

use super::Undecidable;
use super::plan::{Plan, Vars};
use crate::model::doc::BroadcastState;
use crate::model::entry::BroadcastOrder;
use crate::model::job::{Part, Say};
use crate::model::{Action, Conversation};

/// Plans every chunk once, however often the order comes. An order without recipients is never planned: WeCom
/// would take an empty list for "all customers of the sender".
pub(super) fn decide(plan: &mut Plan<'_>, order: &BroadcastOrder) -> Result<(), Undecidable> {
    match &plan.input.entry.body.conversation {
        Conversation::Broadcast(_, id) if *id == order.id => {}
        _ => return Err(Undecidable::new("wrong_conversation")),
    }
    if order.count == 0 || order.chunks.is_empty() || order.chunks.iter().any(|c| c.recipients == 0) {
        return Err(Undecidable::new("broadcast_without_recipients"));
    }
    if let Some(known) = &plan.doc.broadcast {
        let same = known.order.hash == order.hash;
        plan.skip("broadcast", if same { "already_ordered" } else { "id_in_use" }, None);
        return Ok(());
    }
    plan.doc.broadcast = Some(BroadcastState {
        order: order.clone(),
        ended: 0,
    });
    for (chunk, size) in (0_u32..).zip(&order.chunks) {
        let say = Say {
            template: order.template.clone(),
            part: Part::Whole,
            bundle: order.bundle.clone(),
            at: plan.accepted(),
            vars: Vars::new(),
            frozen: false,
        };
        let action = Action::BroadcastChunk {
            id: order.id.clone(),
            chunk,
            sender: size.sender.clone().or_else(|| order.sender.clone()),
            say,
        };
        plan.job(action, None, None);
    }
    Ok(())
}
