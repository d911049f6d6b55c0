//! Calls in flight, kept by the process and not by the partition.
//!
//! A partition may be lost and taken again while a call is under way. The call's result is then still ours
//! to apply (DESIGN, "Fence"): it waits here until the partition, under its new epoch, has committed it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::Done;
use crate::model::{JobId, Partition};

/// All calls of this process that have no committed result yet.
#[derive(Default)]
pub struct Calls(Mutex<HashMap<(Partition, JobId), Call>>);

#[derive(Debug)]
enum Call {
    Running,
    Answered(Box<Done>),
    Unclear,
}

/// What is known of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallState {
    /// This process never began it (or its result is committed).
    Unknown,
    /// Under way.
    Running,
    /// Answered; the result waits to be committed.
    Answered,
    /// It was called and nobody knows whether it arrived; the job waits for another try.
    Unclear,
}

impl Calls {
    /// A call begins.
    pub fn begin(&self, partition: Partition, id: JobId) {
        self.lock().insert((partition, id), Call::Running);
    }

    /// It has a result.
    pub fn answer(&self, partition: Partition, id: JobId, done: Done) {
        self.lock().insert((partition, id), Call::Answered(Box::new(done)));
    }

    /// What is known of it.
    pub fn state(&self, partition: Partition, id: JobId) -> CallState {
        match self.lock().get(&(partition, id)) {
            None => CallState::Unknown,
            Some(Call::Running) => CallState::Running,
            Some(Call::Answered(_)) => CallState::Answered,
            Some(Call::Unclear) => CallState::Unclear,
        }
    }

    /// Results of this partition. They stay until [`Calls::committed`].
    pub fn answered(&self, partition: Partition) -> Vec<(JobId, Done)> {
        let calls = self.lock();
        let mine = calls.iter().filter(|((p, _), _)| *p == partition);
        mine.filter_map(|((_, id), call)| match call {
            Call::Answered(done) => Some((*id, (**done).clone())),
            Call::Running | Call::Unclear => None,
        })
        .collect()
    }

    /// The result is durable, or the job is not ours to end. `unclear`: the try may have arrived, and the
    /// job goes on.
    pub fn committed(&self, partition: Partition, id: JobId, unclear: bool) {
        let mut calls = self.lock();
        if unclear {
            calls.insert((partition, id), Call::Unclear);
        } else {
            calls.remove(&(partition, id));
        }
    }

    /// Is a call of this partition under way?
    pub fn busy(&self, partition: Partition) -> bool {
        self.lock()
            .iter()
            .any(|((p, _), call)| *p == partition && matches!(call, Call::Running))
    }

    /// Another process owns the partition: results that came for it are nobody's any more. That they were called
    /// is not forgotten: should the partition come back with our mark on the job, it must not look never called.
    pub fn forget(&self, partition: Partition) {
        for ((p, _), call) in self.lock().iter_mut() {
            if *p == partition && matches!(call, Call::Answered(_)) {
                *call = Call::Unclear;
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(Partition, JobId), Call>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
