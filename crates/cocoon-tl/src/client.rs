//! Client leg: between client and proxy (spec/network.md 6.3, 6.5).

use bytes::Bytes;

use crate::{
    TlString, proxy,
    scheme::{boxed, group, scheme},
    shared,
};

scheme! {
    /// `client.params#40fdca64 flags:# client_owner_address:string is_test:flags.0?Bool min_proto_version:flags.1?int
    /// max_proto_version:flags.1?int = client.Params;`
    Params = 0x40fd_ca64 {
        #flags,
        client_owner_address: TlString,
        [flags.0] is_test: bool,
        [flags.1] proto_versions: shared::ProtoVersions,
    }

    /// `client.authorizationWithProxyFailed error_code:int error:string = client.AuthorizationWithProxy;`
    AuthorizationWithProxyFailed = 0x6055_1c96 {
        error_code: i32,
        error: TlString,
    }

    /// `client.authorizationWithProxySuccess signed_payment:proxy.SignedPayment tokens_committed_to_db:long
    /// max_tokens:long = client.AuthorizationWithProxy;`
    AuthorizationWithProxySuccess = 0x75d5_ac34 {
        signed_payment: proxy::SignedPayment,
        tokens_committed_to_db: i64,
        max_tokens: i64,
    }

    /// `client.connectedToProxy params:proxy.params client_sc_address:string auth:client.ProxyConnectionAuth
    /// signed_payment:proxy.SignedPayment = client.ConnectedToProxy;`
    ConnectedToProxy = 0x9531_7ad1 {
        params: proxy::Params,
        client_sc_address: TlString,
        auth: ProxyConnectionAuth,
        signed_payment: proxy::SignedPayment,
    }

    /// `client.paymentStatus signed_payment:proxy.SignedPayment db_tokens:long max_tokens:long = client.PaymentStatus;`
    PaymentStatus = 0xaa8a_0ecc {
        signed_payment: proxy::SignedPayment,
        db_tokens: i64,
        max_tokens: i64,
    }

    /// `client.proxyConnectionAuthLong nonce:long = client.ProxyConnectionAuth;`
    ProxyConnectionAuthLong = 0x417b_f016 {
        nonce: i64,
    }

    /// `client.proxyConnectionAuthShort secret_hash:int256 nonce:long = client.ProxyConnectionAuth;`
    ProxyConnectionAuthShort = 0xd6ff_c5af {
        secret_hash: [u8; 32],
        nonce: i64,
    }

    /// `client.queryAnswer answer:bytes is_completed:Bool request_id:int256 request_tokens_used:tokensUsed =
    /// client.QueryAnswer;`
    QueryAnswerData = 0x9b94_3922 {
        answer: Bytes,
        is_completed: bool,
        request_id: [u8; 32],
        request_tokens_used: shared::TokensUsed,
    }

    /// `client.queryAnswerError error_code:int error:string request_id:int256 request_tokens_used:tokensUsed =
    /// client.QueryAnswer;`
    QueryAnswerError = 0x6d60_569a {
        error_code: i32,
        error: TlString,
        request_id: [u8; 32],
        request_tokens_used: shared::TokensUsed,
    }

    /// `client.queryAnswerErrorEx request_id:int256 error_code:int error:string flags:#
    /// final_info:flags.0?client.queryFinalInfo = client.QueryAnswerEx;`
    QueryAnswerErrorEx = 0x0725_62a8 {
        request_id: [u8; 32],
        error_code: i32,
        error: TlString,
        #flags,
        [flags.0] final_info: QueryFinalInfo,
    }

    /// `client.queryAnswerEx request_id:int256 answer:bytes flags:# final_info:flags.0?client.queryFinalInfo =
    /// client.QueryAnswerEx;`
    QueryAnswerExData = 0xcd52_4720 {
        request_id: [u8; 32],
        answer: Bytes,
        #flags,
        [flags.0] final_info: QueryFinalInfo,
    }

    /// `client.queryAnswerPart answer:bytes is_completed:Bool request_id:int256 request_tokens_used:tokensUsed =
    /// client.QueryAnswerPart;`
    QueryAnswerPartData = 0xb765_de4c {
        answer: Bytes,
        is_completed: bool,
        request_id: [u8; 32],
        request_tokens_used: shared::TokensUsed,
    }

    /// `client.queryAnswerPartError error_code:int error:string request_id:int256 request_tokens_used:tokensUsed =
    /// client.QueryAnswerPart;`
    QueryAnswerPartError = 0xd790_a022 {
        error_code: i32,
        error: TlString,
        request_id: [u8; 32],
        request_tokens_used: shared::TokensUsed,
    }

    /// `client.queryAnswerPartEx request_id:int256 answer:bytes flags:# final_info:flags.0?client.queryFinalInfo =
    /// client.QueryAnswerEx;`
    QueryAnswerPartEx = 0xc07b_faec {
        request_id: [u8; 32],
        answer: Bytes,
        #flags,
        [flags.0] final_info: QueryFinalInfo,
    }

    /// `client.queryFinalInfo flags:# tokens_used:tokensUsed worker_debug:flags.0?string proxy_debug:flags.0?string
    /// proxy_start_time:flags.1?double proxy_end_time:flags.1?double worker_start_time:flags.1?double
    /// worker_end_time:flags.1?double = client.QueryFinalInfo;`
    QueryFinalInfo = 0x69a4_52f0 {
        #flags,
        tokens_used: shared::TokensUsed,
        [flags.0] debug: DebugTexts,
        [flags.1] times: Times,
    }

    /// `client.refund data:bytes = client.Refund;`
    RefundData = 0x83aa_bead {
        data: Bytes,
    }

    /// `client.refundRejected active_queries:long = client.Refund;`
    RefundRejected = 0xcf9d_9957 {
        active_queries: i64,
    }

    /// `client.workerInstanceV2#3ea93d00 flags:# coefficient:int active_requests:int max_active_requests:int =
    /// client.WorkerInstanceV2;`
    WorkerInstanceV2 = 0x3ea9_3d00 {
        flags: u32,
        coefficient: i32,
        active_requests: i32,
        max_active_requests: i32,
    }

    /// `client.workerType name:string active_workers:int coefficient_min:int coefficient_bucket50:int
    /// coefficient_max:int = client.WorkerType;`
    WorkerType = 0x8210_e21c {
        name: TlString,
        active_workers: i32,
        coefficient_min: i32,
        coefficient_bucket50: i32,
        coefficient_max: i32,
    }

    /// `client.workerTypeV2 name:string workers:(vector client.workerInstanceV2) = client.WorkerTypeV2;`
    WorkerTypeV2 = 0xb27d_8197 {
        name: TlString,
        workers: Vec<WorkerInstanceV2>,
    }

    /// `client.workerTypes types:(vector client.workerType) = client.WorkerTypes;`
    WorkerTypes = 0xf64e_0e01 {
        types: Vec<WorkerType>,
    }

    /// `client.workerTypesV2 types:(vector client.workerTypeV2) = client.WorkerTypesV2;`
    WorkerTypesV2 = 0x0cf0_dc67 {
        types: Vec<WorkerTypeV2>,
    }

    /// `client.authorizeWithProxyLong = client.AuthorizationWithProxy;`
    AuthorizeWithProxyLong = 0xd347_4303 -> AuthorizationWithProxy {}

    /// `client.authorizeWithProxyShort data:bytes = client.AuthorizationWithProxy;`
    AuthorizeWithProxyShort = 0x6c27_6723 -> AuthorizationWithProxy {
        data: Bytes,
    }

    /// `client.connectToProxy params:client.params min_config_version:int = client.ConnectedToProxy;`
    ConnectToProxy = 0xff5f_a0f4 -> ConnectedToProxy {
        params: Params,
        min_config_version: i32,
    }

    /// `client.getWorkerTypes = client.WorkerTypes;`
    GetWorkerTypes = 0x7f06_2bdb -> WorkerTypes {}

    /// `client.getWorkerTypesV2 = client.WorkerTypesV2;`
    GetWorkerTypesV2 = 0xb213_3d72 -> WorkerTypesV2 {}

    /// `client.requestRefund = client.Refund;`
    RequestRefund = 0x238d_863d -> Refund {}

    /// `client.runQuery model_name:string query:bytes max_coefficient:int max_tokens:int timeout:double
    /// request_id:int256 min_config_version:int = client.QueryAnswer;`
    RunQuery = 0xbc74_8f32 -> QueryAnswer {
        model_name: TlString,
        query: Bytes,
        max_coefficient: i32,
        max_tokens: i32,
        timeout: f64,
        request_id: [u8; 32],
        min_config_version: i32,
    }

    /// `client.runQueryEx model_name:string query:bytes max_coefficient:int max_tokens:int timeout:double
    /// request_id:int256 min_config_version:int flags:# enable_debug:flags.0?Bool = client.QueryAnswerEx;`
    RunQueryEx = 0xf54c_b74b -> QueryAnswerEx {
        model_name: TlString,
        query: Bytes,
        max_coefficient: i32,
        max_tokens: i32,
        timeout: f64,
        request_id: [u8; 32],
        min_config_version: i32,
        #flags,
        [flags.0] enable_debug: bool,
    }

    /// `client.updatePaymentStatus = client.PaymentStatus;`
    UpdatePaymentStatus = 0x9ed1_c697 -> PaymentStatus {}
}

