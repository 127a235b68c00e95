//! Holds a file's tree against its JSON Schema: unknown keys, missing keys, wrong types, each where it stands.
//!
//! What is wrong is left out of the values that it gives back, so that the rest can be looked at as well.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::spec::diagnostic::nearest;
use crate::spec::document::{Document, Place};
use crate::spec::wanted::{either, has_key, is_type, keys_of, tag_of, words};
use crate::spec::yaml::{Entry, Kind, Node};

/// Checks the shape of `document` by `schema`: the values that have the right shape, if there is any tree.
pub(crate) fn check(document: &mut Document, schema: &Value) -> Option<Value> {
    let root = document.take_tree()?;
    document.put_tree(root.clone());
    let mut walk =
        Walk { document, definitions: schema, wrong: HashSet::new(), spelled: HashSet::new() };
    walk.node(schema, &root, &Place::root(), None);
    let (wrong, spelled) = (walk.wrong, walk.spelled);
    value(&root, &Place::root(), &wrong, &spelled)
}

/// The JSON value of `node`, without what is wrong, and with the nulls that are `spelled` as the word.
fn value(
    node: &Node,
    place: &Place,
    wrong: &HashSet<Place>,
    spelled: &HashSet<Place>,
) -> Option<Value> {
    if wrong.contains(place) {
        return None;
    }
    Some(match &node.kind {
        Kind::Null if spelled.contains(place) => Value::from("null"),
        Kind::Null => Value::Null,
        Kind::Bool(value) => Value::Bool(*value),
        Kind::Number(number) => Value::Number(number.clone()),
        Kind::Text(text) => Value::String(text.clone()),
        Kind::List(items) => {
            let item = |(at, item): (usize, &Node)| value(item, &place.item(at), wrong, spelled);
            Value::Array(items.iter().enumerate().map(item).collect::<Option<_>>()?)
        }
        Kind::Map(entries) => {
            let mut map = Map::new();
            for entry in entries {
                let inner = place.key(&entry.key);
                if let Some(inner) = value(&entry.value, &inner, wrong, spelled) {
                    map.insert(entry.key.clone(), inner);
                }
            }
            Value::Object(map)
        }
    })
}

struct Walk<'a> {
    document: &'a mut Document,
    definitions: &'a Value,
    wrong: HashSet<Place>,
    /// Where an unquoted `null` is the name of a choice.
    spelled: HashSet<Place>,
}

