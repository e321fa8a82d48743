//! Which of all reasons decides a message.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "instants of these years, far from the ends of the calendar"
)]

use chrono::TimeDelta;
use entity::campaign::{CapPeriod, Model};
use entity::clock::Timestamp;
use uuid::Uuid;

use super::*;
use crate::campaign::sample::plain;

fn campaign(change: impl FnOnce(&mut Model)) -> Campaign {
    let mut row = plain();
    change(&mut row);
    Campaign::read(row).expect("a campaign")
}

fn capped(row: &mut Model, at_most: i64, over: OverCap) {
    row.cap_at_most = Some(at_most);
    row.cap_per = Some(CapPeriod::Day);
    row.cap_over = Some(over);
}

fn quiet(row: &mut Model, from: &str, to: &str) {
    row.quiet_from = Some(from.to_owned());
    row.quiet_to = Some(to.to_owned());
}

const NOON: &str = "2026-11-21T12:00:00Z";

fn somebody() -> Person {
    Person {
        is_erased: false,
        eligible_from: None,
        eligible_until: None,
        has_address: true,
        is_suppressed: false,
        consents: true,
        has_converted: false,
        zone: Tz::UTC,
    }
}

/// The verdict on a message brought about at noon.
fn verdict(campaign: &Campaign, person: Person, change: impl FnOnce(&mut Facts<'_>)) -> Verdict {
    let now: DateTime<Utc> = NOON.parse().expect("an instant");
    let mut facts = Facts {
        now,
        campaign,
        expires_at: now + campaign.time_to_live(),
        still_holds: true,
        member_id: MemberId::from_uuid(Uuid::from_u128(3)),
        person,
        employer_cap: None,
        sent_since: &|_, _| 0,
    };
    change(&mut facts);
    decide(&facts)
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

#[test]
fn what_nothing_stands_against_goes_on_the_local_date_of_the_member() {
    let somewhere = Person {
        zone: Tz::Pacific__Kiritimati,
        ..somebody()
    };
    let verdict = verdict(&campaign(|_| {}), somewhere, |_| {});
    assert_eq!(verdict, Verdict::Send("2026-11-22".parse().expect("a date")));
}

#[test]
fn each_thing_that_stands_against_a_message_is_said() {
    let plain = || campaign(|_| {});
    let of = |person: Person| verdict(&plain(), person, |_| {});
    let person = |change: fn(&mut Person)| {
        let mut person = somebody();
        change(&mut person);
        of(person)
    };
    use NotSent as Not;
    let drop = Verdict::Drop;
    assert_eq!(person(|person| person.is_erased = true), drop(Not::Erased));
    assert_eq!(person(|person| person.has_address = false), drop(Not::NoAddress));
    assert_eq!(
        person(|person| person.is_suppressed = true),
        drop(Not::Suppressed)
    );
    assert_eq!(person(|person| person.consents = false), drop(Not::NoConsent));
    assert_eq!(person(|person| person.has_converted = true), drop(Not::Converted));
    let until = |person: &mut Person| person.eligible_until = "2026-11-20".parse().ok();
    assert_eq!(person(until), drop(Not::NotEligible));
    let from = |person: &mut Person| person.eligible_from = "2026-11-22".parse().ok();
    assert_eq!(person(from), drop(Not::NotEligible));

    let over = campaign(|row| row.archived_at = Some(Timestamp(1)));
    assert_eq!(verdict(&over, somebody(), |_| {}), drop(Not::Archived));
    let all = campaign(|row| row.held_out_percent = 90);
    let held = is_held_out(all.row.id, MemberId::from_uuid(Uuid::from_u128(3)), 90);
    assert!(held, "this member is among the 90");
    assert_eq!(verdict(&all, somebody(), |_| {}), drop(Not::HeldOut));
    let gone = verdict(&plain(), somebody(), |facts| facts.still_holds = false);
    assert_eq!(gone, drop(Not::Revoked));
    let late = verdict(&plain(), somebody(), |facts| facts.expires_at = facts.now);
    assert_eq!(late, drop(Not::Expired));
}

#[test]
fn a_message_of_a_paused_campaign_stays_until_its_time_is_over() {
    let paused = campaign(|row| row.paused_at = Some(Timestamp(1)));
    assert_eq!(verdict(&paused, somebody(), |_| {}), Verdict::Leave);
    let late = verdict(&paused, somebody(), |facts| facts.expires_at = facts.now);
    assert_eq!(late, Verdict::Drop(NotSent::Expired));
}

#[test]
fn what_the_member_has_asked_for_goes_at_night_over_the_cap_and_without_consent_but_to_no_dead_address() {
    let receipt = campaign(|row| {
        row.transactional = true;
        row.held_out_percent = 90;
        capped(row, 1, OverCap::Drop);
        quiet(row, "11:00", "13:00");
    });
    let stranger = Person {
        consents: false,
        ..somebody()
    };
    let goes = verdict(&receipt, stranger, |facts| facts.sent_since = &|_, _| 9);
    assert!(matches!(goes, Verdict::Send(_)), "{goes:?}");
    let dead = Person {
        is_suppressed: true,
        ..stranger
    };
    assert_eq!(
        verdict(&receipt, dead, |_| {}),
        Verdict::Drop(NotSent::Suppressed)
    );
}

#[test]
fn a_message_waits_for_the_end_of_the_quiet_hours_unless_its_time_is_over_by_then() {
    let night = campaign(|row| quiet(row, "11:00", "13:00"));
    let waits = Verdict::Wait(WaitsFor::QuietHours, at("2026-11-21T13:00:00Z"));
    assert_eq!(verdict(&night, somebody(), |_| {}), waits);
    let short = |facts: &mut Facts<'_>| facts.expires_at = facts.now + TimeDelta::minutes(60);
    assert_eq!(
        verdict(&night, somebody(), short),
        Verdict::Drop(NotSent::Expired)
    );
}

#[test]
fn a_message_over_the_cap_is_dropped_or_waits_for_the_next_period_as_the_campaign_says() {
    let full: &dyn Fn(Option<&str>, NaiveDate) -> i64 =
        &|category, _| i64::from(category == Some("marketing"));
    let drops = campaign(|row| capped(row, 1, OverCap::Drop));
    let dropped = verdict(&drops, somebody(), |facts| facts.sent_since = full);
    assert_eq!(dropped, Verdict::Drop(NotSent::Cap));
    let defers = campaign(|row| capped(row, 1, OverCap::Defer));
    let deferred = verdict(&defers, somebody(), |facts| facts.sent_since = full);
    assert_eq!(deferred, Verdict::Wait(WaitsFor::Cap, at("2026-11-22T00:00:00Z")));
    let two = campaign(|row| capped(row, 2, OverCap::Drop));
    let second = verdict(&two, somebody(), |facts| facts.sent_since = full);
    assert!(matches!(second, Verdict::Send(_)), "{second:?}");
}

#[test]
fn the_cap_of_the_employer_counts_the_messages_of_all_categories() {
    let other: &dyn Fn(Option<&str>, NaiveDate) -> i64 = &|category, _| i64::from(category.is_none());
    let weekly = Cap {
        at_most: 1,
        per: CapPeriod::Week,
    };
    let over = |campaign: &Campaign| {
        verdict(campaign, somebody(), |facts| {
            facts.sent_since = other;
            facts.employer_cap = Some(weekly);
            facts.expires_at = facts.now + TimeDelta::days(14);
        })
    };
    assert_eq!(over(&campaign(|_| {})), Verdict::Drop(NotSent::Cap));
    let defers = campaign(|row| capped(row, 1, OverCap::Defer));
    // Both caps have to have room: the later of their next periods.
    assert_eq!(
        over(&defers),
        Verdict::Wait(WaitsFor::Cap, at("2026-11-23T00:00:00Z"))
    );
}

#[test]
fn about_so_many_of_a_hundred_members_are_held_out_and_of_another_campaign_others() {
    let member = |number| MemberId::from_uuid(Uuid::from_u128(number));
    let campaign = |number| CampaignId::from_uuid(Uuid::from_u128(number));
    let out = |by: u128| -> Vec<u128> {
        (0..10_000)
            .filter(|number| is_held_out(campaign(by), member(*number), 20))
            .collect()
    };
    let (one, other) = (out(1), out(2));
    assert!((1_800..2_200).contains(&one.len()), "{}", one.len());
    let both = one.iter().filter(|number| other.contains(number)).count();
    assert!((300..500).contains(&both), "{both}");
    assert!(!is_held_out(campaign(1), member(1), 0));
}

mod limits {
    //! Quiet hours and caps together, over zones and changes of clocks, against a diary that somebody keeps by hand.

    use chrono::{Datelike, NaiveTime, TimeZone, Timelike};
    use proptest::prelude::*;

    use super::*;

    /// Whether a local time lies between two others, which may be around midnight.
    fn is_between((from, to): (u32, u32), time: NaiveTime) -> bool {
        let minute = time.hour() * 60 + time.minute();
        if from < to {
            (from..to).contains(&minute)
        } else {
            minute >= from || minute < to
        }
    }

    /// Whether two days are counted together.
    fn are_together(per: CapPeriod, one: NaiveDate, other: NaiveDate) -> bool {
        match per {
            CapPeriod::Day => one == other,
            CapPeriod::Week => one.iso_week() == other.iso_week(),
            CapPeriod::Month => (one.year(), one.month()) == (other.year(), other.month()),
        }
    }

    fn text(minute: u32) -> String {
        format!("{:02}:{:02}", minute / 60, minute % 60)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn as_many_go_as_a_diary_allows_and_none_at_night(
            zone in prop::sample::select(vec![
                Tz::UTC, Tz::Europe__Berlin, Tz::America__New_York, Tz::Australia__Lord_Howe, Tz::Africa__Cairo, Tz::Pacific__Apia,
            ]),
            // Around the days on which these zones change their clocks, and the end of a year.
            begins in prop::sample::select(vec!["2026-10-20T00:00:00Z", "2026-12-28T00:00:00Z", "2027-03-10T00:00:00Z", "2027-03-25T00:00:00Z"]),
            mut minutes in prop::collection::vec(0_i64..14 * 1_440, 1..60),
            cap in (1_i64..4, prop::sample::select(vec![CapPeriod::Day, CapPeriod::Week, CapPeriod::Month])),
            whole in (1_i64..6, prop::sample::select(vec![CapPeriod::Day, CapPeriod::Week, CapPeriod::Month])),
            night in (0_u32..1_440, 0_u32..1_440),
        ) {
            prop_assume!(night.0 != night.1);
            minutes.sort_unstable();
            let campaign = campaign(|row| {
                row.cap_at_most = Some(cap.0);
                row.cap_per = Some(cap.1);
                row.cap_over = Some(OverCap::Drop);
                quiet(row, &text(night.0), &text(night.1));
            });
            let mut diary: Vec<NaiveDate> = Vec::new();
            for minute in minutes {
                let now = at(begins) + TimeDelta::minutes(minute);
                let local = now.with_timezone(&zone).naive_local();
                // In the hour that a clock shows twice it may have been morning already: the tests of quiet hours look at that.
                let twice = zone.offset_from_local_datetime(&local).single().is_none();
                if twice && is_between(night, local.time()) {
                    continue;
                }
                let sent = |since: NaiveDate| {
                    i64::try_from(diary.iter().filter(|on| **on >= since).count()).expect("a small number")
                };
                let verdict = decide(&Facts {
                    now,
                    campaign: &campaign,
                    expires_at: now + TimeDelta::days(3),
                    still_holds: true,
                    member_id: MemberId::from_uuid(Uuid::from_u128(3)),
                    person: Person { zone, ..somebody() },
                    employer_cap: Some(Cap { at_most: whole.0, per: whole.1 }),
                    sent_since: &|_, since| sent(since),
                });
                let together = |per| diary.iter().filter(|on| are_together(per, **on, local.date())).count();
                let is_full = [cap, whole].iter().any(|(at_most, per)| {
                    i64::try_from(together(*per)).expect("a small number") >= *at_most
                });
                if is_between(night, local.time()) {
                    prop_assert!(matches!(verdict, Verdict::Wait(WaitsFor::QuietHours, until) if until > now), "{:?}", verdict);
                } else if is_full {
                    prop_assert_eq!(verdict, Verdict::Drop(NotSent::Cap));
                } else {
                    prop_assert_eq!(verdict, Verdict::Send(local.date()));
                    diary.push(local.date());
                }
            }
        }
    }
}
