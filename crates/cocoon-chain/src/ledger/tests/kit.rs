//! A contract that is small enough to be written by hand, and its messages.

use cocoon_types::{Address, Nanoton};
use tycho_types::{
    cell::{Cell, CellBuilder, HashBytes},
    dict::Dict,
    models::{
        CurrencyCollection, ExtInMsgInfo, MsgInfo, OwnedMessage, OwnedRelaxedMessage, RelaxedIntMsgInfo,
        RelaxedMsgInfo, StateInit, StdAddr,
    },
    num::Tokens,
};

use super::super::{Ledger, LedgerOptions};

pub(crate) const TON: u64 = 1_000_000_000;
pub(crate) const NOW: u64 = 1_765_000_000;

/// Takes every internal message. An external is `seqno:uint32` and a message to be sent; a wrong number throws 33.
///
/// IFNOTRET; LDU 32; PUSH c4; CTOS; LDU 32; DROP; ROT; OVER; EQUAL; THROWIFNOT 33; ACCEPT; INC; NEWC; STU 32; ENDC;
/// POP c4; DUP; SREFS; IFNOTRET; LDREF; DROP; ZERO; SENDRAWMSG
const RELAY: &str = "DDD31FED44D0D31F305821BAF2A1F800A4C8CB1FC9ED5420D74ADDD43070FB00";

pub(crate) struct Relay {
    init: StateInit,
    address: Address,
}

pub(crate) fn test_ledger() -> Ledger {
    let options = LedgerOptions {
        is_test: true,
        instant: false,
    };
    Ledger::in_memory(options, NOW).unwrap()
}

impl Relay {
    /// Of which there is one per number. Deployed, with coins.
    pub(crate) fn new(ledger: &mut Ledger, number: u8, nano: u64) -> Self {
        let relay = Self::undeployed(number);
        ledger.faucet(relay.address, Nanoton::new(nano)).unwrap();
        ledger.block(ledger.head().time).unwrap();
        ledger
            .submit(
                &external(relay.address, Some(relay.init.clone()), body(0, None)),
                0,
            )
            .unwrap();
        assert_eq!(ledger.block(0).unwrap().transactions, 1);
        relay
    }

    pub(crate) fn undeployed(number: u8) -> Self {
        let mut data = CellBuilder::new();
        data.store_u32(0).unwrap();
        data.store_u8(number).unwrap();
        Self::of(RELAY, data.build().unwrap())
    }

    /// Any code, deployed by an internal message that it need not take.
    pub(crate) fn with_code(ledger: &mut Ledger, code: &str) -> Self {
        let contract = Self::of(code, Cell::default());
        let giver = Self::undeployed(200);
        if ledger
            .account(giver.address, crate::chain::At::Latest)
            .unwrap()
            .code
            .is_none()
        {
            Self::new(ledger, 200, 1000 * TON);
        }
        let seqno = giver.seqno(ledger);
        let deploy = internal(contract.address, TON, false, Some(contract.init.clone()), None);
        ledger.submit(&giver.external(seqno, Some(deploy)), 0).unwrap();
        ledger.block(0).unwrap();
        contract
    }

    fn of(code: &str, data: Cell) -> Self {
        let init = StateInit {
            split_depth: None,
            special: None,
            code: Some(cell_of(&hex::decode(code).unwrap())),
            data: Some(data),
            libraries: Dict::new(),
        };
        let hash = *CellBuilder::build_from(&init).unwrap().repr_hash();
        Self {
            init,
            address: Address::new(hash.0),
        }
    }

    pub(crate) fn address(&self) -> Address {
        self.address
    }

    pub(crate) fn init(&self) -> StateInit {
        self.init.clone()
    }

    pub(crate) fn seqno(&self, ledger: &mut Ledger) -> u32 {
        let account = ledger.account(self.address, crate::chain::At::Latest).unwrap();
        account
            .data
            .map_or(0, |data| data.as_slice().unwrap().load_u32().unwrap())
    }

    pub(crate) fn external(&self, seqno: u32, message: Option<Cell>) -> Cell {
        external(self.address, None, body(seqno, message))
    }

    /// Sends a message in the next block.
    pub(crate) fn send(&self, ledger: &mut Ledger, message: Cell) {
        let external = self.external(self.seqno(ledger), Some(message));
        ledger.submit(&external, 0).unwrap();
    }
}

pub(crate) fn body(seqno: u32, message: Option<Cell>) -> Cell {
    let mut body = CellBuilder::new();
    body.store_u32(seqno).unwrap();
    if let Some(message) = message {
        body.store_reference(message).unwrap();
    }
    body.build().unwrap()
}

pub(crate) fn external(to: Address, init: Option<StateInit>, body: Cell) -> Cell {
    CellBuilder::build_from(OwnedMessage {
        info: MsgInfo::ExtIn(ExtInMsgInfo {
            src: None,
            dst: std(to).into(),
            import_fee: Tokens::ZERO,
        }),
        init,
        body: body.into(),
        layout: None,
    })
    .unwrap()
}

pub(crate) fn internal(
    to: Address,
    nano: u64,
    bounce: bool,
    init: Option<StateInit>,
    body: Option<Cell>,
) -> Cell {
    CellBuilder::build_from(OwnedRelaxedMessage {
        info: RelaxedMsgInfo::Int(RelaxedIntMsgInfo {
            ihr_disabled: true,
            bounce,
            src: None,
            dst: std(to).into(),
            value: CurrencyCollection::new(u128::from(nano)),
            ..Default::default()
        }),
        init,
        body: body.unwrap_or_default().into(),
        layout: None,
    })
    .unwrap()
}

pub(crate) fn cell_of(bytes: &[u8]) -> Cell {
    let mut builder = CellBuilder::new();
    for (index, chunk) in bytes.chunks(120).enumerate() {
        // Code that is longer than a cell goes on in a reference, where the machine jumps by itself.
        if index > 0 {
            let rest = cell_of(&bytes[120..]);
            builder.store_reference(rest).unwrap();
            break;
        }
        let bits = u16::try_from(chunk.len() * 8).unwrap();
        builder.store_raw(chunk, bits).unwrap();
    }
    builder.build().unwrap()
}

pub(crate) fn deep(depth: usize) -> Cell {
    (0..depth).fold(Cell::default(), |cell, _| {
        let mut builder = CellBuilder::new();
        builder.store_reference(cell).unwrap();
        builder.build().unwrap()
    })
}

fn std(address: Address) -> StdAddr {
    StdAddr::new(0, HashBytes(*address.as_bytes()))
}
