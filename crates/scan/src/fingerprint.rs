//! The installation key, and keyed fingerprints of secret values.
use crate::Error;
use hmac::{Hmac, KeyInit, Mac};
pub(crate) use leakgraph_model::hex;
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use zeroize::Zeroize;

/// The installation's fingerprint key; wiped on drop.
#[derive(Clone)]
pub struct FingerprintKey {
    key: [u8; 32],
    id: String,
}
impl Drop for FingerprintKey {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}
fn random() -> std::io::Result<[u8; 32]> {
    let mut key = [0u8; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut key)?;
    Ok(key)
}
impl FingerprintKey {
    /// From 32 random bytes.
    pub fn from_bytes(key: [u8; 32]) -> Self {
        let id = hex(Sha256::digest(key).get(..4).unwrap_or_default());
        Self { key, id }
    }
    /// A key that nobody keeps: its fingerprints compare within one run only.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn temporary() -> Result<Self, Error> {
        Ok(Self::from_bytes(random()?))
    }
    /// Reads the key, or creates it readable by its owner only.
    ///
    /// # Errors
    /// When the file cannot be read or created, or is not 32 bytes.
    pub fn load_or_create(path: &Path) -> Result<Self, Error> {
        let mut key = random()?;
        match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(mut file) => {
                file.write_all(&key)?;
                file.sync_all()?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                std::fs::File::open(path)?.read_exact(&mut key)?;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(Self::from_bytes(key))
    }
    /// First 8 hex digits of SHA-256 of the key.
    pub fn key_id(&self) -> &str {
        &self.id
    }
    /// Keyed fingerprint of a value, 32 hex digits.
    pub fn of(&self, value: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes any key length");
        mac.update(value);
        hex(mac.finalize().into_bytes().get(..16).unwrap_or_default())
    }
}
