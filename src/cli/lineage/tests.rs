//! The events of windows that nobody fetched; what a real run tells is in `tests/it/lineage.rs`.

use std::path::PathBuf;

use super::facets::facets_schema;

#[test]
fn the_schema_of_facets_in_schemas_is_current() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas/openlineage.schema.json");
    let wanted = format!("{:#}\n", facets_schema());
    if std::env::var_os("LAKEWARD_UPDATE").is_some() {
        std::fs::write(&file, &wanted).expect("write the schema");
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == wanted,
        "stale: run `LAKEWARD_UPDATE=1 cargo test --lib -- the_schema_of_facets`"
    );
}
