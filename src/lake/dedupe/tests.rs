//! One row of a key survives, against a map as the model.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Int64Array, StringArray};
use arrow::datatypes::Field;
use proptest::prelude::*;

use super::*;
use crate::lake::store::Lake;
use crate::lake::tests::table;

fn batch(rows: &[(Option<String>, Option<String>, Option<i64>)]) -> RecordBatch {
    let schema = Arc::new(Schema::new(vec![
        Field::new("a", DataType::Utf8, true),
        Field::new("b", DataType::Utf8, true),
        Field::new("v", DataType::Int64, true),
    ]));
    let a: StringArray = rows.iter().map(|row| row.0.as_deref()).collect();
    let b: StringArray = rows.iter().map(|row| row.1.as_deref()).collect();
    let v: Int64Array = rows.iter().map(|row| row.2).collect();
    RecordBatch::try_new(schema, vec![Arc::new(a), Arc::new(b), Arc::new(v)]).expect("batch")
}

fn index(version_by: Option<usize>) -> KeyIndex {
    KeyIndex::new(&table(vec![0, 1], version_by, None))
}

fn row(a: &str, b: Option<&str>, v: Option<i64>) -> (Option<String>, Option<String>, Option<i64>) {
    (Some(a.to_owned()), b.map(ToOwned::to_owned), v)
}

fn places(file: u32, from: u32, rows: usize) -> Vec<RowPlace> {
    (from..).take(rows).map(|row| RowPlace { file, row }).collect()
}

type State = (Vec<(Vec<u64>, RowPlace)>, BTreeMap<u32, RowSet>, u64);

/// What two indexes of the same rows have in common, in an order of its own.
fn state(index: &KeyIndex) -> State {
    fn rows<const V: usize>(keys: &KeyTable<V>) -> Vec<(Vec<u64>, RowPlace)> {
        let row = |e: &Entry<V>| (e.key.iter().chain(&e.version).copied().collect(), e.place);
        keys.iter().map(row).collect()
    }
    let mut keys = match &index.keys {
        Keys::None => Vec::new(),
        Keys::Plain(keys) => rows(keys),
        Keys::Versioned(keys) => rows(keys),
    };
    keys.sort_unstable();
    (keys, index.superseded.clone(), index.duplicates)
}

#[test]
fn keys_are_the_values_and_not_their_concatenation() {
    let mut index = index(None);
    let file = index.add_file("f").expect("file");
    let rows = [
        row("a", Some("bc"), None),
        row("ab", Some("c"), None),
        row("abc", Some(""), None),
        row("abc", None, None),
        (None, None, None),
        (None, None, None),
    ];
    index.record(&batch(&rows), &places(file, 0, rows.len())).expect("record");
    assert_eq!((index.len(), index.duplicates()), (4, 0));
    index.record(&batch(&rows[3..4]), &places(file, 6, 1)).expect("record");
    assert_eq!((index.len(), index.duplicates()), (4, 1));
    let superseded = index.superseded("f").expect("rows");
    assert!(superseded.contains(3) && !superseded.contains(2) && !superseded.contains(6));
}

#[test]
fn a_null_version_is_the_oldest_and_ties_go_to_the_last() {
    let mut index = index(Some(2));
    let file = index.add_file("f").expect("file");
    let rows = [
        row("k", None, Some(-5)),
        row("k", None, None),
        row("k", None, Some(-5)),
        row("k", None, Some(i64::MIN)),
    ];
    index.record(&batch(&rows), &places(file, 0, rows.len())).expect("record");
    let superseded = index.superseded("f").expect("rows");
    let left: Vec<u64> = (0..4).filter(|row| !superseded.contains(*row)).collect();
    assert_eq!(left, [2]);
    assert_eq!(index.duplicates(), 3);
}

#[test]
fn versions_order_like_their_values() {
    use arrow::array::{ArrayRef, BooleanArray, Decimal128Array, Float64Array};
    let most = 10_i128.pow(38) - 1;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Float64Array::from(vec![
            None,
            Some(f64::NEG_INFINITY),
            Some(-1.5),
            Some(-1e-300),
            Some(0.0),
            Some(2.0),
            Some(f64::MAX),
        ])),
        Arc::new(Decimal128Array::from(vec![None, Some(-most), Some(-1), Some(0), Some(most)])),
        Arc::new(BooleanArray::from(vec![None, Some(false), Some(true)])),
        Arc::new(Int64Array::from(vec![None, Some(i64::MIN), Some(0), Some(i64::MAX)])),
    ];
    for column in columns {
        let batch = RecordBatch::try_from_iter([("v", column)]).expect("batch");
        let versions = values::versions(&batch, 0).expect("versions");
        assert!(versions.windows(2).all(|pair| pair[0] < pair[1]), "{versions:?}");
    }
}

