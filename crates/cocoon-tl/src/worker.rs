//! Worker leg: between proxy and worker (spec/network.md 6.4).

use bytes::Bytes;

use crate::{
    TlString, proxy,
    scheme::{group, scheme},
    shared,
};

scheme! {
    /// `worker.params#869c73ed flags:# worker_owner_address:string model:string coefficient:int is_test:flags.0?Bool
    /// proxy_cnt:flags.0?int max_active_requests:flags.0?int min_proto_version:flags.1?int
    /// max_proto_version:flags.1?int = worker.Params;`
    Params = 0x869c_73ed {
        #flags,
        worker_owner_address: TlString,
        model: TlString,
        coefficient: i32,
        [flags.0] setup: Setup,
        [flags.1] proto_versions: shared::ProtoVersions,
    }

    /// `worker.compareBalanceWithProxyResult signed_payment:proxy.SignedPayment tokens_committed_to_db:long
    /// max_tokens:long error_code:int = worker.CompareBalanceWithProxyResult;`
    CompareBalanceWithProxyResult = 0x9054_c411 {
        signed_payment: proxy::SignedPayment,
        tokens_committed_to_db: i64,
        max_tokens: i64,
        error_code: i32,
    }

    /// `worker.connectedToProxy params:proxy.params worker_sc_address:string = worker.ConnectedToProxy;`
    ConnectedToProxy = 0x66bc_82ee {
        params: proxy::Params,
        worker_sc_address: TlString,
    }

    /// `worker.enabledDisabled disabled:int = worker.EnabledDisabled;`
    EnabledDisabled = 0xb3b7_1039 {
        disabled: i32,
    }

    /// `worker.extendedCompareBalanceWithProxyResult error_code:int = worker.ExtendedCompareBalanceWithProxyResult;`
    ExtendedCompareBalanceWithProxyResult = 0x0c10_973e {
        error_code: i32,
    }

    /// `worker.newCoefficient new_coefficient:int = worker.NewCoefficient;`
    NewCoefficient = 0x6af0_92b0 {
        new_coefficient: i32,
    }

    /// `worker.paymentStatus signed_payment:proxy.SignedPayment db_tokens:long max_tokens:long = worker.PaymentStatus;`
    PaymentStatus = 0xa88b_d701 {
        signed_payment: proxy::SignedPayment,
        db_tokens: i64,
        max_tokens: i64,
    }

    /// `worker.proxyHandshakeCompleted = worker.HandshakeCompleted;`
    ProxyHandshakeCompleted = 0x3ad9_b886 {}

    /// `worker.compareBalanceWithProxy tokens_committed_to_blockchain:long tokens_committed_to_db:long max_tokens:long
    /// = worker.CompareBalanceWithProxyResult;`
    CompareBalanceWithProxy = 0xdb38_6501 -> CompareBalanceWithProxyResult {
        tokens_committed_to_blockchain: i64,
        tokens_committed_to_db: i64,
        max_tokens: i64,
    }

    /// `worker.connectToProxy params:worker.params = worker.ConnectedToProxy;`
    ConnectToProxy = 0xcc48_4c5d -> ConnectedToProxy {
        params: Params,
    }

    /// `worker.extendedCompareBalanceWithProxy tokens_committed_to_db:long other:bytes =
    /// worker.ExtendedCompareBalanceWithProxyResult;`
    ExtendedCompareBalanceWithProxy = 0xf8dd_9914 -> ExtendedCompareBalanceWithProxyResult {
        tokens_committed_to_db: i64,
        other: Bytes,
    }

    /// `worker.proxyHandshakeComplete is_disabled:Bool = worker.HandshakeCompleted;`
    ProxyHandshakeComplete = 0xf843_b066 -> ProxyHandshakeCompleted {
        is_disabled: bool,
    }

    /// `worker.updatePaymentStatus = worker.PaymentStatus;`
    UpdatePaymentStatus = 0xdc70_a524 -> PaymentStatus {}
}

group! {
    /// What a worker says of itself beside its model and price.
    Setup {
        is_test: bool,
        proxy_cnt: i32,
        max_active_requests: i32,
    }
}
