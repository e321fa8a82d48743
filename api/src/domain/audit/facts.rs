//! What the audit log says of each noun: its public fields. No secret, and of a member nothing but its id.

use aws_lc_rs::digest;
use entity::clock::Timestamp;
use entity::{
    boost, campaign, client, employer, event_type, grant, incentive, level, partner, program, redemption,
    reward, webhook_endpoint,
};
use serde_json::{Value, json};

/// Something that is changed by somebody with a token.
pub trait Noun {
    /// How the log names it.
    fn subject(&self) -> String;
    /// Its public fields.
    fn facts(&self) -> Value;
}

fn time(at: Timestamp) -> Value {
    let text = at.instant().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
    Value::String(text)
}

fn maybe(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, time)
}

/// Addresses that are called hold tokens at times: the log shows that one has changed, not what it is.
fn url_digest(url: &str) -> String {
    let digest = digest::digest(&digest::SHA256, url.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Noun for employer::Model {
    fn subject(&self) -> String {
        self.key.clone()
    }

    fn facts(&self) -> Value {
        json!({
            "key": self.key, "name": self.name, "timeZone": self.time_zone, "enrolment": self.enrolment.as_str(),
            "minimumGroupSize": self.minimum_group_size, "sandbox": self.sandbox,
            "consentDefaults": {"partnerSharing": self.default_partner_sharing, "email": self.default_email},
            "clockAheadMicros": self.clock_offset_micros,
            "messageCap": {"atMost": self.message_cap_at_most, "per": self.message_cap_per.map(|per| per.as_str())},
        })
    }
}

impl Noun for partner::Model {
    fn subject(&self) -> String {
        self.key.clone()
    }

    fn facts(&self) -> Value {
        json!({"key": self.key, "name": self.name})
    }
}

/// A webhook endpoint of this employer's own feed; none: of a partner.
pub struct EndpointOf<'a>(pub Option<&'a employer::Model>, pub &'a webhook_endpoint::Model);

impl Noun for EndpointOf<'_> {
    fn subject(&self) -> String {
        self.1.id.to_string()
    }

    fn facts(&self) -> Value {
        let Self(employer, endpoint) = self;
        json!({
            "partner": employer.is_none().then(|| endpoint.partner_id.to_string()), "employer": employer.map(|row| row.id.to_string()),
            "urlSha256": url_digest(&endpoint.url), "description": endpoint.description,
            "kinds": endpoint.kinds.as_deref().map(|kinds| kinds.split_whitespace().collect::<Vec<_>>()),
            "previousSecretUntil": maybe(endpoint.previous_secret_until), "parkedAt": maybe(endpoint.parked_at),
            "deletedAt": maybe(endpoint.deleted_at),
        })
    }
}

impl Noun for campaign::Model {
    fn subject(&self) -> String {
        self.key.clone()
    }

    fn facts(&self) -> Value {
        json!({
            "key": self.key, "name": self.name, "program": self.program_id.map(|id| id.to_string()), "version": self.version,
            "subject": self.subject, "neutralSubject": self.neutral_subject, "text": self.body_text, "html": self.body_html,
            "contentSource": self.content_url.as_deref().map(|url| json!({
                "urlSha256": url_digest(url), "timeoutMillis": self.content_timeout_millis,
            })),
            "category": self.category, "transactional": self.transactional,
            "cap": {
                "atMost": self.cap_at_most, "per": self.cap_per.map(|per| per.as_str()), "over": self.cap_over.map(|over| over.as_str()),
            },
            "quietHours": {"from": self.quiet_from, "to": self.quiet_to}, "until": self.until,
            "conversionSeconds": self.conversion_seconds, "heldOutPercent": self.held_out_percent,
            "timeToLiveSeconds": self.time_to_live_seconds, "schedule": self.schedule, "segment": self.segment,
            "pausedAt": maybe(self.paused_at), "archivedAt": maybe(self.archived_at),
        })
    }
}

impl Noun for client::Model {
    fn subject(&self) -> String {
        self.id.to_string()
    }

    fn facts(&self) -> Value {
        json!({
            "clientId": self.id.to_string(), "name": self.name, "scopes": self.scopes,
            "employer": self.employer_id.map(|id| id.to_string()), "partner": self.partner_id.map(|id| id.to_string()),
            "previousSecretUntil": maybe(self.previous_secret_until), "revokedAt": maybe(self.revoked_at),
        })
    }
}

impl Noun for event_type::Model {
    fn subject(&self) -> String {
        self.key.clone()
    }

    fn facts(&self) -> Value {
        json!({
            "key": self.key, "name": self.name, "description": self.description, "propertiesSchema": self.properties_schema,
            "sensitive": self.sensitive, "maxLateSeconds": self.max_late_seconds, "maxFutureSeconds": self.max_future_seconds,
            "retentionSeconds": self.retention_seconds,
        })
    }
}

impl Noun for program::Model {
    fn subject(&self) -> String {
        self.key.clone()
    }

    fn facts(&self) -> Value {
        json!({
            "key": self.key, "name": self.name, "startsOn": self.starts_on, "endsOn": self.ends_on,
            "timeZone": self.time_zone, "dayStartsAtMinutes": self.day_starts_at_minutes, "budget": self.budget,
            "activatedAt": maybe(self.activated_at), "pausedAt": maybe(self.paused_at), "endedAt": maybe(self.ended_at),
        })
    }
}

impl Noun for incentive::Model {
    fn subject(&self) -> String {
        self.key.clone()
    }

    fn facts(&self) -> Value {
        json!({
            "key": self.key, "name": self.name, "description": self.description, "program": self.program_id.to_string(),
            "sensitive": self.sensitive, "retiredAt": maybe(self.retired_at),
        })
    }
}

/// An incentive by the version of its rule.
pub struct Edition<'a>(pub &'a incentive::Model, pub &'a incentive::Version);

impl Noun for Edition<'_> {
    fn subject(&self) -> String {
        self.0.subject()
    }

    fn facts(&self) -> Value {
        let Self(incentive, version) = self;
        let mut facts = incentive.facts();
        if let Value::Object(fields) = &mut facts {
            let version = json!({
                "number": version.version, "rule": version.definition, "outcomes": version.outcomes,
                "effectiveFrom": maybe(version.effective_from), "restarts": version.restarts,
            });
            fields.insert("version".to_owned(), version);
        }
        facts
    }
}

