use std::num::NonZeroU32;

use cocoon_types::{Coefficient, Endpoint, Fault, ModelName, Tier, TierPolicy};
use proptest::prelude::*;

use super::{Table, TableError, draw};
use crate::{Choice, Counts, Endpoints, Load, NoMatch, Obstacle, Offer, Verdict, Wanted, WorkerId};

const CHAT: Endpoint = Endpoint::ChatCompletions;

fn price(per_mille: u32) -> Coefficient {
    Coefficient::new(per_mille).unwrap()
}

fn offer(model: &str, capacity: u32) -> Offer {
    Offer {
        model: ModelName::new(model).unwrap(),
        endpoints: [CHAT, Endpoint::Completions].into_iter().collect(),
        tier: Tier::Confidential,
        coefficient: Coefficient::ONE,
        capacity: NonZeroU32::new(capacity).unwrap(),
        enabled: true,
        plaintext: false,
    }
}

fn wanted(model: &str) -> Wanted<'_> {
    Wanted {
        model,
        endpoint: CHAT,
        tier: TierPolicy::CONFIDENTIAL,
        max_coefficient: Coefficient::DEFAULT_LIMIT,
        plaintext: false,
        excluded: &[],
    }
}

fn table(offers: impl IntoIterator<Item = Offer>) -> Table {
    let mut table = Table::new();
    for (id, offer) in (1..).zip(offers) {
        table.insert(WorkerId(id), offer).unwrap();
    }
    table
}

fn start(table: &mut Table, id: u64, times: u32) {
    for _ in 0..times {
        table.start(WorkerId(id)).unwrap();
    }
}

#[test]
fn the_least_relative_load_wins_not_the_least_number() {
    let mut table = table([offer("m", 2), offer("m", 100)]);
    start(&mut table, 1, 1);
    start(&mut table, 2, 40);
    for random in [0, u64::MAX / 2, u64::MAX] {
        let choice = table.choose(&wanted("m"), random).unwrap();
        assert_eq!((choice.worker, choice.tied), (WorkerId(2), 1));
        assert_eq!((choice.load.running(), choice.load.capacity()), (40, 100));
    }
    start(&mut table, 2, 10);
    assert_eq!(
        table.choose(&wanted("m"), 0).unwrap().tied,
        2,
        "1/2 and 50/100 are equal"
    );
}

#[test]
fn idle_workers_share_alike_and_the_oldest_does_not_take_all() {
    // spec/network.md 10.6, 67: ten requests to two idle workers all went to the first.
    let mut table = table([offer("m", 30), offer("m", 30)]);
    let mut rng = Random(7);
    for _ in 0..10 {
        let choice = table.choose(&wanted("m"), rng.next()).unwrap();
        table.start(choice.worker).unwrap();
    }
    let running: Vec<u32> = table.workers().map(|worker| worker.load.running()).collect();
    assert_eq!(running, [5, 5]);
}

#[test]
fn ties_are_drawn_uniformly_also_across_groups_and_past_excluded_ones() {
    let mut offers: Vec<Offer> = (0..8).map(|_| offer("m", 4)).collect();
    for (index, offer) in (0..).zip(offers.iter_mut()) {
        offer.coefficient = price(1000 + 100 * index);
        if index >= 5 {
            offer.tier = Tier::Simulated;
        }
    }
    let table = table(offers);
    let excluded = [WorkerId(2), WorkerId(7)];
    let wanted = Wanted {
        tier: TierPolicy::CONFIDENTIAL.and_simulated(),
        excluded: &excluded,
        ..wanted("m")
    };
    let mut drawn = [0_u32; 9];
    let mut rng = Random(1);
    const ROUNDS: u32 = 60_000;
    for _ in 0..ROUNDS {
        let choice = table.choose(&wanted, rng.next()).unwrap();
        drawn[usize::try_from(choice.worker.0).unwrap()] += 1;
    }
    assert_eq!((drawn[0], drawn[2], drawn[7]), (0, 0, 0));
    // 10,000 each expected; the standard deviation is 91, so 500 is more than five of them.
    for id in [1, 3, 4, 5, 6, 8] {
        assert!(drawn[id].abs_diff(ROUNDS / 6) < 500, "worker {id}: {drawn:?}");
    }
}

