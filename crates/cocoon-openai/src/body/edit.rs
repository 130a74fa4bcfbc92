//! What the network sets in a body.

use bytes::{BufMut as _, Bytes, BytesMut};
use cocoon_types::Refusal;

use super::{Member, RequestBody, invalid};
use crate::json::members;

impl RequestBody {
    /// Sets all that worker and network agreed on: the model, the token limit of the whole request (shared out
    /// among its choices), and for a stream that the usage is told.
    ///
    /// # Errors
    /// [`cocoon_types::Fault::InvalidRequest`] when the limit leaves no token for each choice.
    pub fn agree(&mut self, model: &str, max_tokens: u32) -> Result<(), Refusal> {
        self.set_model(model);
        if self.endpoint.generates() {
            let each = max_tokens / self.choices;
            if each == 0 {
                return Err(invalid("the token limit leaves no token for each choice").about("max_tokens"));
            }
            self.set_token_limit(each);
            self.force_usage_in_stream();
        }
        Ok(())
    }

    /// Sets `model`.
    pub fn set_model(&mut self, model: &str) {
        model.clone_into(&mut self.model);
        let text = serde_json::to_vec(model).expect("invariant: a string always serialises");
        self.set("model", text.into());
    }

    /// Sets the limit of each choice, as `max_tokens` only: every engine reads that one, not all read
    /// `max_completion_tokens`, and with both set they disagree which one holds.
    pub fn set_token_limit(&mut self, each: u32) {
        self.members.shift_remove("max_completion_tokens");
        self.token_limit = Some(each);
        self.set("max_tokens", each.to_string().into());
    }

    /// In a stream, sets `stream_options.include_usage`; the caller's other stream options survive.
    pub fn force_usage_in_stream(&mut self) {
        if !self.stream || self.wants_usage_chunk {
            return;
        }
        let mut text = BytesMut::from(&b"{\"include_usage\":true"[..]);
        let options = self.field("stream_options").unwrap_or_default();
        for (name, value) in members(options, usize::MAX).unwrap_or_default() {
            if name != "include_usage" {
                text.put_u8(b',');
                put_member(&mut text, &name, value.get().as_bytes());
            }
        }
        text.put_u8(b'}');
        self.set("stream_options", text.freeze());
    }

    /// The body as JSON, members in the order in which they came, new ones last.
    pub fn to_bytes(&self) -> Bytes {
        let size = self
            .fields()
            .map(|(name, value)| name.len() + value.len() + 4)
            .sum::<usize>()
            + 2;
        let mut text = BytesMut::with_capacity(size);
        text.put_u8(b'{');
        for (index, (name, value)) in self.fields().enumerate() {
            if index > 0 {
                text.put_u8(b',');
            }
            put_member(&mut text, name, value);
        }
        text.put_u8(b'}');
        text.freeze()
    }

    fn set(&mut self, name: &'static str, value: Bytes) {
        self.members.insert(
            name.into(),
            Member {
                name: name.into(),
                value,
            },
        );
    }
}

fn put_member(text: &mut BytesMut, name: &str, value: &[u8]) {
    serde_json::to_writer(text.writer(), name).expect("invariant: a string always serialises");
    text.put_u8(b':');
    text.put_slice(value);
}
