//! WeCom's message encryption: the AES key of a callback configuration, its 32-byte padding, the signature.
//!
//! In: Base64 text as received, or a message to be sealed. Out: the message and the receive id that was
//! appended to it, or the reason why the bytes were not sealed with this key. It knows neither XML nor HTTP.
//!
//! The hard decision: padding is taken off by hand. WeCom pads to 32 bytes, so every stock AES unpadder (block
//! 16) refuses half of all genuine messages; and the length of the message comes from inside, so every length
//! is checked before it is used. Reasons are for our log only: callers answer all of them alike, otherwise
//! the endpoint would be a decryption oracle.

use aes::Aes256;
use aes::cipher::{Array, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit};
use sha1::{Digest, Sha1};
use subtle::{Choice, ConstantTimeEq};

/// WeCom pads to this many bytes, not to AES's 16.
const PAD_BLOCK: usize = 32;
/// 16 random bytes, then the message's length as big-endian u32.
const HEAD: usize = 20;
/// Characters of an EncodingAESKey: 32 bytes in Base64 without the `=`.
const KEY_CHARS: usize = 43;

/// An EncodingAESKey with its key schedule expanded once. It cannot print itself.
pub struct AesKey {
    cipher: Aes256,
    iv: [u8; 16],
}

impl std::fmt::Debug for AesKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AesKey(…)")
    }
}

/// Why a text cannot be an EncodingAESKey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not exactly 43 characters.
    #[error("must have exactly 43 characters")]
    Length,
    /// A character outside of the Base64 alphabet (`=` is outside, too).
    #[error("may only have letters and digits")]
    Alphabet,
}

/// Why a text was not sealed with this key. For our log; never told to the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    /// Not standard Base64.
    #[error("ciphertext is not Base64")]
    Base64,
    /// Empty, or not a multiple of 16 bytes.
    #[error("ciphertext is empty or no multiple of 16 bytes")]
    BlockLength,
    /// The padding is not N times the byte N with N in 1..=32: nearly always the wrong key.
    #[error("padding is wrong")]
    Padding,
    /// The length inside points past the end.
    #[error("length inside the plaintext is wrong")]
    Framing,
}

/// What was sealed: the message and the receive id behind it. Made by [`AesKey::decrypt`] only.
#[derive(Clone, PartialEq, Eq)]
pub struct Plain {
    /// The whole plaintext without its padding.
    bytes: Vec<u8>,
    /// `HEAD..msg_end` is the message, the rest the receive id.
    msg_end: usize,
}

impl std::fmt::Debug for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plain")
            .field("msg_bytes", &self.msg().len())
            .finish_non_exhaustive()
    }
}

impl Plain {
    /// The message.
    pub fn msg(&self) -> &[u8] {
        &self.bytes[HEAD..self.msg_end]
    }

    /// The receive id (corp id, suite id or empty); bytes, because nothing has checked them yet.
    pub fn receive_id(&self) -> &[u8] {
        &self.bytes[self.msg_end..]
    }

    /// The message in its own buffer; does not allocate.
    pub fn into_msg(mut self) -> Vec<u8> {
        self.bytes.truncate(self.msg_end);
        self.bytes.drain(..HEAD);
        self.bytes
    }
}

