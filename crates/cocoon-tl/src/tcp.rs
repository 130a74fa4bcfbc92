//! Packets of a link (spec/network.md 1.4, 1.5): what a frame's payload holds.

use bytes::Bytes;

use crate::{
    TlString,
    scheme::{boxed, scheme},
};

scheme! {
    /// `tcp.connect id:long = tcp.Packet;`
    Connect = 0xa57c_4261 {
        id: i64,
    }

    /// `tcp.connected id:long = tcp.Packet;`
    Connected = 0x636d_41d6 {
        id: i64,
    }

    /// `tcp.packet data:bytes = tcp.Packet;`
    PacketData = 0x9c17_baf8 {
        data: Bytes,
    }

    /// `tcp.ping id:long = tcp.Packet;`
    Ping = 0xbbe9_627c {
        id: i64,
    }

    /// `tcp.pong id:long = tcp.Packet;`
    Pong = 0x0bd4_302c {
        id: i64,
    }

    /// `tcp.query id:long data:bytes = tcp.Packet;`
    Query = 0x3af5_1908 {
        id: i64,
        data: Bytes,
    }

    /// `tcp.queryAnswer id:long data:bytes = tcp.Packet;`
    QueryAnswer = 0xc048_c311 {
        id: i64,
        data: Bytes,
    }

    /// `tcp.queryError id:long code:int message:string = tcp.Packet;`
    QueryError = 0x4cd2_f602 {
        id: i64,
        code: i32,
        message: TlString,
    }
}

boxed! {
    /// `tcp.Packet`
    Packet {
        Connect(Connect),
        Connected(Connected),
        Packet(PacketData),
        Ping(Ping),
        Pong(Pong),
        Query(Query),
        QueryAnswer(QueryAnswer),
        QueryError(QueryError),
    }
}
