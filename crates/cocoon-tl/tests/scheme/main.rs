//! The Rust definitions against `scheme/cocoon.tl`: ids, both directions, and the layout of every constructor, by an
//! encoder that knows nothing but the scheme.

#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

mod reference;
mod seeds;
mod text;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use bytes::{Bytes, BytesMut};
use cocoon_tl::{Constructor, TlField, Writer, by_id, catalogue, peek_id};
use proptest::prelude::*;

use reference::Sample;
use text::{Declaration, Scheme};

/// The only ids that are not the CRC-32 of their declaration (spec/network.md 5.4).
const EXPLICIT: [&str; 5] = [
    "client.params",
    "client.workerInstanceV2",
    "proxy.params",
    "vector",
    "worker.params",
];

/// The built-ins and their ids (spec/network.md 5.6).
const BUILT_INS: [(&str, u32); 13] = [
    ("boolFalse", 0xbc79_9737),
    ("boolTrue", 0x9972_75b5),
    ("bytes", 0x1846_14d1),
    ("double", 0x2210_c154),
    ("function", 0x7acb_c197),
    ("int", 0xa850_9bda),
    ("int128", 0x84cc_f7b7),
    ("int256", 0x7bed_eb5b),
    ("long", 0x2207_6cba),
    ("object", 0x2970_4ca0),
    ("string", 0xb528_6e24),
    ("true", 0x3fed_d339),
    ("vector", 0x1cb5_c415),
];

static SCHEME: LazyLock<Scheme> = LazyLock::new(Scheme::load);

fn is_built_in(name: &str) -> bool {
    BUILT_INS.iter().any(|built_in| built_in.0 == name)
}

fn of(declaration: &Declaration) -> &'static Constructor {
    by_id(declaration.id()).unwrap_or_else(|| panic!("{} has no Rust type", declaration.name))
}

#[test]
fn every_line_has_a_type_and_every_type_a_line() {
    let scheme = &*SCHEME;
    let lines: BTreeMap<_, _> = scheme
        .declarations
        .iter()
        .filter(|line| !is_built_in(&line.name))
        .map(|line| (line.text.clone(), line.is_function))
        .collect();
    let types: BTreeMap<_, _> = catalogue().map(|c| (c.declaration(), c.is_function)).collect();
    let without_type: Vec<_> = lines.iter().filter(|line| !types.contains_key(line.0)).collect();
    let without_line: Vec<_> = types.iter().filter(|c| !lines.contains_key(c.0)).collect();
    assert!(
        without_type.is_empty() && without_line.is_empty(),
        "{without_type:#?} {without_line:#?}"
    );
    assert_eq!(lines, types);
    assert_eq!(catalogue().count(), 98 + 24, "the original's and protocol 3");
    assert_eq!(types.len(), 98 + 24, "a declaration stands twice");
}

#[test]
fn every_id_is_the_crc_of_its_line() {
    for constructor in catalogue() {
        let line = Declaration::parse(&constructor.declaration(), constructor.is_function);
        assert_eq!(line.name, constructor.name());
        assert_eq!(
            line.explicit.is_some(),
            EXPLICIT.contains(&&*line.name),
            "{}",
            line.name
        );
        assert_eq!(line.id(), constructor.id, "{}", line.name);
    }
    let ids: BTreeSet<_> = catalogue().map(|c| c.id).collect();
    assert_eq!(ids.len(), catalogue().count(), "an id stands twice");
}

#[test]
fn built_ins_have_the_ids_of_the_specification() {
    let scheme = &*SCHEME;
    for (name, id) in BUILT_INS {
        let line = scheme.constructor(name);
        assert_eq!(line.id(), id, "{name}");
        assert_eq!(line.explicit.is_some(), EXPLICIT.contains(&name), "{name}");
    }
    for (value, name) in [(true, "boolTrue"), (false, "boolFalse")] {
        let mut out = BytesMut::new();
        value.write(&mut Writer::new(&mut out));
        assert_eq!(peek_id(&out), Some(scheme.constructor(name).id()));
    }
}