impl Noun for boost::Model {
    fn subject(&self) -> String {
        self.key.clone()
    }

    fn facts(&self) -> Value {
        json!({
            "key": self.key, "name": self.name, "program": self.program_id.to_string(), "multiplier": self.multiplier,
            "category": self.category, "startsOn": self.starts_on, "endsOn": self.ends_on, "where": self.conditions,
            "endedAt": maybe(self.ended_at),
        })
    }
}

/// The levels of a program; none: it has no more.
pub struct LevelsOf<'a>(pub &'a program::Model, pub Option<&'a level::Model>);

impl Noun for LevelsOf<'_> {
    fn subject(&self) -> String {
        self.0.key.clone()
    }

    fn facts(&self) -> Value {
        match self.1 {
            None => Value::Null,
            Some(levels) => json!({"category": levels.category, "levels": levels.definition}),
        }
    }
}

impl Noun for reward::Model {
    fn subject(&self) -> String {
        self.key.clone()
    }

    fn facts(&self) -> Value {
        json!({
            "key": self.key, "name": self.name, "description": self.description, "program": self.program_id.to_string(),
            "price": self.price, "category": self.category, "stock": self.stock, "perMember": self.per_member,
            "availableFrom": self.available_from, "availableUntil": self.available_until, "holdSeconds": self.hold_seconds,
            "fulfilledBy": self.fulfilled_by.map(|id| id.to_string()), "retiredAt": maybe(self.retired_at),
        })
    }
}

impl Noun for redemption::Model {
    fn subject(&self) -> String {
        self.id.to_string()
    }

    // Not the reference and not the reason: those are in others' own words, and go when the member is erased.
    fn facts(&self) -> Value {
        json!({"reward": self.reward_id.to_string(), "quantity": self.quantity, "status": self.status.as_str()})
    }
}

/// The grants of a partner.
pub struct GrantsOf<'a>(pub &'a partner::Model, pub &'a [grant::Model]);

impl Noun for GrantsOf<'_> {
    fn subject(&self) -> String {
        self.0.key.clone()
    }

    fn facts(&self) -> Value {
        let grant = |grant: &grant::Model| {
            json!({
                "program": grant.program_id.to_string(), "grantedAt": time(grant.created_at),
                "revokedAt": maybe(grant.revoked_at),
            })
        };
        Value::Array(self.1.iter().map(grant).collect())
    }
}
