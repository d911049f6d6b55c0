//! `gettoken`.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use super::{Call, Repeat, Wire};
use crate::wecom::id::CorpId;

/// `GET gettoken`: the access token of one secret. A wrong secret, repeated, bans the IP for an hour.
pub struct GetToken {
    /// Corp.
    pub corp: CorpId,
    /// The app's secret.
    pub secret: SecretString,
}

/// An access token.
#[derive(Clone, Deserialize)]
pub struct Token {
    /// Up to 512 bytes.
    #[serde(deserialize_with = "secret")]
    pub access_token: SecretString,
    /// Seconds, normally 7200.
    pub expires_in: u64,
}

fn secret<'de, D: Deserializer<'de>>(d: D) -> Result<SecretString, D::Error> {
    String::deserialize(d).map(SecretString::from)
}

impl Call for GetToken {
    const PATH: &'static str = "gettoken";
    const REPEAT: Repeat = Repeat::Safe;
    type Answer = Token;

    fn wire(&self) -> Wire {
        Wire::Get(vec![
            ("corpid", self.corp.to_string()),
            ("corpsecret", self.secret.expose_secret().to_owned()),
        ])
    }
}
