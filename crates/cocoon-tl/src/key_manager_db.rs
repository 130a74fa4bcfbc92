//! Database of the key manager; on disk only.

use crate::scheme::{boxed, scheme};

scheme! {
    /// `keyManagerDb.configEmpty = keyManagerDb.Config;`
    ConfigEmpty = 0xd3fc_2385 {}

    /// `keyManagerDb.configV1 root_contract_version:int = keyManagerDb.Config;`
    ConfigV1 = 0x6d28_17ac {
        root_contract_version: i32,
    }

    /// `keyManagerDb.key private_key:int256 for_proxies:Bool for_workers:Bool valid_since_config_version:int
    /// valid_since_utime:int valid_until_utime:int = keyManagerDb.Key;`
    Key = 0x4d0a_1e17 {
        private_key: [u8; 32],
        for_proxies: bool,
        for_workers: bool,
        valid_since_config_version: i32,
        valid_since_utime: i32,
        valid_until_utime: i32,
    }
}

boxed! {
    /// `keyManagerDb.Config`
    Config {
        Empty(ConfigEmpty),
        V1(ConfigV1),
    }
}
