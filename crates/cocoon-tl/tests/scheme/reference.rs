//! An encoder of random values that knows nothing but the scheme.

use crate::text::{Declaration, Scheme};

/// A random object of one declaration.
pub(crate) struct Sample {
    /// Its boxed bytes, in the shortest form.
    pub(crate) bytes: Vec<u8>,
    /// `name: value` of each field that is there, in order, as `Debug` shows it.
    pub(crate) shown: Vec<String>,
    /// Where its own `flags` stands.
    pub(crate) flags_at: Option<usize>,
}

struct Maker<'a> {
    scheme: &'a Scheme,
    state: u64,
    out: Vec<u8>,
}

impl Sample {
    pub(crate) fn of(scheme: &Scheme, line: &Declaration, seed: u64) -> Self {
        let mut maker = Maker {
            scheme,
            state: seed ^ u64::from(line.id()),
            out: line.id().to_le_bytes().to_vec(),
        };
        let (shown, flags_at) = maker.fields(line);
        Self {
            bytes: maker.out,
            shown,
            flags_at,
        }
    }
}

impl Maker<'_> {
    /// splitmix64
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> usize {
        usize::try_from(self.random() % limit).unwrap()
    }

    fn raw(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.random().to_le_bytes()[0]).collect()
    }

    fn fields(&mut self, line: &Declaration) -> (Vec<String>, Option<usize>) {
        let (mut shown, mut flags, mut flags_at) = (Vec::new(), 0_u32, None);
        for (name, kind) in &line.fields {
            let kind = match kind.strip_prefix("flags.").and_then(|rest| rest.split_once('?')) {
                None => kind.as_str(),
                Some((bit, kind)) => {
                    if flags >> bit.parse::<u32>().unwrap() & 1 == 0 {
                        continue;
                    }
                    kind
                }
            };
            if name == "flags" && line.has_optional_fields() {
                // Only the bits that name a field: the others do not come back.
                flags_at = Some(self.out.len());
                flags = line
                    .fields
                    .iter()
                    .filter_map(|(_, kind)| {
                        kind.strip_prefix("flags.")?
                            .split_once('?')?
                            .0
                            .parse::<u32>()
                            .ok()
                    })
                    .fold(0, |flags, bit| flags | 1 << bit);
                flags &= u32::try_from(self.below(4)).unwrap();
                self.out.extend(flags.to_le_bytes());
                continue;
            }
            self.value(name, kind, &mut shown);
        }
        (shown, flags_at)
    }

    fn value(&mut self, name: &str, kind: &str, shown: &mut Vec<String>) {
        let random = self.random();
        let low = u32::try_from(random >> 32).unwrap();
        let text = match kind {
            "int" => {
                self.out.extend(low.to_le_bytes());
                low.cast_signed().to_string()
            }
            "#" => {
                self.out.extend(low.to_le_bytes());
                low.to_string()
            }
            "long" => {
                self.out.extend(random.to_le_bytes());
                random.cast_signed().to_string()
            }
            "double" => {
                let value = f64::from(low) / 8.0;
                self.out.extend(value.to_le_bytes());
                format!("{value:?}")
            }
            "int256" => {
                let raw = self.raw(32);
                self.out.extend(raw);
                "[32 bytes]".to_owned()
            }
            "string" | "bytes" => {
                // Around the borders of padding and of the length forms.
                let length = [0, 1, 2, 3, 4, 5, 252, 253, 254, 255, 256, 257][self.below(12)];
                if length < 254 {
                    self.out.push(u8::try_from(length).unwrap());
                } else {
                    self.out.extend([
                        0xfe,
                        u8::try_from(length % 256).unwrap(),
                        u8::try_from(length / 256).unwrap(),
                        0,
                    ]);
                }
                let raw = self.raw(length);
                self.out.extend(raw);
                while !self.out.len().is_multiple_of(4) {
                    self.out.push(0);
                }
                format!("[{length} bytes]")
            }
            "Bool" => {
                let value = random % 2 == 1;
                let line = self
                    .scheme
                    .constructor(if value { "boolTrue" } else { "boolFalse" });
                self.out.extend(line.id().to_le_bytes());
                value.to_string()
            }
            _ => return self.composed(name, kind, shown),
        };
        shown.push(format!("{name}: {text}"));
    }

    fn composed(&mut self, name: &str, kind: &str, shown: &mut Vec<String>) {
        if let Some(inner) = kind.strip_prefix("vector ") {
            let count = self.below(4);
            self.out.extend(u32::try_from(count).unwrap().to_le_bytes());
            for _ in 0..count {
                // A vector shows only its count.
                self.value("", inner, &mut Vec::new());
            }
            shown.push(format!("{name}: [{count} elements]"));
            return;
        }
        let last = kind.rsplit('.').next().unwrap_or(kind);
        let line = if last.starts_with(char::is_uppercase) {
            let constructors = self.scheme.constructors_of(kind);
            assert!(!constructors.is_empty(), "no such type as {kind}");
            let choice = self.below(constructors.len() as u64);
            self.out.extend(constructors[choice].id().to_le_bytes());
            constructors[choice].clone()
        } else {
            self.scheme.constructor(kind).clone()
        };
        shown.push(format!("{name}: "));
        shown.extend(self.fields(&line).0);
    }
}
