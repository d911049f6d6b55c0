//! Why a request was not accepted: status for the sender, word for the metric, sentence for the log.

use axum::http::StatusCode;

use crate::intake::CannotStore;
use crate::wecom::callback::Refusal;
use crate::wecom::event::ParseError;

/// Why a request was not accepted.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// No such corp or app in the settings.
    #[error("no such corp or app in the settings")]
    UnknownApp,
    /// The body is over the limit.
    #[error("body over 1 MiB")]
    TooLarge,
    /// The sender went away or broke HTTP while sending.
    #[error("the body ended early")]
    Incomplete,
    /// Not verified.
    #[error(transparent)]
    Unverified(#[from] Refusal),
    /// WeCom signed something that is neither XML nor JSON.
    #[error("signed and sealed, but {0}")]
    Unreadable(#[from] ParseError),
    /// Not durable.
    #[error(transparent)]
    CannotStore(#[from] CannotStore),
}

impl Refused {
    /// All that the sender learns.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::UnknownApp => StatusCode::NOT_FOUND,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unverified(refusal) if !refusal.is_malformed() => StatusCode::FORBIDDEN,
            Self::Unverified(_) | Self::Incomplete | Self::Unreadable(_) => StatusCode::BAD_REQUEST,
            Self::CannotStore(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The label of `wecom_callbacks_refused_total`.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::UnknownApp => "unknown_app",
            Self::TooLarge => "too_large",
            Self::Unverified(refusal) => refusal.reason(),
            Self::Incomplete | Self::Unreadable(_) => "malformed",
            Self::CannotStore(_) => "cannot_store",
        }
    }

    /// Names come from the URL and may be anything: they are escaped and cut.
    pub(super) fn log(&self, corp: &str, app: &str) {
        let cut = |name: &str| name.chars().take(64).collect::<String>();
        let (corp, app, reason, status) = (cut(corp), cut(app), self.reason(), self.status().as_u16());
        match self {
            Self::CannotStore(_) => tracing::error!(?corp, ?app, reason, status, detail = %self, "callback refused"),
            Self::Unverified(_) | Self::Unreadable(_) => {
                tracing::warn!(?corp, ?app, reason, status, detail = %self, "callback refused");
            }
            Self::UnknownApp | Self::TooLarge | Self::Incomplete => {
                tracing::info!(?corp, ?app, reason, status, detail = %self, "callback refused");
            }
        }
    }
}
