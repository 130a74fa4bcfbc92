//! HTTP as messages: what versions 0 and 1 carry in `query` and `answer` (spec/network.md 6.5).

use bytes::Bytes;

use crate::{TlString, scheme::scheme};

scheme! {
    /// `http.header name:string value:string = http.Header;`
    Header = 0x8e9b_e511 {
        name: TlString,
        value: TlString,
    }

    /// `http.response http_version:string status_code:int reason:string headers:(vector http.header) payload:bytes =
    /// http.Response;`
    Response = 0x1cd0_c42b {
        http_version: TlString,
        status_code: i32,
        reason: TlString,
        headers: Vec<Header>,
        payload: Bytes,
    }

    /// `http.request method:string url:string http_version:string headers:(vector http.header) payload:bytes =
    /// http.Response;`
    Request = 0x4749_2de5 -> Response {
        method: TlString,
        url: TlString,
        http_version: TlString,
        headers: Vec<Header>,
        payload: Bytes,
    }
}
