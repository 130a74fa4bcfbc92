use super::*;

#[test]
fn the_nonce_is_bound_to_key_and_block() {
    let base = nonce(&[1; 32], &[2; 80]);
    assert_ne!(base, nonce(&[3; 32], &[2; 80]));
    assert_ne!(base, nonce(&[1; 32], &[4; 80]));
    let whole = [&GPU_NONCE_DOMAIN[..], &[1; 32], &[2; 80]].concat();
    assert_eq!(base, aws_lc_rs::digest::digest(&SHA256, &whole).as_ref());
}

#[test]
fn a_nonce_is_read_only_from_a_report() {
    assert_eq!(nonce_in(&[]), None);
    assert_eq!(nonce_in(&[0x11; 4096]), None);
}