#[test]
fn draws_cover_the_range_and_never_leave_it() {
    assert_eq!(draw(u64::MAX, 0), 0);
    for bound in [1_usize, 2, 3, 10_000] {
        assert_eq!(draw(0, bound), 0);
        assert_eq!(draw(u64::MAX, bound), bound - 1);
    }
}

#[test]
fn each_obstacle_has_its_own_refusal_with_counts() {
    let refused = |table: &Table, wanted: &Wanted<'_>| {
        let none = table.choose(wanted, 0).unwrap_err();
        (
            none.fault(),
            none.obstacle,
            none.counts,
            none.to_refusal(wanted).message,
        )
    };
    let mut table = table([offer("m@c:h", 1), offer("m@c:h", 1), offer("other", 1)]);

    let (fault, obstacle, counts, message) = refused(&table, &wanted("nobody"));
    assert_eq!((fault, obstacle), (Fault::UnknownModel, Obstacle::UnknownModel));
    assert_eq!((counts.workers, message.contains("nobody")), (0, true));

    let embeddings = Wanted {
        endpoint: Endpoint::Embeddings,
        ..wanted("m")
    };
    let (fault, obstacle, counts, _) = refused(&table, &embeddings);
    assert_eq!(
        (fault, obstacle),
        (Fault::UnknownModel, Obstacle::EndpointUnsupported)
    );
    assert_eq!((counts.workers, counts.endpoint_unsupported), (2, 2));

    let cheap = Wanted {
        max_coefficient: price(999),
        ..wanted("m")
    };
    table.set_coefficient(WorkerId(2), price(1500)).unwrap();
    let (fault, obstacle, counts, message) = refused(&table, &cheap);
    assert_eq!(fault, Fault::PriceTooLow);
    assert_eq!(
        obstacle,
        Obstacle::PriceTooLow {
            cheapest: price(1000)
        }
    );
    assert_eq!(counts.too_expensive, 2);
    assert!(
        message.contains("(1000)"),
        "the price that would do, for machines too: {message}"
    );

    start(&mut table, 1, 1);
    start(&mut table, 2, 1);
    let (fault, obstacle, counts, _) = refused(&table, &wanted("m"));
    assert_eq!((fault, obstacle, counts.full), (Fault::Busy, Obstacle::Busy, 2));

    let tried = [WorkerId(1), WorkerId(2)];
    let again = Wanted {
        excluded: &tried,
        ..wanted("m")
    };
    let (fault, obstacle, counts, _) = refused(&table, &again);
    assert_eq!(
        (fault, obstacle, counts.excluded),
        (Fault::NoWorker, Obstacle::AllTried, 2)
    );

    for id in [1, 2] {
        table.set_enabled(WorkerId(id), false).unwrap();
    }
    let (fault, obstacle, counts, _) = refused(&table, &wanted("m"));
    assert_eq!((fault, obstacle), (Fault::NoWorker, Obstacle::AllDisabled));
    assert_eq!((counts.disabled, counts.workers), (2, 2));
}

#[test]
fn a_lower_tier_never_serves_a_request_that_did_not_ask_for_it() {
    let mut offers = vec![offer("m", 1), offer("m", 1), offer("m", 1)];
    for (offer, tier) in offers
        .iter_mut()
        .zip([Tier::Attested, Tier::Open, Tier::Simulated])
    {
        offer.tier = tier;
    }
    let table = table(offers);
    let none = table.choose(&wanted("m"), 0).unwrap_err();
    assert_eq!(
        (none.obstacle, none.counts.tier_refused),
        (Obstacle::TierUnavailable, 3)
    );
    let floor = |tier| Wanted {
        tier: TierPolicy::at_least(tier),
        ..wanted("m")
    };
    assert_eq!(
        table.choose(&floor(Tier::Attested), 0).unwrap().tier,
        Tier::Attested
    );
    assert_eq!(table.choose(&floor(Tier::Open), 0).unwrap().tied, 2);
    assert_eq!(
        table.choose(&floor(Tier::Simulated), 0).unwrap().tier,
        Tier::Simulated
    );
}

