//! Certificates that are signed as they should be and are odd in their form.

use super::*;

/// Signs these bytes and puts them together with this algorithm identifier; `more` goes behind the signature.
fn signed(to_be_signed: &[u8], algorithm: &[u8], more: &[u8]) -> Vec<u8> {
    let signature = key().sign(to_be_signed);
    let bits = der::write(der::BIT_STRING, &[&[0], signature.as_ref()]).unwrap();
    sequence(&[to_be_signed, algorithm, &bits, more])
}

fn to_be_signed() -> Vec<u8> {
    let quote = report_data(&key_bytes());
    let draft = Draft::new(&key_bytes(), Some(&quote), [5; 16], NOW - 10..=NOW + 86_400).unwrap();
    draft.to_be_signed().unwrap()
}

fn algorithm(last: u8, parameters: &[u8]) -> Vec<u8> {
    let name = der::write(der::OID, &[&[0x2b, 0x65, last]]).unwrap();
    sequence(&[&name, parameters])
}

/// The good signed part with another algorithm identifier in the place of the signature's.
fn naming(algorithm: &[u8]) -> Vec<u8> {
    let bytes = to_be_signed();
    let content = der::only(&bytes, der::SEQUENCE).unwrap().content;
    let usual = self::algorithm(0x70, &[]);
    let at = content
        .windows(usual.len())
        .position(|window| window == usual)
        .unwrap();
    let (before, rest) = content.split_at(at);
    sequence(&[before, algorithm, &rest[usual.len()..]])
}

#[test]
fn the_algorithm_is_ed25519_without_parameters() {
    for (last, parameters, expected) in [
        (0x70, &[][..], Ok(Tier::Simulated)),
        // Ed448 in name, Ed25519 in truth; and parameters, which RFC 8410 forbids.
        (0x71, &[], Err(Refusal::SelfSignature)),
        (0x70, &[0x05, 0x00], Err(Refusal::SelfSignature)),
    ] {
        let algorithm = algorithm(last, parameters);
        let bytes = signed(&naming(&algorithm), &algorithm, &[]);
        assert_eq!(both_sides(&bytes, &lenient()), [expected; 2]);
    }
}

#[test]
fn nothing_stands_behind_the_last_part() {
    let usual = algorithm(0x70, &[]);
    let null = [0x05, 0x00];
    let outside = signed(&to_be_signed(), &usual, &null);
    assert_eq!(public_key(&outside), Err(Refusal::Malformed("end")));
    let bytes = to_be_signed();
    let content = der::only(&bytes, der::SEQUENCE).unwrap().content;
    let inside = signed(&sequence(&[content, &null]), &usual, &[]);
    assert_eq!(public_key(&inside), Err(Refusal::Malformed("end of signed part")));
}

#[test]
fn extensions_are_counted() {
    static NAMES: [u8; 33] = [1; 33];
    let with = |count: usize| {
        certificate(|draft| {
            // Names that differ by their length.
            let more = (1..=count - draft.extensions.len())
                .map(|length| Extension::optional(&NAMES[..length], Vec::new()));
            draft.extensions.extend(more);
        })
    };
    assert_eq!(both_sides(&with(32), &lenient()), [Ok(Tier::Simulated); 2]);
    let refused = Refusal::Malformed("too many extensions, or one of them twice");
    assert_eq!(both_sides(&with(33), &lenient()), [Err(refused); 2]);
}

#[test]
fn an_unknown_critical_extension_is_not_forgotten() {
    let bytes = certificate(|draft| {
        let critical = Extension::critical(&[0x2a, 0x03], Vec::new());
        draft.extensions.insert(0, critical);
        draft
            .extensions
            .push(Extension::optional(&[0x2a, 0x04], Vec::new()));
    });
    assert_eq!(
        both_sides(&bytes, &lenient()),
        [Err(Refusal::UnknownCriticalExtension); 2]
    );
}
