//! Configuration of the original's programs; they keep it as JSON (spec/network.md 7.8), it never travels.

use crate::{TlString, scheme::scheme};

scheme! {
    /// `clientRunner.config is_test:Bool is_testnet:Bool http_port:int owner_address:string proxy_connections:int
    /// connect_to_proxy_via:string root_contract_address:string node_wallet_key:int256 check_proxy_hashes:Bool
    /// secret_string:string ton_config_filename:string http_access_hash:string = clientRunner.Config;`
    ClientConfig = 0xaf0b_d51f {
        is_test: bool,
        is_testnet: bool,
        http_port: i32,
        owner_address: TlString,
        proxy_connections: i32,
        connect_to_proxy_via: TlString,
        root_contract_address: TlString,
        node_wallet_key: [u8; 32],
        check_proxy_hashes: bool,
        secret_string: TlString,
        ton_config_filename: TlString,
        http_access_hash: TlString,
    }

    /// `keyStorageRunner.config is_test:Bool is_testnet:Bool rpc_port:int http_port:int root_contract_address:string
    /// machine_specific_private_key:int256 ton_config_filename:string db_path:string check_hashes:Bool
    /// image_hash:int256 http_access_hash:string = keyStorageRunner.Config;`
    KeyStorageConfig = 0xd787_4e40 {
        is_test: bool,
        is_testnet: bool,
        rpc_port: i32,
        http_port: i32,
        root_contract_address: TlString,
        machine_specific_private_key: [u8; 32],
        ton_config_filename: TlString,
        db_path: TlString,
        check_hashes: bool,
        image_hash: [u8; 32],
        http_access_hash: TlString,
    }

    /// `proxyRunner.config is_test:Bool is_testnet:Bool workers_rpc_port:int client_rpc_port:int http_port:int
    /// owner_address:string root_contract_address:string machine_specific_private_key:int256 node_wallet_key:int256
    /// ton_config_filename:string db_path:string check_worker_hashes:Bool image_hash:int256 http_access_hash:string =
    /// proxyRunner.Config;`
    ProxyConfig = 0x5bf5_e272 {
        is_test: bool,
        is_testnet: bool,
        workers_rpc_port: i32,
        client_rpc_port: i32,
        http_port: i32,
        owner_address: TlString,
        root_contract_address: TlString,
        machine_specific_private_key: [u8; 32],
        node_wallet_key: [u8; 32],
        ton_config_filename: TlString,
        db_path: TlString,
        check_worker_hashes: bool,
        image_hash: [u8; 32],
        http_access_hash: TlString,
    }

    /// `workerRunner.config is_test:Bool is_testnet:Bool http_port:int owner_address:string proxy_connections:int
    /// connect_to_proxy_via:string model_name:string coefficient:int root_contract_address:string
    /// node_wallet_key:int256 forward_requests_to:string ton_config_filename:string check_proxy_hashes:Bool
    /// max_active_requests:int image_hash:int256 http_access_hash:string = workerRunner.Config;`
    WorkerConfig = 0x870d_b56d {
        is_test: bool,
        is_testnet: bool,
        http_port: i32,
        owner_address: TlString,
        proxy_connections: i32,
        connect_to_proxy_via: TlString,
        model_name: TlString,
        coefficient: i32,
        root_contract_address: TlString,
        node_wallet_key: [u8; 32],
        forward_requests_to: TlString,
        ton_config_filename: TlString,
        check_proxy_hashes: bool,
        max_active_requests: i32,
        image_hash: [u8; 32],
        http_access_hash: TlString,
    }
}
