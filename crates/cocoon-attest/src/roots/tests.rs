use super::*;

#[test]
fn only_a_marked_certificate_is_a_development_root() {
    assert_eq!(Roots::development(&[]), Err(RootsError::Malformed));
    assert_eq!(
        Roots::development(b"DEVELOPMENT ONLY"),
        Err(RootsError::Malformed)
    );
    // The maker's own root can be no development root.
    assert_eq!(
        Roots::development(Roots::makers().intel()),
        Err(RootsError::NotMarked)
    );
    assert_eq!(Roots::default(), Roots::makers());
}

#[test]
fn intels_root_is_the_one_of_the_original() {
    use aws_lc_rs::digest::{SHA384, digest};
    let root = Roots::makers();
    // The key is the last 65 bytes before the extensions; it begins with 4 (not compressed).
    let key = root
        .intel()
        .windows(65)
        .find(|part| {
            part[0] == 4
                && hex::encode(digest(&SHA384, part))
                    == "46e403bd34f05a3f2817ab9badcaacc7ffc98e0f261008cd30dae936cace18d5dcf58eef31463613de1570d516200993"
        });
    assert!(key.is_some());
}
