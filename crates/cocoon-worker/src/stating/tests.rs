use std::path::PathBuf;

use cocoon_link::EnginePlace;
use cocoon_trust::StatedEngine;

use super::*;

fn built_in(binary: PathBuf, model_file: PathBuf) -> EngineChoice {
    EngineChoice::BuiltIn {
        binary,
        model_file,
        threads: None,
        context: None,
    }
}

#[tokio::test]
async fn only_the_files_of_an_engine_of_ones_own_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let (binary, model) = (dir.path().join("engine"), dir.path().join("model"));
    std::fs::write(&binary, b"").unwrap();
    std::fs::write(&model, b"abc").unwrap();
    let mut known = Known::of(&built_in(binary, model)).await;
    let stated = known.content(EnginePlace::StartedByWorker, vec![7]);
    assert_eq!(stated.engine, StatedEngine::OfImage);
    // FIPS 180-2, appendix B.1, and the digest of nothing.
    assert_eq!(&stated.model.unwrap()[..4], &[0xba, 0x78, 0x16, 0xbf]);
    assert_eq!(&stated.engine_digest.unwrap()[..4], &[0xe3, 0xb0, 0xc4, 0x42]);
    assert_eq!(stated.sealing_key, [7]);

    let outside = known.content(EnginePlace::Outside, Vec::new());
    assert_eq!(outside.engine, StatedEngine::Outside);
    assert_eq!((outside.model, outside.engine_digest), (None, None));
}

#[tokio::test]
async fn what_cannot_be_read_is_not_named() {
    let mut known = Known::of(&built_in("engine-of-path".into(), "/does/not/exist".into())).await;
    let stated = known.content(EnginePlace::StartedByWorker, Vec::new());
    assert_eq!((stated.model, stated.engine_digest), (None, None));
}

#[test]
fn standings_are_those_of_links_that_stand() {
    let stating = Stating::new();
    let first = stating.stand();
    let second = stating.stand();
    assert_eq!(stating.standings().len(), 2);
    drop(first);
    assert_eq!(stating.standings().len(), 1);
    drop(second);
    let _third = stating.stand();
    assert_eq!(
        stating.standings.lock().unwrap().len(),
        1,
        "the others are forgotten"
    );
}
