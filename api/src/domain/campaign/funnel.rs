//! How the messages of a campaign stand, in counts.
//!
//! Where any of them was brought about by something sensitive, a count of fewer members than the employer's minimum is kept back, and with
//! it the sums in which it would be found by subtraction.

use entity::campaign::Model;
use entity::employer;
use entity::message::read::Standing;
use entity::message::{MessageState, NotSent};

use crate::auth::access;
use crate::auth::viewer::Permit;
use crate::domain::Outcome;
use crate::domain::achievement::require_within;

/// Counts of a campaign's messages; none: kept back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Funnel {
    /// Whether any was kept back.
    pub withheld: bool,
    /// All of them.
    pub triggered: Option<i64>,
    /// Of how many different members they are.
    pub members: Option<i64>,
    /// Still to be settled.
    pub pending: Option<i64>,
    /// Taken by a mail server.
    pub sent: Option<i64>,
    /// Of which nobody knows what came of them.
    pub unknown: Option<i64>,
    /// Refused by a mail server.
    pub failed: Option<i64>,
    /// Of members who get nothing, to compare with.
    pub held_out: Option<i64>,
    /// How many that were sent, or perhaps, were followed by what the campaign works towards.
    pub converted_of_sent: Option<i64>,
    /// How many of those that were held out were.
    pub converted_of_held_out: Option<i64>,
    /// Not sent for another reason.
    pub dropped: Vec<(NotSent, Option<i64>)>,
}

/// What is shown of how the messages of a campaign of this employer stand, where they stand so and are of so many members.
pub fn read(
    permit: &Permit<access::ReadCampaignFunnel>,
    campaign: &Model,
    employer: &employer::Model,
    (standing, members): (&[Standing], i64),
) -> Outcome<Funnel> {
    require_within(permit, campaign.employer_id, None)?;
    Ok(counted(standing, members, i64::from(employer.minimum_group_size)))
}

fn counted(standing: &[Standing], members: i64, minimum: i64) -> Funnel {
    let is_sensitive = standing.iter().any(|row| row.sensitive);
    let is_small = |members: i64| is_sensitive && members < minimum;
    let is_held_out = |row: &&Standing| row.reason == Some(NotSent::HeldOut);
    let of = |state: MessageState| {
        standing
            .iter()
            .filter(move |row| row.state == state && !is_held_out(row))
    };
    // A message's state and reason are one row each, but for those that were dropped.
    let shown = |row: Option<&Standing>| match row {
        None => (!is_small(0)).then_some(0),
        Some(row) => (!is_small(row.members)).then_some(row.messages),
    };
    let converted = |rows: &mut dyn Iterator<Item = &Standing>| {
        let count = rows.map(|row| row.converted).sum();
        (!is_small(count)).then_some(count)
    };
    let any_small = standing.iter().any(|row| is_small(row.members));
    let all: i64 = standing.iter().map(|row| row.messages).sum();
    let dropped = of(MessageState::Dropped).filter_map(|row| Some((row.reason?, shown(Some(row)))));
    let held_out = || standing.iter().filter(is_held_out);
    Funnel {
        withheld: is_small(members) || any_small,
        triggered: (!any_small && !is_small(members)).then_some(all),
        members: (!any_small && !is_small(members)).then_some(members),
        pending: shown(of(MessageState::Pending).next()),
        sent: shown(of(MessageState::Sent).next()),
        unknown: shown(of(MessageState::Unknown).next()),
        failed: shown(of(MessageState::Failed).next()),
        held_out: shown(held_out().next()),
        converted_of_sent: converted(&mut of(MessageState::Sent).chain(of(MessageState::Unknown))),
        converted_of_held_out: converted(&mut held_out()),
        dropped: dropped.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(state: MessageState, reason: Option<NotSent>, members: i64, sensitive: bool) -> Standing {
        Standing {
            state,
            reason,
            messages: members + 1,
            members,
            converted: members / 2,
            sensitive,
        }
    }

    #[test]
    fn what_is_not_sensitive_is_counted_whatever_its_size() {
        let rows = [
            row(MessageState::Sent, None, 4, false),
            row(MessageState::Dropped, Some(NotSent::HeldOut), 2, false),
            row(MessageState::Dropped, Some(NotSent::Cap), 1, false),
        ];
        let funnel = counted(&rows, 7, 10);
        assert_eq!(
            (funnel.withheld, funnel.triggered, funnel.members),
            (false, Some(10), Some(7))
        );
        assert_eq!(
            (funnel.sent, funnel.held_out, funnel.failed),
            (Some(5), Some(3), Some(0))
        );
        assert_eq!(
            (funnel.converted_of_sent, funnel.converted_of_held_out),
            (Some(2), Some(1))
        );
        assert_eq!(funnel.dropped, [(NotSent::Cap, Some(2))]);
    }

    #[test]
    fn a_small_count_of_something_sensitive_is_kept_back_with_the_sums_that_would_tell_it() {
        let rows = [
            row(MessageState::Sent, None, 40, true),
            row(MessageState::Dropped, Some(NotSent::Cap), 9, false),
        ];
        let funnel = counted(&rows, 45, 10);
        assert!(funnel.withheld);
        assert_eq!((funnel.sent, funnel.converted_of_sent), (Some(41), Some(20)));
        assert_eq!(
            (funnel.triggered, funnel.members, funnel.failed),
            (None, None, None)
        );
        assert_eq!(funnel.dropped, [(NotSent::Cap, None)]);
        let large = counted(&rows[..1], 40, 10);
        assert_eq!((large.withheld, large.triggered), (false, Some(41)));
    }
}
