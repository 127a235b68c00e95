//! Any object as a manifest version: never a panic; what is read is written and read again the same.

use lakeward::manifest::version::Manifest;

/// Holds the entrance to what it promises.
pub fn run(bytes: &[u8]) {
    match Manifest::decode(bytes, "t/_lakeward/windows/w/00000001.json") {
        Ok(manifest) => {
            let again = manifest.encode().expect("a manifest has a JSON form");
            assert_eq!(Manifest::decode(&again, "again").expect("what was written"), manifest);
        }
        Err(error) => assert!(error.to_string().contains("00000001.json"), "{error}"),
    }
}
