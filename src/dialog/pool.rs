//! The waiting pool: where a customer goes whom no answer of ours reached, so that a person sees them.

use super::plan::Plan;
use super::{KF_WINDOW, Undecidable};
use crate::model::Action;
use crate::settings::Unmatched;
use crate::wecom::id::{ExternalUserId, OpenKfId};

/// A message has no answer: to the pool, once per session, if the settings say so. Whether a receptionist is
/// on duty is asked just before the call.
pub(super) fn unanswered(plan: &mut Plan<'_>, account: &OpenKfId, contact: &ExternalUserId, rule: Option<&str>) {
    if plan.input.corp.kf.unmatched == Unmatched::Silent {
        return plan.skip("pool", "unmatched_silent", rule);
    }
    let session = plan.doc.kf_mut(account);
    let refusal = match session.state {
        Some(2 | 3) => Some("person_serves"),
        Some(4) => Some("session_ended"),
        _ if session.pooled => Some("already_pooled"),
        _ => None,
    };
    if let Some(reason) = refusal {
        return plan.skip("pool", reason, rule);
    }
    session.pooled = true;
    let deadline = session.last_message.map(|at| at.plus(KF_WINDOW));
    let action = Action::KfPool {
        account: account.clone(),
        contact: contact.clone(),
    };
    plan.job(action, rule, deadline);
}

/// An answer of ours failed for good.
pub(super) fn answer_failed(
    plan: &mut Plan<'_>,
    account: &OpenKfId,
    contact: &ExternalUserId,
) -> Result<(), Undecidable> {
    plan.expect_contact(contact)?;
    unanswered(plan, account, contact, None);
    Ok(())
}
