//! Where to go on in a partner's feed: a position as a text that is opaque to the partner, and good for its own feed only.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::id::{PartnerId, TypedId};

/// Version of the cursors' form.
const VERSION: u8 = 1;

/// The cursor of a position.
pub fn write(partner: PartnerId, position: i64) -> String {
    let mut bytes = vec![VERSION];
    bytes.extend(partner.uuid().as_bytes());
    bytes.extend(position.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The position behind a cursor of this partner's feed; none: it is no such cursor.
pub fn read(partner: PartnerId, cursor: &str) -> Option<i64> {
    let bytes: [u8; 25] = URL_SAFE_NO_PAD.decode(cursor).ok()?.try_into().ok()?;
    let (version, rest) = bytes.split_first()?;
    let (owner, position) = rest.split_first_chunk::<16>()?;
    let position = i64::from_be_bytes(position.try_into().ok()?);
    (*version == VERSION && owner == partner.uuid().as_bytes() && position >= 0).then_some(position)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partners() -> [PartnerId; 2] {
        ["ptr_01ARZ3NDEKTSV4RRFFQ69G5FAV", "ptr_01ARZ3NDEKTSV4RRFFQ69G5FAW"].map(|id| id.parse().unwrap())
    }

    #[test]
    fn a_cursor_leads_back_to_its_position_in_its_own_feed_only() {
        let [own, other] = partners();
        for position in [0, 1, i64::MAX] {
            let text = write(own, position);
            assert_eq!(read(own, &text), Some(position));
            assert_eq!(read(other, &text), None);
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let [own, _] = partners();
        for bad in [
            "",
            "1",
            "AAAA",
            "!",
            &write(own, -1),
            &format!("{}A", write(own, 1)),
        ] {
            assert_eq!(read(own, bad), None, "{bad}");
        }
    }
}
