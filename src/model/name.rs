//! Names that operators give: of a corp, of an app; and the name that a bundle has by its content.

use std::fmt;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Takes a text as this name; the settings' parser has already checked its letters.
            pub fn new(text: &str) -> Self {
                Self(text.into())
            }

            /// The name as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name! {
    /// `corp.name` of the settings: used in URLs and metrics, never in keys of the store, never shown to a customer.
    CorpName
}
name! {
    /// `app.name` of the settings: in URLs, metrics and keys.
    AppName
}
name! {
    /// SHA-256 (hex) over all sources of a bundle.
    BundleHash
}
