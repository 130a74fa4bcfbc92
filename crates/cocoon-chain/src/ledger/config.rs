//! The parameters of the chain: TON's mainnet prices, so that gas and fees measured here hold there.

use tycho_executor::ParsedConfig;
use tycho_types::{
    cell::{Cell, CellBuilder, HashBytes},
    dict::Dict,
    error::Error,
    models::{
        BlockchainConfig, BlockchainConfigParams, GasLimitsPrices, GlobalCapabilities, GlobalVersion,
        MsgForwardPrices, StoragePrices, WorkchainDescription, WorkchainFormat, WorkchainFormatBasic,
    },
};

/// The version of the virtual machine; the newest that the executor knows (spec/ton.md 11.2).
const GLOBAL_VERSION: u32 = 12;
/// The capabilities of mainnet.
const CAPABILITIES: u64 = 494;
/// Told apart from mainnet (-239) and testnet (-3).
pub(crate) const GLOBAL_ID: i32 = -217;
/// The configuration's own account in the masterchain.
const CONFIG_ACCOUNT: HashBytes = HashBytes([0x55; 32]);

/// Prices in nanoTON, fractions in 1/65536 (spec/ton.md 11.4).
const GAS: GasLimitsPrices = GasLimitsPrices {
    gas_price: 26_214_400,
    gas_limit: 1_000_000,
    special_gas_limit: 1_000_000,
    gas_credit: 10_000,
    block_gas_limit: 10_000_000,
    freeze_due_limit: 100_000_000,
    delete_due_limit: 1_000_000_000,
    flat_gas_limit: 100,
    flat_gas_price: 40_000,
};
const FORWARD: MsgForwardPrices = MsgForwardPrices {
    lump_price: 400_000,
    bit_price: 26_214_400,
    cell_price: 2_621_440_000,
    ihr_price_factor: 98_304,
    first_frac: 21_845,
    next_frac: 21_845,
};
/// Of what comes from the masterchain or goes there, 25 times as dear: people's addresses may be there, contracts' are not.
const MASTERCHAIN_GAS: GasLimitsPrices = GasLimitsPrices {
    gas_price: 655_360_000,
    special_gas_limit: 70_000_000,
    block_gas_limit: 2_500_000,
    flat_gas_price: 1_000_000,
    ..GAS
};
const MASTERCHAIN_FORWARD: MsgForwardPrices = MsgForwardPrices {
    lump_price: 10_000_000,
    bit_price: 655_360_000,
    cell_price: 65_536_000_000,
    ..FORWARD
};
const STORAGE: StoragePrices = StoragePrices {
    utime_since: 0,
    bit_price_ps: 1,
    cell_price_ps: 500,
    mc_bit_price_ps: 1000,
    mc_cell_price_ps: 500_000,
};

pub(crate) fn parsed() -> Result<ParsedConfig, Error> {
    let mut root: Dict<u32, Cell> = Dict::new();
    root.set(0, CellBuilder::build_from(CONFIG_ACCOUNT)?)?;
    let mut params = BlockchainConfigParams::from_raw(root.into_root().unwrap_or_default());
    params.set_global_version(&GlobalVersion {
        version: GLOBAL_VERSION,
        capabilities: GlobalCapabilities::new(CAPABILITIES),
    })?;
    params.set_global_id(GLOBAL_ID)?;
    params.set_workchains(&workchains()?)?;
    params.set_storage_prices(&[STORAGE])?;
    params.set_gas_prices(false, &GAS)?;
    params.set_gas_prices(true, &MASTERCHAIN_GAS)?;
    params.set_msg_forward_prices(false, &FORWARD)?;
    params.set_msg_forward_prices(true, &MASTERCHAIN_FORWARD)?;
    params.set_fundamental_addresses(&[CONFIG_ACCOUNT])?;
    let config = BlockchainConfig {
        address: CONFIG_ACCOUNT,
        params,
    };
    // The storage prices hold from the beginning of time, so the moment of parsing does not matter.
    ParsedConfig::parse(config, 0)
}

/// The executor does not read TON's current tag of this entry, so the older one is written (spec/ton.md 11.3).
pub(crate) fn workchains() -> Result<Dict<i32, WorkchainDescription>, Error> {
    let basic = WorkchainDescription {
        enabled_since: 0,
        actual_min_split: 0,
        min_split: 0,
        max_split: 4,
        active: true,
        accept_msgs: true,
        zerostate_root_hash: HashBytes::ZERO,
        zerostate_file_hash: HashBytes::ZERO,
        version: 0,
        format: WorkchainFormat::Basic(WorkchainFormatBasic {
            vm_version: -1,
            vm_mode: 0,
        }),
    };
    let mut workchains = Dict::new();
    workchains.set(0, basic)?;
    Ok(workchains)
}
