//! The setup of spec/ton.md 13.

use cocoon_contracts::{Cell, Codes, Deployment, Params, SigningKey, StateInit};
use cocoon_types::{Address, Multipliers, Nanoton};
use tycho_types::cell::CellBuilder;

pub(crate) const TON: u64 = 1_000_000_000;

pub(crate) const PROXY: (&str, u16) = (
    "00b2c57d43c1dbc3e12cfa240494a168c78feca90a9b99ebe796b139ed713890",
    9,
);
pub(crate) const WORKER: (&str, u16) = (
    "1aaa0512c489a0382b163f7d706e2b4182f1a38fcc46208be5fa22d7faed5aa7",
    6,
);
pub(crate) const CLIENT: (&str, u16) = (
    "974d24538e6003b1a393f8708525b81324cf8a78aee88b4585d51b6f64555147",
    10,
);
pub(crate) const ROOT: (&str, u16) = (
    "5b07c6bd0c34735874dfa3548cd9a01c78be1e0fdf20d0c5ebe37776396c5400",
    9,
);
pub(crate) const WALLET: (&str, u16) = (
    "7a48f05ceef40f06cabbaa39c1c5a67b24e8bb59d8cf8a74e49988a5f44cf66a",
    6,
);

/// A stand-in for a cell of which only hash and depth are known: a pruned branch. Hashes of what holds it are those of
/// [`hash0`], which looks through.
pub(crate) fn launch((hash, depth): (&str, u16)) -> Cell {
    let mut builder = CellBuilder::new();
    builder.set_exotic(true);
    builder.store_u16(0x0101).unwrap();
    builder.store_raw(&hex::decode(hash).unwrap(), 256).unwrap();
    builder.store_u16(depth).unwrap();
    builder.build().unwrap()
}

pub(crate) fn hash0(cell: &Cell) -> String {
    hex::encode(cell.hash(0).as_slice())
}

pub(crate) fn address0(init: &StateInit) -> Address {
    Address::new(init.to_cell().hash(0).0)
}

pub(crate) fn at(byte: u8) -> Address {
    Address::new([byte; 32])
}

pub(crate) fn key(byte: u8) -> SigningKey {
    SigningKey::from_seed([byte; 32]).unwrap()
}

pub(crate) fn params() -> Params {
    Params {
        struct_version: 3,
        params_version: 5,
        unique_id: 17,
        is_test: false,
        price_per_token: Nanoton::new(20),
        worker_fee_per_token: Nanoton::new(19),
        multipliers: Multipliers {
            prompt: 10_000,
            cached: 1_000,
            completion: 80_000,
            reasoning: 80_000,
        },
        proxy_delay_before_close: 86_400,
        client_delay_before_close: 3_600,
        min_proxy_stake: Nanoton::new(TON),
        min_client_stake: Nanoton::new(15 * TON),
        codes: Codes {
            proxy: Some(launch(PROXY)),
            worker: Some(launch(WORKER)),
            client: Some(launch(CLIENT)),
        },
    }
}

/// The contracts of the setup, with their addresses.
pub(crate) struct Contracts {
    pub(crate) wallet: Address,
    pub(crate) proxy: StateInit,
    pub(crate) worker: StateInit,
    pub(crate) client: StateInit,
}

pub(crate) fn contracts() -> Contracts {
    let deployment = Deployment::new(at(0xaa), params()).unwrap();
    let key = key(1).public();
    let wallet = address0(&original_wallet());
    let proxy = deployment.proxy(&at(0xbb), &key);
    let proxy_at = address0(&proxy);
    Contracts {
        wallet,
        worker: deployment.worker(&at(0xcc), &proxy_at, &key),
        client: deployment.client(&wallet, &proxy_at, &key),
        proxy,
    }
}

/// The original's wallet: `seqno u32, subwallet u32, public_key u256, status u32, owner addr`. We use another one.
fn original_wallet() -> StateInit {
    let mut data = CellBuilder::new();
    data.store_u64(0).unwrap();
    data.store_raw(&key(2).public(), 256).unwrap();
    data.store_u32(0).unwrap();
    data.store_uint(0b100 << 8, 11).unwrap();
    data.store_raw(at(0xdd).as_bytes(), 256).unwrap();
    StateInit {
        code: launch(WALLET),
        data: data.build().unwrap(),
    }
}
