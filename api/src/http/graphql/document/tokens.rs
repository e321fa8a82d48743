//! The lexical grammar of GraphQL, as far as a guard needs it: how many tokens a document has and how deeply its brackets nest.
//!
//! It runs before the parser, which is recursive and which knows no limit on tokens. So it must never count less than the parser
//! would see: what is not a string, a comment, a name or a number is one token a character.

use async_graphql::Pos;

/// What a document's tokens add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Lexical tokens; comments, commas and white space are none.
    pub tokens: usize,
    /// The deepest nesting of `{`, `(` and `[` together.
    pub nesting: usize,
}

/// A place where the text cannot be GraphQL, whatever follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong there.
    pub message: &'static str,
    /// Line and column, counted from 1.
    pub pos: Pos,
}

/// Counts the tokens of `document` and the nesting of its brackets.
///
/// # Errors
/// A string that does not end, or a number that is none.
pub fn tally(document: &str) -> Result<Tally, Malformed> {
    let bytes = document.as_bytes();
    let mut total = Tally {
        tokens: 0,
        nesting: 0,
    };
    let mut open = 0_usize;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let end = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b',' => {
                at += 1;
                continue;
            }
            // The byte order mark is white space anywhere, as in the parser.
            0xEF if bytes[at..].starts_with(b"\xEF\xBB\xBF") => {
                at += 3;
                continue;
            }
            b'#' => {
                at = skip_while(bytes, at, |byte| byte != b'\n' && byte != b'\r');
                continue;
            }
            b'"' => string(bytes, at),
            b'-' | b'0'..=b'9' => number(bytes, at),
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => Ok(skip_while(bytes, at, is_name)),
            b'.' if bytes[at..].starts_with(b"...") => Ok(at + 3),
            b'{' | b'(' | b'[' => {
                open += 1;
                total.nesting = total.nesting.max(open);
                Ok(at + 1)
            }
            b'}' | b')' | b']' => {
                open = open.saturating_sub(1);
                Ok(at + 1)
            }
            _ => Ok(at + 1),
        };
        total.tokens += 1;
        at = end.map_err(|message| Malformed {
            message,
            pos: position(bytes, at),
        })?;
    }
    Ok(total)
}

fn is_name(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

/// The index of the first byte from `at` on that does not hold.
fn skip_while(bytes: &[u8], at: usize, holds: impl Fn(u8) -> bool) -> usize {
    bytes[at..]
        .iter()
        .position(|&byte| !holds(byte))
        .map_or(bytes.len(), |length| at + length)
}

/// The end of the string or block string that starts at `at`.
fn string(bytes: &[u8], at: usize) -> Result<usize, &'static str> {
    const UNENDED: &str = "this string does not end";
    if bytes[at..].starts_with(b"\"\"\"") {
        let mut next = at + 3;
        while next < bytes.len() {
            if bytes[next..].starts_with(b"\\\"\"\"") {
                next += 4;
            } else if bytes[next..].starts_with(b"\"\"\"") {
                return Ok(next + 3);
            } else {
                next += 1;
            }
        }
        return Err(UNENDED);
    }
    let mut next = at + 1;
    loop {
        match bytes.get(next) {
            None | Some(b'\n' | b'\r') => return Err(UNENDED),
            Some(b'"') => return Ok(next + 1),
            // Whether the escape is one that exists is the parser's business; here only a `\"` must not end the string.
            Some(b'\\') if matches!(bytes.get(next + 1), Some(b'\n' | b'\r')) => {
                return Err(UNENDED);
            }
            Some(b'\\') => next += 2,
            Some(_) => next += 1,
        }
    }
}

/// The end of the number that starts at `at`. `00` and `1a` are refused rather than read as two tokens.
fn number(bytes: &[u8], at: usize) -> Result<usize, &'static str> {
    const NONE: &str = "this is not a number";
    let digits = |from: usize| {
        let end = skip_while(bytes, from, |byte| byte.is_ascii_digit());
        if end == from { Err(NONE) } else { Ok(end) }
    };
    let whole = if bytes[at] == b'-' { at + 1 } else { at };
    let mut next = digits(whole)?;
    if bytes[whole] == b'0' && next - whole > 1 {
        return Err(NONE);
    }
    if bytes.get(next) == Some(&b'.') && bytes.get(next + 1) != Some(&b'.') {
        next = digits(next + 1)?;
    }
    if matches!(bytes.get(next), Some(b'e' | b'E')) {
        let signed = matches!(bytes.get(next + 1), Some(b'+' | b'-'));
        next = digits(next + 1 + usize::from(signed))?;
    }
    match bytes.get(next) {
        Some(&byte) if is_name(byte) => Err(NONE),
        _ => Ok(next),
    }
}

/// Line and column of the byte at `at`, columns in characters.
fn position(bytes: &[u8], at: usize) -> Pos {
    let before = String::from_utf8_lossy(&bytes[..at]);
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .map_or(0, |line| line.chars().count())
        + 1;
    Pos { line, column }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(document: &str) -> (usize, usize) {
        let tally = tally(document).expect("lexes");
        (tally.tokens, tally.nesting)
    }

    #[test]
    fn tokens_and_nesting_are_counted_as_the_grammar_says() {
        let cases: &[(&str, (usize, usize))] = &[
            ("", (0, 0)),
            (" \t\r\n,,\u{feff}", (0, 0)),
            ("# a { comment\r{ a }", (3, 1)),
            ("{ a }", (3, 1)),
            ("{a(b:[1,[-2.5e+3]])}", (13, 4)),
            ("{ ...F }", (4, 1)),
            ("{ ... on T @skip(if: $x) { a } }", (16, 2)),
            (r#"{ a(b: "x \" { } # y") }"#, (8, 2)),
            (r#"{ a(b: "") }"#, (8, 2)),
            ("{ a(b: \"\"\"x \\\"\"\" { \n # \"y\" \"\"\") }", (8, 2)),
            (r#"{ a(b: """""") }"#, (8, 2)),
            (r#"{ a(b: "\\") c }"#, (9, 2)),
            ("-1", (1, 0)),
            ("1...2", (3, 0)),
            ("é", (2, 0)),
        ];
        for (document, expected) in cases {
            assert_eq!(counted(document), *expected, "{document}");
        }
    }

    #[test]
    fn what_cannot_be_a_token_is_refused_with_its_place() {
        let cases = [
            ("{ a(b: \"x\n\") }", (1, 8)),
            ("{\n  a(b: \"\"\"x) }", (2, 8)),
            ("{ a(b: \"x\\", (1, 8)),
            ("[00]", (1, 2)),
            ("[é 1a]", (1, 4)),
            ("1.", (1, 1)),
            ("1e", (1, 1)),
            ("-", (1, 1)),
        ];
        for (document, (line, column)) in cases {
            let pos = tally(document).expect_err(document).pos;
            assert_eq!((pos.line, pos.column), (line, column), "{document}");
        }
    }

    #[test]
    fn closing_more_than_was_opened_hides_no_nesting() {
        assert_eq!(counted("}}}} { { a } }"), (9, 2));
    }
}
