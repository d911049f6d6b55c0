//! Our message ids: what makes a repeat of `kf/send_msg` harmless, and leads `msg_send_fail` back to its job.
//!
//! At most 32 of `[0-9a-zA-Z_-]`: 8 letters of the store's generation, 2 digits of the partition, the event's
//! number and the job's place in base 36. Unique inside a kf account for ever, as WeCom asks, because positions
//! are never reused within a generation.

use crate::model::{JobId, Partition};

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// The id of a job's message. The same job always has the same one.
pub fn encode(generation: &str, partition: Partition, id: JobId) -> String {
    format!(
        "{}{:02}{}-{}",
        prefix(generation),
        partition.index(),
        base36(id.n),
        base36(u64::from(id.k))
    )
}

/// The job that a message id of this generation names; `None`: not one of ours.
pub fn decode(generation: &str, msgid: &str) -> Option<(Partition, JobId)> {
    let rest = msgid.strip_prefix(prefix(generation).as_str())?;
    let (partition, rest) = rest.split_at_checked(2)?;
    let (n, k) = rest.split_once('-')?;
    let number = |s: &str| u64::from_str_radix(s, 36).ok();
    Some((
        Partition::new(partition.parse().ok()?)?,
        JobId {
            n: number(n)?,
            k: u32::try_from(number(k)?).ok()?,
        },
    ))
}

fn prefix(generation: &str) -> String {
    let letters = generation.chars().filter(char::is_ascii_alphanumeric);
    let mut p: String = letters.chain(std::iter::repeat('0')).take(8).collect();
    p.truncate(8);
    p
}

fn base36(mut n: u64) -> String {
    let mut out = Vec::new();
    loop {
        out.push(char::from(DIGITS[(n % 36) as usize]));
        n /= 36;
        if n == 0 {
            break;
        }
    }
    out.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_msgid_fits_wecoms_32_letters_and_leads_back_to_its_job() {
        for (n, k) in [(1, 0), (40, 3), (u64::MAX, u32::MAX)] {
            let id = JobId { n, k };
            let p = Partition::new(63).unwrap();
            let msgid = encode("f00d-cafe-1234", p, id);
            assert!(msgid.len() <= crate::wecom::limits::KF_MSGID, "{msgid}");
            assert!(msgid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
            assert_eq!(decode("f00d-cafe-1234", &msgid), Some((p, id)));
        }
        assert_eq!(decode("other", "f00dcafe631-0"), None);
        assert_eq!(decode("f00dcafe", "f00dcafe€"), None);
    }
}
