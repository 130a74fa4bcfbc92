//! Key manager (spec/network.md 6.12).

use crate::scheme::scheme;

scheme! {
    /// `keyManager.privateKey valid_until_utime:int private_key:int256 = keyManager.PrivateKey;`
    PrivateKey = 0x60f4_f8e7 {
        valid_until_utime: i32,
        private_key: [u8; 32],
    }

    /// `keyManager.privateKeys keys:(vector keyManager.privateKey) = keyManager.PrivateKeys;`
    PrivateKeys = 0x0ed6_6ce5 {
        keys: Vec<PrivateKey>,
    }

    /// `keyManager.getProxyPrivateKeys min_config_version:int = keyManager.PrivateKeys;`
    GetProxyPrivateKeys = 0x47a9_c2de -> PrivateKeys {
        min_config_version: i32,
    }

    /// `keyManager.getWorkerPrivateKeys min_config_version:int = keyManager.PrivateKeys;`
    GetWorkerPrivateKeys = 0x2a26_eff5 -> PrivateKeys {
        min_config_version: i32,
    }
}