impl AesKey {
    /// Takes an EncodingAESKey as the admin page shows it.
    ///
    /// The last character has two bits too many and three real keys in four have them set: they are ignored.
    /// WeCom makes keys of letters and digits; `+` and `/` are taken as well, since they decode.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if text.len() != KEY_CHARS {
            return Err(KeyError::Length);
        }
        if !text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
        {
            return Err(KeyError::Alphabet);
        }
        let bytes = base64_simd::forgiving_decode_to_vec(text.as_bytes()).map_err(|_| KeyError::Alphabet)?;
        let key: [u8; 32] = bytes.try_into().map_err(|_| KeyError::Length)?;
        let mut iv = [0; 16];
        iv.copy_from_slice(&key[..16]);
        Ok(Self {
            cipher: Aes256::new(&key.into()),
            iv,
        })
    }

    /// Opens a Base64 ciphertext; every check of WeCom's scheme but the receive id, which the caller compares.
    pub fn decrypt(&self, base64: &str) -> Result<Plain, DecryptError> {
        let mut bytes = base64_simd::STANDARD
            .decode_to_vec(base64)
            .map_err(|_| DecryptError::Base64)?;
        let (blocks, rest) = Array::slice_as_chunks_mut(&mut bytes);
        if blocks.is_empty() || !rest.is_empty() {
            return Err(DecryptError::BlockLength);
        }
        cbc::Decryptor::<&Aes256>::inner_iv_init(&self.cipher, &self.iv.into()).decrypt_blocks(blocks);
        let end = unpadded_len(&bytes).ok_or(DecryptError::Padding)?;
        bytes.truncate(end);
        let msg_end = message_end(&bytes).ok_or(DecryptError::Framing)?;
        Ok(Plain { bytes, msg_end })
    }

    /// Seals a message. `random` must be fresh for each message: the IV is constant, so these bytes are all
    /// that keeps two equal messages from looking equal. Messages over 4 GiB cannot be written in this format.
    pub fn encrypt(&self, random: [u8; 16], msg: &[u8], receive_id: &str) -> String {
        let mut bytes = Vec::with_capacity(HEAD + msg.len() + receive_id.len() + PAD_BLOCK);
        bytes.extend_from_slice(&random);
        bytes.extend_from_slice(&u32::try_from(msg.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(msg);
        bytes.extend_from_slice(receive_id.as_bytes());
        let pad = PAD_BLOCK - bytes.len() % PAD_BLOCK;
        bytes.resize(bytes.len() + pad, u8::try_from(pad).unwrap_or(0));
        let (blocks, _) = Array::slice_as_chunks_mut(&mut bytes);
        cbc::Encryptor::<&Aes256>::inner_iv_init(&self.cipher, &self.iv.into()).encrypt_blocks(blocks);
        base64_simd::STANDARD.encode_to_string(&bytes)
    }
}

/// Length without the padding; `None` when the padding is not WeCom's.
fn unpadded_len(bytes: &[u8]) -> Option<usize> {
    let pad = *bytes.last()?;
    let len = usize::from(pad);
    if !(1..=PAD_BLOCK).contains(&len) {
        return None;
    }
    let end = bytes.len().checked_sub(len)?;
    let differs = bytes[end..].iter().fold(0, |acc, b| acc | (b ^ pad));
    (differs == 0).then_some(end)
}

/// Where the message ends; `None` when the length inside does not fit.
fn message_end(bytes: &[u8]) -> Option<usize> {
    let len: [u8; 4] = bytes.get(HEAD - 4..HEAD)?.try_into().ok()?;
    let end = usize::try_from(u32::from_be_bytes(len)).ok()?.checked_add(HEAD)?;
    (end <= bytes.len()).then_some(end)
}

/// `msg_signature`: SHA-1 in lower-case hex over the four strings, sorted by bytes and joined.
pub fn signature(token: &str, timestamp: &str, nonce: &str, encrypt: &str) -> String {
    let hex = signature_hex(token, timestamp, nonce, encrypt);
    hex.iter().copied().map(char::from).collect()
}

/// Whether `given` is the signature of the rest; takes the same time wherever the two differ.
pub fn signature_holds(token: &str, timestamp: &str, nonce: &str, encrypt: &str, given: &str) -> bool {
    let ours = signature_hex(token, timestamp, nonce, encrypt);
    // Eight bytes at a time: subtle's own comparison of slices takes one at a time, which is 5 % of a callback.
    let (ours, _) = ours.as_chunks::<8>();
    let (theirs, rest) = given.as_bytes().as_chunks::<8>();
    if theirs.len() != ours.len() || !rest.is_empty() {
        return false;
    }
    let word = |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes);
    let pairs = ours.iter().zip(theirs);
    pairs
        .fold(Choice::from(1), |equal, (a, b)| equal & word(a).ct_eq(&word(b)))
        .into()
}

