//! Configuration: where values come from and how secrets are kept.
//!
//! This room is the mechanism. Each room that needs settings declares its own struct beside its
//! code; `role::settings` composes them.

mod layers;
mod secret;
mod secret_key;

pub use layers::{ConfigError, Layers, load};
pub use secret::{InvalidSecret, Secret, secret_of};
pub use secret_key::{InvalidSecretKey, KeyedHash, SecretKey, SecretKeyConfig};
