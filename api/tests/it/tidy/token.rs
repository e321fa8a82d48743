//! Rust as words and signs, without comments and literals.
//!
//! A few lines of our own instead of proc-macro2: a test that depends on it makes cargo build every procedural macro of the workspace
//! once for the tests and once for the program.

/// A word (an identifier or a keyword) or a sign of one character.
#[derive(Debug, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

impl Token {
    pub fn is_word(&self) -> bool {
        self.text.starts_with(starts_word)
    }
}

/// The tokens of a source that compiles; of anything else, some tokens.
pub fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    let mut line = 1;
    while at < chars.len() {
        let start = at;
        at = match &chars[at..] {
            ['/', '/', ..] => skip_while(&chars, at, |char| char != '\n'),
            ['/', '*', ..] => skip_comment(&chars, at),
            ['"', ..] | ['b' | 'c', '"', ..] => skip_quoted(&chars, at, '"'),
            ['b', '\'', ..] | ['\'', '\\', ..] | ['\'', _, '\'', ..] => skip_quoted(&chars, at, '\''),
            // A lifetime.
            ['\'', ..] => skip_while(&chars, at + 1, continues_word),
            ['r', '"', ..] | ['b' | 'c', 'r', '"' | '#', ..] => skip_raw(&chars, at),
            ['r', '#', '"' | '#', ..] => skip_raw(&chars, at),
            ['r', '#', ..] => at + 2,
            [first, ..] if starts_word(*first) => {
                let end = skip_while(&chars, at, continues_word);
                tokens.push(Token {
                    text: chars[at..end].iter().collect(),
                    line,
                });
                end
            }
            [first, ..] if first.is_ascii_digit() => skip_while(&chars, at, continues_word),
            [sign, ..] => {
                if !sign.is_whitespace() {
                    tokens.push(Token {
                        text: sign.to_string(),
                        line,
                    });
                }
                at + 1
            }
            [] => break,
        };
        line += chars[start..at.min(chars.len())]
            .iter()
            .filter(|char| **char == '\n')
            .count();
    }
    tokens
}

fn starts_word(char: char) -> bool {
    char.is_alphabetic() || char == '_'
}

fn continues_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

fn skip_while(chars: &[char], start: usize, wanted: fn(char) -> bool) -> usize {
    chars[start..]
        .iter()
        .position(|char| !wanted(*char))
        .map_or(chars.len(), |length| start + length)
}

/// The end of a comment that may hold others.
fn skip_comment(chars: &[char], start: usize) -> usize {
    let mut depth = 0;
    let mut at = start;
    while at < chars.len() {
        match &chars[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The end of a text or a character with escapes, whose first quote may stand behind a prefix.
fn skip_quoted(chars: &[char], start: usize, quote: char) -> usize {
    let mut at = if chars[start] == quote {
        start + 1
    } else {
        start + 2
    };
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The end of a raw text: a quote and as many hashes as it began with.
fn skip_raw(chars: &[char], start: usize) -> usize {
    let prefix = skip_while(chars, start, continues_word);
    let open = skip_while(chars, prefix, |char| char == '#');
    let mut closing = vec!['"'];
    closing.resize(1 + open - prefix, '#');
    let rest = chars.get(open + 1..).unwrap_or_default();
    rest.windows(closing.len())
        .position(|end| end == closing)
        .map_or(chars.len(), |length| open + 1 + length + closing.len())
}

#[test]
fn comments_and_literals_are_no_tokens() {
    let source = r####"
        /* a /* b */ "c */ use d; // e "
        f("g \" h", r"i", r#"j " k"#, br##"l "# m"##, b"n", c"o", cr"p");
        q::<'r>('s', '\'', b't', '\u{75}', 1_0.5e-3, 0xff_u8) + r#v + b'\\' + w"####;
    let words: Vec<String> = tokens(source)
        .into_iter()
        .filter(Token::is_word)
        .map(|token| token.text)
        .collect();
    assert_eq!(words, ["use", "d", "f", "q", "v", "w"].map(String::from).to_vec());
}

#[test]
fn tokens_know_their_lines() {
    let lines: Vec<usize> = tokens("a\n\"x\ny\" b /* \n */ c // d\n'e' f")
        .iter()
        .map(|token| token.line)
        .collect();
    assert_eq!(lines, [1, 3, 4, 5]);
}

#[test]
fn no_text_is_too_broken_to_be_read() {
    for text in [
        "\"",
        "'",
        "r#",
        "r#\"",
        "br##\"a\"#",
        "/*",
        "b'",
        "'\\",
        "\"\\",
        "r",
        "//",
        "cr#",
    ] {
        tokens(text);
    }
}
