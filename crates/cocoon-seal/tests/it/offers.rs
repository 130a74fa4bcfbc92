//! Offers: one list for everybody, or it is noticed.

use cocoon_seal::*;
use cocoon_types::{Coefficient, ModelName};

use crate::support::*;

fn list(world: &World, epoch: u64, scores: &[u32]) -> OfferList {
    let mut offers = world.offers.offers.clone();
    offers.truncate(scores.len());
    for (offer, score) in offers.iter_mut().zip(scores) {
        offer.score = *score;
    }
    OfferList::sign(&model(), 30, epoch, offers, &world.proxy).unwrap()
}

fn taken(book: &mut OfferBook, list: &OfferList, now: u64) -> Result<(), OfferRefusal> {
    let sent = OfferList::decode(list.bytes().clone()).unwrap();
    book.take(&model(), sent, now).map(|_| ())
}

#[test]
fn a_list_lasts_two_epochs() {
    let world = world();
    let mut book = OfferBook::new(*world.proxy.public());
    let (from, until) = world.offers.life();
    assert!((from..until).contains(&NOW));
    assert_eq!(
        taken(&mut book, &world.offers, from - 31),
        Err(OfferRefusal::Future)
    );
    assert_eq!(
        taken(&mut book, &world.offers, until + 30),
        Err(OfferRefusal::Stale)
    );
    assert_eq!(taken(&mut book, &world.offers, from - 30), Ok(()));
    assert_eq!(taken(&mut book, &world.offers, until + 29), Ok(()));
    assert!(book.current(&model(), until + 29).is_some());
    assert!(book.current(&model(), until + 30).is_none());
    assert!(book.current(&ModelName::new("n").unwrap(), NOW).is_none());
}

#[test]
fn two_lists_for_one_epoch_are_the_proof() {
    let world = world();
    let mut book = OfferBook::new(*world.proxy.public());
    let epoch = world.offers.epoch;
    let other = list(&world, epoch, &[1, 2]);
    assert_eq!(taken(&mut book, &world.offers, NOW), Ok(()));
    assert_eq!(taken(&mut book, &world.offers, NOW), Ok(()), "the same once more");
    let changed = OfferRefusal::Changed {
        first: world.offers.digest(),
        second: other.digest(),
    };
    assert_eq!(taken(&mut book, &other, NOW), Err(changed.clone()));
    assert_eq!(
        book.current(&model(), NOW).map(OfferList::digest),
        Some(world.offers.digest())
    );
    let (first, second) = book.conflict().unwrap();
    assert_eq!((first, second), (&world.offers, &other));
    assert!(first.is_signed() && second.is_signed());
    // Also when it comes an epoch late, and when another client was shown it.
    let next = list(&world, epoch + 1, &[5, 5]);
    assert_eq!(taken(&mut book, &next, NOW + 30), Ok(()));
    assert_eq!(taken(&mut book, &other, NOW + 30), Err(changed.clone()));
    assert_eq!(
        taken(&mut book, &world.offers, NOW + 30),
        Err(OfferRefusal::Older)
    );
    assert_eq!(book.compare(&model(), epoch, other.digest()), Err(changed));
    assert_eq!(book.compare(&model(), epoch, world.offers.digest()), Ok(()));
    assert_eq!(
        book.compare(&model(), epoch + 9, other.digest()),
        Ok(()),
        "not seen"
    );
    assert_eq!(book.digests(&model()).len(), 2);
}

#[test]
fn what_is_refused() {
    let world = world();
    let epoch = world.offers.epoch;
    let refused = |list: &OfferList| {
        let mut book = OfferBook::new(*world.proxy.public());
        taken(&mut book, list, NOW).unwrap_err()
    };
    assert_eq!(refused(&list(&world, epoch, &[])), OfferRefusal::Empty);
    let offers = world.offers.offers.clone();
    let other_key = SigningKey::from_seed(&[8; 32]).unwrap();
    let other = OfferList::sign(&model(), 30, epoch, offers.clone(), &other_key).unwrap();
    assert_eq!(refused(&other), OfferRefusal::OtherProxy);
    let name = ModelName::new("n").unwrap();
    let other = OfferList::sign(&name, 30, epoch, offers.clone(), &world.proxy).unwrap();
    assert_eq!(refused(&other), OfferRefusal::OtherModel);
    let mut unsigned = world.offers.bytes().to_vec();
    *unsigned.last_mut().unwrap() ^= 1;
    assert_eq!(
        refused(&OfferList::decode(unsigned.into()).unwrap()),
        OfferRefusal::Signature
    );
    let mut book = OfferBook::new(*world.proxy.public());
    taken(&mut book, &world.offers, NOW).unwrap();
    let shorter = OfferList::sign(&model(), 15, OfferList::epoch_at(15, NOW), offers, &world.proxy).unwrap();
    assert_eq!(taken(&mut book, &shorter, NOW), Err(OfferRefusal::EpochLength));
}

