//! See `lakeward_fuzz::waits`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lakeward_fuzz::waits::run(bytes));