group! {
    /// What debugging shows of both sides; asked for by `enable_debug`.
    DebugTexts {
        worker_debug: TlString,
        proxy_debug: TlString,
    }

    /// When proxy and worker began and ended, in Unix seconds.
    Times {
        proxy_start_time: f64,
        proxy_end_time: f64,
        worker_start_time: f64,
        worker_end_time: f64,
    }
}

boxed! {
    /// `client.AuthorizationWithProxy`
    AuthorizationWithProxy {
        Failed(AuthorizationWithProxyFailed),
        Success(AuthorizationWithProxySuccess),
    }
}

boxed! {
    /// `client.ProxyConnectionAuth`
    ProxyConnectionAuth {
        Long(ProxyConnectionAuthLong),
        Short(ProxyConnectionAuthShort),
    }
}

boxed! {
    /// `client.QueryAnswer`
    QueryAnswer {
        Answer(QueryAnswerData),
        Error(QueryAnswerError),
    }
}

boxed! {
    /// `client.QueryAnswerEx`
    QueryAnswerEx {
        Error(QueryAnswerErrorEx),
        Answer(QueryAnswerExData),
        Part(QueryAnswerPartEx),
    }
}

boxed! {
    /// `client.QueryAnswerPart`
    QueryAnswerPart {
        Part(QueryAnswerPartData),
        Error(QueryAnswerPartError),
    }
}

boxed! {
    /// `client.Refund`
    Refund {
        Refunded(RefundData),
        Rejected(RefundRejected),
    }
}