#[test]
fn a_request_of_protocol_3_never_goes_to_a_worker_of_2_or_less() {
    let mut old = offer("m", 1);
    old.plaintext = true;
    let table = table([old]);
    let every_tier = Wanted {
        tier: TierPolicy::at_least(Tier::Open).and_simulated(),
        ..wanted("m")
    };
    let none = table.choose(&every_tier, 0).unwrap_err();
    assert_eq!(none.obstacle, Obstacle::PlaintextOnly);
    assert!(!none.is_worth_waiting());
    assert!(!table.could_serve(WorkerId(1), &every_tier));
    let refusal = none.to_refusal(&every_tier);
    assert!(
        refusal.message.contains("protocol 2 or less"),
        "{}",
        refusal.message
    );
    let in_clear = Wanted {
        plaintext: true,
        ..every_tier
    };
    assert_eq!(table.choose(&in_clear, 0).unwrap().worker, WorkerId(1));
}

#[test]
fn every_loser_is_told_why() {
    let mut offers: Vec<Offer> = (0..8).map(|_| offer("m", 1)).collect();
    offers[0].endpoints = Endpoints::default();
    offers[1].enabled = false;
    offers[2].tier = Tier::Open;
    offers[3].coefficient = price(5000);
    offers[6].capacity = NonZeroU32::new(2).unwrap();
    let mut table = table(offers);
    start(&mut table, 5, 1);
    start(&mut table, 7, 1);
    let excluded = [WorkerId(6)];
    let wanted = Wanted {
        excluded: &excluded,
        ..wanted("m")
    };
    let choice = table.choose(&wanted, 0).unwrap();
    let verdicts: Vec<Verdict> = table
        .explain(&wanted, Some(&choice))
        .into_iter()
        .map(|(_, verdict)| verdict)
        .collect();
    let load = |running, capacity| Load::new(running, NonZeroU32::new(capacity).unwrap());
    assert_eq!(
        verdicts,
        [
            Verdict::EndpointUnsupported,
            Verdict::Disabled,
            Verdict::TierRefused(Tier::Open),
            Verdict::TooExpensive(price(5000)),
            Verdict::Full(load(1, 1)),
            Verdict::Excluded,
            Verdict::MoreLoaded(load(1, 2)),
            Verdict::Chosen,
        ]
    );
    assert!(verdicts.iter().all(|verdict| !verdict.to_string().is_empty()));
}

#[test]
fn a_model_leaves_with_its_last_worker() {
    // spec/network.md 10.3, 31: the original keeps and lists each name for ever.
    let mut table = table([offer("m", 1), offer("m", 1)]);
    assert_eq!(table.models().map(|model| model.workers).collect::<Vec<_>>(), [2]);
    start(&mut table, 1, 1);
    assert!(table.remove(WorkerId(1)).is_some() && table.remove(WorkerId(1)).is_none());
    table.finish(WorkerId(1));
    assert!(table.has_model("m"));
    assert!(table.remove(WorkerId(2)).is_some());
    assert!(!table.has_model("m"));
    assert_eq!((table.models().count(), table.workers().count()), (0, 0));
}

#[test]
fn capacity_is_never_exceeded_and_never_goes_below_nothing() {
    let mut table = table([offer("m", 1)]);
    let id = WorkerId(1);
    assert_eq!(table.insert(id, offer("m", 1)), Err(TableError::Duplicate));
    table.finish(id);
    assert_eq!(table.start(id), Ok(()));
    assert_eq!(table.start(id), Err(TableError::Full));
    assert_eq!(table.start(WorkerId(9)), Err(TableError::Unknown));
}

