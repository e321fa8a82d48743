//! What a template may hold: everything else is refused when it is saved.
//!
//! First the tokens are counted, without recursion, so that what is parsed is flat enough for every walk over it. Then the tree is walked
//! against the lists below: what is not on them does not exist.

use std::collections::BTreeSet;

use minijinja::machinery::ast::{BinOpKind, CallArg, Expr, Stmt};
use minijinja::machinery::{Token, parse, tokenize};
use minijinja::syntax::SyntaxConfig;

/// What a template can speak of.
const ROOTS: &[&str] = &[
    "achievement",
    "campaign",
    "content",
    "employer",
    "event",
    "member",
    "unsubscribeUrl",
];
const FILTERS: &[&str] = &[
    "capitalize",
    "default",
    "e",
    "escape",
    "first",
    "last",
    "length",
    "lower",
    "round",
    "title",
    "trim",
    "upper",
    "urlencode",
];
const TESTS: &[&str] = &["defined", "none", "undefined"];
/// The most words and signs between one pair of braces.
const TOKENS_MAX: usize = 100;
/// The most `elif` of a template: each is a level of its tree.
const ELIF_MAX: usize = 50;

/// Whether the template holds nothing but what it may.
pub(super) fn check(source: &str, longest: usize) -> Result<(), String> {
    if source.len() > longest {
        return Err(format!("the template is longer than {longest} bytes"));
    }
    walk(source).and_then(|walk| {
        let unknown = walk.roots.iter().find(|root| !ROOTS.contains(&root.as_str()));
        unknown.map_or(Ok(()), |root| {
            Err(format!("`{root}` is not known: there is {}", ROOTS.join(", ")))
        })
    })
}

/// What the template speaks of; nothing when it cannot be read.
pub(super) fn roots(source: &str) -> Option<BTreeSet<String>> {
    walk(source).ok().map(|walk| walk.roots)
}

fn walk(source: &str) -> Result<Walk, String> {
    count(source)?;
    let tree = parse(source, "", SyntaxConfig::default()).map_err(|error| super::in_template(&error))?;
    let mut walk = Walk::default();
    walk.statement(&tree)?;
    Ok(walk)
}

/// Refuses what is too much between one pair of braces.
fn count(source: &str) -> Result<(), String> {
    let (mut inside, mut elifs) = (0_usize, 0_usize);
    for token in tokenize(source, false, SyntaxConfig::default()) {
        let (token, span) = token.map_err(|error| super::in_template(&error))?;
        match token {
            Token::TemplateData(_) | Token::VariableStart | Token::BlockStart => inside = 0,
            Token::Ident("elif") => elifs = elifs.saturating_add(1),
            _ => inside = inside.saturating_add(1),
        }
        if inside > TOKENS_MAX {
            return Err(format!(
                "line {}: an expression is too long: at most {TOKENS_MAX} words and signs",
                span.start_line
            ));
        }
        if elifs > ELIF_MAX {
            return Err(format!("there are more than {ELIF_MAX} `elif`"));
        }
    }
    Ok(())
}

#[derive(Default)]
struct Walk {
    roots: BTreeSet<String>,
    /// What the loops around here name.
    named: Vec<String>,
}

