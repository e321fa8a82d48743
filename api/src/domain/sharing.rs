//! What a member has said of sharing, and what was shared: for the member itself and for the mobile backend, which acts for it.

use std::collections::{BTreeSet, HashMap};

use entity::consent::{self, Consent};
use entity::feed::{self, Shared};
use entity::id::{FeedEntryId, PartnerId};
use entity::member;
use entity::page::{Page, Slice};
use entity::partner;

use super::Outcome;
use super::achievement::require_within;
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::Permit;

/// A member's word with the key of the partner it is about.
#[derive(Debug, Clone)]
pub struct Word {
    /// The word.
    pub consent: Consent,
    /// The key of the partner; none: all of them.
    pub partner: Option<String>,
}

/// All that a member has ever said, newest first.
pub async fn words(
    app: &App,
    permit: &Permit<access::ReadMemberConsents>,
    member: &member::Model,
) -> Outcome<Vec<Word>> {
    require_within(permit, member.employer_id, Some(member.id))?;
    history(app, member).await
}

async fn history(app: &App, member: &member::Model) -> Outcome<Vec<Word>> {
    let db = app.db.read();
    let said = consent::history(db, member.employer_id, member.id).await?;
    let about: BTreeSet<PartnerId> = said.iter().filter_map(|word| word.partner_id).collect();
    let keys: HashMap<PartnerId, String> = if about.is_empty() {
        HashMap::new()
    } else {
        let partners = partner::list_by_ids(db, about.into_iter().collect()).await?;
        partners.into_iter().map(|row| (row.id, row.key)).collect()
    };
    let words = said.into_iter().map(|consent| Word {
        partner: consent.partner_id.and_then(|id| keys.get(&id).cloned()),
        consent,
    });
    Ok(words.collect())
}

/// Something that a partner was told, with the word by which it could be.
pub struct Told {
    /// What was told to whom.
    pub shared: Shared,
    /// The word that was in force; none: there was none.
    pub word: Option<Word>,
}

/// A page of what partners were told of a member, newest first.
pub async fn told(
    app: &App,
    permit: &Permit<access::ReadMemberSharing>,
    member: &member::Model,
    page: Page<FeedEntryId>,
) -> Outcome<Slice<Told>> {
    require_within(permit, member.employer_id, Some(member.id))?;
    let slice = feed::shared(app.db.read(), (member.employer_id, member.id), page).await?;
    let words = history(app, member).await?;
    let told = slice.rows.into_iter().map(|shared| Told {
        word: in_force(&words, &shared).cloned(),
        shared,
    });
    Ok(Slice {
        rows: told.collect(),
        has_previous: slice.has_previous,
        has_next: slice.has_next,
    })
}

/// The word by which something could be told when it was.
fn in_force<'a>(words: &'a [Word], shared: &Shared) -> Option<&'a Word> {
    consent::in_force(words, |word| &word.consent, shared.partner_id, shared.recorded_at)
}
