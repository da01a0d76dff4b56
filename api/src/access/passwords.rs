//! Passwords: hashed with Argon2id, away from the threads that answer, a few at a time.

use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::http::{ApiError, ApiResult, codes};

/// Hashes at the same moment: each takes 19 MiB and a core.
const AT_ONCE: usize = 2;
const WAITS_AT_MOST: Duration = Duration::from_secs(5);
/// A sign-in verifies this many hashes, however many there are.
const VERIFIED: usize = 3;
/// Of nobody's password, with the same cost as ours.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LWhhcy1pdA$c4g1pv1ij8pRjA2w1u0pLg8K0eYlYKoaXzWnkSsXGnE";

/// Hashes and verifies passwords.
#[derive(Clone, Debug)]
pub struct Passwords {
    turns: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

impl Passwords {
    /// A hash to store.
    pub async fn hash(&self, password: SecretString) -> ApiResult<String> {
        let turn = self.turn().await?;
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let hash = Argon2::default().hash_password(password.expose_secret().as_bytes());
            hash.map(|hash| hash.to_string())
        })
        .await
        .map_err(ApiError::internal)?
        .map_err(ApiError::internal)
    }

    /// Which of at most three hashes the password fits; takes the same time for fewer.
    pub async fn verify(
        &self,
        password: SecretString,
        hashes: Vec<String>,
    ) -> ApiResult<Vec<bool>> {
        let turn = self.turn().await?;
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let mut fits = Vec::with_capacity(VERIFIED);
            for no in 0..VERIFIED {
                match hashes.get(no) {
                    Some(hash) => fits.push(is_fitting(&password, hash)),
                    None => {
                        is_fitting(&password, NOBODY);
                    }
                }
            }
            fits
        })
        .await
        .map_err(ApiError::internal)
    }

    async fn turn(&self) -> ApiResult<OwnedSemaphorePermit> {
        timeout(WAITS_AT_MOST, Arc::clone(&self.turns).acquire_owned())
            .await
            .map_err(|_| codes::BUSY)?
            .map_err(ApiError::internal)
    }
}

fn is_fitting(password: &SecretString, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.expose_secret().as_bytes(), &hash)
            .is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse".into()).await.unwrap();
        let other = passwords.hash("battery".into()).await.unwrap();
        let fits = passwords
            .verify("correct horse".into(), vec![other, hash])
            .await
            .unwrap();
        assert_eq!(fits, [false, true]);
    }

    #[test]
    fn nobodys_hash_costs_what_ours_cost() {
        let ours = Argon2::default().hash_password(b"x").unwrap().to_string();
        let cost = |hash: &str| hash.split('$').take(4).collect::<Vec<_>>().join("$");
        assert!(PasswordHash::new(NOBODY).is_ok());
        assert_eq!(cost(&ours), cost(NOBODY));
    }
}
