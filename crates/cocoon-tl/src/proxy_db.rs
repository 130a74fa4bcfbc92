//! Database of the proxy; on disk only.

use crate::{
    TlString, root_config,
    scheme::{boxed, scheme},
    ton,
};

scheme! {
    /// `proxyDb.clientInfo owner_address:string sc_address:string status:int balance:long sc_tokens_used:long
    /// tokens_used:long secret_hash:int256 last_request_at:int = proxyDb.ClientInfo;`
    ClientInfoData = 0x6cfe_aa21 {
        owner_address: TlString,
        sc_address: TlString,
        status: i32,
        balance: i64,
        sc_tokens_used: i64,
        tokens_used: i64,
        secret_hash: [u8; 32],
        last_request_at: i32,
    }

    /// `proxyDb.clientInfoV2 owner_address:string sc_address:string status:int balance:long stake:long
    /// sc_tokens_used:long tokens_used:long secret_hash:int256 last_request_at:int = proxyDb.ClientInfo;`
    ClientInfoV2 = 0x3078_c9bf {
        owner_address: TlString,
        sc_address: TlString,
        status: i32,
        balance: i64,
        stake: i64,
        sc_tokens_used: i64,
        tokens_used: i64,
        secret_hash: [u8; 32],
        last_request_at: i32,
    }

    /// `proxyDb.configEmpty = proxyDb.Config;`
    ConfigEmpty = 0x43dc_40b4 {}

    /// `proxyDb.configV4 root_contract_address:string is_testnet:int root_contract_state:rootConfig.Config
    /// root_contract_state_block_ts:int sc_block_id:ton.blockIdExt last_seqno_committed_to_blockchain:int
    /// pending_blockchain_seqno_commits:(vector proxyDb.pendingBlockchainSeqnoCommit) = proxyDb.Config;`
    ConfigV4 = 0xbde4_3703 {
        root_contract_address: TlString,
        is_testnet: i32,
        root_contract_state: root_config::Config,
        root_contract_state_block_ts: i32,
        sc_block_id: ton::BlockIdExt,
        last_seqno_committed_to_blockchain: i32,
        pending_blockchain_seqno_commits: Vec<PendingBlockchainSeqnoCommit>,
    }

    /// `proxyDb.configV4Disabled root_contract_address:string is_testnet:int root_contract_state:rootConfig.Config
    /// root_contract_state_block_ts:int disabled_until_version:long = proxyDb.Config;`
    ConfigV4Disabled = 0xad2c_fb4a {
        root_contract_address: TlString,
        is_testnet: i32,
        root_contract_state: root_config::Config,
        root_contract_state_block_ts: i32,
        disabled_until_version: i64,
    }

    /// `proxyDb.oldClient owner_address:string tokens:long next_client:string = proxyDb.OldClient;`
    OldClient = 0x2fae_7b42 {
        owner_address: TlString,
        tokens: i64,
        next_client: TlString,
    }

    /// `proxyDb.oldInstance contract_address:string closing_state:int close_at:int next_client:string
    /// next_worker:string root_contract_state:rootConfig.Config = proxyDb.OldInstance;`
    OldInstance = 0xa8c9_e178 {
        contract_address: TlString,
        closing_state: i32,
        close_at: i32,
        next_client: TlString,
        next_worker: TlString,
        root_contract_state: root_config::Config,
    }

    /// `proxyDb.oldWorker owner_address:string tokens:long next_worker:string = proxyDb.OldWorker;`
    OldWorker = 0xf041_56a0 {
        owner_address: TlString,
        tokens: i64,
        next_worker: TlString,
    }

    /// `proxyDb.pendingBlockchainSeqnoCommit seqno:int session_hash:int256 = proxyDb.PendingBlockchainSeqnoCommit;`
    PendingBlockchainSeqnoCommit = 0x525b_14a9 {
        seqno: i32,
        session_hash: [u8; 32],
    }

    /// `proxyDb.workerInfo owner_address:string sc_address:string sc_tokens:long tokens:long last_request_at:int =
    /// proxyDb.WorkerInfo;`
    WorkerInfo = 0x2517_b38f {
        owner_address: TlString,
        sc_address: TlString,
        sc_tokens: i64,
        tokens: i64,
        last_request_at: i32,
    }
}

boxed! {
    /// `proxyDb.ClientInfo`
    ClientInfo {
        V1(ClientInfoData),
        V2(ClientInfoV2),
    }
}

boxed! {
    /// `proxyDb.Config`
    Config {
        Empty(ConfigEmpty),
        V4(ConfigV4),
        V4Disabled(ConfigV4Disabled),
    }
}
