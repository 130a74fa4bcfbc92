use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::*;
use crate::x509::{BEGIN, END, MAX_CERTIFICATE_BYTES};

fn block(bytes: &[u8]) -> String {
    format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(bytes))
}

#[test]
fn chains_are_read_as_intel_writes_them() {
    assert_eq!(read(b""), Ok(vec![]));
    let chain = format!("{}{}\0", block(b"leaf"), block(b"root"));
    assert_eq!(
        read(chain.as_bytes()),
        Ok(vec![b"leaf".to_vec(), b"root".to_vec()])
    );
    let windows = chain.replace('\n', "\r\n");
    assert_eq!(read(windows.as_bytes()).map(|chain| chain.len()), Ok(2));
}

#[test]
fn everything_else_is_refused() {
    let good = block(b"leaf");
    for bad in [
        format!("x{good}"),
        format!("{good}x"),
        good.replace("BEGIN CERTIFICATE", "BEGIN KEY"),
        good.replace("-----END CERTIFICATE-----", ""),
        good.replace("bGVh", "b*Vh"),
        block(b""),
        block(&[7; MAX_CERTIFICATE_BYTES + 1]),
        good.repeat(MAX_CERTIFICATES + 1),
        format!("{good}\0{good}"),
    ] {
        assert_eq!(read(bad.as_bytes()), Err(NotPem), "{bad}");
    }
    assert_eq!(read(&[0xff]), Err(NotPem));
    assert!(read(good.repeat(MAX_CERTIFICATES).as_bytes()).is_ok());
}