impl Walk {
    fn statement(&mut self, statement: &Stmt<'_>) -> Result<(), String> {
        match statement {
            Stmt::Template(template) => self.statements(&template.children),
            Stmt::EmitRaw(_) => Ok(()),
            Stmt::EmitExpr(emit) => self.expression(&emit.expr),
            Stmt::IfCond(cond) => {
                self.expression(&cond.expr)?;
                self.statements(&cond.true_body)?;
                self.statements(&cond.false_body)
            }
            Stmt::ForLoop(each) => {
                if each.recursive {
                    return Err(refused("a recursive loop"));
                }
                self.expression(&each.iter)?;
                let before = self.named.len();
                self.targets(&each.target)?;
                self.named.push("loop".to_owned());
                self.optional(each.filter_expr.as_ref())?;
                self.statements(&each.body)?;
                self.named.truncate(before);
                self.statements(&each.else_body)
            }
            Stmt::Set(_) | Stmt::SetBlock(_) => Err(refused("`set`")),
            Stmt::WithBlock(_) => Err(refused("`with`")),
            Stmt::AutoEscape(_) => Err(refused("`autoescape`")),
            Stmt::FilterBlock(_) => Err(refused("`filter` as a block")),
            Stmt::Do(_) => Err(refused("a call")),
            #[expect(
                unreachable_patterns,
                reason = "more statements exist where another crate asks for more features"
            )]
            _ => Err(refused("this statement")),
        }
    }

    fn statements(&mut self, statements: &[Stmt<'_>]) -> Result<(), String> {
        statements
            .iter()
            .try_for_each(|statement| self.statement(statement))
    }

    /// What a loop names: one word, or several.
    fn targets(&mut self, target: &Expr<'_>) -> Result<(), String> {
        match target {
            Expr::Var(name) => {
                self.named.push(name.id.to_owned());
                Ok(())
            }
            Expr::List(list) => list.items.iter().try_for_each(|item| self.targets(item)),
            Expr::Tuple(tuple) => tuple.items.iter().try_for_each(|item| self.targets(item)),
            _ => Err(refused("this name of a loop")),
        }
    }

    fn expression(&mut self, expression: &Expr<'_>) -> Result<(), String> {
        match expression {
            Expr::Const(_) => Ok(()),
            Expr::Var(name) => {
                if !self.named.iter().any(|named| named == name.id) {
                    self.roots.insert(name.id.to_owned());
                }
                Ok(())
            }
            Expr::UnaryOp(one) => self.expression(&one.expr),
            Expr::BinOp(two) => {
                if matches!(two.op, BinOpKind::Mul | BinOpKind::Pow) {
                    return Err(refused("multiplication"));
                }
                self.expression(&two.left)?;
                self.expression(&two.right)
            }
            Expr::Compare(compare) => {
                self.expression(&compare.expr)?;
                compare.ops.iter().try_for_each(|op| self.expression(&op.expr))
            }
            Expr::IfExpr(either) => {
                self.expression(&either.test_expr)?;
                self.expression(&either.true_expr)?;
                self.optional(either.false_expr.as_ref())
            }
            Expr::Filter(filter) => {
                listed("filter", filter.name, FILTERS)?;
                self.optional(filter.expr.as_ref())?;
                self.arguments(&filter.args)
            }
            Expr::Test(test) => {
                listed("test", test.name, TESTS)?;
                self.expression(&test.expr)?;
                self.arguments(&test.args)
            }
            Expr::GetAttr(attribute) => self.expression(&attribute.expr),
            Expr::GetItem(item) => {
                self.expression(&item.expr)?;
                self.expression(&item.subscript_expr)
            }
            Expr::Slice(_) => Err(refused("a slice")),
            Expr::Call(_) => Err(refused("a call")),
            Expr::List(list) => list.items.iter().try_for_each(|item| self.expression(item)),
            Expr::Tuple(tuple) => tuple.items.iter().try_for_each(|item| self.expression(item)),
            Expr::Map(_) => Err(refused("a map")),
        }
    }

    fn optional(&mut self, expression: Option<&Expr<'_>>) -> Result<(), String> {
        expression.map_or(Ok(()), |expression| self.expression(expression))
    }

    fn arguments(&mut self, arguments: &[CallArg<'_>]) -> Result<(), String> {
        arguments.iter().try_for_each(|argument| match argument {
            CallArg::Pos(value) | CallArg::Kwarg(_, value) => self.expression(value),
            CallArg::PosSplat(_) | CallArg::KwargSplat(_) => Err(refused("unpacking")),
        })
    }
}

fn listed(what: &str, name: &str, known: &[&str]) -> Result<(), String> {
    if known.contains(&name) {
        return Ok(());
    }
    Err(format!(
        "the {what} `{name}` is not known: there is {}",
        known.join(", ")
    ))
}

fn refused(what: &str) -> String {
    format!("{what} may not stand in a template")
}
