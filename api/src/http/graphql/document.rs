//! What a GraphQL document may cost before anything is executed: pure, and the same for every way in.
//!
//! The library's own visitors expand every fragment spread wherever it stands, so a document of a few hundred bytes can cost them
//! minutes. Here a fragment is measured once, and the sizes are multiplied. What passes is handed to the executor already parsed.

pub mod cost;
mod measure;
mod tokens;

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType, Selection,
};
use async_graphql::parser::{Error as ParserError, parse_query};
use async_graphql::{Pos, Value, Variables};
use thiserror::Error;

use super::errors::Code;

/// What one document may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Length of the text in bytes.
    pub bytes: usize,
    /// Lexical tokens.
    pub tokens: usize,
    /// Brackets within brackets, of selections, arguments and values together: what a recursive parser pays with its stack.
    pub nesting: usize,
    /// Fields within fields, fragments expanded.
    pub depth: usize,
    /// Selection sets within selection sets, inline fragments and spreads included.
    pub levels: usize,
    /// Aliases in the text, and how often one answer's field is selected again with arguments or fields of its own: the library
    /// resolves it again each time.
    pub aliases: usize,
    /// Directives in one place.
    pub directives_per_place: usize,
    /// Directives in the whole document.
    pub directives: usize,
    /// Selections after every fragment has been expanded, all operations together.
    pub selections: usize,
    /// Whether `__schema` and the depth it needs are allowed.
    pub introspection: bool,
}

impl Limits {
    /// The limits of a server: `dev` only adds introspection.
    #[must_use]
    pub fn of(dev: bool) -> Self {
        Self {
            bytes: 64 * 1024,
            tokens: 2_000,
            // Twice what a selection of the greatest depth needs with an input object of five levels in its midst.
            nesting: 40,
            depth: 10,
            // As many as the library itself would follow.
            levels: 32,
            aliases: 15,
            directives_per_place: 5,
            directives: 50,
            selections: 2_000,
            introspection: dev,
        }
    }
}

/// Why a document is not executed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// It is not GraphQL.
    #[error("syntax error: {message}")]
    Syntax {
        /// What is wrong.
        message: String,
        /// Where, as far as that is known.
        positions: Vec<Pos>,
    },
    /// A fragment spreads itself, directly or through others.
    #[error("the fragment \"{0}\" spreads itself")]
    Cycle(String),
    /// `__schema` is asked for on a server that does not tell.
    #[error("introspection is off; the schema is published as SDL")]
    Introspection,
    /// `operationName` names nothing in the document.
    #[error("the document has no operation named \"{0}\"")]
    UnknownOperation(String),
    /// The document has several operations and the request names none.
    #[error("the document has several operations: operationName must name one")]
    OperationNameNeeded,
    /// A variable has no value and must have one.
    #[error("the variable \"${name}\" of type {of} needs a value")]
    MissingVariable {
        /// Its name, without the `$`.
        name: String,
        /// Its type.
        of: String,
        /// Where it is declared.
        position: Pos,
    },
    /// A mutation is selected twice under one name, and would run twice for one answer.
    #[error("the mutation \"{0}\" is selected twice; give each its own alias")]
    RepeatedMutation(String),
    /// A subscription has none or several root fields.
    #[error("a subscription selects exactly one field, not through a fragment")]
    SubscriptionRoot,
    /// Something is over its limit.
    #[error("{what}: at most {limit} are allowed")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// How much of it is allowed.
        limit: usize,
    },
}

impl Refusal {
    /// The code a client sees.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::TooMuch { .. } => Code::QueryTooComplex,
            _ => Code::BadUserInput,
        }
    }

    /// Where in the document it is wrong.
    #[must_use]
    pub fn positions(&self) -> Vec<Pos> {
        match self {
            Self::Syntax { positions, .. } => positions.clone(),
            Self::MissingVariable { position, .. } => vec![*position],
            _ => Vec::new(),
        }
    }

    fn unless(holds: bool, what: &'static str, limit: usize) -> Result<(), Self> {
        if holds {
            Ok(())
        } else {
            Err(Self::TooMuch { what, limit })
        }
    }
}

