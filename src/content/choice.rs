//! A choice by weight that is always the same for the same people.

use sha2::{Digest, Sha256};

use super::faults::Faults;
use super::reader::Table;
use crate::model::Text;

/// Highest weight; more would be a typing error.
const HIGHEST: i64 = 1_000_000;

/// The place in `weights` that `seed` falls on; `None` when all are 0. The same seed and weights give the same
/// place on every host and in every version: people keep the variant they have once seen.
pub(super) fn choose(weights: &[u32], seed: &[&str]) -> Option<usize> {
    let total: u64 = weights.iter().map(|w| u64::from(*w)).sum();
    if total == 0 {
        return None;
    }
    let mut hash = Sha256::new();
    for part in seed {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let digest = hash.finalize();
    let number = digest.iter().take(8).fold(0u64, |n, b| n << 8 | u64::from(*b));
    let mut at = u64::try_from((u128::from(number) * u128::from(total)) >> 64).unwrap_or(0);
    for (i, weight) in weights.iter().enumerate() {
        let weight = u64::from(*weight);
        if at < weight {
            return Some(i);
        }
        at -= weight;
    }
    None
}

/// `weight` of an entry; `None` when it has none.
pub(super) fn weight(table: &Table<'_>, faults: &mut Faults) -> Option<u32> {
    let found = table.int("weight", faults)?;
    match u32::try_from(found) {
        Ok(weight) if found <= HIGHEST => Some(weight),
        _ => {
            faults.error(
                &table.spot(),
                "bad_weight",
                Text::new(
                    format!("权重 {found} 不在 0 到 {HIGHEST} 之间"),
                    format!("weight {found} is not in 0 to {HIGHEST}"),
                ),
                Text::new(
                    "用小的整数，例如 50 和 50",
                    "Use small whole numbers, such as 50 and 50",
                ),
            );
            None
        }
    }
}