#[test]
fn the_scheme_names_only_what_it_declares() {
    let scheme = &*SCHEME;
    for line in scheme.declarations.iter().filter(|line| !is_built_in(&line.name)) {
        assert!(
            scheme.has_type(&line.result),
            "{}: no such type as {}",
            line.name,
            line.result
        );
        // Sampling resolves every type of every field.
        let _ = Sample::of(scheme, line, 0);
    }
}

#[test]
fn lookup_by_id_finds_names() {
    assert_eq!(by_id(0x9c17_baf8).map(Constructor::name), Some("tcp.packet"));
    assert_eq!(by_id(0x869c_73ed).map(Constructor::name), Some("worker.params"));
    assert_eq!(by_id(0).map(Constructor::name), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Wire bytes that the scheme allows come out of the Rust type unchanged, and each value under its own name.
    #[test]
    fn layouts_are_those_of_the_scheme(seed: u64) {
        let scheme = &*SCHEME;
        for line in scheme.declarations.iter().filter(|line| !is_built_in(&line.name)) {
            let sample = Sample::of(scheme, line, seed);
            let bytes = Bytes::from(sample.bytes);
            prop_assert_eq!((of(line).rewrite)(bytes.clone()), Ok(bytes.clone()), "{}", line.text);

            let shown = (of(line).describe)(bytes).unwrap().replace("Some(", "");
            let mut rest = shown.as_str();
            for expected in &sample.shown {
                let at = rest.find(expected.as_str());
                prop_assert!(at.is_some(), "{}: no `{}` in `{}` of `{}`", line.text, expected, rest, shown);
                rest = &rest[at.unwrap()..];
            }
        }
    }

    /// Bits of `flags` that name no field are ignored and not kept.
    #[test]
    fn unknown_flag_bits_are_dropped(seed: u64, bit in 2_u32..32) {
        let scheme = &*SCHEME;
        for line in scheme.declarations.iter().filter(|line| line.has_optional_fields()) {
            let sample = Sample::of(scheme, line, seed);
            let at = sample.flags_at.unwrap();
            let mut dirty = sample.bytes.clone();
            let flags = u32::from_le_bytes(*dirty[at..].first_chunk().unwrap()) | 1 << bit;
            dirty[at..at + 4].copy_from_slice(&flags.to_le_bytes());
            prop_assert_eq!((of(line).rewrite)(dirty.into()), Ok(sample.bytes.into()), "{}", line.text);
        }
    }

    /// Damaged bytes are refused or are an object whose own bytes say the same again.
    #[test]
    fn damaged_objects_do_no_harm(seed: u64, damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let scheme = &*SCHEME;
        for line in scheme.declarations.iter().filter(|line| !is_built_in(&line.name)) {
            let mut bytes = Sample::of(scheme, line, seed).bytes;
            for (index, byte) in &damage {
                let at = index.index(bytes.len());
                bytes[at] = *byte;
            }
            if let Ok(rewritten) = (of(line).rewrite)(bytes.into()) {
                prop_assert_eq!((of(line).rewrite)(rewritten.clone()), Ok(rewritten), "{}", line.text);
            }
        }
    }
}

proptest! {
    // A case is a parse for every byte of every object: some hundred thousand.
    #![proptest_config(ProptestConfig::with_cases(4))]

    /// Cut anywhere, or with bytes behind it, no object is accepted.
    #[test]
    fn only_whole_objects_are_accepted(seed: u64) {
        let scheme = &*SCHEME;
        for line in scheme.declarations.iter().filter(|line| !is_built_in(&line.name)) {
            let bytes = Bytes::from(Sample::of(scheme, line, seed).bytes);
            for cut in 0..bytes.len() {
                prop_assert!((of(line).rewrite)(bytes.slice(..cut)).is_err(), "{} cut at {}", line.text, cut);
            }
            for extra in 1..=8 {
                let longer = [&bytes[..], &vec![0; extra]].concat();
                prop_assert!((of(line).rewrite)(longer.into()).is_err(), "{} and {} bytes", line.text, extra);
            }
        }
    }
}
