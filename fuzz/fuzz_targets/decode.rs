//! Arbitrary bytes into the decoder: it must never panic, and whatever it accepts must survive being written and
//! read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use storepulse_events::{Currency, decode};

fuzz_target!(|bytes: &[u8]| {
    let Some(currency) = Currency::parse("USD") else { return };
    let Ok(event) = decode(bytes, currency) else { return };
    let mut written = Vec::new();
    event.encode_into(&mut written);
    match decode(&written, currency) {
        Ok(again) => assert_eq!(event, again),
        // Escapes and full-length numbers can make the written form longer than the limit of a message.
        Err(_) if written.len() > storepulse_events::MAX_EVENT_BYTES => {}
        Err(rejection) => panic!("{rejection}: {}", String::from_utf8_lossy(&written)),
    }
});
