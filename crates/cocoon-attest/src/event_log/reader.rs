use super::EventLogRefusal;

/// Reads little-endian fields from borrowed bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

// === impl Reader ===

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn take(&mut self, length: usize, part: &'static str) -> Result<&'a [u8], EventLogRefusal> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(EventLogRefusal::Malformed(part))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn u8(&mut self, part: &'static str) -> Result<u8, EventLogRefusal> {
        self.array(part).map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self, part: &'static str) -> Result<u16, EventLogRefusal> {
        self.array(part).map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self, part: &'static str) -> Result<u32, EventLogRefusal> {
        self.array(part).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, part: &'static str) -> Result<u64, EventLogRefusal> {
        self.array(part).map(u64::from_le_bytes)
    }

    /// Whether nothing is left but the filling of the table. An event never looks like one: 0xffffffff is no register, and
    /// an event of zeros has no digest.
    pub(super) fn is_filling(&self) -> bool {
        // Ends at the first byte that differs, so that reading a whole log stays linear.
        let all = |wanted: u8| self.rest.iter().all(|&byte| byte == wanted);
        match self.rest.first() {
            None => true,
            Some(&first @ (0x00 | 0xff)) => all(first),
            Some(_) => false,
        }
    }

    fn array<const N: usize>(&mut self, part: &'static str) -> Result<[u8; N], EventLogRefusal> {
        let (taken, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(EventLogRefusal::Malformed(part))?;
        self.rest = rest;
        Ok(*taken)
    }
}
