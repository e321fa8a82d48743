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
    let mut total = Tally {
        tokens: 0,
        nesting: 0,
    };
    let mut open = 0_usize;
    let mut rest = document.as_bytes();
    while let Some(byte) = rest.first() {
        let mut is_token = true;
        let length = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b',' => {
                is_token = false;
                Ok(1)
            }
            // The byte order mark is white space anywhere, as in the parser.
            0xEF if rest.starts_with(b"\xEF\xBB\xBF") => {
                is_token = false;
                Ok(3)
            }
            b'#' => {
                is_token = false;
                Ok(run(rest, |byte| byte != b'\n' && byte != b'\r'))
            }
            b'"' => string(rest),
            b'-' | b'0'..=b'9' => number(rest),
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => Ok(run(rest, is_name)),
            b'.' if rest.starts_with(b"...") => Ok(3),
            b'{' | b'(' | b'[' => {
                open += 1;
                total.nesting = total.nesting.max(open);
                Ok(1)
            }
            b'}' | b')' | b']' => {
                open = open.saturating_sub(1);
                Ok(1)
            }
            _ => Ok(1),
        };
        let length = length.map_err(|message| Malformed {
            message,
            pos: position(document, rest.len()),
        })?;
        total.tokens += usize::from(is_token);
        rest = after(rest, length);
    }
    Ok(total)
}

fn is_name(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

/// What is left when `length` bytes are taken away.
fn after(bytes: &[u8], length: usize) -> &[u8] {
    bytes.get(length..).unwrap_or_default()
}

/// How many bytes hold from the start on.
fn run(bytes: &[u8], holds: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| holds(**byte)).count()
}

/// The length of the string or block string at the start of `bytes`.
fn string(bytes: &[u8]) -> Result<usize, &'static str> {
    const UNENDED: &str = "this string does not end";
    let is_block = bytes.starts_with(b"\"\"\"");
    let mut length = if is_block { 3 } else { 1 };
    loop {
        length += match (is_block, after(bytes, length)) {
            (true, [b'\\', b'"', b'"', b'"', ..]) => 4,
            (true, [b'"', b'"', b'"', ..]) => return Ok(length + 3),
            (false, [b'"', ..]) => return Ok(length + 1),
            (_, []) | (false, [b'\n' | b'\r', ..] | [b'\\', b'\n' | b'\r', ..]) => {
                return Err(UNENDED);
            }
            // Whether the escape is one that exists is the parser's business; here only a `\"` must not end the string.
            (false, [b'\\', _, ..]) => 2,
            _ => 1,
        };
    }
}

/// The length of the number at the start of `bytes`. `00` and `1a` are refused rather than read as two tokens.
fn number(bytes: &[u8]) -> Result<usize, &'static str> {
    const NONE: &str = "this is not a number";
    let digits = |from: usize| match run(after(bytes, from), |byte| byte.is_ascii_digit()) {
        0 => Err(NONE),
        count => Ok(from + count),
    };
    let start = usize::from(bytes.starts_with(b"-"));
    let mut length = digits(start)?;
    if after(bytes, start).starts_with(b"0") && length - start > 1 {
        return Err(NONE);
    }
    if let [b'.', next, ..] = after(bytes, length)
        && *next != b'.'
    {
        length = digits(length + 1)?;
    }
    match after(bytes, length) {
        [b'e' | b'E', b'+' | b'-', ..] => length = digits(length + 2)?,
        [b'e' | b'E', ..] => length = digits(length + 1)?,
        _ => {}
    }
    match after(bytes, length) {
        [byte, ..] if is_name(*byte) => Err(NONE),
        _ => Ok(length),
    }
}

/// Line and column, in characters, of the place with `left` bytes behind it.
fn position(document: &str, left: usize) -> Pos {
    let before = document.get(..document.len() - left).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
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
            ("1.a", (1, 1)),
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
