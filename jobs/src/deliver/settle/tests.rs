use entity::delivery::Taken;
use entity::id::{PartnerId, TypedId, WebhookEndpointId};
use entity::secret::SecretBytes;

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn endpoint() -> Model {
    Model {
        partner_id: PartnerId::from_uuid(uuid::Uuid::from_u128(1)),
        id: WebhookEndpointId::from_uuid(uuid::Uuid::from_u128(2)),
        url: "https://partner.example/".to_owned(),
        description: None,
        kinds: None,
        secret: SecretBytes::new([7; 32]),
        previous_secret: None,
        previous_secret_until: None,
        created_at: Timestamp(0),
        failures: 0,
        failing_since: None,
        closed_until: None,
        parked_at: None,
        parked_because: None,
        deleted_at: None,
    }
}

fn call(status: u16, tries: i64, now: DateTime<Utc>) -> Finished {
    let endpoint = endpoint();
    let taken = Taken {
        partner_id: endpoint.partner_id,
        position: 1,
        endpoint_id: endpoint.id,
        attempts: tries,
        tries,
        tried_since: None,
    };
    Finished {
        taken,
        lease: 1,
        at: now.into(),
        milliseconds: 1,
        status: Some(status),
        error: None,
        answer: None,
        delivered_at: (200..300).contains(&status).then_some(now.into()),
        due_at: now.into(),
        closed_until: None,
        jitter: 0.0,
    }
}

fn answer(status: u16, retry_after: Option<&str>) -> Result<Answer, CallError> {
    Ok(Answer {
        status,
        retry_after: retry_after.map(str::to_owned),
        body: b"so\0 \xff".to_vec(),
        is_cut: false,
    })
}

#[test]
fn only_what_is_taken_with_2xx_is_delivered() {
    let now = at("2026-11-21T12:00:00Z");
    for status in [200, 201, 202, 204, 299] {
        assert!(judge(&answer(status, Some("9")), now).is_delivered, "{status}");
    }
    for status in [
        100, 199, 300, 301, 302, 307, 308, 400, 401, 404, 410, 429, 500, 503,
    ] {
        let verdict = judge(&answer(status, Some("9")), now);
        assert!(!verdict.is_delivered, "{status}");
        assert_eq!(
            (verdict.status, verdict.asked),
            (Some(status), Some(TimeDelta::seconds(9)))
        );
        assert_eq!(verdict.answer.as_deref(), Some("so\u{fffd} \u{fffd}"));
    }
    for (error, status, code) in [
        (CallError::Refused, None, "ADDRESS_REFUSED"),
        (CallError::Timeout(None), None, "TIMEOUT"),
        (CallError::Timeout(Some(200)), Some(200), "TIMEOUT"),
        (CallError::Connection, None, "CONNECTION_FAILED"),
        (CallError::Broken(None), None, "ANSWER_BROKEN"),
    ] {
        let verdict = judge(&Err(error), now);
        assert_eq!(
            (verdict.is_delivered, verdict.status, verdict.error),
            (false, status, Some(code))
        );
    }
}

#[test]
fn the_first_kilobyte_of_an_answer_is_kept() {
    assert_eq!(text(&[b'a'; 5_000]).len(), 1_024);
    assert_eq!(text(b""), "");
}

#[test]
fn after_five_failures_in_a_row_an_endpoint_is_called_less_and_less_until_one_call_is_taken() {
    let (mut endpoint, now) = (endpoint(), at("2026-11-21T12:00:00Z"));
    let until = |endpoint: &mut Model, status| {
        note(endpoint, &call(status, 0, now), now, Scale::REAL);
        endpoint
            .closed_until
            .map(|until| until.instant().signed_duration_since(now).num_seconds())
    };
    let waits: Vec<_> = [500; 7].map(|status| until(&mut endpoint, status)).into();
    assert_eq!(waits, [None, None, None, None, Some(5), Some(10), Some(20)]);
    assert_eq!(endpoint.failing_since, Some(now.into()));
    assert_eq!(until(&mut endpoint, 200), None);
    assert_eq!(
        (endpoint.failures, endpoint.failing_since, endpoint.parked_at),
        (0, None, None)
    );
}

#[test]
fn an_endpoint_is_parked_when_it_is_gone_or_everything_was_tried_for_days() {
    let begin = at("2026-11-21T12:00:00Z");
    let park = |status,
                tries,
                since: Option<DateTime<Utc>>,
                failures,
                failing_since: Option<DateTime<Utc>>,
                now: &str| {
        let now = at(now);
        let mut row = Model {
            failures,
            failing_since: failing_since.map(Timestamp::from),
            ..endpoint()
        };
        let mut call = call(status, tries, now);
        call.taken.tried_since = since.map(Timestamp::from);
        note(&mut row, &call, now, Scale::REAL);
        row.parked_because
    };
    assert_eq!(
        park(410, 0, None, 0, None, "2026-11-21T12:00:00Z"),
        Some(ParkedBecause::Gone)
    );
    assert_eq!(park(500, 0, None, 0, None, "2026-11-21T12:00:00Z"), None);
    // Of one delivery: ten tries, and 75 hours.
    let (soon, late) = ("2026-11-24T14:59:59Z", "2026-11-24T15:00:00Z");
    assert_eq!(
        park(500, 9, Some(begin), 0, None, late),
        Some(ParkedBecause::Exhausted)
    );
    assert_eq!(park(500, 9, Some(begin), 0, None, soon), None);
    assert_eq!(park(500, 8, Some(begin), 0, None, late), None);
    // Of all deliveries together.
    assert_eq!(
        park(500, 0, None, 9, Some(begin), late),
        Some(ParkedBecause::Exhausted)
    );
    assert_eq!(park(500, 0, None, 9, Some(begin), soon), None);
    assert_eq!(park(200, 9, Some(begin), 9, Some(begin), late), None);
}
