//! Templates of mail: checked when they are saved, filled in when a message is sent.
//!
//! The language is Jinja's, as far as it can be bounded: `{{ member.attributes.name }}`, `if` and `for`, comparisons, and a few filters. What can
//! make much out of little is left out, for the people who write templates are many and the process is one: no variables, no macros, no
//! includes, no calls, no multiplication (`check` says so when the template is saved). Expressions are short, steps are counted, and
//! what is written is cut off by an error. A value that is not there is empty.
//!
//! No error holds data: it names the place in the template, and what is wrong there.

mod check;

use std::io::{self, Write};
use std::sync::LazyLock;

use minijinja::value::Serde;
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value, escape_formatter, filters,
};

/// The longest template of a text or a page, in bytes.
const SOURCE_MAX: usize = 64 * 1_024;
/// The longest subject, and the longest template of one, in bytes: what a line of a mail may hold.
const LINE_MAX: usize = 998;
/// The most that is written, in bytes.
const OUTPUT_MAX: usize = 256 * 1_024;
/// Steps that a template may take.
const FUEL: u64 = 50_000;

/// What a template is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// A line; nothing is escaped.
    Subject,
    /// Plain text; nothing is escaped.
    Text,
    /// A page; values are escaped.
    Html,
}

impl Form {
    const fn source_max(self) -> usize {
        match self {
            Self::Subject => LINE_MAX,
            Self::Text | Self::Html => SOURCE_MAX,
        }
    }

    /// The text as it may stand in a mail: a subject is one line of at most 998 bytes; no control characters but line breaks and tabs.
    /// An error when it is too long.
    pub fn clean(self, text: &str) -> Result<String, String> {
        if self == Self::Subject {
            return Ok(one_line(text));
        }
        if text.len() > OUTPUT_MAX {
            return Err(too_long());
        }
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let keep = |character: &char| !character.is_control() || matches!(character, '\n' | '\t');
        Ok(text.chars().filter(keep).collect())
    }
}

/// The operations on templates.
#[derive(Debug, Clone, Copy)]
pub struct Template;

impl Template {
    /// Whether this is a template that can be rendered: its syntax, what it names, and its size.
    pub fn check(source: &str, form: Form) -> Result<(), String> {
        check::check(source, form.source_max())?;
        environment(form)
            .template_from_str(source)
            .map(|_| ())
            .map_err(|error| in_template(&error))
    }

    /// The template filled in with these values, clean for its form.
    pub fn render(source: &str, form: Form, values: &serde_json::Value) -> Result<String, String> {
        // What was stored before a rule was added is held to it as well.
        check::check(source, form.source_max())?;
        let mut out = Bounded(Vec::new());
        environment(form)
            .template_from_str(source)
            .and_then(|template| {
                template
                    .render_captured_to(Value::from(Serde(values)), &mut out)
                    .map(|_| ())
            })
            .map_err(|error| at_rendering(&error))?;
        form.clean(&String::from_utf8_lossy(&out.0))
    }

    /// Whether the template names the event; one that cannot be read might.
    pub fn needs_event(source: &str) -> bool {
        check::roots(source).is_none_or(|roots| roots.contains("event"))
    }
}

/// What is written, up to the limit.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len().saturating_add(bytes.len()) > OUTPUT_MAX {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn environment(form: Form) -> &'static Environment<'static> {
    static PLAIN: LazyLock<Environment<'static>> = LazyLock::new(|| build(&AutoEscape::None));
    static ESCAPED: LazyLock<Environment<'static>> = LazyLock::new(|| build(&AutoEscape::Html));
    match form {
        Form::Subject | Form::Text => &PLAIN,
        Form::Html => &ESCAPED,
    }
}

/// Filters and tests are listed in [`check`] too, which speaks of them when the template is saved.
fn build(escape: &AutoEscape) -> Environment<'static> {
    let mut environment = Environment::empty();
    let escape = escape.clone();
    environment.set_auto_escape_callback(move |_| escape.clone());
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_fuel(Some(FUEL));
    environment.set_formatter(|out, state, value| {
        if value.is_none() || value.is_undefined() {
            return Ok(());
        }
        escape_formatter(out, state, value)
    });
    environment.add_filter("capitalize", filters::capitalize);
    environment.add_filter("default", filters::default);
    environment.add_filter("escape", filters::escape);
    environment.add_filter("e", filters::escape);
    environment.add_filter("first", filters::first);
    environment.add_filter("last", filters::last);
    environment.add_filter("length", filters::length);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("round", filters::round);
    environment.add_filter("title", filters::title);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("upper", filters::upper);
    environment.add_filter("urlencode", percent_encoded);
    environment.add_test("defined", |value: &Value| is_there(value));
    environment.add_test("none", minijinja::tests::is_none);
    environment.add_test("undefined", |value: &Value| !is_there(value));
    environment
}

/// Whether there is a value: JSON's null is none.
fn is_there(value: &Value) -> bool {
    !value.is_undefined() && !value.is_none()
}

/// Text as part of an address.
fn percent_encoded(value: &str) -> String {
    percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// One line of at most [`LINE_MAX`] bytes without control characters; every run of white space is one space.
fn one_line(text: &str) -> String {
    let spaced: String = text
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect();
    let mut line = String::new();
    for word in spaced.split_whitespace() {
        let space = usize::from(!line.is_empty());
        let room = LINE_MAX.saturating_sub(line.len()).saturating_sub(space);
        let fits = word.floor_char_boundary(room);
        let Some(part) = word.get(..fits).filter(|part| !part.is_empty()) else {
            break;
        };
        if space == 1 {
            line.push(' ');
        }
        line.push_str(part);
        if fits < word.len() {
            break;
        }
    }
    line
}

fn too_long() -> String {
    format!("the mail is longer than {OUTPUT_MAX} bytes")
}

/// What is wrong with a template, in the words of its parser, which quotes nothing but the template.
fn in_template(error: &Error) -> String {
    let what = error
        .detail()
        .map_or_else(|| error.kind().to_string(), str::to_owned);
    placed(error, &what)
}

/// What went wrong with values: its kind alone, as the words of the error can quote them.
fn at_rendering(error: &Error) -> String {
    match error.kind() {
        ErrorKind::WriteFailure => too_long(),
        ErrorKind::OutOfFuel => "the template takes too many steps".to_owned(),
        kind => placed(error, &kind.to_string()),
    }
}

fn placed(error: &Error, what: &str) -> String {
    error
        .line()
        .map_or_else(|| what.to_owned(), |line| format!("line {line}: {what}"))
}

#[cfg(test)]
mod tests;
