//! Where a rotated refresh token is kept: one small file, replaced as a whole, and a lock beside it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind as IoKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::http::auth::signing::hex;
use crate::redact::Secret;

/// Only the owner may read and write it.
const MODE: u32 = 0o600;

/// How often a lock that another process holds is looked at.
const GLANCE: Duration = Duration::from_millis(50);
/// Glances after which the log tells of it.
const TELL_AFTER: u64 = 60;

/// A token store, which need not exist yet.
#[derive(Clone, Debug)]
pub(super) struct Store {
    path: PathBuf,
    /// Whose tokens it holds.
    client: String,
}

/// A store that no other process reads or writes for as long.
#[derive(Debug)]
pub(super) struct Locked {
    path: PathBuf,
    client: String,
    _lock: File,
}

/// The file's content.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    /// SHA-256 of the declared token that this one descends from: another one that is declared later starts anew.
    descends_from: String,
    /// SHA-256 of the token endpoint and the client's id: what two sources keep in one file they take from each other.
    #[serde(default)]
    client: String,
    refresh_token: String,
}

impl Store {
    /// The store of the tokens that `client_id` gets from `token_url`.
    pub(super) fn new(path: PathBuf, token_url: &Url, client_id: &Secret) -> Self {
        let client = Secret::new(format!("{token_url} {}", client_id.expose()));
        Self { path, client: digest(&client) }
    }

    /// Waits until no other process holds the store.
    ///
    /// # Errors
    /// `Config` where its folder cannot be written, which is found before a token is used up.
    pub(super) async fn lock(&self) -> Result<Locked> {
        let unlocked = |error: std::io::Error| {
            failed(&self.path, "could not lock token_store")
                .caused_by(error)
                .hint("make its folder, and let this user write there")
        };
        let lock = open(&beside(&self.path, "lock"), false).map_err(unlocked)?;
        // Looked at again and again, as no signal ends a thread that is blocked in a lock.
        for glance in 0_u64.. {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    if glance == TELL_AFTER {
                        let file = self.path.display();
                        tracing::warn!(%file, "another process holds token_store: waiting for it");
                    }
                    tokio::time::sleep(GLANCE).await;
                }
                Err(TryLockError::Error(error)) => return Err(unlocked(error)),
            }
        }
        Ok(Locked { path: self.path.clone(), client: self.client.clone(), _lock: lock })
    }
}

impl Locked {
    /// The token to use: the kept one, where it descends from the declared one.
    ///
    /// # Errors
    /// `Config` where the file cannot be read, or is none of ours.
    pub(super) fn current(&self, declared: &Secret) -> Result<Secret> {
        let text = match std::fs::read(&self.path) {
            Err(error) if error.kind() == IoKind::NotFound => return Ok(declared.clone()),
            Err(error) => {
                return Err(failed(&self.path, "could not read token_store").caused_by(error));
            }
            Ok(text) => text,
        };
        let mode = std::fs::metadata(&self.path).map_or(0, |data| data.permissions().mode());
        if mode & 0o077 != 0 {
            tracing::warn!(file = %self.path.display(), "others may read token_store: chmod 600 it");
        }
        // The cause would show what stands there.
        let kept: Kept = serde_json::from_slice(&text).map_err(|_| {
            failed(&self.path, "token_store is no file of lakeward")
                .hint("name another file; or remove this one, and declare a refresh token that is still good")
        })?;
        if kept.version != 1 {
            let what =
                format!("token_store is of version {}, which this one does not know", kept.version);
            return Err(failed(&self.path, &what).hint("use the newer lakeward that wrote it"));
        }
        if !kept.client.is_empty() && kept.client != self.client {
            return Err(failed(&self.path, "token_store holds the token of another client or endpoint")
                .hint("name a file of its own for each source; or remove this one, and declare a refresh token that is still good"));
        }
        let descends = kept.descends_from == digest(declared);
        Ok(if descends { Secret::new(kept.refresh_token) } else { declared.clone() })
    }

    /// Keeps the next token, durably, before what came with it is used.
    ///
    /// # Errors
    /// `Credentials` that says what is lost: the endpoint has used up the old one.
    pub(super) fn keep(&self, declared: &Secret, next: &Secret) -> Result<()> {
        let kept = Kept {
            version: 1,
            descends_from: digest(declared),
            client: self.client.clone(),
            refresh_token: next.expose().to_owned(),
        };
        let text = serde_json::to_vec(&kept).map_err(std::io::Error::from);
        text.and_then(|text| replace(&self.path, &text)).map_err(|error| {
            Error::new(ErrorKind::Credentials, "the new refresh token could not be kept in token_store")
                .with("file", self.path.display())
                .caused_by(error)
                .hint("the old one may be used up: free the disk or mend the folder, then obtain and declare a new one")
        })
    }
}

