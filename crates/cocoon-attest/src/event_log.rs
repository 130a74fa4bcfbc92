//! Event logs of confidential guests: the CCEL table of a TDX guest, in the form of a TPM's log (TCG PC Client Platform
//! Firmware Profile, "TCG_PCR_EVENT2"; UEFI 2.10, 38.4 for the registers of a confidential guest).
//!
//! A runtime register is the hash over what was extended into it, in order. The log says what that was. It is written by the
//! guest and signed by nobody: [`EventLog::replay`] computes the registers that it would lead to, and only a log whose
//! registers are the quoted ones ([`EventLog::explain`]) tells the truth about *digests*, their order and their registers. What
//! stands beside a digest (the name of a file, say) is measured only where [`Event::is_measured`] says so.
//!
//! The parser is ours: the form is a list of records, 100 lines; the crates for it allocate by lengths in the input, or
//! have not moved for years.
//!
//! What runs after the log was copied goes into the registers too, but not into the copy. A guest that extends a register
//! itself keeps its own list of it: [`Registers::extend`].

mod name;
mod reader;
mod refusal;

pub use refusal::EventLogRefusal;

use std::fmt;

use aws_lc_rs::digest::{SHA384, digest};

use reader::Reader;

/// Firmware reserves 64 KiB, some of it 1 MiB, and fills a few percent.
pub const MAX_EVENT_LOG_BYTES: usize = 1024 * 1024;

/// Logs of real guests have 20 to 120 events.
pub const MAX_EVENTS: usize = 4096;

/// How many runtime registers there are.
pub const REGISTERS: usize = 4;

/// TPM_ALG_SHA384.
const ALGORITHM_SHA384: u16 = 0x000c;

/// EV_NO_ACTION: speaks about the log, is not extended.
const NO_ACTION: u32 = 3;

/// Most hash algorithms of one log; TPMs have up to five.
const MAX_ALGORITHMS: u32 = 8;

/// Where an event was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Register {
    /// Firmware's configuration.
    Rtmr0,
    /// Boot loader and kernel.
    Rtmr1,
    /// Command line, initial disk, applications of the operating system.
    Rtmr2,
    /// For the guest's own use.
    Rtmr3,
}

/// A log whose form is right.
#[derive(Clone, Debug)]
pub struct EventLog<'a> {
    events: Vec<Event<'a>>,
}

/// One measurement.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    /// Where it went.
    pub register: Register,
    /// Its type, of the TCG's list.
    pub kind: u32,
    /// What was extended.
    pub digest: &'a [u8; 48],
    data: &'a [u8],
}

/// What a log tells of one component: for showing and for comparing with reference values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Where it was measured.
    pub register: Register,
    /// The name of the event's type.
    pub kind: &'static str,
    /// What the event calls it, in printable ASCII; empty when it does not say.
    pub name: String,
    /// Whether the name is part of what was measured; otherwise only the digest counts.
    pub is_name_measured: bool,
    /// What was extended.
    pub digest: [u8; 48],
}

/// RTMR0 to RTMR3.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Registers(pub [[u8; 48]; REGISTERS]);

// === impl EventLog ===

impl<'a> EventLog<'a> {
    /// Reads a log. What follows the last event must be the filling of the table: only 0xff or only 0x00.
    ///
    /// # Errors
    /// The [`EventLogRefusal`] of the first thing that is wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, EventLogRefusal> {
        if bytes.len() > MAX_EVENT_LOG_BYTES {
            return Err(EventLogRefusal::TooLarge);
        }
        let mut reader = Reader::new(bytes);
        let algorithms = header(&mut reader)?;
        let mut events = Vec::new();
        while !reader.is_filling() {
            if events.len() >= MAX_EVENTS {
                return Err(EventLogRefusal::TooManyEvents);
            }
            if let Some(event) = Event::read(&mut reader, &algorithms)? {
                events.push(event);
            }
        }
        Ok(Self { events })
    }

    /// The events that were extended, in their order.
    pub fn events(&self) -> &[Event<'a>] {
        &self.events
    }

    /// The registers to which the log leads, from zero.
    pub fn replay(&self) -> Registers {
        let mut registers = Registers::ZERO;
        for event in &self.events {
            registers.extend(event.register, event.digest);
        }
        registers
    }

    /// Which component is in which register, in the order of the log, when the log explains these quoted registers.
    ///
    /// Only the `judged` registers are compared, and only their components are told: a register that the guest extends
    /// after the log was copied has another value, and then nothing that the log says of it is proven.
    ///
    /// # Errors
    /// The first of the judged registers that differs.
    pub fn explain(
        &self,
        quoted: &Registers,
        judged: &[Register],
    ) -> Result<Vec<Component>, EventLogRefusal> {
        let replayed = self.replay();
        for &register in judged {
            if replayed.get(register) != quoted.get(register) {
                return Err(EventLogRefusal::Mismatch { register });
            }
        }
        let told = self
            .events
            .iter()
            .filter(|event| judged.contains(&event.register));
        Ok(told.map(Event::component).collect())
    }
}

// === impl Event ===

