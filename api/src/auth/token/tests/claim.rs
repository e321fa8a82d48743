//! Claims that are missing, malformed, somebody else's, out of time, or that make no viewer.

use serde_json::json;

use super::*;

pub fn bad_claims(forge: &Forge) -> Vec<Bad> {
    let header = forge.header().to_string();
    let with = |changes| forge.claims_with(changes);
    let (employer, partner, member) = (
        employer().to_string(),
        partner().to_string(),
        member().to_string(),
    );
    let mut bad = Vec::new();
    for name in ["iss", "aud", "sub", "client_id", "iat", "exp", "jti", "scope"] {
        bad.push(("a claim missing", Refusal::Claims, with(json!({ name: null }))));
        bad.push(("a claim that is null", Refusal::Claims, {
            let mut claims = Forge::claims();
            claims[name] = Value::Null;
            forge.sign(&header, &claims.to_string())
        }));
        bad.push((
            "a claim that is a list",
            Refusal::Claims,
            with(json!({ name: [Forge::claims()[name]] })),
        ));
        bad.push((
            "a claim that is an object",
            Refusal::Claims,
            with(json!({ name: { "value": 1 } })),
        ));
        bad.push(("a claim twice", Refusal::Claims, {
            let again = format!("{{{:?}:{},", name, Forge::claims()[name]);
            forge.sign(&header, &Forge::claims().to_string().replacen('{', &again, 1))
        }));
    }
    for name in ["employer", "partner", "member", "nbf"] {
        let null = format!("{{\"{name}\":null,");
        let bare = changed(Forge::claims(), json!({ "employer": null }));
        bad.push((
            "an optional claim that is null",
            Refusal::Claims,
            forge.sign(&header, &bare.replacen('{', &null, 1)),
        ));
    }
    for name in ["exp", "iat", "nbf"] {
        for value in [
            json!("1795219200"),
            json!(1_795_219_200.5),
            json!(1e300),
            json!(true),
            json!(u64::MAX),
        ] {
            bad.push((
                "a time that is no whole number",
                Refusal::Claims,
                with(json!({ name: value })),
            ));
        }
    }
    let (now, end) = (at(0).timestamp(), at(600).timestamp());
    bad.extend([
        ("another issuer", Refusal::Authority, with(json!({ "iss": "https://evil.example" }))),
        ("an issuer with a slash", Refusal::Authority, with(json!({ "iss": "https://plaudit.example/" }))),
        ("an issuer in capitals", Refusal::Authority, with(json!({ "iss": "https://PLAUDIT.example" }))),
        ("an empty issuer", Refusal::Authority, with(json!({ "iss": "" }))),
        ("another audience", Refusal::Authority, with(json!({ "aud": "https://other.example/api" }))),
        ("the issuer as the audience", Refusal::Authority, with(json!({ "aud": authority().issuer }))),
        ("an empty audience", Refusal::Authority, with(json!({ "aud": "" }))),
        ("two audiences, ours among them", Refusal::Claims, with(json!({ "aud": [authority().audience, "other"] }))),
        ("over a second ago", Refusal::Expired, with(json!({ "iat": now - 600, "exp": now - 1 }))),
        ("over just now", Refusal::Expired, with(json!({ "iat": now - 600, "exp": now }))),
        ("not begun", Refusal::NotYetValid, with(json!({ "nbf": now + 6 }))),
        ("not begun for an hour", Refusal::NotYetValid, with(json!({ "nbf": now + 3_600 }))),
        ("signed in the future", Refusal::NotYetValid, with(json!({ "iat": now + 6 }))),
        ("longer than a day", Refusal::Life, with(json!({ "exp": now + 86_401 }))),
        ("without end", Refusal::Life, with(json!({ "exp": i64::MAX }))),
        ("from the beginning of time", Refusal::Life, with(json!({ "iat": i64::MIN, "exp": i64::MAX }))),
        ("signed at the epoch", Refusal::Life, with(json!({ "iat": 0 }))),
        ("over before it was signed", Refusal::Life, with(json!({ "iat": end, "exp": now }))),
        ("without any life", Refusal::Life, with(json!({ "iat": now, "exp": now }))),
        ("another subject than the client", Refusal::Party, with(json!({ "sub": "other" }))),
        ("an empty subject", Refusal::Party, with(json!({ "sub": "" }))),
        ("an empty client", Refusal::Claims, with(json!({ "client_id": "", "sub": "" }))),
        ("an empty id", Refusal::Claims, with(json!({ "jti": "" }))),
        ("an employer and a partner", Refusal::Party, with(json!({ "partner": partner }))),
        (
            "an employer, a partner and a member",
            Refusal::Party,
            with(json!({ "partner": partner, "member": member, "sub": member, "scope": "member:self" })),
        ),
        (
            "a member without an employer",
            Refusal::Party,
            with(json!({ "employer": null, "member": member, "sub": member, "scope": "member:self" })),
        ),
        (
            "a member of a partner",
            Refusal::Party,
            with(json!({ "employer": null, "partner": partner, "member": member, "sub": member, "scope": "member:self" })),
        ),
        ("a member whose token is the client's", Refusal::Party, with(json!({ "member": member, "scope": "member:self" }))),
        ("an employer that is a partner", Refusal::Party, with(json!({ "employer": partner }))),
        ("an employer in lower case", Refusal::Party, with(json!({ "employer": employer.to_lowercase() }))),
        ("an employer that is no id", Refusal::Party, with(json!({ "employer": "acme" }))),
        ("an empty employer", Refusal::Party, with(json!({ "employer": "" }))),
        ("an employer that is a number", Refusal::Claims, with(json!({ "employer": 1 }))),
        ("no scope", Refusal::Scopes, with(json!({ "scope": "" }))),
        ("scopes separated by two spaces", Refusal::Scopes, with(json!({ "scope": "events:write  members:write" }))),
        ("scopes separated by commas", Refusal::Scopes, with(json!({ "scope": "events:write,members:write" }))),
        ("only scopes we do not know", Refusal::Scopes, with(json!({ "scope": "later:read" }))),
        ("operator with an employer", Refusal::Scopes, with(json!({ "scope": "operator" }))),
        ("a partner's scope with an employer", Refusal::Scopes, with(json!({ "scope": "events:write feed:read" }))),
        ("a member's scope without a member", Refusal::Scopes, with(json!({ "scope": "member:self" }))),
        ("a partner's scope without a tenant", Refusal::Scopes, with(json!({ "employer": null, "scope": "feed:read" }))),
        ("an employer's scope with a partner", Refusal::Scopes, with(json!({ "employer": null, "partner": partner }))),
        ("an employer's scope with a member", Refusal::Scopes, with(json!({ "member": member, "sub": member }))),
        ("a claim of our own invention", Refusal::Claims, with(json!({ "admin": true }))),
        ("claims that are a list", Refusal::Claims, forge.sign(&header, "[1]")),
        ("claims that are a text", Refusal::Claims, forge.sign(&header, "\"claims\"")),
        ("no claims", Refusal::Claims, forge.sign(&header, "")),
        ("empty claims", Refusal::Claims, forge.sign(&header, "{}")),
        ("claims nested deeply", Refusal::Claims, forge.sign(&header, &"{\"iss\":".repeat(200))),
        ("something after the claims", Refusal::Claims, forge.sign(&header, &format!("{}{{}}", Forge::claims()))),
        ("claims that are no text", Refusal::Claims, {
            let claims = format!("{{\"iss\":\"{}\"}}", '\u{0}');
            forge.sign(&header, &claims)
        }),
    ]);
    bad
}
