use proptest::prelude::*;

use super::*;

/// Writes headers the way a converter does.
struct Writer(Vec<u8>, u64);

impl Writer {
    fn new() -> Self {
        Self(Vec::new(), 0)
    }

    fn pair(mut self, key: &str, kind: u32, value: &[u8]) -> Self {
        self.0.extend((key.len() as u64).to_le_bytes());
        self.0.extend(key.as_bytes());
        self.0.extend(kind.to_le_bytes());
        self.0.extend(value);
        self.1 += 1;
        self
    }

    fn text(self, key: &str, value: &str) -> Self {
        let value = string(value);
        self.pair(key, STRING, &value)
    }

    fn bytes(self) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3u32.to_le_bytes());
        bytes.extend(0u64.to_le_bytes());
        bytes.extend(self.1.to_le_bytes());
        bytes.extend(self.0);
        bytes
    }
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

fn array(kind: u32, count: u64, values: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &count.to_le_bytes(), values].concat()
}

fn sample() -> Vec<u8> {
    Writer::new()
        .pair("other.context_length", 4, &5u32.to_le_bytes())
        .pair("llama.context_length", 4, &8192u32.to_le_bytes())
        .text("general.architecture", "llama")
        .text("general.name", "Tiny")
        .text("general.license", "apache-2.0")
        .pair(
            "tokenizer.ggml.tokens",
            ARRAY,
            &array(STRING, 2, &[string("a"), string("b")].concat()),
        )
        .pair("tokenizer.ggml.scores", ARRAY, &array(6, 2, &[0; 8]))
        .pair("nested", ARRAY, &array(ARRAY, 1, &array(0, 3, &[1, 2, 3])))
        .text("tokenizer.chat_template", &"{% for %}".repeat(1000))
        .pair("flag", 7, &[1])
        .bytes()
}

/// Starting points for fuzzing.
pub(crate) fn seeds() -> [(&'static str, Vec<u8>); 4] {
    let small = Writer::new()
        .text("general.architecture", "llama")
        .pair("llama.context_length", 10, &[1; 8]);
    let arrays = Writer::new().pair(
        "x",
        ARRAY,
        &array(ARRAY, 1, &array(STRING, 2, &[string("a"), string("b")].concat())),
    );
    let mut whole = Writer::new()
        .text("tokenizer.chat_template", "{% for %}")
        .text("general.name", "Tiny");
    for kind in 0..13 {
        let value = width(kind).map_or(string("text"), |bytes| vec![1; usize::try_from(bytes).unwrap()]);
        let value = if kind == ARRAY {
            array(6, 1, &[0; 4])
        } else {
            value
        };
        whole = whole.pair("key", kind, &value);
    }
    let endless = Writer::new().pair("x", ARRAY, &array(STRING, u64::MAX, &[]));
    [
        ("small", small),
        ("arrays", arrays),
        ("every_type", whole),
        ("endless", endless),
    ]
    .map(|(name, writer)| (name, writer.bytes()))
}

#[test]
fn a_header_is_read() {
    let header = Header::read(&sample()[..]).unwrap();
    assert_eq!(
        header,
        Header {
            architecture: "llama".into(),
            name: Some("Tiny".into()),
            licence: Some("apache-2.0".into()),
            context_length: Some(8192),
            chat_template: true,
        }
    );
}

/// `./cocoon test` names the default model's file; without it there is nothing to compare.
#[test]
fn the_default_model_is_what_the_catalogue_says() {
    let Some(path) = std::env::var_os("COCOON_TEST_MODEL") else {
        return;
    };
    let header = Header::of_file(Path::new(&path)).unwrap();
    let catalogue = crate::Catalogue::built_in();
    let entry = catalogue.default_model();
    assert_eq!(header.architecture, "llama");
    assert_eq!(header.context_length, entry.context_length.map(u64::from));
    assert_eq!(header.licence.as_deref(), Some("apache-2.0"));
    assert_eq!(header.chat_template, entry.chat);
}

#[test]
fn every_cut_is_noticed() {
    let whole = sample();
    for length in 0..whole.len() {
        let error = Header::read(&whole[..length]).unwrap_err();
        assert!(
            matches!(error, GgufError::Cut | GgufError::Magic),
            "{length}: {error}"
        );
    }
}

#[test]
fn claims_are_bounded() {
    let huge = u64::MAX.to_le_bytes();
    for (bytes, word) in [
        (b"PK\x03\x04 and so on".to_vec(), "not a GGUF"),
        ([b"GGUF".as_slice(), &1u32.to_le_bytes()].concat(), "version 1"),
        (Writer(vec![], u64::MAX).bytes(), "too many keys"),
        (Writer(huge.to_vec(), 1).bytes(), "key is too long"),
        (
            Writer::new().pair("general.name", STRING, &huge).bytes(),
            "too early",
        ),
        (
            Writer::new().pair("x", ARRAY, &array(6, u64::MAX, &[])).bytes(),
            "too early",
        ),
        (
            Writer::new()
                .pair("x", ARRAY, &array(STRING, u64::MAX, &[]))
                .bytes(),
            "too early",
        ),
        (Writer::new().pair("x", 99, &[]).bytes(), "unknown type"),
        (
            Writer::new().pair("x", ARRAY, &array(99, 1, &[])).bytes(),
            "unknown type",
        ),
        (
            Writer::new()
                .pair("general.name", STRING, &[1, 0, 0, 0, 0, 0, 0, 0, 0xff])
                .bytes(),
            "not UTF-8",
        ),
    ] {
        let error = Header::read(&bytes[..]).unwrap_err().to_string();
        assert!(error.contains(word), "{error} / {word}");
    }
    let deep = (0..6).fold(vec![], |inner, _| array(ARRAY, 1, &inner));
    let deep = Writer::new().pair("x", ARRAY, &deep).bytes();
    assert!(
        Header::read(&deep[..])
            .unwrap_err()
            .to_string()
            .contains("too deep")
    );
}

#[test]
fn a_header_without_end_ends() {
    let start = Writer::new()
        .pair("x", ARRAY, &array(STRING, u64::MAX, &[]))
        .bytes();
    let endless = io::Read::chain(&start[..], io::repeat(0));
    assert!(matches!(
        Header::read_at_most(BufReader::new(endless), 1 << 20),
        Err(GgufError::Cut)
    ));
}

proptest! {
    #[test]
    fn no_header_can_harm(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12)) {
        let mut bytes = sample();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let _ = Header::read(&bytes[..]);
    }
}
