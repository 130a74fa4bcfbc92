/// AMD's root keys (ARK) of Milan, Genoa and Turin, as certificates in DER. They are public keys, published by AMD's key
/// distribution service; source in NOTICE.
pub const AMD_ROOTS: [&[u8]; 3] = [
    include_bytes!("roots/ark-milan.der"),
    include_bytes!("roots/ark-genoa.der"),
    include_bytes!("roots/ark-turin.der"),
];
