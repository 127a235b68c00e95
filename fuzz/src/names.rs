//! Any text as a name in the lake: window, data file, partition, table, version. What is read is written the same, and
//! nothing leads out of the table's folder.

use lakeward::lake::layout::{
    DataFileName, TableDir, WindowName, partition_day, partition_name, version_of,
};
use lakeward::lake::spot::Spot;

fn stays_inside(path: &str) {
    assert!(!path.split('/').any(|part| part.is_empty() || part.starts_with('.')), "{path}");
}

/// Holds the entrance to what it promises.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(window) = text.parse::<WindowName>() {
        let dir = TableDir::new("t").expect("table");
        assert_eq!(window.to_string().parse::<WindowName>().expect("again"), window);
        for path in [
            dir.version_path(&window, 1),
            dir.staged_path(&window, 1, 2),
            dir.drift_path(&window, 3),
        ] {
            stays_inside(&path);
            assert_eq!(Spot::of(&dir, &path).window(), Some(&window));
        }
    }
    if let Ok(file) = DataFileName::of_path(text) {
        assert!(text.ends_with(".parquet"));
        stays_inside(&file.window.to_string());
    }
    if let Ok(dir) = TableDir::new(text) {
        stays_inside(dir.table());
    }
    if let (Ok(day), Some((column, _))) = (partition_day(text), text.split_once('=')) {
        assert_eq!(partition_day(&partition_name(column, day)).expect("again"), day);
    }
    if version_of(text).is_some() {
        assert!(text.ends_with(".json"));
    }
    let _ = Spot::of(&TableDir::new("t").expect("table"), text);
}
