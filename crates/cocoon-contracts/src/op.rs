//! Operation codes (spec/ton.md 1.5): the first 32 bits of a body.

/// What is left of the coins comes back.
pub const EXCESSES: u32 = 0x2565_934c;
/// Earnings or a refund for a person.
pub const PAYOUT: u32 = 0xc59a_7cd3;
/// A log entry: contracts ignore it.
pub const DO_NOT_PROCESS: u32 = 0x9a12_47c0;
/// In a log entry: the proxy's state commit.
pub const SAVE_STATE: u32 = 0x5310_9c0f;

/// Worker contract to proxy contract.
pub const WORKER_PROXY_REQUEST: u32 = 0x4d72_5d2c;
/// In it: a payout.
pub const WORKER_PAYOUT_REQUEST: u32 = 0x08e7_d036;
/// Client contract to proxy contract.
pub const CLIENT_PROXY_REQUEST: u32 = 0x6544_8ff4;
/// In it: coins were added.
pub const CLIENT_TOP_UP: u32 = 0x5cfc_6b87;
/// In it: the client proves that it owns its contract.
pub const CLIENT_REGISTER: u32 = 0xa35c_b580;
/// In it: coins go back to the client.
pub const REFUND_GRANTED: u32 = 0xc68e_bc7b;
/// In it: coins go back to the client, out of the proxy's stake.
pub const REFUND_FORCED: u32 = 0xf4c3_54c9;

/// Adds to the proxy's stake.
pub const PROXY_INCREASE_STAKE: u32 = 0x9713_f187;
/// Pays the proxy's owner.
pub const PROXY_PAYOUT: u32 = 0x7610_e6eb;
/// The owner begins to close the proxy.
pub const PROXY_OWNER_CLOSE: u32 = 0xb51d_5a01;
/// The proxy begins to close (signed).
pub const PROXY_CLOSE: u32 = 0x636a_4391;
/// The proxy has closed (signed).
pub const PROXY_CLOSE_COMPLETE: u32 = 0xe511_abc7;

/// Pays a worker (signed).
pub const WORKER_PAYOUT: u32 = 0xa040_ad28;
/// Pays a worker for the last time (signed).
pub const WORKER_LAST_PAYOUT: u32 = 0xf5f2_6a36;
/// A worker announces itself.
pub const WORKER_REGISTER: u32 = 0x26ed_7f65;

/// Adds to a client's balance.
pub const TOP_UP: u32 = 0xf172_e6c2;
/// Charges a client (signed).
pub const CHARGE: u32 = 0xbb63_ff93;
/// Charges a client, pays the rest back and closes (signed).
pub const GRANT_REFUND: u32 = 0xefd7_11e1;
/// Reopens a closed account and tops up. Declared by the original, defined by our contract.
pub const REOPEN: u32 = 0x2911_1ceb;
/// A client announces itself.
pub const REGISTER: u32 = 0xc45f_9f3b;
/// Sets the hash of a client's secret.
pub const CHANGE_SECRET_HASH: u32 = 0xa935_7034;
/// Sets the hash of a client's secret and tops up.
pub const CHANGE_SECRET_HASH_TOP_UP: u32 = 0x8473_b408;
/// Sets a client's stake.
pub const INCREASE_STAKE: u32 = 0x6a1f_6a60;
/// Takes out what is above the stake.
pub const WITHDRAW: u32 = 0xda06_8e78;
/// Begins to close a client's account, or ends it by force.
pub const REQUEST_REFUND: u32 = 0xfafa_6cc1;

/// Root: allows a worker image.
pub const ADD_WORKER_HASH: u32 = 0xe34b_1c60;
/// Root: no longer allows a worker image.
pub const DELETE_WORKER_HASH: u32 = 0x8d94_a79a;
/// Root: allows a model.
pub const ADD_MODEL_HASH: u32 = 0xc146_134d;
/// Root: no longer allows a model.
pub const DELETE_MODEL_HASH: u32 = 0x92b1_1c18;
/// Root: allows a proxy image.
pub const ADD_PROXY_HASH: u32 = 0x7186_0e80;
/// Root: no longer allows a proxy image.
pub const DELETE_PROXY_HASH: u32 = 0x3c41_d0b2;
/// Root: lists a proxy.
pub const REGISTER_PROXY: u32 = 0x927c_7cb5;
/// Root: no longer lists a proxy.
pub const UNREGISTER_PROXY: u32 = 0x6d49_eaf2;
/// Root: changes a listed proxy.
pub const UPDATE_PROXY: u32 = 0x9c79_24ba;
/// Root: changes price and fee.
pub const CHANGE_PRICE: u32 = 0xc52e_d8d4;
/// Root: changes price, fee, delays and stakes.
pub const CHANGE_PARAMS: u32 = 0x022f_a189;
/// Root: new code for proxies, workers and clients.
pub const UPGRADE_CONTRACTS: u32 = 0xa237_0f61;
/// Root: new code for itself.
pub const UPGRADE_CODE: u32 = 0x11ae_fd51;
/// Root: new data and code for itself.
pub const UPGRADE_FULL: u32 = 0x4f7c_5789;
/// Root: empties the lists.
pub const RESET: u32 = 0x563c_1d96;
/// Root: another owner.
pub const CHANGE_OWNER: u32 = 0xc4a1_ae54;

/// Ours, client to proxy: what a charge took.
pub const CLIENT_SETTLED: u32 = 0x7a10_2974;
/// Ours, proxy to client: the coins have arrived.
pub const TOP_UP_ACCEPTED: u32 = 0x2550_54b0;
/// Ours, proxy to client: the coins went back to the owner.
pub const TOP_UP_REFUSED: u32 = 0x0ee2_708e;
/// Ours, proxy to client: this part of a refund was not paid.
pub const REFUND_REFUSED: u32 = 0x650b_ab33;
/// Ours, proxy to worker: this part of a payout was not paid.
pub const PAYOUT_REFUSED: u32 = 0x0587_d3a4;
/// Ours: take what a closed client contract is still owed.
pub const CLIENT_CLAIM: u32 = 0xf30b_c098;
/// Ours: take what a worker contract is still owed.
pub const WORKER_CLAIM: u32 = 0x4cc1_f8fb;
/// Ours: charges a reopened client, pays the rest back and closes (signed).
pub const GRANT_REFUND_OF: u32 = 0x9bae_43bf;