fn failed(path: &Path, what: &str) -> Error {
    Error::new(ErrorKind::Config, what.to_owned()).with("file", path.display())
}

/// A SHA-256 of a token, which does not give it away: refresh tokens are long and random.
fn digest(token: &Secret) -> String {
    hex(&Sha256::digest(token.expose().as_bytes()))
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(end);
    path.with_file_name(name)
}

/// Opens a file of the owner's alone: a `fresh` one, or one that may be there.
fn open(path: &Path, fresh: bool) -> std::io::Result<File> {
    OpenOptions::new().write(true).create(true).create_new(fresh).mode(MODE).open(path)
}

/// Writes a file beside, makes it durable, and moves it into place: a crash leaves the old one or the new one.
fn replace(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let part = beside(path, "part");
    // What a crash may have left.
    let _ = std::fs::remove_file(&part);
    let mut file = open(&part, true)?;
    file.write_all(text)?;
    file.sync_all()?;
    std::fs::rename(&part, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text)
    }

    fn store(path: PathBuf) -> Store {
        let url = "https://id.example.com/token".parse().expect("url");
        Store::new(path, &url, &secret("shop"))
    }

    #[tokio::test]
    async fn the_store_of_another_client_is_left_alone() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("tokens.json");
        let own = store(path.clone()).lock().await.expect("lock");
        own.keep(&secret("first"), &secret("second")).expect("kept");
        drop(own);
        let url = "https://id.example.com/token".parse().expect("url");
        let other = Store::new(path.clone(), &url, &secret("other")).lock().await.expect("lock");
        let error = other.current(&secret("anew")).expect_err("of another");
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!format!("{error:?}").contains("second"), "{error:?}");
        drop(other);
        // One of before it was noted whose it is.
        let text = std::fs::read_to_string(&path).expect("text");
        let client = store(path.clone()).client;
        let older = text.replace(&format!("\"client\":\"{client}\","), "");
        assert_ne!(text, older);
        std::fs::write(&path, older).expect("write");
        let own = store(path).lock().await.expect("lock");
        assert_eq!(own.current(&secret("first")).expect("token").expose(), "second");
    }

    #[tokio::test]
    async fn a_kept_token_wins_as_long_as_it_descends_from_the_declared_one() {
        let dir = tempfile::tempdir().expect("dir");
        let store = store(dir.path().join("tokens.json"));
        let locked = store.lock().await.expect("lock");
        assert_eq!(locked.current(&secret("first")).expect("token").expose(), "first");
        locked.keep(&secret("first"), &secret("second")).expect("kept");
        assert_eq!(locked.current(&secret("first")).expect("token").expose(), "second");
        assert_eq!(locked.current(&secret("anew")).expect("token").expose(), "anew");
        let mode = std::fs::metadata(&store.path).expect("file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = std::fs::read_to_string(&store.path).expect("text");
        assert!(!text.contains("first") && text.contains("second"), "{text}");
    }

    #[tokio::test]
    async fn two_holders_follow_each_other() {
        let dir = tempfile::tempdir().expect("dir");
        let store = store(dir.path().join("tokens.json"));
        let held = store.lock().await.expect("lock");
        let waits = tokio::spawn({
            let store = store.clone();
            async move { store.lock().await.expect("lock").current(&secret("a")).expect("token") }
        });
        held.keep(&secret("a"), &secret("b")).expect("kept");
        assert!(!waits.is_finished());
        drop(held);
        assert_eq!(waits.await.expect("joined").expose(), "b");
    }

    #[tokio::test]
    async fn what_is_no_store_is_named_and_not_shown() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("tokens.json");
        let locked = store(path.clone()).lock().await.expect("lock");
        for text in [
            "hunter2",
            "{\"refresh_token\": \"hunter2\"}",
            "{\"version\":2,\"descends_from\":\"\",\"refresh_token\":\"hunter2\"}",
        ] {
            std::fs::write(&path, text).expect("write");
            let error = locked.current(&secret("a")).expect_err("no store");
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        let nowhere = store(dir.path().join("absent/tokens.json")).lock().await;
        assert_eq!(nowhere.expect_err("no folder").kind(), ErrorKind::Config);
    }
}
