//! The 64 partitions: which one a conversation lives in.

use std::fmt;

/// Number of partitions: a constant of the store's format; changing it strands every stored conversation.
pub const PARTITIONS: u8 = 64;

/// One partition, 0..64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(u8);

impl Partition {
    /// The partition of a conversation's canonical key (see [`super::Conversation::key`]): FNV-1a folded to
    /// six bits. Part of the store's format.
    pub fn of_key(key: &str) -> Self {
        let mut h: u64 = 0xcbf2_9ce4_8422_2325;
        for b in key.bytes() {
            h ^= u64::from(b);
            h = h.wrapping_mul(0x0100_0000_01b3);
        }
        h ^= h >> 32;
        h ^= h >> 16;
        h ^= h >> 8;
        Self((h % u64::from(PARTITIONS)) as u8)
    }

    /// By number; `None` from 64 on.
    pub fn new(n: u8) -> Option<Self> {
        (n < PARTITIONS).then_some(Self(n))
    }

    /// All of them in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..PARTITIONS).map(Self)
    }

    /// 0..64.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// `p07`: with braces around it the hash tag of every Redis key of the partition.
impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{:02}", self.0)
    }
}
