//! What a Rust file says: the paths its tokens form, its words, its attributes.

use super::token::{Token, tokens};

/// The names in a file.
#[derive(Default)]
pub struct Code {
    /// `a::b::c`, one entry for each leaf of a `use` tree; names after a dot are not among them.
    pub paths: Vec<Named>,
    /// Every word, those after a dot as `.name`, those before an exclamation mark as `name!`.
    pub words: Vec<Named>,
    /// The first word of every attribute, and every word within `cfg_attr`.
    pub attributes: Vec<Named>,
}

/// A name and its line.
#[derive(Debug)]
pub struct Named {
    pub name: String,
    pub line: usize,
}

impl Code {
    pub fn of(source: &str) -> Self {
        let tokens = tokens(source);
        let mut code = Self::default();
        let mut at = 0;
        while at < tokens.len() {
            if tokens[at].is_word() {
                at = code.read_path(&tokens, at, "");
            } else {
                if is(&tokens, at, "#") {
                    code.read_attribute(&tokens, at + 1);
                }
                at += 1;
            }
        }
        code
    }

    /// Reads the path that begins here and answers where it ends; `prefix` is what stands before the braces of a `use` tree, with its
    /// `::`.
    fn read_path(&mut self, tokens: &[Token], start: usize, prefix: &str) -> usize {
        let after_dot = start > 0 && is(tokens, start - 1, ".");
        let is_used = start > 0 && is(tokens, start - 1, "use");
        let line = tokens[start].line;
        let mut path = prefix.to_owned();
        let mut at = start;
        loop {
            self.read_word(tokens, at, after_dot);
            path.push_str(&tokens[at].text);
            let goes_on = is(tokens, at + 1, ":") && is(tokens, at + 2, ":");
            match tokens.get(at + 3) {
                Some(next) if goes_on && next.is_word() => path.push_str("::"),
                Some(next) if goes_on && next.text == "{" => {
                    return self.read_use_tree(tokens, at + 4, &format!("{path}::"));
                }
                Some(next) if goes_on && next.text == "*" => {
                    self.paths.push(Named {
                        name: format!("{path}::*"),
                        line: next.line,
                    });
                    return at + 4;
                }
                // The end of the path, or the angle bracket of a turbofish.
                _ => break,
            }
            at += 3;
        }
        if !after_dot {
            // `use tokio;` names the crate as much as `use tokio::spawn;` does.
            let end = if is_used && at == start { "::self" } else { "" };
            self.paths.push(Named {
                name: format!("{path}{end}"),
                line,
            });
        }
        at + 1
    }

    /// Reads what stands in the braces of a `use` tree and answers where they end.
    fn read_use_tree(&mut self, tokens: &[Token], start: usize, prefix: &str) -> usize {
        let mut at = start;
        while let Some(token) = tokens.get(at) {
            if token.is_word() {
                at = self.read_path(tokens, at, prefix);
                continue;
            }
            at += 1;
            match token.text.as_str() {
                "*" => self.paths.push(Named {
                    name: format!("{prefix}*"),
                    line: token.line,
                }),
                "}" => break,
                _ => {}
            }
        }
        at
    }

    fn read_word(&mut self, tokens: &[Token], at: usize, after_dot: bool) {
        let Token { text, line } = &tokens[at];
        let is_macro = is(tokens, at + 1, "!") && !is(tokens, at + 2, "=");
        let name = match (after_dot, is_macro) {
            (true, _) => format!(".{text}"),
            (false, true) => format!("{text}!"),
            (false, false) => text.clone(),
        };
        self.words.push(Named { name, line: *line });
    }

    /// Reads the attribute that begins after `#`, if one does.
    fn read_attribute(&mut self, tokens: &[Token], start: usize) {
        let open = if is(tokens, start, "!") { start + 1 } else { start };
        if !is(tokens, open, "[") {
            return;
        }
        let mut depth = 0;
        let inside = tokens[open..].iter().take_while(|token| {
            depth += match token.text.as_str() {
                "[" => 1,
                "]" => -1,
                _ => 0,
            };
            depth > 0
        });
        let mut words = inside.filter(|token| token.is_word()).peekable();
        let is_conditional = words.peek().is_some_and(|first| first.text == "cfg_attr");
        let counted = words.take(if is_conditional { usize::MAX } else { 1 });
        self.attributes.extend(counted.map(|token| Named {
            name: token.text.clone(),
            line: token.line,
        }));
    }
}

fn is(tokens: &[Token], at: usize, text: &str) -> bool {
    tokens.get(at).is_some_and(|token| token.text == text)
}

#[test]
fn a_use_tree_is_read_leaf_by_leaf() {
    let code = Code::of("use a::{b::{c, d as e}, f::*, self}; use g; fn h(i: &::j::K) { i.l::<m::N>() }");
    let paths: Vec<&str> = code.paths.iter().map(|path| path.name.as_str()).collect();
    for path in [
        "a::b::c", "a::b::d", "a::f::*", "a::self", "g::self", "j::K", "m::N",
    ] {
        assert!(paths.contains(&path), "{path} is not among {paths:?}");
    }
    assert!(!paths.contains(&"l"), "a method is no path");
}
