//! Randomness for keys.

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::store::Error;

/// Random bytes of the operating system. Keys are the one thing here that nobody is to foresee or
/// to make again, so that this randomness is no argument.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::Unavailable {
            store: "randomness",
            detail: "the operating system gives none".to_owned(),
        })?;
    Ok(bytes)
}
