//! What a webhook is made of: the body and the headers of Standard Webhooks (<https://www.standardwebhooks.com>). Pure.
//!
//! The signing is done here, with the crypto that everything else uses: the format's own crate would bring a second one.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::told::Told;

/// The header of the message's id, its time and its signatures.
pub const HEADERS: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];
/// Bytes of a secret.
pub const SECRET_BYTES: usize = 32;

/// A body.
#[derive(Debug, Serialize)]
struct Body<'a, T> {
    r#type: &'a str,
    timestamp: &'a str,
    data: &'a T,
}

/// The body of an entry: its kind, when it was recorded, and the entry as in the feed.
pub fn body(told: &Told) -> String {
    // `ACHIEVEMENT_EARNED` is `achievement.earned`.
    let kind = told.kind.to_ascii_lowercase().replacen('_', ".", 1);
    write(&kind, &told.recorded_at, told)
}

/// The body of a call that only tries an endpoint.
pub fn test_body(endpoint: &str, now: &str) -> String {
    #[derive(Serialize)]
    struct Test<'a> {
        endpoint: &'a str,
    }
    write("webhook.test", now, &Test { endpoint })
}

fn write(kind: &str, timestamp: &str, data: &impl Serialize) -> String {
    let body = Body {
        r#type: kind,
        timestamp,
        data,
    };
    // Texts and numbers under fixed names always have a JSON form.
    serde_json::to_string(&body).unwrap_or_default()
}

/// The signatures of a message, one for each secret, separated by spaces.
pub fn sign<'a>(secrets: impl IntoIterator<Item = &'a [u8]>, id: &str, timestamp: i64, body: &str) -> String {
    let message = format!("{id}.{timestamp}.{body}");
    let signatures: Vec<String> = secrets
        .into_iter()
        .map(|secret| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
            let tag = hmac::sign(&key, message.as_bytes());
            format!("v1,{}", STANDARD.encode(tag))
        })
        .collect();
    signatures.join(" ")
}

/// A secret as its partner writes it down.
pub fn secret_text(secret: &[u8]) -> String {
    format!("whsec_{}", STANDARD.encode(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_of_the_specification() {
        // The example of the specification, which every library has among its tests.
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let (id, timestamp) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330);
        let signed = sign([secret.as_slice()], id, timestamp, r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let both = sign(
            [secret.as_slice(), b"other"],
            id,
            timestamp,
            r#"{"test": 2432232314}"#,
        );
        assert!(both.starts_with(&format!("{signed} v1,")) && both.len() == 2 * signed.len() + 1);
        assert_eq!(secret_text(&secret), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    }

    #[test]
    fn a_body_has_a_type_a_time_and_the_entry() {
        let told = Told {
            id: "fde_1".to_owned(),
            position: 7,
            cursor: "c".to_owned(),
            kind: "REDEMPTION_REQUESTED",
            recorded_at: "2026-11-21T12:00:00Z".to_owned(),
            achievement: None,
            redemption: None,
        };
        let read: serde_json::Value = serde_json::from_str(&body(&told)).unwrap();
        assert_eq!(read["type"], "redemption.requested");
        assert_eq!(read["timestamp"], "2026-11-21T12:00:00Z");
        assert_eq!(read["data"], serde_json::to_value(&told).unwrap());
        let test: serde_json::Value =
            serde_json::from_str(&test_body("whe_1", "2026-11-21T12:00:00Z")).unwrap();
        let wanted = serde_json::json!({"type": "webhook.test", "timestamp": "2026-11-21T12:00:00Z", "data": {"endpoint": "whe_1"}});
        assert_eq!(test, wanted);
    }
}
