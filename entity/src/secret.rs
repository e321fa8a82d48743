//! Bytes that are never printed.

use sea_orm::DeriveValueType;

/// Secret bytes of a row: keys and digests of secrets. They print as dots wherever their row is printed.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Wraps bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes themselves; for whoever signs or compares.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}
