//! The JSON Schemas of the source and schema files, by which editors complete and files are checked.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::spec::declared::source::SourceFile;
use crate::spec::declared::table::TableFile;

/// The JSON Schema (draft 2020-12) of a source file.
pub fn source_schema() -> Value {
    schema::<SourceFile>()
}

/// The JSON Schema (draft 2020-12) of a schema file.
pub fn table_schema() -> Value {
    let mut schema = schema::<TableFile>();
    if let Some(raw) = schema.pointer_mut("/properties/raw_column/type") {
        *raw = json!(["string", "null"]);
    }
    // YAML reads the word `null` as null unless it is quoted.
    if let Some(Value::Array(choices)) = schema.pointer_mut("/$defs/OnInvalid/oneOf") {
        choices.push(json!({ "const": null, "description": "The same, without quotes." }));
    }
    // A default of null would be no default.
    let default = schema.pointer_mut("/$defs/Field/properties/default");
    if let Some(default) = default.and_then(Value::as_object_mut) {
        default
            .insert("type".to_owned(), json!(["string", "number", "boolean", "array", "object"]));
    }
    schema
}

/// The JSON Schema (draft 2020-12) of a file that lakeward writes.
pub(crate) fn written_schema<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

fn schema<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let mut value = generator.into_root_schema_for::<T>().to_value();
    tidy(&mut value);
    value
}

/// Takes out what the declaration's `Option`s and integer widths leave behind: a key that is written has a value.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(schema) => {
            strip_null(schema);
            if schema.get("type").is_some_and(Value::is_string) {
                schema.remove("format");
            }
            schema.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn strip_null(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    let Some(Value::Array(branches)) = schema.get_mut("anyOf") else { return };
    branches.retain(|branch| branch.get("type").is_none_or(|name| name != "null"));
    if let [Value::Object(only)] = branches.as_slice() {
        let only = only.clone();
        schema.remove("anyOf");
        for (key, value) in only {
            schema.entry(key).or_insert(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every declared key has a description that is a sentence.
    fn describe(value: &Value, path: &str) {
        match value {
            Value::Object(schema) => {
                let text = schema.get("description").and_then(Value::as_str);
                assert!(text.is_none_or(|text| text.ends_with('.')), "{path}: {text:?}");
                for (key, inner) in schema {
                    describe(inner, &format!("{path}/{key}"));
                }
            }
            Value::Array(items) => items.iter().for_each(|item| describe(item, path)),
            _ => {}
        }
    }

    #[test]
    fn the_schemas_in_schemas_are_current() {
        for (name, schema) in [("source", source_schema()), ("table", table_schema())] {
            describe(&schema, name);
            let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
                .join(format!("schemas/{name}.schema.json"));
            let wanted = format!("{schema:#}\n");
            if std::env::var_os("LAKEWARD_UPDATE").is_some() {
                std::fs::write(&file, &wanted).expect("write the schema");
            }
            let found = std::fs::read_to_string(&file).unwrap_or_default();
            assert!(
                found == wanted,
                "{} is stale: run `LAKEWARD_UPDATE=1 cargo test --lib schema_json` and commit it",
                file.display()
            );
        }
    }
}
