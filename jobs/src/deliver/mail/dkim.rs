//! Signatures of mail (DKIM, RFC 6376): who answers for a message, and that its headers and body are as they were.
//!
//! Written here, as the signing of the mail library would bring a second set of cryptography into the program. Only what we compose ourselves is
//! signed, so what is read here is well formed: headers, an empty line, a body of lines that end in CR LF. Both are signed in their "relaxed"
//! form, in which servers on the way may fold lines and change white space.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What is signed of the headers. The sender stands twice: one more of it than there is, so that none can be added.
const SIGNED: &[&str] = &[
    "From",
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Auto-Submitted",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
];

/// The shortest modulus, in bytes.
const MODULUS_MIN: usize = 256;

/// A key that answers for a domain. Cheap to clone.
#[derive(Clone)]
pub struct Dkim {
    domain: String,
    selector: String,
    key: Arc<RsaKeyPair>,
}

impl std::fmt::Debug for Dkim {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Dkim")
            .field("domain", &self.domain)
            .field("selector", &self.selector)
            .finish_non_exhaustive()
    }
}

impl Dkim {
    /// The key (PEM; RSA of at least 2048 bits) whose public half is at `<selector>._domainkey.<domain>`.
    pub fn new(domain: &str, selector: &str, pem: &str) -> Result<Self, String> {
        let is_label = |label: &str| {
            !label.is_empty()
                && label
                    .chars()
                    .all(|character| character.is_ascii_alphanumeric() || matches!(character, '-' | '_'))
        };
        if !selector.split('.').all(is_label) {
            return Err("PLAUDIT_DKIM_SELECTOR is not a name such as `mail2026`".to_owned());
        }
        let der = decode(pem);
        let key = der.and_then(|der| read(&der)).ok_or_else(|| {
            "the file of PLAUDIT_DKIM_KEY_FILE holds no private key in PEM, RSA of at least 2048 bits"
                .to_owned()
        })?;
        Ok(Self {
            domain: domain.to_owned(),
            selector: selector.to_owned(),
            key: Arc::new(key),
        })
    }

    /// Whether the key answers for this domain.
    pub(super) fn is_of(&self, domain: &str) -> bool {
        self.domain.eq_ignore_ascii_case(domain)
    }

    /// The header that signs this message, to be put before it.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let end = message.windows(4).position(|four| four == b"\r\n\r\n")?;
        let headers = std::str::from_utf8(message.get(..end)?).ok()?;
        let body = message.get(end.checked_add(4)?..)?;
        let headers = unfolded(headers);
        let names: Vec<&str> = SIGNED
            .iter()
            .enumerate()
            .filter(|(place, name)| {
                *place == 0 || headers.iter().any(|(found, _)| found.eq_ignore_ascii_case(name))
            })
            .map(|(_, name)| *name)
            .collect();
        let hash = STANDARD.encode(digest(&SHA256, &relaxed_body(body)));
        let unsigned = format!(
            "v=1; a=rsa-sha256; c=relaxed/relaxed; d={}; s={}; h={}; bh={hash}; b=",
            self.domain,
            self.selector,
            names.join(":")
        );
        let mut signed = String::new();
        let mut left: Vec<&(&str, String)> = headers.iter().collect();
        for name in &names {
            // From the last one of a name up; one that is not there is signed as nothing.
            let Some(place) = left
                .iter()
                .rposition(|(found, _)| found.eq_ignore_ascii_case(name))
            else {
                continue;
            };
            let (_, value) = left.remove(place);
            signed.push_str(&format!("{}:{}\r\n", name.to_ascii_lowercase(), relaxed(value)));
        }
        signed.push_str(&format!("dkim-signature:{}", relaxed(&unsigned)));
        let signature = STANDARD.encode(self.raw(signed.as_bytes())?);
        Some(folded(&unsigned, &signature).into_bytes())
    }

    fn raw(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        let random = SystemRandom::new();
        self.key
            .sign(&RSA_PKCS1_SHA256, &random, bytes, &mut signature)
            .ok()?;
        Some(signature)
    }
}

/// The bytes within the first pair of PEM's lines.
fn decode(pem: &str) -> Option<Vec<u8>> {
    let inside = pem
        .lines()
        .skip_while(|line| !line.starts_with("-----BEGIN "))
        .skip(1)
        .take_while(|line| !line.starts_with("-----END "));
    let text: String = inside.map(str::trim).collect();
    STANDARD.decode(text).ok().filter(|der| !der.is_empty())
}

fn read(der: &[u8]) -> Option<RsaKeyPair> {
    RsaKeyPair::from_pkcs8(der)
        .or_else(|_| RsaKeyPair::from_der(der))
        .ok()
        .filter(|key| key.public_modulus_len() >= MODULUS_MIN)
}

/// The headers, name and value, each in a piece.
fn unfolded(headers: &str) -> Vec<(&str, String)> {
    let mut found: Vec<(&str, String)> = Vec::new();
    for line in headers.split("\r\n") {
        match line.split_once(':') {
            Some((name, value)) if !line.starts_with([' ', '\t']) => found.push((name, value.to_owned())),
            _ => {
                if let Some((_, value)) = found.last_mut() {
                    value.push_str(line);
                }
            }
        }
    }
    found
}

/// The value of a header: runs of white space are one space, and none at the ends.
fn relaxed(value: &str) -> String {
    value
        .split([' ', '\t'])
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A body: runs of white space are one space, none at the end of a line, no empty lines at the end.
fn relaxed_body(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut empty = 0_usize;
    for line in body.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut clean = Vec::with_capacity(line.len());
        for byte in line {
            let byte = if *byte == b'\t' { b' ' } else { *byte };
            if byte != b' ' || clean.last() != Some(&b' ') {
                clean.push(byte);
            }
        }
        if clean.last() == Some(&b' ') {
            clean.pop();
        }
        if clean.is_empty() {
            empty = empty.saturating_add(1);
            continue;
        }
        for _ in 0..std::mem::take(&mut empty) {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(&clean);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// The header, with a line a tag, and a signature in lines.
fn folded(unsigned: &str, signature: &str) -> String {
    let mut header = format!("DKIM-Signature: {}", unsigned.replace("; ", ";\r\n "));
    for (place, character) in signature.chars().enumerate() {
        if place % 70 == 0 {
            header.push_str("\r\n ");
        }
        header.push(character);
    }
    header.push_str("\r\n");
    header
}