#[test]
fn what_is_no_list() {
    let world = world();
    let offer = world.offers.offers[0];
    let sign = |seconds, offers| OfferList::sign(&model(), seconds, 1, offers, &world.proxy);
    assert!(sign(30, vec![offer, offer]).is_err(), "one twice");
    assert!(sign(0, vec![offer]).is_err());
    assert!(sign(301, vec![offer]).is_err());
    let many = (0..=OfferList::MAX_OFFERS).map(|n| Offer {
        key_id: digest_of(&n.to_string()),
        ..offer
    });
    let many: Vec<_> = many.collect();
    assert!(sign(30, many.clone()).is_err());
    let most = sign(30, many[1..].to_vec()).unwrap();
    assert!(most.bytes().len() <= OfferList::MAX_BYTES);
    let bytes = world.offers.bytes();
    for length in 0..bytes.len() {
        let cut = OfferList::decode(bytes.slice(..length));
        assert!(cut.is_err() || !cut.unwrap().is_signed());
    }
    for at in 0..bytes.len() {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1;
        let changed = OfferList::decode(changed.into());
        assert!(changed.is_err() || !changed.unwrap().is_signed(), "byte {at}");
    }
}

#[test]
fn a_proxy_takes_only_what_was_drawn_from_its_list() {
    let mut world = world();
    let sealed = world.seal(BODY);
    let head = sealed.head.head();
    assert_eq!(world.offers.admits(head), Ok(()));
    let next = list(&world, world.offers.epoch + 1, &[1, 1]);
    assert_eq!(next.admits(head), Err(NotOffered::OtherList));
    let mut never_offered = head.clone();
    never_offered.candidates[1] = digest_of("somebody");
    assert_eq!(world.offers.admits(&never_offered), Err(NotOffered::Candidate(1)));
    let mut cheap = head.clone();
    cheap.max_coefficient = Coefficient::new(999).unwrap();
    assert_eq!(world.offers.admits(&cheap), Err(NotOffered::Price(0)));
}

#[test]
fn only_the_worker_itself_refuses() {
    let mut world = world();
    let sealed = world.seal(BODY);
    let other = world.seal(BODY);
    let worker = &world.workers[0];
    let sign = |key_id, by: &SigningKey| {
        let refusal = SignedRefusal::sign(sealed.head.bytes(), key_id, Reason::Busy, NOW, by);
        SignedRefusal::decode(refusal.bytes().clone()).unwrap()
    };
    let right = sign(worker.public.id(), &worker.signing);
    assert_eq!(right.verify(sealed.head.hash(), &worker.public), Ok(()));
    assert_eq!(
        right.verify(other.head.hash(), &worker.public),
        Err(RefusalError::OtherRequest)
    );
    let second = &world.workers[1].public;
    assert_eq!(
        right.verify(sealed.head.hash(), second),
        Err(RefusalError::OtherWorker)
    );
    let by_proxy = sign(worker.public.id(), &world.proxy);
    assert_eq!(
        by_proxy.verify(sealed.head.hash(), &worker.public),
        Err(RefusalError::Signature)
    );
    for at in 0..right.bytes().len() {
        let mut changed = right.bytes().to_vec();
        changed[at] ^= 1;
        let changed = SignedRefusal::decode(changed.into());
        assert!(
            changed.is_err()
                || changed
                    .unwrap()
                    .verify(sealed.head.hash(), &worker.public)
                    .is_err()
        );
    }
}

#[test]
fn reasons_have_their_numbers() {
    for (at, reason) in Reason::ALL.into_iter().enumerate() {
        assert_eq!(usize::from(reason.code()), at + 1);
        assert_eq!(Reason::from_code(reason.code()), Some(reason));
    }
    assert_eq!((Reason::from_code(0), Reason::from_code(12)), (None, None));
}

#[test]
fn the_proxy_says_why_it_passed_over_somebody() {
    let mut world = world();
    let sealed = world.seal(BODY);
    let head = &sealed.head;
    let candidates = [&world.workers[0].public, &world.workers[1].public];
    let refused = |at: usize, by: &SigningKey| {
        let key_id = world.workers[at].public.id();
        Skipped::Refused(SignedRefusal::sign(head.bytes(), key_id, Reason::Busy, NOW, by))
    };
    let first = refused(0, &world.workers[0].signing);
    let second = refused(1, &world.workers[1].signing);
    let check = |served: Option<usize>, skipped: &[Skipped]| {
        let served = served.map(|at| world.workers[at].public.id());
        check_skips(head, &candidates, served, skipped)
    };
    let busy = Skip::Refused(Reason::Busy);
    assert_eq!(check(Some(0), &[]), Ok(vec![]));
    assert_eq!(check(Some(1), std::slice::from_ref(&first)), Ok(vec![busy]));
    assert_eq!(check(Some(1), &[Skipped::LinkLost]), Ok(vec![Skip::ClaimedLost]));
    assert_eq!(
        check(None, &[Skipped::LinkLost, second.clone()]),
        Ok(vec![Skip::ClaimedLost, busy])
    );
    assert_eq!(check(Some(1), &[]), Err(SkipError::Count { said: 0, skipped: 1 }));
    assert_eq!(
        check(None, &[first]),
        Err(SkipError::Count { said: 1, skipped: 2 })
    );
    assert_eq!(check(Some(2), &[]), Err(SkipError::NotACandidate));
    let error = RefusalError::OtherWorker;
    assert_eq!(
        check(Some(1), &[second]),
        Err(SkipError::Refusal { at: 0, error })
    );
    let forged = refused(0, &world.proxy);
    let error = RefusalError::Signature;
    assert_eq!(
        check(Some(1), &[forged]),
        Err(SkipError::Refusal { at: 0, error })
    );
}