fn signature_hex(token: &str, timestamp: &str, nonce: &str, encrypt: &str) -> [u8; 40] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut parts = [token, timestamp, nonce, encrypt];
    parts.sort_unstable();
    let mut sha = Sha1::new();
    for part in parts {
        sha.update(part);
    }
    let mut hex = [0; 40];
    for (pair, byte) in hex.chunks_exact_mut(2).zip(sha.finalize()) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";

    /// Seals bytes as they are, so that a test can break the frame.
    fn seal_raw(key: &AesKey, bytes: &[u8]) -> String {
        let mut bytes = bytes.to_vec();
        let (blocks, _) = Array::slice_as_chunks_mut(&mut bytes);
        cbc::Encryptor::<&Aes256>::inner_iv_init(&key.cipher, &key.iv.into()).encrypt_blocks(blocks);
        base64_simd::STANDARD.encode_to_string(&bytes)
    }

    #[test]
    fn keys_of_other_lengths_or_letters_are_refused() {
        let good = "4Ma3YBrSBbX2aez8MJpXGBne5LSDwgGqHbhM9WPYIws";
        assert!(AesKey::parse(good).is_ok());
        for bad in [
            "",
            &good[..42],
            &format!("{good}A"),
            &format!("{}=", &good[..42]),
            &format!("{}$", &good[..42]),
            &format!("{} ", &good[..42]),
            &format!("{}é", &good[..41]),
        ] {
            assert!(AesKey::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_with_any_of_the_four_left_over_bits_open_the_same_message() {
        let sealed = AesKey::parse(KEY).unwrap().encrypt([7; 16], b"hello", "ww1");
        // C is 2 in Base64, so the four characters that share its upper bits are A to D.
        for last in ["A", "B", "C", "D"] {
            let key = AesKey::parse(&format!("{}{last}", &KEY[..42])).unwrap();
            assert_eq!(key.decrypt(&sealed).unwrap().msg(), b"hello");
        }
    }

    #[test]
    fn a_frame_that_lies_about_its_length_is_refused() {
        let key = AesKey::parse(KEY).unwrap();
        let frame = |len: u32, rest: usize| {
            let mut b = vec![1; 16];
            b.extend_from_slice(&len.to_be_bytes());
            b.resize(20 + rest, b'x');
            let pad = 32 - b.len() % 32;
            b.resize(b.len() + pad, pad as u8);
            seal_raw(&key, &b)
        };
        assert_eq!(key.decrypt(&frame(u32::MAX, 20)), Err(DecryptError::Framing));
        assert_eq!(key.decrypt(&frame(21, 20)), Err(DecryptError::Framing));
        assert_eq!(key.decrypt(&frame(20, 20)).unwrap().receive_id(), b"");
        assert_eq!(key.decrypt(&seal_raw(&key, &[32; 32])), Err(DecryptError::Framing));
        assert_eq!(key.decrypt(&seal_raw(&key, &[13; 32])), Err(DecryptError::Framing));
    }

    #[test]
    fn every_byte_of_the_padding_is_checked() {
        let key = AesKey::parse(KEY).unwrap();
        for (pad, wrong) in [(0u8, 0usize), (33, 0), (255, 0), (32, 40), (2, 62)] {
            let mut b = vec![0; 64];
            b[32..].fill(pad);
            if wrong > 0 {
                b[wrong] ^= 1;
            }
            assert_eq!(key.decrypt(&seal_raw(&key, &b)), Err(DecryptError::Padding), "{pad}");
        }
        // 16 bytes of padding value 17 point before the beginning.
        assert_eq!(key.decrypt(&seal_raw(&key, &[17; 16])), Err(DecryptError::Padding));
    }

    #[test]
    fn what_is_no_ciphertext_is_refused() {
        let key = AesKey::parse(KEY).unwrap();
        assert_eq!(key.decrypt(""), Err(DecryptError::BlockLength));
        assert_eq!(key.decrypt("AAAA"), Err(DecryptError::BlockLength));
        assert_eq!(key.decrypt("…"), Err(DecryptError::Base64));
        assert_eq!(key.decrypt("A A="), Err(DecryptError::Base64));
    }

    #[test]
    fn neither_key_nor_message_print_themselves() {
        let key = AesKey::parse(KEY).unwrap();
        let plain = key.decrypt(&key.encrypt([1; 16], b"secret", "ww1")).unwrap();
        assert_eq!(format!("{key:?} {plain:?}"), "AesKey(…) Plain { msg_bytes: 6, .. }");
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_to_the_same(random: [u8; 16], msg: Vec<u8>, id in "[a-z0-9]{0,64}") {
            let key = AesKey::parse(KEY).unwrap();
            let plain = key.decrypt(&key.encrypt(random, &msg, &id)).unwrap();
            prop_assert_eq!(plain.msg(), &msg[..]);
            prop_assert_eq!(plain.receive_id(), id.as_bytes());
            prop_assert_eq!(plain.into_msg(), msg);
        }

        #[test]
        fn arbitrary_ciphertext_never_panics(bytes: Vec<u8>, text: String) {
            let key = AesKey::parse(KEY).unwrap();
            let _ = key.decrypt(&base64_simd::STANDARD.encode_to_string(&bytes));
            let _ = key.decrypt(&text);
            let padded = &bytes[..bytes.len() / 16 * 16];
            let _ = key.decrypt(&seal_raw(&key, padded));
        }
    }
}