#[test]
fn ten_thousand_workers_of_other_models_and_of_this_one_cost_little() {
    let mut table = Table::new();
    for id in 0..10_000_u64 {
        table.insert(WorkerId(id), offer("many", 8)).unwrap();
        table
            .insert(WorkerId(100_000 + id), offer(&format!("other-{id}"), 8))
            .unwrap();
    }
    let mut rng = Random(3);
    for _ in 0..20_000 {
        let choice = table.choose(&wanted("many"), rng.next()).unwrap();
        table.start(choice.worker).unwrap();
    }
    // Least load first, so every worker has exactly two.
    assert!(
        table
            .workers()
            .filter(|worker| worker.offer.model.base() == "many")
            .all(|worker| worker.load.running() == 2)
    );
}

/// Splitmix64, so that tests draw the same numbers each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

// === against a table that looks at everybody ===

#[derive(Clone, Debug)]
enum Step {
    Insert(u64, Offer),
    Remove(u64),
    Enable(u64, bool),
    Price(u64, u32),
    Start(u64),
    Finish(u64),
    Choose(Ask),
}

#[derive(Clone, Debug)]
struct Ask {
    model: String,
    endpoint: Endpoint,
    tier: TierPolicy,
    limit: u32,
    excluded: Vec<u64>,
    random: u64,
}

fn ids() -> impl Strategy<Value = u64> {
    0..12_u64
}

fn names() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "a@1:2", "b"])
}

fn tiers() -> impl Strategy<Value = Tier> {
    prop::sample::select(vec![
        Tier::Confidential,
        Tier::Attested,
        Tier::Open,
        Tier::Simulated,
    ])
}

fn endpoints() -> impl Strategy<Value = Endpoint> {
    prop::sample::select(Endpoint::ALL.to_vec())
}

fn offers() -> impl Strategy<Value = Offer> {
    let sets = prop::collection::vec(endpoints(), 0..3);
    let flags = (any::<bool>(), any::<bool>());
    (names(), sets, tiers(), 0..4_u32, 1..4_u32, flags).prop_map(
        |(model, endpoints, tier, coefficient, capacity, (enabled, plaintext))| Offer {
            endpoints: endpoints.into_iter().collect(),
            tier,
            coefficient: price(coefficient * 1000),
            enabled,
            plaintext,
            ..offer(model, capacity)
        },
    )
}

fn asks() -> impl Strategy<Value = Ask> {
    let models = prop::sample::select(vec!["a", "b", "c"]);
    let policies = (tiers(), any::<bool>()).prop_map(|(floor, simulated)| {
        let policy = TierPolicy::at_least(floor);
        if simulated { policy.and_simulated() } else { policy }
    });
    let excluded = prop::collection::vec(ids(), 0..4);
    (models, endpoints(), policies, 0..5_u32, excluded, any::<u64>()).prop_map(
        |(model, endpoint, tier, limit, excluded, random)| Ask {
            model: model.to_owned(),
            endpoint,
            tier,
            limit: limit * 900,
            excluded,
            random,
        },
    )
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (ids(), offers()).prop_map(|(id, offer)| Step::Insert(id, offer)),
        1 => ids().prop_map(Step::Remove),
        1 => (ids(), any::<bool>()).prop_map(|(id, enabled)| Step::Enable(id, enabled)),
        1 => (ids(), 0..4_u32).prop_map(|(id, coefficient)| Step::Price(id, coefficient * 1000)),
        4 => ids().prop_map(Step::Start),
        2 => ids().prop_map(Step::Finish),
        4 => asks().prop_map(Step::Choose),
    ]
}

impl Table {
    fn check_index(&self) {
        for (id, worker) in &self.workers {
            let groups = &self.models[worker.offer.model.base()];
            for group in groups.iter().filter(|group| group.is_of(&worker.offer)) {
                assert!(group.holds(*id, &worker.offer, worker.load()), "{id}: {group:?}");
            }
        }
        let indexed: usize = self.models().map(|model| model.workers).sum();
        assert_eq!(indexed, self.workers.len());
        assert!(self.models().all(|model| model.workers > 0));
    }