impl<'a> Event<'a> {
    /// The next event; `None` for one that is not extended.
    fn read(reader: &mut Reader<'a>, algorithms: &[(u16, u16)]) -> Result<Option<Self>, EventLogRefusal> {
        let index = reader.u32("register")?;
        let kind = reader.u32("event type")?;
        let count = reader.u32("count of digests")?;
        if count > MAX_ALGORITHMS {
            return Err(EventLogRefusal::Malformed("count of digests"));
        }
        let mut sha384 = None;
        for _ in 0..count {
            let algorithm = reader.u16("algorithm")?;
            let &(_, size) = algorithms
                .iter()
                .find(|&&(known, _)| known == algorithm)
                .ok_or(EventLogRefusal::Algorithm { got: algorithm })?;
            let value = reader.take(usize::from(size), "digest")?;
            if algorithm == ALGORITHM_SHA384 && sha384.replace(value).is_some() {
                return Err(EventLogRefusal::Malformed("two digests of one algorithm"));
            }
        }
        let length = usize::try_from(reader.u32("size of the event")?)
            .map_err(|_| EventLogRefusal::Malformed("size of the event"))?;
        let data = reader.take(length, "event")?;
        if kind == NO_ACTION {
            return Ok(None);
        }
        let digest = sha384
            .and_then(|value| value.try_into().ok())
            .ok_or(EventLogRefusal::NoSha384)?;
        let register = Register::of_index(index).ok_or(EventLogRefusal::Register { got: index })?;
        Ok(Some(Self {
            register,
            kind,
            digest,
            data,
        }))
    }

    /// What stands beside the digest.
    pub const fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Whether the data is what was measured: its SHA-384 is the digest. For loaded programs the digest is the program's
    /// and the data is only its path.
    pub fn is_measured(&self) -> bool {
        digest(&SHA384, self.data).as_ref() == self.digest
    }

    fn component(&self) -> Component {
        Component {
            register: self.register,
            kind: name::of_kind(self.kind),
            name: name::of_event(self.kind, self.data),
            is_name_measured: self.is_measured(),
            digest: *self.digest,
        }
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("register", &self.register)
            .field("kind", &name::of_kind(self.kind))
            .field("bytes", &self.data.len())
            .finish_non_exhaustive()
    }
}

// === impl Register ===

impl Register {
    /// From the register index of a confidential guest's event log. Index 0 is MRTD, which the launch measures and nothing
    /// extends: an event there would be a claim that no register backs.
    const fn of_index(index: u32) -> Option<Self> {
        match index {
            1 => Some(Self::Rtmr0),
            2 => Some(Self::Rtmr1),
            3 => Some(Self::Rtmr2),
            4 => Some(Self::Rtmr3),
            _ => None,
        }
    }
}

// === impl Registers ===

impl Registers {
    /// What they are before anything is measured.
    pub const ZERO: Self = Self([[0; 48]; REGISTERS]);

    /// The value of a register.
    pub const fn get(&self, register: Register) -> &[u8; 48] {
        let [rtmr0, rtmr1, rtmr2, rtmr3] = &self.0;
        match register {
            Register::Rtmr0 => rtmr0,
            Register::Rtmr1 => rtmr1,
            Register::Rtmr2 => rtmr2,
            Register::Rtmr3 => rtmr3,
        }
    }

    /// Extends a register: SHA-384(old ‖ digest).
    pub fn extend(&mut self, register: Register, value: &[u8; 48]) {
        let [rtmr0, rtmr1, rtmr2, rtmr3] = &mut self.0;
        let old = match register {
            Register::Rtmr0 => rtmr0,
            Register::Rtmr1 => rtmr1,
            Register::Rtmr2 => rtmr2,
            Register::Rtmr3 => rtmr3,
        };
        let hash = digest(&SHA384, &[&old[..], value].concat());
        // The hash has 48 bytes, all of which are copied.
        for (to, from) in old.iter_mut().zip(hash.as_ref()) {
            *to = *from;
        }
    }
}

impl fmt::Debug for Registers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = self
            .0
            .map(|value| u64::from_be_bytes(*value.first_chunk().unwrap_or(&[0; 8])));
        write!(f, "Registers({short:016x?}…)")
    }
}

/// The first record, in the old form: it names the algorithms and their sizes.
fn header(reader: &mut Reader<'_>) -> Result<Vec<(u16, u16)>, EventLogRefusal> {
    const SIGNATURE: &[u8] = b"Spec ID Event03\0";
    const SHA1_BYTES: usize = 20;
    reader.u32("header")?;
    if reader.u32("header")? != NO_ACTION {
        return Err(EventLogRefusal::NotAnEventLog);
    }
    reader.take(SHA1_BYTES, "header")?;
    let length = usize::try_from(reader.u32("header")?).map_err(|_| EventLogRefusal::NotAnEventLog)?;
    let mut inner = Reader::new(reader.take(length, "header")?);
    if inner.take(SIGNATURE.len(), "header") != Ok(SIGNATURE) {
        return Err(EventLogRefusal::NotAnEventLog);
    }
    // Platform class, version, errata, size of a native integer: nothing depends on them.
    inner.take(8, "header")?;
    let count = inner.u32("header")?;
    if count == 0 || count > MAX_ALGORITHMS {
        return Err(EventLogRefusal::Malformed("list of algorithms"));
    }
    let mut algorithms: Vec<(u16, u16)> = Vec::new();
    for _ in 0..count {
        let entry = (inner.u16("list of algorithms")?, inner.u16("list of algorithms")?);
        let (algorithm, size) = entry;
        let is_wrong = algorithm == ALGORITHM_SHA384 && size != 48;
        if is_wrong || algorithms.iter().any(|&(other, _)| other == algorithm) {
            return Err(EventLogRefusal::Malformed("list of algorithms"));
        }
        algorithms.push(entry);
    }
    let vendor = usize::from(inner.u8("header")?);
    inner.take(vendor, "header")?;
    if !algorithms
        .iter()
        .any(|&(algorithm, _)| algorithm == ALGORITHM_SHA384)
    {
        return Err(EventLogRefusal::NoSha384);
    }
    Ok(algorithms)
}
