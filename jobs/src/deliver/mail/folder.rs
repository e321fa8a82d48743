//! Mail as files, for development.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Outcome;

/// Writes a message, whole or not at all, under its id.
pub(super) async fn write(folder: PathBuf, message_id: &str, bytes: Vec<u8>) -> Outcome {
    let name = name(message_id);
    let written = tokio::task::spawn_blocking(move || put(&folder, &name, &bytes)).await;
    match written {
        Ok(Ok(())) => Outcome::Accepted,
        Ok(Err(error)) => {
            tracing::warn!(error = %error, "a mail could not be written to its folder");
            failed()
        }
        Err(_) => failed(),
    }
}

const fn failed() -> Outcome {
    Outcome::Deferred {
        code: None,
        reason: "FOLDER_FAILED",
    }
}

fn put(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // What is renamed is whole: who watches the folder for `.eml` never sees half of one.
    let half = folder.join(format!(".{name}.part"));
    fs::write(&half, bytes)?;
    fs::rename(&half, folder.join(format!("{name}.eml")))
}

/// An id as the name of a file.
fn name(message_id: &str) -> String {
    let safe = |character: char| {
        if character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '@' | '.') {
            character
        } else {
            '_'
        }
    };
    message_id.chars().take(200).map(safe).collect()
}
