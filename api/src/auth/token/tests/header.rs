//! Headers that ask for another algorithm, another key, or something we do not do.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use serde_json::json;

use super::*;

pub fn bad_headers(forge: &Forge) -> Vec<Bad> {
    let claims = Forge::claims().to_string();
    let public = forge.ring.signer(at(0)).unwrap().public().clone();
    let hmac_with = |alg: &str, secret: &[u8]| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let header = changed(forge.header(), json!({ "alg": alg }));
        Forge::sign_with(&header, &claims, |message| {
            hmac::sign(&key, message).as_ref().to_vec()
        })
    };
    let point = forge
        .ring
        .signer(at(0))
        .unwrap()
        .verifying()
        .try_get_as_bytes()
        .unwrap()
        .to_vec();
    let ed = Ed25519KeyPair::generate().unwrap();
    let unsigned = |alg: &str| {
        let header = changed(forge.header(), json!({ "alg": alg }));
        Forge::sign_with(&header, &claims, |_| Vec::new())
    };
    let mut bad = vec![
        ("alg none, unsigned", Refusal::Algorithm, unsigned("none")),
        ("alg None, unsigned", Refusal::Algorithm, unsigned("None")),
        ("alg nOnE, unsigned", Refusal::Algorithm, unsigned("nOnE")),
        (
            "alg none, signed",
            Refusal::Algorithm,
            forge.header_with(json!({ "alg": "none" })),
        ),
        (
            "alg empty",
            Refusal::Algorithm,
            forge.header_with(json!({ "alg": "" })),
        ),
        (
            "alg in lower case",
            Refusal::Algorithm,
            forge.header_with(json!({ "alg": "es256" })),
        ),
        (
            "HS256 with the public point as the secret",
            Refusal::Algorithm,
            hmac_with("HS256", &point),
        ),
        (
            "HS256 with the public JWK as the secret",
            Refusal::Algorithm,
            hmac_with("HS256", json!(public).to_string().as_bytes()),
        ),
        (
            "HS256 with an empty secret",
            Refusal::Algorithm,
            hmac_with("HS256", b""),
        ),
        (
            "HMAC that says ES256",
            Refusal::Signature,
            hmac_with("ES256", &point),
        ),
        (
            "ES384 over a P-256 key",
            Refusal::Algorithm,
            forge.header_with(json!({ "alg": "ES384" })),
        ),
        (
            "ES256K",
            Refusal::Algorithm,
            forge.header_with(json!({ "alg": "ES256K" })),
        ),
        (
            "RS256",
            Refusal::Algorithm,
            forge.header_with(json!({ "alg": "RS256" })),
        ),
        (
            "PS256",
            Refusal::Algorithm,
            forge.header_with(json!({ "alg": "PS256" })),
        ),
        (
            "EdDSA with a key of its own",
            Refusal::Algorithm,
            Forge::sign_with(
                &changed(forge.header(), json!({ "alg": "EdDSA" })),
                &claims,
                |text| ed.sign(text).as_ref().to_vec(),
            ),
        ),
        ("Ed25519 that says ES256", Refusal::Signature, {
            Forge::sign_with(&forge.header().to_string(), &claims, |text| {
                ed.sign(text).as_ref().to_vec()
            })
        }),
        (
            "alg missing",
            Refusal::Header,
            forge.header_with(json!({ "alg": null })),
        ),
        (
            "alg a list",
            Refusal::Header,
            forge.header_with(json!({ "alg": ["ES256"] })),
        ),
        (
            "kid missing",
            Refusal::Header,
            forge.header_with(json!({ "kid": null })),
        ),
        (
            "kid a number",
            Refusal::Header,
            forge.header_with(json!({ "kid": 1 })),
        ),
        ("kid empty", Refusal::Key, forge.header_with(json!({ "kid": "" }))),
        (
            "kid of nobody",
            Refusal::Key,
            forge.header_with(json!({ "kid": "nobody" })),
        ),
        (
            "kid a path",
            Refusal::Key,
            forge.header_with(json!({ "kid": "../../../../dev/null" })),
        ),
        (
            "kid an address",
            Refusal::Key,
            forge.header_with(json!({ "kid": "https://evil.example/key" })),
        ),
        (
            "kid a query",
            Refusal::Key,
            forge.header_with(json!({ "kid": "' OR 1=1 --" })),
        ),
        (
            "kid with a null byte",
            Refusal::Key,
            forge.header_with(json!({ "kid": format!("{}\0", forge.kid) })),
        ),
        (
            "typ missing",
            Refusal::Header,
            forge.header_with(json!({ "typ": null })),
        ),
        (
            "typ a list",
            Refusal::Header,
            forge.header_with(json!({ "typ": ["at+jwt"] })),
        ),
        (
            "crit empty",
            Refusal::Header,
            forge.header_with(json!({ "crit": [] })),
        ),
        (
            "crit with an extension",
            Refusal::Header,
            forge.header_with(json!({ "crit": ["exp"], "exp": 1 })),
        ),
        (
            "b64 false",
            Refusal::Header,
            forge.header_with(json!({ "crit": ["b64"], "b64": false })),
        ),
        (
            "the key itself in the header",
            Refusal::Header,
            forge.header_with(json!({ "jwk": public })),
        ),
        (
            "an address of keys",
            Refusal::Header,
            forge.header_with(json!({ "jku": "https://evil.example/jwks.json" })),
        ),
        (
            "an address of a certificate",
            Refusal::Header,
            forge.header_with(json!({ "x5u": "https://evil.example/cert" })),
        ),
        (
            "a certificate",
            Refusal::Header,
            forge.header_with(json!({ "x5c": ["MIIB"] })),
        ),
        (
            "a certificate's thumbprint",
            Refusal::Header,
            forge.header_with(json!({ "x5t#S256": "abc" })),
        ),
        (
            "a packed payload",
            Refusal::Header,
            forge.header_with(json!({ "zip": "DEF" })),
        ),
        (
            "an encrypted payload",
            Refusal::Header,
            forge.header_with(json!({ "enc": "A256GCM" })),
        ),
        (
            "a nested token",
            Refusal::Header,
            forge.header_with(json!({ "cty": "JWT" })),
        ),
        (
            "a header of our own invention",
            Refusal::Header,
            forge.header_with(json!({ "admin": true })),
        ),
        ("alg twice", Refusal::Header, {
            let twice = forge.header().to_string().replace('{', r#"{"alg":"none","#);
            forge.sign(&twice, &claims)
        }),
        (
            "kid twice",
            Refusal::Header,
            forge.sign(
                &forge.header().to_string().replace('{', r#"{"kid":"nobody","#),
                &claims,
            ),
        ),
        (
            "a header that is a list",
            Refusal::Header,
            forge.sign(&json!(["ES256", "at+jwt", forge.kid]).to_string(), &claims),
        ),
        (
            "a header that is a text",
            Refusal::Header,
            forge.sign("\"ES256\"", &claims),
        ),
        (
            "a header that is null",
            Refusal::Header,
            forge.sign("null", &claims),
        ),
        ("an empty header", Refusal::Header, forge.sign("", &claims)),
        (
            "a header cut short",
            Refusal::Header,
            forge.sign("{\"alg\":\"ES256\"", &claims),
        ),
        (
            "something after the header",
            Refusal::Header,
            forge.sign(&format!("{}{{}}", forge.header()), &claims),
        ),
    ];
    for typ in [
        "JWT",
        "id_token",
        "",
        "jwt",
        "at+jwt ",
        "text/at+jwt",
        "application/application/at+jwt",
        "logout+jwt",
        "dpop+jwt",
    ] {
        bad.push((
            "typ of another kind of token",
            Refusal::Type,
            forge.header_with(json!({ "typ": typ })),
        ));
    }
    bad
}
