//! How much a parsed document would be, had every fragment been copied to where it is spread; each fragment is measured once.

use std::collections::{HashMap, HashSet};

use async_graphql::Positioned;
use async_graphql::parser::types::{
    Directive, ExecutableDocument, Field, FragmentDefinition, Selection, SelectionSet,
};

use super::{Limits, Refusal};

const SELECTIONS: &str = "selections in a document, fragments expanded";

/// What a selection set adds up to once expanded.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    selections: usize,
    depth: usize,
    levels: usize,
}

impl Size {
    /// One selection that holds `inner`, as a field (one deeper) or as a fragment.
    fn around(inner: Self, depth: usize) -> Self {
        Self {
            selections: inner.selections.saturating_add(1),
            depth: inner.depth + depth,
            levels: inner.levels + 1,
        }
    }

    fn beside(self, other: Self) -> Self {
        Self {
            selections: self.selections.saturating_add(other.selections),
            depth: self.depth.max(other.depth),
            levels: self.levels.max(other.levels),
        }
    }
}

/// Refuses a document that is over one of the limits which need it parsed.
pub(super) fn check(document: &ExecutableDocument, limits: &Limits) -> Result<(), Refusal> {
    let mut survey = Survey {
        fragments: &document.fragments,
        limits,
        measured: HashMap::new(),
        entered: HashSet::new(),
        aliases: 0,
        directives: 0,
    };
    // A fragment that no operation uses is validated all the same, so it must not be a bomb either.
    for (name, fragment) in &document.fragments {
        survey.directives(&fragment.node.directives)?;
        let size = survey.fragment(name, 1)?;
        Refusal::unless(
            size.selections <= limits.selections,
            SELECTIONS,
            limits.selections,
        )?;
    }
    let mut whole = Size::default();
    for (_, operation) in document.operations.iter() {
        survey.directives(&operation.node.directives)?;
        for variable in &operation.node.variable_definitions {
            survey.directives(&variable.node.directives)?;
        }
        whole = whole.beside(survey.set(&operation.node.selection_set.node, 1)?);
    }
    Refusal::unless(
        whole.selections <= limits.selections,
        SELECTIONS,
        limits.selections,
    )?;
    Refusal::unless(whole.depth <= limits.depth, "fields within fields", limits.depth)?;
    // Only now is the document known to be small enough to be walked with its fragments expanded.
    let repeats: usize = document
        .operations
        .iter()
        .map(|(_, operation)| {
            let mut repeats = Repeats::new(document);
            repeats.walk(&[&operation.node.selection_set.node]);
            repeats.count
        })
        .sum();
    Refusal::unless(
        survey.aliases + repeats <= limits.aliases,
        "aliases and repeated fields in a document",
        limits.aliases,
    )
}

/// The first root field that two selections ask for under one name.
pub(super) fn repeated_root(root: &SelectionSet, document: &ExecutableDocument) -> Option<String> {
    let mut fields = Vec::new();
    Repeats::new(document).flatten(root, None, &mut fields);
    let mut seen = HashSet::new();
    fields
        .into_iter()
        .map(|(_, field)| field.response_key().node.as_str())
        .find(|key| *key != "__typename" && !seen.insert(*key))
        .map(str::to_owned)
}

struct Survey<'a> {
    fragments: &'a HashMap<async_graphql::Name, Positioned<FragmentDefinition>>,
    limits: &'a Limits,
    measured: HashMap<&'a str, Size>,
    entered: HashSet<&'a str>,
    aliases: usize,
    directives: usize,
}

impl<'a> Survey<'a> {
    fn set(&mut self, set: &'a SelectionSet, level: usize) -> Result<Size, Refusal> {
        self.check_level(level)?;
        let mut size = Size::default();
        for item in &set.items {
            self.directives(item.node.directives())?;
            let item = match &item.node {
                Selection::Field(field) => self.field(&field.node, level)?,
                Selection::InlineFragment(fragment) => {
                    let inner = self.set(&fragment.node.selection_set.node, level + 1)?;
                    Size::around(inner, 0)
                }
                Selection::FragmentSpread(spread) => {
                    // One that does not exist has no size; validation says so later.
                    let inner = match self.fragments.get_key_value(&spread.node.fragment_name.node) {
                        Some((name, _)) => self.fragment(name, level + 1)?,
                        None => Size::default(),
                    };
                    Size::around(inner, 0)
                }
            };
            size = size.beside(item);
        }
        Ok(size)
    }