/// Parses `document`, unless it asks for more than `limits` allow.
///
/// # Errors
/// A [`Refusal`], found in time linear in the length of the text.
pub fn parse(document: &str, limits: &Limits) -> Result<ExecutableDocument, Refusal> {
    Refusal::unless(
        document.len() <= limits.bytes,
        "bytes in a document",
        limits.bytes,
    )?;
    let tally = tokens::tally(document).map_err(|malformed| Refusal::Syntax {
        message: malformed.message.to_owned(),
        positions: vec![malformed.pos],
    })?;
    Refusal::unless(
        tally.tokens <= limits.tokens,
        "tokens in a document",
        limits.tokens,
    )?;
    Refusal::unless(
        tally.nesting <= limits.nesting,
        "brackets within brackets",
        limits.nesting,
    )?;
    let document = parse_query(document).map_err(syntax)?;
    measure::check(&document, limits)?;
    for (_, operation) in document.operations.iter() {
        check_root(&operation.node, &document)?;
    }
    Ok(document)
}

/// The operation a request means.
///
/// # Errors
/// It names one that does not exist, or leaves the choice open.
pub fn operation<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a OperationDefinition, Refusal> {
    let found = match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Some(operation),
        (DocumentOperations::Single(_), Some(_)) => None,
        (DocumentOperations::Multiple(operations), Some(name)) => operations.get(name),
        (DocumentOperations::Multiple(operations), None) if operations.len() == 1 => {
            operations.values().next()
        }
        (DocumentOperations::Multiple(_), None) => return Err(Refusal::OperationNameNeeded),
    };
    found
        .map(|operation| &operation.node)
        .ok_or_else(|| Refusal::UnknownOperation(name.unwrap_or_default().to_owned()))
}

/// Refuses an operation of which a variable has no value and must have one. The library would find out only at the field that uses it,
/// when others have run.
///
/// # Errors
/// The first such variable.
pub fn require_variables(operation: &OperationDefinition, variables: &Variables) -> Result<(), Refusal> {
    for definition in &operation.variable_definitions {
        let of = &definition.node.var_type.node;
        let name = &definition.node.name.node;
        let missing = match variables.get(name) {
            Some(value) => *value == Value::Null,
            None => definition.node.default_value.is_none(),
        };
        if missing && !of.nullable {
            return Err(Refusal::MissingVariable {
                name: name.to_string(),
                of: of.to_string(),
                position: definition.pos,
            });
        }
    }
    Ok(())
}

fn check_root(operation: &OperationDefinition, document: &ExecutableDocument) -> Result<(), Refusal> {
    let root = &operation.selection_set.node;
    match operation.ty {
        OperationType::Query => Ok(()),
        OperationType::Mutation => match measure::repeated_root(root, document) {
            Some(name) => Err(Refusal::RepeatedMutation(name)),
            None => Ok(()),
        },
        // The library starts a stream for every field it finds here, and silently none for what stands in a fragment.
        OperationType::Subscription => match root.items.as_slice() {
            [item] if matches!(item.node, Selection::Field(_)) => Ok(()),
            _ => Err(Refusal::SubscriptionRoot),
        },
    }
}

/// The parser's own text draws the offending line, which may be as long as the document; only what it expected is kept.
fn syntax(error: ParserError) -> Refusal {
    let positions = error.positions().collect();
    let message = match &error {
        ParserError::Syntax { message, .. } => message
            .lines()
            .rev()
            .find_map(|line| line.trim_start().strip_prefix("= "))
            .unwrap_or("this is not GraphQL")
            .to_owned(),
        other => other.to_string(),
    };
    Refusal::Syntax { message, positions }
}

#[cfg(test)]
mod tests;
