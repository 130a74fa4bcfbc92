//! A question and an answer that no program sends; part of the scheme all the same.

use crate::scheme::scheme;

scheme! {
    /// `test.answer id:long = test.Answer;`
    Answer = 0x0d4f_cdb6 {
        id: i64,
    }

    /// `test.query id:long = test.Answer;`
    Query = 0x394e_9143 -> Answer {
        id: i64,
    }
}
