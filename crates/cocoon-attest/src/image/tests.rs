use super::*;

#[test]
fn image_hash_of_every_simulated_quote() {
    // The vector of spec/network.md 3.4, taken from the original.
    assert_eq!(
        hex::encode(Measurements::ZERO.image_hash()),
        "5c55c8f4db4010ba9203d83536d0609856af8c847ac039e37e7dde8fbd574b61"
    );
}

#[test]
fn every_register_has_its_own_place_in_the_image_hash() {
    let mut hashes = vec![Measurements::ZERO.image_hash()];
    for register in 0..8 {
        let mut one = Measurements::ZERO;
        let bytes = match register {
            0 => &mut one.mrtd,
            1 => &mut one.mr_config_id,
            2 => &mut one.mr_owner,
            3 => &mut one.mr_owner_config,
            other => &mut one.rtmr[other - 4],
        };
        bytes[47] = 1;
        hashes.push(one.image_hash());
    }
    let count = hashes.len();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), count);
}

#[test]
fn report_data_is_the_sha_512_of_the_key() {
    // `openssl dgst -sha512` over 32 zero bytes.
    assert_eq!(
        hex::encode(report_data(&[0; 32])),
        "5046adc1dba838867b2bbbfdd0c3423e58b57970b5267a90f57960924a87f1960a6a85eaa642dac835424b5d7c8d637c00408c7a73da672b7f498521420b6dd3"
    );
}

#[test]
fn every_field_has_its_own_place_in_the_snp_image_hash() {
    let zero = SnpImage {
        measurement: [0; 48],
        host_data: [0; 32],
        id_key_digest: [0; 48],
        author_key_digest: [0; 48],
        family_id: [0; 16],
        image_id: [0; 16],
    };
    let with = |change: fn(&mut SnpImage)| {
        let mut one = zero;
        change(&mut one);
        one.image_hash()
    };
    let mut hashes = vec![
        zero.image_hash(),
        Measurements::ZERO.image_hash(),
        with(|one| one.measurement[47] = 1),
        with(|one| one.host_data[0] = 1),
        with(|one| one.host_data[31] = 1),
        with(|one| one.id_key_digest[0] = 1),
        with(|one| one.author_key_digest[0] = 1),
        with(|one| one.family_id[0] = 1),
        with(|one| one.image_id[0] = 1),
    ];
    let covered = [&SNP_IMAGE_DOMAIN[..], &[0; 208]].concat();
    assert_eq!(hashes[0], digest(&SHA256, &covered).as_ref());
    let count = hashes.len();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), count);
}