impl<'a> Walk<'a> {
    fn node(&mut self, schema: &'a Value, node: &Node, place: &Place, key: Option<&str>) {
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            let target = self.definitions.pointer(name.trim_start_matches('#'));
            return target.into_iter().for_each(|target| self.node(target, node, place, key));
        }
        if schema.get("x-secret").is_some() {
            return self.secret(node, place, key);
        }
        if let Some(Value::Array(branches)) = schema.get("oneOf").or_else(|| schema.get("anyOf")) {
            return self.branches(branches, node, place, key);
        }
        if !is_type(schema, node) {
            let mut wanted = self.wanted(schema);
            if let Some(example) = schema.pointer("/examples/0").and_then(Value::as_str) {
                wanted.push_str(&format!(" such as `{example}`"));
            }
            return self.refuse(node, place, key, &wanted);
        }
        self.limits(schema, node, place, key);
        match &node.kind {
            Kind::Map(_) => self.map(schema, node, place),
            Kind::List(items) => {
                let Some(inner) = schema.get("items") else { return };
                for (index, item) in items.iter().enumerate() {
                    self.node(inner, item, &place.item(index), key);
                }
            }
            _ => {}
        }
    }

    /// Reports a value of the wrong type.
    fn refuse(&mut self, node: &Node, place: &Place, key: Option<&str>, wanted: &str) {
        self.wrong.insert(place.clone());
        let name = match key {
            None => "the file".to_owned(),
            Some(key) if place.is_item() => format!("an item of `{key}`"),
            Some(key) => format!("`{key}`"),
        };
        match &node.kind {
            Kind::Null => {
                self.document.error(place, format!("{name} has no value: it wants {wanted}"))
            }
            _ => self
                .document
                .error(place, format!("{name} wants {wanted}, not {}", node.describe())),
        };
    }

    fn map(&mut self, schema: &'a Value, node: &Node, place: &Place) {
        let none = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let rest = schema.get("additionalProperties");
        for entry in node.entries() {
            let inner = place.key(&entry.key);
            // Looked up in the schema, which outlives this call.
            let known = schema.get("properties").and_then(|all| all.get(&entry.key));
            if let Some(known) = known.or(rest.filter(|rest| rest.is_object())) {
                self.node(known, &entry.value, &inner, Some(&entry.key));
            } else if rest.is_some_and(|rest| rest == false) {
                self.wrong.insert(inner);
                let message = format!("unknown key `{}`", entry.key);
                let finding = self.document.report(entry.span.clone(), message);
                let names: Vec<&str> = properties.keys().map(String::as_str).collect();
                finding.nearest(&entry.key, names.iter().copied());
                if turns_verification_off(&entry.key) {
                    finding.hint(
                        "certificates are always verified: name a private CA's in http.ca_bundle",
                    );
                } else if names.len() <= 30 {
                    finding.hint(format!("known here: {}", names.join(", ")));
                }
            }
        }
        let required = schema.get("required").and_then(Value::as_array);
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            // A key that is there, but misspelt, was reported with the right name.
            let misspelt = |entry: &Entry| {
                !properties.contains_key(&entry.key)
                    && nearest(&entry.key, properties.keys().map(String::as_str)) == Some(name)
            };
            if node.get(name).is_none() && !node.entries().iter().any(misspelt) {
                self.missing(node, name);
            }
        }
    }

    fn missing(&mut self, node: &Node, name: &str) {
        let span = self.document.beginning(node);
        self.document.report(span, format!("the key `{name}` is missing"));
    }

    /// Constants and bounds.
    fn limits(&mut self, schema: &Value, node: &Node, place: &Place, key: Option<&str>) {
        let name = key.unwrap_or_default();
        if let Kind::Number(number) = &node.kind {
            let number = number.as_f64().unwrap_or_default();
            let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
            let message =
                if let Some(only) = schema.get("const").filter(|c| c.as_f64() != Some(number)) {
                    format!("`{name}` must be {only}")
                } else if let Some(least) = bound("minimum").filter(|least| number < *least) {
                    format!("`{name}` must be at least {least}")
                } else if let Some(most) = bound("maximum").filter(|most| number > *most) {
                    format!("`{name}` must be at most {most}")
                } else {
                    return;
                };
            self.wrong.insert(place.clone());
            self.document.error(place, message);
        }
        let is_empty = matches!(&node.kind, Kind::List(items) if items.is_empty());
        if is_empty && schema.get("minItems").is_some_and(|least| least != 0) {
            self.wrong.insert(place.clone());
            self.document.error(place, format!("`{name}` is empty"));
        }
    }

    /// A choice: among constants, by the key `type`, by the keys, or by the kind of value.
    fn branches(&mut self, branches: &'a [Value], node: &Node, place: &Place, key: Option<&str>) {
        if branches.iter().all(|branch| branch.get("const").is_some()) {
            let has_null = branches.iter().any(|branch| branch.get("const") == Some(&Value::Null));
            if has_null && matches!(node.kind, Kind::Null) {
                self.spelled.insert(place.clone());
                return;
            }
            let names = branches.iter().filter_map(|branch| branch.get("const")?.as_str());
            return self.constant(&names.collect::<Vec<_>>(), node, place, key);
        }
        if branches.iter().any(|branch| tag_of(branch).is_some()) {
            return self.tagged(branches, node, place, key);
        }
        let fitting: Vec<&Value> = branches
            .iter()
            .map(|branch| self.resolve(branch))
            .filter(|branch| match branch.get("oneOf") {
                // Nested choices are those among the keys of a mapping.
                Some(_) => matches!(node.kind, Kind::Map(_)),
                None => is_type(branch, node),
            })
            .collect();
        match fitting.as_slice() {
            [] => {
                let wanted: Vec<String> =
                    branches.iter().map(|branch| self.wanted(branch)).collect();
                self.refuse(node, place, key, &either(&wanted));
            }
            [only] => self.node(only, node, place, key),
            several => self.by_key(several, node, place, key),
        }
    }

    fn resolve(&self, schema: &'a Value) -> &'a Value {
        let target = schema.get("$ref").and_then(Value::as_str);
        target
            .and_then(|name| self.definitions.pointer(name.trim_start_matches('#')))
            .unwrap_or(schema)
    }

    fn constant(&mut self, names: &[&str], node: &Node, place: &Place, key: Option<&str>) {
        let Some(text) = node.text() else {
            let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            return self.refuse(node, place, key, &either(&quoted));
        };
        if !names.contains(&text) {
            self.wrong.insert(place.clone());
            let message = format!("`{text}` is no value of `{}`", key.unwrap_or_default());
            let finding = self.document.error(place, message);
            finding
                .nearest(text, names.iter().copied())
                .hint(format!("one of {}", names.join(", ")));
        }
    }

    /// A choice by the key `type`.
    fn tagged(&mut self, branches: &'a [Value], node: &Node, place: &Place, key: Option<&str>) {
        if !matches!(node.kind, Kind::Map(_)) {
            return self.refuse(node, place, key, "a mapping with a `type`");
        }
        let names: Vec<&str> = branches.iter().filter_map(tag_of).collect();
        let Some(tag) = node.get("type") else {
            self.wrong.insert(place.clone());
            self.missing(node, "type");
            return;
        };
        let chosen = branches.iter().find(|branch| tag_of(branch) == tag.text());
        if let (Some(branch), Some(_)) = (chosen, tag.text()) {
            return self.map(branch, node, place);
        }
        self.wrong.insert(place.clone());
        let at = place.key("type");
        self.constant(&names, tag, &at, Some("type"));
    }

    /// A choice by the one key of a mapping.
    fn by_key(&mut self, branches: &[&'a Value], node: &Node, place: &Place, key: Option<&str>) {
        let names: Vec<&str> = branches.iter().flat_map(|branch| keys_of(branch)).collect();
        let name = key.unwrap_or_default();
        let [only] = node.entries() else {
            self.wrong.insert(place.clone());
            let message = format!("`{name}` wants one key: {}", names.join(" or "));
            self.document.error(place, message);
            return;
        };
        if let Some(branch) = branches.iter().find(|branch| has_key(branch, &only.key)) {
            self.map(branch, node, place);
            if self.wrong.contains(&place.key(&only.key)) {
                self.wrong.insert(place.clone());
            }
            return;
        }
        self.wrong.insert(place.clone());
        let message = format!("unknown key `{}`", only.key);
        let finding = self.document.report(only.span.clone(), message);
        finding.nearest(&only.key, names.iter().copied());
        finding.hint(format!("known here: {}", names.join(", ")));
    }

    /// A secret's place. Nothing of what is written there is repeated.
    fn secret(&mut self, node: &Node, place: &Place, key: Option<&str>) {
        let name = key.unwrap_or_default();
        let only = if let [entry] = node.entries() { Some(entry) } else { None };
        let message = match (&node.kind, only) {
            (Kind::Map(_), Some(entry)) if entry.key == "env" || entry.key == "file" => {
                if entry.value.text().is_some_and(|text| !text.trim().is_empty()) {
                    return;
                }
                format!("the secret `{name}` wants text after `{}`", entry.key)
            }
            (Kind::Map(_), Some(entry)) => {
                let meant = nearest(&entry.key, ["env", "file"]);
                let meant = meant.map(|meant| format!(", did you mean `{meant}`?"));
                format!("the secret `{name}` has an unknown key{}", meant.unwrap_or_default())
            }
            (Kind::Map(_), None) => format!("the secret `{name}` wants one key: env or file"),
            (Kind::Null, _) => format!("the secret `{name}` has no value"),
            _ => format!("the secret `{name}` is written into the file"),
        };
        self.wrong.insert(place.clone());
        self.document.mask(node.span.clone());
        self.document
            .error(place, message)
            .hint("name where it is found: { env: NAME } or { file: PATH }");
    }

    /// What a schema wants, in words.
    fn wanted(&self, schema: &'a Value) -> String {
        let schema = self.resolve(schema);
        if schema.get("oneOf").is_some() {
            return "a mapping".to_owned();
        }
        match schema.get("type") {
            Some(Value::String(name)) => words(name).to_owned(),
            Some(Value::Array(names)) => {
                let names: Vec<_> = names.iter().filter_map(Value::as_str).map(words).collect();
                either(&names)
            }
            _ => "a value".to_owned(),
        }
    }
}

/// Whether a key is how other clients call a switch that turns the verification of certificates off.
fn turns_verification_off(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.contains("verify") || key.contains("insecure") || key.contains("danger")
}
