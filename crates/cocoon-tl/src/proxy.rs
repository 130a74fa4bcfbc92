//! What the proxy says to workers and of payments (spec/network.md 6.4, 6.5).

use bytes::Bytes;

use crate::{
    TlString,
    scheme::{boxed, group, scheme},
    shared,
};

scheme! {
    /// `proxy.params#d5c5609f flags:# proxy_public_key:int256 proxy_owner_address:string proxy_sc_address:string
    /// is_test:flags.0?Bool proto_version:flags.1?int = proxy.Params;`
    Params = 0xd5c5_609f {
        #flags,
        proxy_public_key: [u8; 32],
        proxy_owner_address: TlString,
        proxy_sc_address: TlString,
        [flags.0] is_test: bool,
        [flags.1] proto_version: i32,
    }

    /// `proxy.clientRequestPayment request_id:int256 signed_payment:proxy.SignedPayment db_tokens:long max_tokens:long
    /// request_tokens:long = proxy.WorkerRequestPayment;`
    ClientRequestPayment = 0xc6bc_f127 {
        request_id: [u8; 32],
        signed_payment: SignedPayment,
        db_tokens: i64,
        max_tokens: i64,
        request_tokens: i64,
    }

    /// `proxy.queryAnswer answer:bytes is_completed:Bool request_id:int256 tokens_used:tokensUsed = proxy.QueryAnswer;`
    QueryAnswerData = 0x37e5_f725 {
        answer: Bytes,
        is_completed: bool,
        request_id: [u8; 32],
        tokens_used: shared::TokensUsed,
    }

    /// `proxy.queryAnswerError error_code:int error:string request_id:int256 tokens_used:tokensUsed =
    /// proxy.QueryAnswer;`
    QueryAnswerError = 0x669d_014e {
        error_code: i32,
        error: TlString,
        request_id: [u8; 32],
        tokens_used: shared::TokensUsed,
    }

    /// `proxy.queryAnswerErrorEx request_id:int256 error_code:int error:string flags:#
    /// final_info:flags.0?proxy.queryFinalInfo = proxy.QueryAnswerEx;`
    QueryAnswerErrorEx = 0x8f7f_b0a7 {
        request_id: [u8; 32],
        error_code: i32,
        error: TlString,
        #flags,
        [flags.0] final_info: QueryFinalInfo,
    }

    /// `proxy.queryAnswerEx request_id:int256 answer:bytes flags:# final_info:flags.0?proxy.queryFinalInfo =
    /// proxy.QueryAnswerEx;`
    QueryAnswerExData = 0x1ce5_74e8 {
        request_id: [u8; 32],
        answer: Bytes,
        #flags,
        [flags.0] final_info: QueryFinalInfo,
    }

    /// `proxy.queryAnswerPart answer:bytes is_completed:Bool request_id:int256 tokens_used:tokensUsed =
    /// proxy.QueryAnswerPart;`
    QueryAnswerPartData = 0x72eb_00ee {
        answer: Bytes,
        is_completed: bool,
        request_id: [u8; 32],
        tokens_used: shared::TokensUsed,
    }

    /// `proxy.queryAnswerPartError error_code:int error:string request_id:int256 tokens_used:tokensUsed =
    /// proxy.QueryAnswerPart;`
    QueryAnswerPartError = 0x940e_1168 {
        error_code: i32,
        error: TlString,
        request_id: [u8; 32],
        tokens_used: shared::TokensUsed,
    }

    /// `proxy.queryAnswerPartEx request_id:int256 answer:bytes flags:# final_info:flags.0?proxy.queryFinalInfo =
    /// proxy.QueryAnswerEx;`
    QueryAnswerPartEx = 0x6d85_b50f {
        request_id: [u8; 32],
        answer: Bytes,
        #flags,
        [flags.0] final_info: QueryFinalInfo,
    }

    /// `proxy.queryFinalInfo flags:# tokens_used:tokensUsed worker_debug:flags.0?string
    /// worker_start_time:flags.1?double worker_end_time:flags.1?double = proxy.QueryFinalInfo;`
    QueryFinalInfo = 0xe794_e6fc {
        #flags,
        tokens_used: shared::TokensUsed,
        [flags.0] worker_debug: TlString,
        [flags.1] times: Times,
    }

    /// `proxy.signedPayment data:bytes = proxy.SignedPayment;`
    SignedPaymentData = 0x0299_8182 {
        data: Bytes,
    }

    /// `proxy.signedPaymentEmpty = proxy.SignedPayment;`
    SignedPaymentEmpty = 0xb347_ce64 {}

    /// `proxy.workerRequestPayment request_id:int256 signed_payment:proxy.SignedPayment db_tokens:long max_tokens:long
    /// request_tokens:long request_client_owner:string = proxy.WorkerRequestPayment;`
    WorkerRequestPaymentData = 0x1436_c0d5 {
        request_id: [u8; 32],
        signed_payment: SignedPayment,
        db_tokens: i64,
        max_tokens: i64,
        request_tokens: i64,
        request_client_owner: TlString,
    }

    /// `proxy.runQuery query:bytes signed_payment:proxy.SignedPayment coefficient:long timeout:double request_id:int256
    /// = proxy.QueryAnswer;`
    RunQuery = 0x4718_2416 -> QueryAnswer {
        query: Bytes,
        signed_payment: SignedPayment,
        coefficient: i64,
        timeout: f64,
        request_id: [u8; 32],
    }

    /// `proxy.runQueryEx query:bytes signed_payment:proxy.SignedPayment coefficient:long timeout:double
    /// request_id:int256 flags:# enable_debug:flags.0?Bool = proxy.QueryAnswer;`
    RunQueryEx = 0xc805_e7e2 -> QueryAnswer {
        query: Bytes,
        signed_payment: SignedPayment,
        coefficient: i64,
        timeout: f64,
        request_id: [u8; 32],
        #flags,
        [flags.0] enable_debug: bool,
    }
}

group! {
    /// When the worker began and ended, in Unix seconds.
    Times {
        worker_start_time: f64,
        worker_end_time: f64,
    }
}

boxed! {
    /// `proxy.QueryAnswer`
    QueryAnswer {
        Answer(QueryAnswerData),
        Error(QueryAnswerError),
    }
}

boxed! {
    /// `proxy.QueryAnswerEx`
    QueryAnswerEx {
        Error(QueryAnswerErrorEx),
        Answer(QueryAnswerExData),
        Part(QueryAnswerPartEx),
    }
}

boxed! {
    /// `proxy.QueryAnswerPart`
    QueryAnswerPart {
        Part(QueryAnswerPartData),
        Error(QueryAnswerPartError),
    }
}

boxed! {
    /// `proxy.SignedPayment`
    SignedPayment {
        Payment(SignedPaymentData),
        Empty(SignedPaymentEmpty),
    }
}

boxed! {
    /// `proxy.WorkerRequestPayment`
    WorkerRequestPayment {
        ForClient(ClientRequestPayment),
        ForWorker(WorkerRequestPaymentData),
    }
}
