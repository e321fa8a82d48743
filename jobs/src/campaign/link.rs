//! The links and names by which a message is known outside.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity::id::{EmployerId, MessageId, TypedId};
use entity::message::Model;

/// Where the member of a message ends such mail: the link is nobody else's.
pub fn unsubscribe(public_url: &str, message: &Model) -> String {
    format!("{public_url}/unsubscribe/{}", token(message))
}

/// The part of the link that says whose it is.
pub fn token(message: &Model) -> String {
    let (employer, id) = (message.employer_id, message.id);
    format!(
        "{}.{}.{}",
        employer.uuid().simple(),
        id.uuid().simple(),
        URL_SAFE_NO_PAD.encode(&message.token)
    )
}

/// The part of a `Message-ID` before the at sign.
pub fn message_name(employer: EmployerId, message: MessageId) -> String {
    format!("{}.{}", message.uuid().simple(), employer.uuid().simple())
}
