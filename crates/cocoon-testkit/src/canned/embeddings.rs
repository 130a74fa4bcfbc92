//! Vectors that can be foretold.

use serde_json::{Value, json};

use super::prompt::Prompt;

const DIMENSIONS: u32 = 8;

pub(super) fn answer(prompt: &Prompt) -> Value {
    let input = &prompt.body["input"];
    let inputs = match input {
        Value::Array(several) if !several.iter().all(Value::is_number) => several.clone(),
        one => vec![one.clone()],
    };
    let plain = prompt.body["encoding_format"].as_str() != Some("base64");
    let data = inputs.iter().enumerate().map(|(index, input)| {
        let vector = vector(&input.to_string());
        let embedding = if plain {
            json!(vector)
        } else {
            json!(base64(&vector))
        };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    });
    json!({
        "object": "list",
        "model": prompt.model,
        "data": data.collect::<Vec<_>>(),
        "usage": {"prompt_tokens": prompt.words, "total_tokens": prompt.words},
    })
}

/// Eight numbers between 0 and 1 that depend on every byte of the text.
fn vector(text: &str) -> Vec<f32> {
    let seed = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let numbers = (1..=DIMENSIONS).map(|index| seed.wrapping_mul(2 * index + 1) >> 16);
    numbers.map(|number| number as f32 / 65536.0).collect()
}

/// Little-endian floats in base64, as OpenAI's packages ask for.
fn base64(vector: &[f32]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte))
            << (8 * (3 - group.len()));
        for index in 0..4 {
            let letter = LETTERS[bits >> (18 - 6 * index) & 63];
            text.push(if index <= group.len() { letter.into() } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{base64, vector};

    #[test]
    fn base64_is_the_usual_one() {
        assert_eq!(base64(&[1.0, -2.5]), "AACAPwAAIMA=");
        assert_eq!(base64(&[1.0]), "AACAPw==");
    }

    #[test]
    fn other_texts_have_other_vectors() {
        assert_ne!(vector("a"), vector("b"));
        assert!(vector("a").iter().all(|number| (0.0..1.0).contains(number)));
    }
}
