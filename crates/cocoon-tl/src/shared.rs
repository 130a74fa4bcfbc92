//! Shared by several namespaces.

use crate::scheme::{group, scheme};

scheme! {
    /// `tokensUsed prompt_tokens_used:long cached_tokens_used:long completion_tokens_used:long
    /// reasoning_tokens_used:long total_tokens_used:long = TokensUsed;`
    TokensUsed = 0x70c5_b15c {
        prompt_tokens_used: i64,
        cached_tokens_used: i64,
        completion_tokens_used: i64,
        reasoning_tokens_used: i64,
        total_tokens_used: i64,
    }
}

group! {
    /// The protocol versions that a peer speaks, both ends included (spec/network.md 6.1).
    ProtoVersions {
        min_proto_version: i32,
        max_proto_version: i32,
    }
}
