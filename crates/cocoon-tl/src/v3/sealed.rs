//! What protocol 3 carries of sealing, offers and receipts; the bytes within are those of docs/sealing.md.

use bytes::Bytes;

use crate::{TlString, scheme::scheme};

scheme! {
    /// `cocoon.sealedRequest stream:long head:bytes candidate:int wraps:(vector bytes) timeout_ms:int = cocoon.Message;`
    ///
    /// Asker: opens a stream whose body comes sealed. `head` says in clear what `cocoon.request` says; `wraps[j]` is for the
    /// candidate `candidate + j` of it: a client sends one for each, a proxy one. Each sealed piece is one `cocoon.body`.
    SealedRequest = 0x40fa_d586 {
        stream: i64,
        head: Bytes,
        candidate: i32,
        wraps: Vec<Bytes>,
        timeout_ms: i32,
    }

    /// `cocoon.sealedAnswer stream:long head:bytes skipped:(vector bytes) = cocoon.Message;`
    ///
    /// Answerer: a sealed answer begins; each sealed part is one `cocoon.part`. `skipped`, from a proxy alone: for each
    /// candidate before the one that serves its signed refusal, or nothing at all where its link was lost.
    SealedAnswer = 0x6c83_1e0c {
        stream: i64,
        head: Bytes,
        skipped: Vec<Bytes>,
    }

    /// `cocoon.receipt stream:long receipt:bytes = cocoon.Message;`
    ///
    /// Worker: the receipt that stands sealed in the last part, in clear for the proxy; before `cocoon.end`.
    Receipt = 0xbfca_303e {
        stream: i64,
        receipt: Bytes,
    }

    /// `cocoon.sealedRefuse stream:long code:int message:string skipped:(vector bytes) = cocoon.Message;`
    ///
    /// Answerer: `cocoon.refuse` of a sealed stream. `skipped`: a worker's own signed refusal, if it has not begun to answer;
    /// from a proxy, as in [`SealedAnswer`], one for each candidate that it went through.
    SealedRefuse = 0x28ee_d957 {
        stream: i64,
        code: i32,
        message: TlString,
        skipped: Vec<Bytes>,
    }

    /// `cocoon.countersign leaf:int256 worker:bytes = cocoon.Countersign;`
    ///
    /// A receipt by its leaf, and the worker's signature over the batch that it stands in.
    Countersign = 0xcd84_cb4a {
        leaf: [u8; 32],
        worker: Bytes,
    }

    /// `cocoon.countersigns signs:(vector cocoon.countersign) = cocoon.Countersigns;`
    ///
    /// Worker to proxy, one-way: a batch of receipts is signed.
    Countersigns = 0x27a2_a297 {
        signs: Vec<Countersign>,
    }

    /// `cocoon.charged leaf:int256 worker:bytes charge:bytes proxy:bytes = cocoon.Charged;`
    ///
    /// A receipt by its leaf: the worker's signature, the price, and the proxy's signature over the batch of prices. `worker`
    /// is empty when the worker did not sign in time.
    Charged = 0x8903_67f5 {
        leaf: [u8; 32],
        worker: Bytes,
        charge: Bytes,
        proxy: Bytes,
    }

    /// `cocoon.settled receipts:(vector cocoon.charged) = cocoon.Settled;`
    ///
    /// Proxy to client, one-way: receipts of its requests are signed by both sides.
    Settled = 0x95a2_00fa {
        receipts: Vec<Charged>,
    }

    /// `cocoon.dispute leaf:int256 field:string expected:bytes receipt:bytes = cocoon.Dispute;`
    ///
    /// Client to proxy, one-way: the receipt with this leaf, which follows, disagrees with what the client knows, in this field.
    Dispute = 0xea20_9b07 {
        leaf: [u8; 32],
        field: TlString,
        expected: Bytes,
        receipt: Bytes,
    }

    /// `cocoon.offers list:bytes = cocoon.Offers;`
    ///
    /// The signed offer list of a model and epoch, the same bytes for every client.
    Offers = 0xdf52_2247 {
        list: Bytes,
    }

    /// `cocoon.evidence certificate:bytes statement:bytes quote:bytes endorsements:bytes gpu_evidence:bytes = cocoon.Evidence;`
    ///
    /// All that a client needs to appraise a worker that it has no link to.
    Evidence = 0x1f6b_1d8c {
        certificate: Bytes,
        statement: Bytes,
        quote: Bytes,
        endorsements: Bytes,
        gpu_evidence: Bytes,
    }

    /// `cocoon.getOffers model:string = cocoon.Offers;`
    ///
    /// Client to proxy.
    GetOffers = 0xb877_766d -> Offers {
        model: TlString,
    }

    /// `cocoon.getEvidence statement:int256 = cocoon.Evidence;`
    ///
    /// Client to proxy: by the digest under which an offer names the statement.
    GetEvidence = 0x34ef_3a5f -> Evidence {
        statement: [u8; 32],
    }
}
