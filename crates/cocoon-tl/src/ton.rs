//! Names of blocks, as the proxy's database keeps them.

use bytes::Bytes;

use crate::scheme::scheme;

scheme! {
    /// `ton.blockIdExt workchain:int shard:long seqno:int root_hash:bytes file_hash:bytes = ton.BlockIdExt;`
    BlockIdExt = 0xbc3f_6da5 {
        workchain: i32,
        shard: i64,
        seqno: i32,
        root_hash: Bytes,
        file_hash: Bytes,
    }
}