#[test]
fn versions_without_order_are_refused() {
    let index = index(Some(1));
    let error = index.check(&batch(&[]).schema()).expect_err("a string");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(error.message(), "version_by cannot be of type Utf8");
}

#[tokio::test]
async fn without_a_primary_key_every_row_survives() {
    let lake = Lake::in_memory();
    let table = table(vec![], None, None);
    let mut index = KeyIndex::new(&table);
    let file = index.add_file("f").expect("file");
    let rows = [row("k", None, None), row("k", None, None)];
    index.record(&batch(&rows), &places(file, 0, 2)).expect("record");
    assert_eq!(index.duplicates(), 0);
    assert!(!index.save(&lake, "keys").await.expect("save"));
    assert!(KeyIndex::load(&lake, &table, &[]).await.expect("load").expect("whole").is_empty());
}

#[tokio::test]
async fn a_segment_that_is_not_whole_is_refused() {
    let lake = Lake::in_memory();
    let spec = table(vec![0, 1], None, None);
    let mut index = KeyIndex::new(&spec);
    for (number, path) in ["k1", "k2"].into_iter().enumerate() {
        let file = index.add_file(&format!("f{number}")).expect("file");
        let rows = [row("k", None, None), row(path, None, None)];
        index.record(&batch(&rows), &places(file, 0, 2)).expect("record");
        assert!(index.save(&lake, path).await.expect("save"));
    }
    let load = async |paths: &[&str]| {
        let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
        KeyIndex::load(&lake, &spec, &paths).await.expect("the lake can be read")
    };
    let whole = lake.read("k2").await.expect("read").expect("there");
    assert!(load(&["k1", "k2"]).await.is_some());
    for wrong in [&["k2"][..], &["k1", "k1"], &["k2", "k1"], &["k1", "k3"]] {
        assert!(load(wrong).await.is_none(), "{wrong:?}");
    }
    for length in 0..whole.len() {
        lake.put("cut", whole.slice(..length)).await.expect("put");
        assert!(load(&["k1", "cut"]).await.is_none(), "{length}");
    }
    for at in 0..whole.len() {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 0x10;
        lake.put("changed", bytes.into()).await.expect("put");
        assert!(load(&["k1", "changed"]).await.is_none(), "{at}");
    }
    let versioned = table(vec![0, 1], Some(2), None);
    let other = KeyIndex::load(&lake, &versioned, &["k1".to_owned()]).await.expect("load");
    assert!(other.is_none(), "a table with versions");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn survivors_are_those_of_the_model_and_segments_replay(
        rows in prop::collection::vec((0_u8..12, prop::option::of(-3_i64..3), 0_u8..8), 0..120),
        versioned: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        let lake = Lake::in_memory();
        let spec = table(vec![0, 1], versioned.then_some(2), None);
        let mut index = KeyIndex::new(&spec);
        let mut model: HashMap<u8, (Option<i64>, RowPlace)> = HashMap::new();
        let (mut paths, mut all) = (Vec::new(), Vec::new());
        let mut file = None;
        let mut next = 0;
        for (key, version, act) in rows {
            if act == 0 {
                file = None;
                let path = format!("keys-{}", paths.len());
                runtime.block_on(index.save(&lake, &path)).expect("save");
                paths.push(path);
                let back = runtime.block_on(KeyIndex::load(&lake, &spec, &paths)).expect("load");
                let back = back.expect("whole");
                prop_assert_eq!(state(&back), state(&index));
            }
            if file.is_none() || act == 1 {
                let path = format!("f{}", index.files.len());
                file = Some(index.add_file(&path).expect("file"));
                next = 0;
            }
            let place = RowPlace { file: file.unwrap_or_default(), row: next };
            next += 1;
            let values = [row(&key.to_string(), None, version)];
            index.record(&batch(&values), &[place]).expect("record");
            all.push(place);
            let known = model.entry(key).or_insert((version, place));
            if !versioned || version >= known.0 {
                *known = (version, place);
            }
        }
        let mut expected: Vec<RowPlace> = model.values().map(|(_, place)| *place).collect();
        expected.sort_unstable();
        let survives = |place: &RowPlace| {
            let path = format!("f{}", place.file);
            !index.superseded(&path).is_some_and(|rows| rows.contains(place.row.into()))
        };
        let left: Vec<RowPlace> = all.iter().copied().filter(survives).collect();
        prop_assert_eq!(left, expected);
        prop_assert_eq!(index.duplicates(), (all.len() - model.len()) as u64);
        prop_assert_eq!(index.len(), model.len());
    }
}
