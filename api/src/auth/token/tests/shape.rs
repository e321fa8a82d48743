//! Texts that are no token, and signatures that are none of ours.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    EcdsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::json;

use super::*;

pub fn bad_shapes(forge: &Forge) -> Vec<Bad> {
    let good = forge.good();
    let [header, claims, signature] = parts(&good);
    let shape = Refusal::Shape;
    vec![
        ("nothing", shape, String::new()),
        ("a word", shape, "token".to_owned()),
        ("dots", Refusal::Header, "..".to_owned()),
        ("two parts", Refusal::Shape, format!("{header}.{claims}")),
        ("four parts", shape, format!("{good}.{signature}")),
        (
            "five parts, as if encrypted",
            shape,
            format!("{header}.a.b.c.{signature}"),
        ),
        ("a space before", shape, format!(" {good}")),
        ("a space after", shape, format!("{good} ")),
        ("a line break after", shape, format!("{good}\n")),
        (
            "a line break within",
            shape,
            format!("{header}.{claims}.\n{signature}"),
        ),
        ("a null byte after", shape, format!("{good}\0")),
        ("the scheme before", shape, format!("Bearer {good}")),
        (
            "the header padded",
            shape,
            format!("{header}=.{claims}.{signature}"),
        ),
        (
            "the header in plain JSON",
            shape,
            format!("{}.{claims}.{signature}", forge.header()),
        ),
        ("letters beyond ASCII", shape, format!("é.{claims}.{signature}")),
        (
            "longer than any of ours",
            Refusal::TooLong,
            forge.claims_with(json!({ "jti": "j".repeat(LONGEST_TOKEN) })),
        ),
        ("a megabyte", Refusal::TooLong, "a".repeat(1 << 20)),
    ]
}

pub fn bad_signatures(forge: &Forge) -> Vec<Bad> {
    let good = forge.good();
    let [header, claims, signature] = parts(&good);
    let with = |signature: &str| format!("{header}.{claims}.{signature}");
    let raw = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let swapped = [&raw[32..], &raw[..32]].concat();
    let other_claims = URL_SAFE_NO_PAD.encode(changed(Forge::claims(), json!({ "scope": "members:write" })));
    let other_header =
        URL_SAFE_NO_PAD.encode(changed(forge.header(), json!({ "typ": "application/at+jwt" })));
    let (plain_header, plain_claims) = (forge.header().to_string(), Forge::claims().to_string());
    let stranger = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let der = forge.ring.signer(at(0)).unwrap();
    let der = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der.private_pkcs8()).unwrap();
    let random = SystemRandom::new();
    // The last letter of 64 bytes carries four bits of nothing: another letter would be another text of the same bytes.
    let mut cut = signature.to_owned();
    let last = cut.pop().unwrap();
    let sibling = char::from(u8::try_from(last).unwrap() + 1);
    let wrong = Refusal::Signature;
    vec![
        ("no signature", wrong, with("")),
        (
            "a signature cut short",
            wrong,
            with(&URL_SAFE_NO_PAD.encode(&raw[..63])),
        ),
        (
            "a signature a byte too long",
            wrong,
            with(&URL_SAFE_NO_PAD.encode([&raw[..], &[0]].concat())),
        ),
        ("a signature with a letter cut off", Refusal::Shape, with(&cut)),
        ("a signature padded", Refusal::Shape, with(&URL_SAFE.encode(&raw))),
        (
            "a signature in plain base64",
            Refusal::Shape,
            with(&STANDARD_NO_PAD.encode([0xff; 64])),
        ),
        (
            "a signature with a space",
            Refusal::Shape,
            with(&format!(" {signature}")),
        ),
        (
            "a signature with stray bits",
            Refusal::Shape,
            with(&format!("{cut}{sibling}")),
        ),
        (
            "a signature of zeros",
            wrong,
            with(&URL_SAFE_NO_PAD.encode([0; 64])),
        ),
        (
            "a signature of ones",
            wrong,
            with(&URL_SAFE_NO_PAD.encode([0xff; 64])),
        ),
        (
            "a signature with its halves swapped",
            wrong,
            with(&URL_SAFE_NO_PAD.encode(swapped)),
        ),
        (
            "other claims under the signature",
            wrong,
            format!("{header}.{other_claims}.{signature}"),
        ),
        (
            "another header under the signature",
            wrong,
            format!("{other_header}.{claims}.{signature}"),
        ),
        (
            "a signature in DER",
            wrong,
            Forge::sign_with(&plain_header, &plain_claims, |text| {
                der.sign(&random, text).unwrap().as_ref().to_vec()
            }),
        ),
        (
            "another key under the name of ours",
            wrong,
            Forge::sign_with(&plain_header, &plain_claims, |text| {
                stranger.sign(&random, text).unwrap().as_ref().to_vec()
            }),
        ),
        (
            "a key of another curve under the name of ours",
            wrong,
            Forge::sign_with(&plain_header, &plain_claims, |text| {
                p384.sign(&random, text).unwrap().as_ref().to_vec()
            }),
        ),
    ]
}
