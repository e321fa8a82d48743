//! The parameters of one GraphQL request, in whichever way they came, and their way into the executor.

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Variables};
use axum::extract::Query;
use http::Uri;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::document::cost::Shapes;
use super::document::{self, Limits, Refusal};

/// What GraphQL over HTTP, and a `subscribe` message, carry. Other members are reserved and ignored.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parameters {
    /// The document.
    pub query: String,
    /// Which of the document's operations is meant.
    #[serde(default)]
    pub operation_name: Option<String>,
    /// The values of its variables.
    #[serde(default)]
    pub variables: Variables,
    /// Must be an object where it is given; nothing here reads it.
    #[serde(default)]
    pub extensions: Option<Map<String, Value>>,
}

/// The same as they stand in a URL.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Searched {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
}

/// A request whose document is within its limits, parsed, and whose operation exists.
#[derive(Debug)]
pub struct Prepared {
    /// Ready for the executor.
    pub request: Request,
    /// What its operation is.
    pub operation: OperationType,
    /// What its document costs, in units of its client's budget.
    pub units: u64,
}

impl Parameters {
    /// Reads the JSON body of a POST.
    ///
    /// # Errors
    /// A text for the caller, who sent something else.
    pub fn from_json(body: &[u8]) -> Result<Self, String> {
        match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') => serde_json::from_slice(body)
                .map_err(|error| brief(format!("the body is not a GraphQL request: {error}"))),
            Some(b'[') => Err("batching is off: send one operation a request".to_owned()),
            Some(_) => Err("the body is not a JSON object".to_owned()),
            None => Err("the body is empty".to_owned()),
        }
    }

    /// Reads the search part of a GET's address.
    ///
    /// # Errors
    /// A text for the caller, who sent something else.
    pub fn from_uri(uri: &Uri) -> Result<Self, String> {
        let Query(searched) = Query::<Searched>::try_from_uri(uri)
            .map_err(|error| brief(format!("the address cannot be read: {error}")))?;
        Ok(Self {
            query: searched.query.ok_or("the parameter query is missing")?,
            operation_name: searched.operation_name,
            variables: parsed("variables", searched.variables)?,
            extensions: parsed("extensions", searched.extensions)?,
        })
    }

    /// Parses the document within `limits`, finds the operation and what it costs.
    ///
    /// # Errors
    /// The document is refused.
    pub fn prepare(self, limits: &Limits, shapes: &Shapes) -> Result<Prepared, Refusal> {
        let document = document::parse(&self.query, limits)?;
        let operation = document::operation(&document, self.operation_name.as_deref())?;
        document::require_variables(operation, &self.variables)?;
        let units = shapes.units(&document, operation, &self.variables);
        let operation = operation.ty;
        let mut request = Request::new(self.query).variables(self.variables);
        request.operation_name = self.operation_name;
        request.set_parsed_query(document);
        Ok(Prepared {
            request,
            operation,
            units,
        })
    }
}

fn parsed<T: Default + for<'de> Deserialize<'de>>(name: &str, text: Option<String>) -> Result<T, String> {
    match text.as_deref() {
        None | Some("") => Ok(T::default()),
        Some(text) => serde_json::from_str(text)
            .map_err(|error| brief(format!("the parameter {name} cannot be read: {error}"))),
    }
}

/// The reader quotes what it could not read, which may be as long as the body.
fn brief(mut text: String) -> String {
    const LONGEST: usize = 240;
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_or_refused_with_what_is_wrong() {
        let cases: &[(&str, &str)] = &[
            ("", "empty"),
            (" \n", "empty"),
            ("[{\"query\":\"{a}\"}]", "batching is off"),
            ("\"{a}\"", "not a JSON object"),
            ("{ \"not a JSON", "not a GraphQL request"),
            ("{}", "missing field `query`"),
            ("{\"query\":null}", "expected a string"),
            ("{\"query\":[\"a\"]}", "expected a string"),
            ("{\"query\":\"{a}\",\"query\":\"{b}\"}", "duplicate field"),
            ("{\"query\":\"{a}\",\"operationName\":1}", "expected a string"),
            ("{\"query\":\"{a}\",\"variables\":[1]}", "expected a map"),
            ("{\"query\":\"{a}\",\"variables\":\"x\"}", "expected a map"),
            ("{\"query\":\"{a}\",\"extensions\":false}", "expected a map"),
            ("{\"query\":\"{a}\"} x", "trailing characters"),
        ];
        for (body, expected) in cases {
            let error = Parameters::from_json(body.as_bytes()).expect_err(body);
            assert!(error.contains(expected), "{body}: {error}");
        }
        for body in [
            "{\"query\":\"{a}\"}",
            "{\"query\":\"{a}\",\"operationName\":null,\"variables\":null,\"extensions\":null}",
            "{\"query\":\"{a}\",\"variables\":{\"a\":1},\"extensions\":{\"b\":[]},\"id\":7}",
        ] {
            Parameters::from_json(body.as_bytes()).expect(body);
        }
    }

    #[test]
    fn what_is_quoted_back_is_short() {
        let body = format!("{{\"query\":\"a\",\"variables\":\"{}\"}}", "é".repeat(50_000));
        let error = Parameters::from_json(body.as_bytes()).expect_err("variables are text");
        assert!(error.len() < 300, "{} bytes", error.len());
    }

    #[test]
    fn json_nested_without_end_is_refused() {
        let body = format!("{{\"query\":\"a\",\"variables\":{{\"a\":{}", "[".repeat(100_000));
        Parameters::from_json(body.as_bytes()).expect_err("too deep");
    }

    #[test]
    fn an_address_is_read_as_a_body_is() {
        let read = |search: &str| {
            let uri: Uri = format!("/graphql?{search}").parse().expect("an address");
            Parameters::from_uri(&uri)
        };
        let parameters = read("query=%7Ba%7D&operationName=x&variables=%7B%22b%22%3A1%7D").expect("reads");
        assert_eq!(parameters.query, "{a}");
        assert_eq!(parameters.operation_name.as_deref(), Some("x"));
        assert_eq!(parameters.variables.len(), 1);
        for search in [
            "",
            "query=a&query=b",
            "query=a&variables=1",
            "query=a&variables=%7B",
            "query=a&extensions=%5B%5D",
        ] {
            read(search).expect_err(search);
        }
    }
}
