//! GraphiQL, only with `serve --dev`: one page that loads pinned files whose hashes it names, under a policy that lets nothing else run.
//!
//! GraphiQL 4 is the last one that comes as plain files; from 5 on it is a tree of modules, which hashes in a page cannot pin. The
//! hashes are those of the files inside the npm packages, which the CDN serves unchanged.

use axum::response::{IntoResponse, Response};
use http::HeaderName;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};

/// A file of an npm package on the CDN.
struct Pinned {
    /// What stands for it in the page.
    name: &'static str,
    address: &'static str,
    hash: &'static str,
}

const SCRIPTS: [Pinned; 4] = [
    Pinned {
        name: "react",
        address: "https://cdn.jsdelivr.net/npm/react@18.3.1/umd/react.production.min.js",
        hash: "sha384-DGyLxAyjq0f9SPpVevD6IgztCFlnMF6oW/XQGmfe+IsZ8TqEiDrcHkMLKI6fiB/Z",
    },
    Pinned {
        name: "react-dom",
        address: "https://cdn.jsdelivr.net/npm/react-dom@18.3.1/umd/react-dom.production.min.js",
        hash: "sha384-gTGxhz21lVGYNMcdJOyq01Edg0jhn/c22nsx0kyqP0TxaV5WVdsSH1fSDUf5YJj1",
    },
    Pinned {
        name: "graphql-ws",
        address: "https://cdn.jsdelivr.net/npm/graphql-ws@6.4.2/umd/graphql-ws.min.js",
        hash: "sha384-mxvR4Mzbsb6QVx/9xI2gtQikQA6m8zMDBFnu3l//4/ROsWt7y2sUGWd+/tYQqDm7",
    },
    Pinned {
        name: "graphiql.js",
        address: "https://cdn.jsdelivr.net/npm/graphiql@4.1.2/graphiql.min.js",
        hash: "sha384-9XdHu7ajgGJziD4J1zNBKQ842Q/+zZfDv+ib1eMhZWBH6hPAs806x+Jbcf0yNO6B",
    },
];

const STYLE: Pinned = Pinned {
    name: "graphiql.css",
    address: "https://cdn.jsdelivr.net/npm/graphiql@4.1.2/graphiql.min.css",
    hash: "sha384-1el1QShFBnnXTx9x/Cprg82hZWKt0ry29OAYIXt05swbi0KcZDFoj0CWguMpopJr",
};

/// The page at `/graphiql`.
pub async fn page() -> Response {
    serve("text/html; charset=utf-8", filled())
}

/// Its own script, at `/graphiql.js`: the policy allows none in the page.
pub async fn script() -> Response {
    let script = include_str!("graphiql/script.js").to_owned();
    serve("text/javascript; charset=utf-8", script)
}

fn serve(content_type: &'static str, body: String) -> Response {
    let headers: [(HeaderName, String); 5] = [
        (CONTENT_TYPE, content_type.to_owned()),
        (CONTENT_SECURITY_POLICY, policy()),
        (CACHE_CONTROL, "no-store".to_owned()),
        (REFERRER_POLICY, "no-referrer".to_owned()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    (headers, body).into_response()
}

fn filled() -> String {
    let mut page = include_str!("graphiql/page.html").to_owned();
    for pinned in SCRIPTS.iter().chain([&STYLE]) {
        page = page
            .replace(&format!("{{{}}}", pinned.name), pinned.address)
            .replace(&format!("{{{}.hash}}", pinned.name), pinned.hash);
    }
    page
}

/// Only the pinned files and our own script run; requests go to this server alone; fonts and icons are inside the style sheet.
fn policy() -> String {
    let scripts: Vec<_> = SCRIPTS.iter().map(|script| script.address).collect();
    format!(
        "default-src 'none'; script-src 'self' {}; style-src {}; connect-src 'self'; font-src data:; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        scripts.join(" "),
        STYLE.address,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_loads_nothing_without_a_hash_and_the_policy_allows_nothing_more() {
        let page = filled();
        let policy = policy();
        for pinned in SCRIPTS.iter().chain([&STYLE]) {
            let tag = format!(
                "\"{}\" integrity=\"{}\" crossorigin=\"anonymous\"",
                pinned.address, pinned.hash
            );
            assert!(page.contains(&tag), "{tag}");
            assert!(policy.contains(pinned.address), "{policy}");
        }
        assert!(!page.contains('{'), "every place is filled: {page}");
        assert_eq!(page.matches("https://").count(), SCRIPTS.len() + 1);
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    }

    #[tokio::test]
    async fn the_script_is_served_as_one_and_the_page_under_its_policy() {
        for (response, kind) in [(page().await, "text/html"), (script().await, "text/javascript")] {
            let headers = response.headers();
            let content_type = headers[CONTENT_TYPE].to_str().expect("a text");
            assert!(content_type.starts_with(kind));
            assert_eq!(
                headers[CONTENT_SECURITY_POLICY].to_str().expect("a text"),
                policy()
            );
        }
    }
}
