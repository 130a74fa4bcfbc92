use super::part;
use crate::der::{self, NotDer, Reader};
use crate::oid;
use crate::refusal::Refusal;

/// Most extensions of one certificate: the original has eight; the bound keeps the search for doubles short.
const MAX_EXTENSIONS: usize = 32;

/// The extensions that an appraisal looks at, in their raw form.
#[derive(Debug, Default)]
pub(crate) struct Extensions<'a> {
    pub(crate) quote: Option<&'a [u8]>,
    /// Collateral in its compact form.
    pub(crate) collateral: Option<&'a [u8]>,
    pub(crate) unknown_critical: bool,
    subject_key_id: Option<&'a [u8]>,
    authority_key_id: Option<&'a [u8]>,
    key_usage: Option<&'a [u8]>,
    extended_key_usage: Option<&'a [u8]>,
    subject_alt_name: Option<&'a [u8]>,
}

// === impl Extensions ===

impl<'a> Extensions<'a> {
    /// Reads what is left of the signed part: explicit tag 3, or nothing.
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, Refusal> {
        let malformed = part("extensions");
        let mut found = Self::default();
        let Some(tagged) = reader.optional(0xa3).map_err(&malformed)? else {
            return Ok(found);
        };
        let list = der::only(tagged.content, der::SEQUENCE).map_err(&malformed)?;
        let mut list = Reader::new(list.content);
        let mut seen: Vec<&[u8]> = Vec::new();
        while !list.is_empty() {
            let (name, critical, value) = extension(&mut list).map_err(&malformed)?;
            // Two of a kind would let the signer show one to us and the other to somebody else.
            if seen.len() >= MAX_EXTENSIONS || seen.contains(&name) {
                return Err(Refusal::Malformed("too many extensions, or one of them twice"));
            }
            seen.push(name);
            found.keep(name, critical, value);
        }
        Ok(found)
    }

    fn keep(&mut self, name: &'a [u8], critical: bool, value: &'a [u8]) {
        match name {
            oid::OID_QUOTE => self.quote = Some(value),
            oid::OID_COLLATERAL => self.collateral = Some(value),
            oid::SUBJECT_KEY_ID => self.subject_key_id = Some(value),
            oid::AUTHORITY_KEY_ID => self.authority_key_id = Some(value),
            oid::KEY_USAGE => self.key_usage = Some(value),
            oid::EXTENDED_KEY_USAGE => self.extended_key_usage = Some(value),
            oid::SUBJECT_ALT_NAME => self.subject_alt_name = Some(value),
            // The claims are rebuilt from the key, and a leaf may call itself an authority (spec/network.md 3.3, 3.7).
            oid::OID_CLAIMS | oid::BASIC_CONSTRAINTS => {}
            _ => self.unknown_critical |= critical,
        }
    }

    /// Whether the authority key id, if there is one with a key id in it, is the subject key id.
    pub(crate) fn key_ids_agree(&self) -> Result<bool, Refusal> {
        let malformed = part("key ids");
        let (Some(subject), Some(authority)) = (self.subject_key_id, self.authority_key_id) else {
            return Ok(true);
        };
        let subject = der::only(subject, der::OCTET_STRING).map_err(&malformed)?;
        let authority = der::only(authority, der::SEQUENCE).map_err(&malformed)?;
        let key_id = Reader::new(authority.content)
            .optional(0x80)
            .map_err(&malformed)?;
        Ok(key_id.is_none_or(|id| id.content == subject.content))
    }

    /// Whether the key may sign; absent key usage allows everything.
    pub(crate) fn allows_signatures(&self) -> Result<bool, Refusal> {
        let Some(value) = self.key_usage else {
            return Ok(true);
        };
        let bits = der::only(value, der::BIT_STRING).map_err(part("key usage"))?;
        match bits.content {
            // Count of unused bits, then the bits; digitalSignature is the first.
            [0..=7, first, ..] => Ok(first & 0x80 != 0),
            [0] => Ok(false),
            _ => Err(Refusal::Malformed("key usage")),
        }
    }

    /// Whether the certificate serves this purpose; absent extended key usage serves all of them.
    pub(crate) fn has_purpose(&self, purpose: &[u8]) -> Result<bool, Refusal> {
        let Some(value) = self.extended_key_usage else {
            return Ok(true);
        };
        any_element(value, |tag, content| tag == der::OID && content == purpose)
            .map_err(part("extended key usage"))
    }

    /// Whether a DNS name is this one; `None` when there is no DNS name at all.
    pub(crate) fn has_dns_name(&self, wanted: &[u8]) -> Result<Option<bool>, Refusal> {
        const DNS_NAME: u8 = 0x82;
        let Some(value) = self.subject_alt_name else {
            return Ok(None);
        };
        let malformed = part("subject alternative name");
        let any = any_element(value, |tag, _| tag == DNS_NAME).map_err(&malformed)?;
        let found =
            any_element(value, |tag, content| tag == DNS_NAME && content == wanted).map_err(&malformed)?;
        Ok(any.then_some(found))
    }
}

/// Name, criticality and value of the next extension.
fn extension<'a>(list: &mut Reader<'a>) -> Result<(&'a [u8], bool, &'a [u8]), NotDer> {
    let mut fields = Reader::new(list.expect(der::SEQUENCE)?.content);
    let name = fields.expect(der::OID)?;
    let critical = match fields.optional(der::BOOLEAN)?.map(|flag| flag.content) {
        None | Some([0]) => false,
        Some([0xff]) => true,
        Some(_) => return Err(NotDer),
    };
    let value = fields.expect(der::OCTET_STRING)?;
    fields.end()?;
    Ok((name.content, critical, value.content))
}

/// Whether an element of this sequence satisfies the test; the whole sequence is read in any case.
fn any_element(sequence: &[u8], test: impl Fn(u8, &[u8]) -> bool) -> Result<bool, NotDer> {
    let mut elements = Reader::new(der::only(sequence, der::SEQUENCE)?.content);
    let mut found = false;
    while !elements.is_empty() {
        let element = elements.element()?;
        found |= test(element.tag, element.content);
    }
    Ok(found)
}