    fn field(&mut self, field: &'a Field, level: usize) -> Result<Size, Refusal> {
        if field.name.node == "__schema" && !self.limits.introspection {
            return Err(Refusal::Introspection);
        }
        if field.alias.is_some() {
            self.aliases += 1;
        }
        let inner = self.set(&field.selection_set.node, level + 1)?;
        let mut size = Size::around(inner, 1);
        // Tools ask for types within types within types; what is below is bounded by the schema and by the other limits.
        if self.limits.introspection && field.name.node.starts_with("__") {
            size.depth = 1;
        }
        Ok(size)
    }

    fn fragment(&mut self, name: &'a str, level: usize) -> Result<Size, Refusal> {
        if let Some(size) = self.measured.get(name).copied() {
            self.check_level(level + size.levels)?;
            return Ok(size);
        }
        if !self.entered.insert(name) {
            return Err(Refusal::Cycle(name.to_owned()));
        }
        let size = match self.fragments.get(name) {
            Some(fragment) => self.set(&fragment.node.selection_set.node, level)?,
            None => Size::default(),
        };
        self.measured.insert(name, size);
        Ok(size)
    }

    fn check_level(&self, level: usize) -> Result<(), Refusal> {
        Refusal::unless(
            level <= self.limits.levels + 1,
            "selection sets within selection sets",
            self.limits.levels,
        )
    }

    fn directives(&mut self, directives: &[Positioned<Directive>]) -> Result<(), Refusal> {
        Refusal::unless(
            directives.len() <= self.limits.directives_per_place,
            "directives in one place",
            self.limits.directives_per_place,
        )?;
        self.directives += directives.len();
        Refusal::unless(
            self.directives <= self.limits.directives,
            "directives in a document",
            self.limits.directives,
        )
    }
}

/// A field with the type condition it stands under.
type Placed<'a> = (Option<&'a str>, &'a Field);

/// Counts fields which are selected again under the same name, merging selection sets as the answer does.
struct Repeats<'a> {
    document: &'a ExecutableDocument,
    count: usize,
}

impl<'a> Repeats<'a> {
    fn new(document: &'a ExecutableDocument) -> Self {
        Self { document, count: 0 }
    }

    fn walk(&mut self, sets: &[&'a SelectionSet]) {
        let mut fields = Vec::new();
        for set in sets {
            self.flatten(set, None, &mut fields);
        }
        let mut merged: HashMap<(Option<&str>, &str), Vec<&'a SelectionSet>> = HashMap::new();
        for (condition, field) in fields {
            let below = &field.selection_set.node;
            let same = merged
                .entry((condition, field.response_key().node.as_str()))
                .or_default();
            // A plain value that is read twice costs nothing.
            let costs = !below.items.is_empty() || !field.arguments.is_empty();
            if costs && !same.is_empty() {
                self.count += 1;
            }
            same.push(below);
        }
        for sets in merged.values() {
            self.walk(sets);
        }
    }

    fn flatten(&self, set: &'a SelectionSet, condition: Option<&'a str>, fields: &mut Vec<Placed<'a>>) {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => fields.push((condition, &field.node)),
                Selection::InlineFragment(fragment) => {
                    let own = fragment.node.type_condition.as_ref();
                    let own = own.map(|condition| condition.node.on.node.as_str());
                    self.flatten(&fragment.node.selection_set.node, own.or(condition), fields);
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    if let Some(fragment) = self.document.fragments.get(name) {
                        let own = fragment.node.type_condition.node.on.node.as_str();
                        self.flatten(&fragment.node.selection_set.node, Some(own), fields);
                    }
                }
            }
        }
    }
}
