//! Event logs of a guest that does not exist.

use aws_lc_rs::digest::{SHA384, digest};

pub const NO_ACTION: u32 = 3;
pub const APPLICATION: u32 = 0x8000_0003;
pub const VARIABLE: u32 = 0x8000_0001;
pub const ACTION: u32 = 0x8000_0007;

#[derive(Clone)]
pub struct EventDraft {
    pub index: u32,
    pub kind: u32,
    /// Number of the algorithm, digest.
    pub digests: Vec<(u16, Vec<u8>)>,
    pub data: Vec<u8>,
}

/// Writes logs, right or wrong.
pub struct LogDraft {
    /// Number and size of each.
    pub algorithms: Vec<(u16, u16)>,
    pub events: Vec<EventDraft>,
    /// What follows the last event.
    pub filling: Vec<u8>,
}

impl LogDraft {
    pub fn good() -> Self {
        let mut draft = Self {
            algorithms: vec![(0x000c, 48)],
            events: Vec::new(),
            filling: vec![0xff; 100],
        };
        draft.add(0, NO_ACTION, [0; 48], b"StartupLocality\0\0");
        draft.measured(1, VARIABLE, &variable("SecureBoot", &[1]));
        draft.add(2, APPLICATION, [7; 48], &image("\\EFI\\BOOT\\BOOTX64.EFI"));
        draft.measured(1, ACTION, b"Calling EFI Application from Boot Option");
        draft.measured(4, 0xd, b"runtime");
        draft
    }

    pub fn add(&mut self, index: u32, kind: u32, value: [u8; 48], data: &[u8]) {
        self.events.push(EventDraft {
            index,
            kind,
            digests: vec![(0x000c, value.to_vec())],
            data: data.to_vec(),
        });
    }

    /// An event whose data is what is measured.
    pub fn measured(&mut self, index: u32, kind: u32, data: &[u8]) {
        let hash = digest(&SHA384, data).as_ref().try_into().expect("short");
        self.add(index, kind, hash, data);
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut inner = b"Spec ID Event03\0\0\0\0\0\0\x02\0\x02".to_vec();
        inner.extend(u32::try_from(self.algorithms.len()).expect("short").to_le_bytes());
        for (algorithm, size) in &self.algorithms {
            inner.extend(algorithm.to_le_bytes());
            inner.extend(size.to_le_bytes());
        }
        inner.push(0);
        let mut out = [0_u32.to_le_bytes(), NO_ACTION.to_le_bytes()].concat();
        out.extend([0; 20]);
        out.extend(u32::try_from(inner.len()).expect("short").to_le_bytes());
        out.extend(inner);
        for EventDraft {
            index,
            kind,
            digests,
            data,
        } in &self.events
        {
            out.extend(index.to_le_bytes());
            out.extend(kind.to_le_bytes());
            out.extend(u32::try_from(digests.len()).expect("short").to_le_bytes());
            for (algorithm, value) in digests {
                out.extend(algorithm.to_le_bytes());
                out.extend(value);
            }
            out.extend(u32::try_from(data.len()).expect("short").to_le_bytes());
            out.extend(data);
        }
        out.extend(&self.filling);
        out
    }
}

pub fn variable(name: &str, content: &[u8]) -> Vec<u8> {
    let wide: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let count = u64::try_from(name.len()).expect("short").to_le_bytes();
    let size = u64::try_from(content.len()).expect("short").to_le_bytes();
    [&[9; 16][..], &count, &size, &wide, content].concat()
}

pub fn image(path: &str) -> Vec<u8> {
    let wide: Vec<u8> = path
        .encode_utf16()
        .chain([0])
        .flat_map(u16::to_le_bytes)
        .collect();
    let length = u16::try_from(wide.len() + 4).expect("short").to_le_bytes();
    let nodes = [&[4, 4][..], &length, &wide, &[0x7f, 0xff, 4, 0]].concat();
    let count = u64::try_from(nodes.len()).expect("short").to_le_bytes();
    [&[0; 24][..], &count, &nodes].concat()
}