    fn check_choice(&self, wanted: &Wanted<'_>, random: u64) {
        let outcome = self.choose(wanted, random);
        let verdicts = self.explain(wanted, outcome.as_ref().ok());
        let able: Vec<WorkerId> = verdicts
            .iter()
            .filter(|(_, verdict)| {
                matches!(
                    verdict,
                    Verdict::Chosen | Verdict::NotDrawn | Verdict::MoreLoaded(_)
                )
            })
            .map(|(id, _)| *id)
            .collect();
        let number =
            |matches: fn(&Verdict) -> bool| verdicts.iter().filter(|(_, verdict)| matches(verdict)).count();
        let expected = Counts {
            workers: verdicts.len(),
            endpoint_unsupported: number(|verdict| matches!(verdict, Verdict::EndpointUnsupported)),
            disabled: number(|verdict| matches!(verdict, Verdict::Disabled)),
            plaintext_refused: number(|verdict| matches!(verdict, Verdict::PlaintextRefused)),
            tier_refused: number(|verdict| matches!(verdict, Verdict::TierRefused(_))),
            too_expensive: number(|verdict| matches!(verdict, Verdict::TooExpensive(_))),
            excluded: number(|verdict| matches!(verdict, Verdict::Excluded)),
            full: number(|verdict| matches!(verdict, Verdict::Full(_))),
            eligible: able.len(),
        };
        for worker in self.workers() {
            assert_eq!(self.could_serve(worker.id, wanted), able.contains(&worker.id));
        }
        match outcome {
            Ok(Choice {
                worker,
                coefficient,
                tier,
                load,
                tied,
                counts,
            }) => {
                let least = able.iter().map(|id| self.workers[id].load()).min().unwrap();
                let ties = able.iter().filter(|id| self.workers[id].load() == least).count();
                assert!(able.contains(&worker));
                assert_eq!((load, tied, counts), (least, ties, expected));
                assert_eq!(coefficient, self.workers[&worker].offer.coefficient);
                assert_eq!(tier, self.workers[&worker].offer.tier);
                assert!(wanted.tier.accepts(tier) && coefficient <= wanted.max_coefficient);
            }
            Err(NoMatch { counts, obstacle }) => {
                assert!(able.is_empty());
                assert_eq!(counts, expected);
                assert_eq!(obstacle == Obstacle::UnknownModel, verdicts.is_empty());
                assert_eq!(obstacle == Obstacle::Busy, expected.full > 0);
            }
        }
    }
}

proptest! {
    #[test]
    fn any_history_leads_to_the_choice_that_looking_at_everybody_gives(
        history in prop::collection::vec(steps(), 1..80),
    ) {
        let mut table = Table::new();
        for step in history {
            match step {
                Step::Insert(id, offer) => { let _ = table.insert(WorkerId(id), offer); }
                Step::Remove(id) => { table.remove(WorkerId(id)); }
                Step::Enable(id, enabled) => { let _ = table.set_enabled(WorkerId(id), enabled); }
                Step::Price(id, coefficient) => { let _ = table.set_coefficient(WorkerId(id), price(coefficient)); }
                Step::Start(id) => { let _ = table.start(WorkerId(id)); }
                Step::Finish(id) => table.finish(WorkerId(id)),
                Step::Choose(ask) => {
                    let excluded: Vec<WorkerId> = ask.excluded.iter().map(|id| WorkerId(*id)).collect();
                    table.check_choice(&Wanted {
                        model: &ask.model,
                        endpoint: ask.endpoint,
                        tier: ask.tier,
                        max_coefficient: price(ask.limit),
                        plaintext: ask.random & 1 == 1,
                        excluded: &excluded,
                    }, ask.random);
                }
            }
            table.check_index();
        }
    }
}
