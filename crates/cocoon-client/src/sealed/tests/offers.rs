use cocoon_types::Fault;

use super::*;

fn wanted(model: &ModelName, candidates: usize) -> Wanted<'_> {
    Wanted {
        model,
        tier: TierPolicy::CONFIDENTIAL,
        max_coefficient: Coefficient::DEFAULT_LIMIT,
        candidates,
    }
}

impl World {
    /// A list of these workers for the epoch that is so many before the current one.
    fn list(&self, workers: &[usize], ago: u64) -> Bytes {
        let offers = workers
            .iter()
            .map(|at| offer(&self.workers[*at].worker))
            .collect();
        let epoch = OfferList::epoch_at(EPOCH, unix_now()) - ago;
        let list = OfferList::sign(&model(), EPOCH, epoch, offers, &self.proxy).unwrap();
        list.bytes().clone()
    }

    async fn draw(&self, link: &Link, candidates: usize) -> Result<Drawn, cocoon_types::Refusal> {
        self.board.draw(wanted(&model(), candidates), link).await
    }
}

#[tokio::test]
async fn candidates_are_drawn_from_the_list_each_once() {
    let world = world().await;
    let (link, _proxy) = proxy_showing(vec![world.list(&[0, 1, 2], 0)]).await;
    for count in 1..=4 {
        let drawn = world.draw(&link, count).await.unwrap();
        let mut keys: Vec<Digest> = drawn.keys().iter().map(|key| key.id()).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count.min(3));
    }
}

#[tokio::test]
async fn lists_that_are_stale_empty_changed_or_anothers_are_refused_and_counted() {
    let old = world().await;
    let stranger = SigningKey::from_seed(&[5; 32]).unwrap();
    let offers = vec![offer(&old.workers[0].worker)];
    let epoch = OfferList::epoch_at(EPOCH, unix_now());
    let strangers = OfferList::sign(&model(), EPOCH, epoch, offers.clone(), &stranger).unwrap();
    let other_model = ModelName::new("other").unwrap();
    let others = OfferList::sign(&other_model, EPOCH, epoch, offers, &old.proxy).unwrap();
    let mut unsigned = old.list(&[0], 0).to_vec();
    *unsigned.last_mut().unwrap() ^= 1;
    let cases = [
        (old.list(&[0, 1], 3), "stale", "stale"),
        (old.list(&[], 0), "empty", "empty"),
        (strangers.bytes().clone(), "other_proxy", "another proxy"),
        (others.bytes().clone(), "other_model", "another model"),
        (unsigned.into(), "signature", "not signed"),
        (Bytes::from_static(b"list"), "malformed", "do not parse"),
    ];
    for (list, reason, words) in cases {
        let world = world().await;
        let (link, _proxy) = proxy_showing(vec![list]).await;
        let refusal = world.draw(&link, 1).await.unwrap_err();
        assert_eq!(refusal.fault, Fault::NoWorker, "{refusal}");
        assert!(refusal.message.contains(words), "{refusal}");
        let counted = format!("offers_refused_total{{reason=\"{reason}\"}} 1");
        assert!(world.board.metrics.all.encode().contains(&counted), "{reason}");
    }
}

#[tokio::test]
async fn a_second_list_for_one_epoch_is_the_proof_against_the_proxy() {
    let world = world().await;
    let lists = vec![world.list(&[0, 1], 1), world.list(&[0, 1, 2], 1)];
    let (link, _proxy) = proxy_showing(lists).await;
    world.board.ask(&model(), &link).await.unwrap();
    let error = world.board.ask(&model(), &link).await.unwrap_err();
    assert_eq!(error.code(), "changed");
    let shown = world.board.shown(&model());
    assert_eq!(shown["conflict"].as_array().map(Vec::len), Some(2), "{shown}");
    assert_eq!(shown["epochs"].as_array().map(Vec::len), Some(1));
    // What was shown first may still be drawn from.
    assert_eq!(world.draw(&link, 3).await.unwrap().workers.len(), 2);
}

#[tokio::test]
async fn a_worker_whose_evidence_is_not_shown_is_left_out_and_the_caller_told() {
    let mut world = world().await;
    let hidden = real(4, Tier::Confidential);
    world.workers.push(hidden);
    let (link, _proxy) = proxy_showing(vec![world.list(&[3], 0)]).await;
    let refusal = world.draw(&link, 1).await.unwrap_err();
    assert_eq!(refusal.fault, Fault::TierUnavailable);
    assert!(
        refusal.message.contains("does not show its evidence"),
        "{refusal}"
    );

    let (link, _proxy) = proxy_showing(vec![world.list(&[0, 3], 0)]).await;
    let other = board(*world.proxy.public()).await;
    other.evidence.put(Arc::clone(&world.workers[0].worker));
    world.board = other;
    let drawn = world.draw(&link, 2).await.unwrap();
    assert_eq!(drawn.keys(), [&world.workers[0].worker.key]);
}

/// The proxy's word for a tier counts for nothing.
#[tokio::test]
async fn our_own_appraisal_decides() {
    let mut world = world().await;
    let boastful = real(4, Tier::Open);
    world.board.evidence.put(Arc::clone(&boastful.worker));
    let lie = Offer {
        tier: Tier::Confidential,
        ..offer(&boastful.worker)
    };
    world.workers.push(boastful);
    let epoch = OfferList::epoch_at(EPOCH, unix_now());
    let list = OfferList::sign(&model(), EPOCH, epoch, vec![lie], &world.proxy).unwrap();
    let (link, _proxy) = proxy_showing(vec![list.bytes().clone()]).await;
    let refusal = world.draw(&link, 1).await.unwrap_err();
    assert_eq!(refusal.fault, Fault::TierUnavailable);
    assert!(refusal.message.contains("offered are: open"), "{refusal}");
    assert!(refusal.message.contains("confidential"), "{refusal}");
}

#[tokio::test]
async fn a_price_limit_that_nobody_meets_says_what_would() {
    let world = world().await;
    let (link, _proxy) = proxy_showing(vec![world.list(&[0], 0)]).await;
    let model = model();
    let cheap = Wanted {
        max_coefficient: Coefficient::new(10).unwrap(),
        ..wanted(&model, 1)
    };
    let refusal = world.board.draw(cheap, &link).await.unwrap_err();
    assert_eq!(refusal.fault, Fault::PriceTooLow);
    assert!(refusal.message.contains("the cheapest"), "{refusal}");
}
