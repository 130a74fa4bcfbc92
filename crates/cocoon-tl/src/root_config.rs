//! What the root contract says, as the proxy's database keeps it; on disk only.

use crate::{
    TlString,
    scheme::{boxed, scheme},
};

scheme! {
    /// `rootConfig.configV5 root_owner_address:string proxy_hashes:(vector int256) registered_proxies:(vector
    /// rootConfig.registeredProxy) last_proxy_seqno:int worker_hashes:(vector int256) model_hashes:(vector int256)
    /// version:int struct_version:int params_version:int unique_id:int is_test:int price_per_token:long
    /// worker_fee_per_token:long prompt_tokens_price_multiplier:int cached_tokens_price_multiplier:int
    /// completion_tokens_price_multiplier:int reasoning_tokens_price_multiplier:int proxy_delay_before_close:int
    /// client_delay_before_close:int min_proxy_stake:long min_client_stake:long proxy_sc_code:string
    /// worker_sc_code:string client_sc_code:string = rootConfig.Config;`
    ConfigV5 = 0x5e84_869b {
        root_owner_address: TlString,
        proxy_hashes: Vec<[u8; 32]>,
        registered_proxies: Vec<RegisteredProxy>,
        last_proxy_seqno: i32,
        worker_hashes: Vec<[u8; 32]>,
        model_hashes: Vec<[u8; 32]>,
        version: i32,
        struct_version: i32,
        params_version: i32,
        unique_id: i32,
        is_test: i32,
        price_per_token: i64,
        worker_fee_per_token: i64,
        prompt_tokens_price_multiplier: i32,
        cached_tokens_price_multiplier: i32,
        completion_tokens_price_multiplier: i32,
        reasoning_tokens_price_multiplier: i32,
        proxy_delay_before_close: i32,
        client_delay_before_close: i32,
        min_proxy_stake: i64,
        min_client_stake: i64,
        proxy_sc_code: TlString,
        worker_sc_code: TlString,
        client_sc_code: TlString,
    }

    /// `rootConfig.pseudo proxy_hashes:(vector int256) worker_hashes:(vector int256) model_hashes:(vector int256)
    /// model_types:(vector string) registered_proxies:(vector rootConfig.registeredProxy) price_per_token:int
    /// worker_fee_per_token:int last_proxy_seqno:int version:int params_version:int proxy_sc_code:string
    /// worker_sc_code:string client_sc_code:string root_owner_address:string = rootConfig.Config;`
    Pseudo = 0x87a9_76cc {
        proxy_hashes: Vec<[u8; 32]>,
        worker_hashes: Vec<[u8; 32]>,
        model_hashes: Vec<[u8; 32]>,
        model_types: Vec<TlString>,
        registered_proxies: Vec<RegisteredProxy>,
        price_per_token: i32,
        worker_fee_per_token: i32,
        last_proxy_seqno: i32,
        version: i32,
        params_version: i32,
        proxy_sc_code: TlString,
        worker_sc_code: TlString,
        client_sc_code: TlString,
        root_owner_address: TlString,
    }

    /// `rootConfig.registeredProxy seqno:int address:string = rootConfig.RegisteredProxy;`
    RegisteredProxy = 0x9f4e_446a {
        seqno: i32,
        address: TlString,
    }
}

boxed! {
    /// `rootConfig.Config`
    Config {
        V5(ConfigV5),
        Pseudo(Pseudo),
    }
}
