use std::num::NonZeroU32;

use bytes::Bytes;
use cocoon_matching::{Offer, Table, WorkerId};
use cocoon_tl::{TlObject, TlString, client};
use cocoon_types::{Coefficient, Endpoint, ModelName, Tier};

use super::{Listing, types, types_v2};

fn table() -> Table {
    let mut table = Table::new();
    for (id, model, coefficient, enabled) in [
        (1, "a@c:h", 3000, true),
        (2, "a", 1000, true),
        (3, "a", 500, false),
        (4, "b", 1, false),
    ] {
        let offer = Offer {
            model: ModelName::new(model).unwrap(),
            endpoints: Endpoint::ALL.into_iter().collect(),
            tier: Tier::Open,
            coefficient: Coefficient::new(coefficient).unwrap(),
            capacity: NonZeroU32::new(5).unwrap(),
            enabled,
            plaintext: false,
        };
        table.insert(WorkerId(id), offer).unwrap();
    }
    table.start(WorkerId(2)).unwrap();
    table
}

#[test]
fn enabled_workers_are_listed_by_base_name_and_price() {
    let listed = client::WorkerTypesV2::from_boxed(types_v2(&table())).unwrap();
    let names: Vec<&TlString> = listed.types.iter().map(|one| &one.name).collect();
    assert_eq!(names, [&TlString::from("a"), &TlString::from("b")]);
    let rows: Vec<(i32, i32, i32)> = listed.types[0]
        .workers
        .iter()
        .map(|one| (one.coefficient, one.active_requests, one.max_active_requests))
        .collect();
    assert_eq!(rows, [(1000, 1, 5), (3000, 0, 5)]);
    assert!(listed.types[1].workers.is_empty());
}

#[test]
fn the_older_form_counts_what_is_there() {
    let listed = client::WorkerTypes::from_boxed(types(&table())).unwrap();
    let one = &listed.types[0];
    assert_eq!(
        (
            one.active_workers,
            one.coefficient_min,
            one.coefficient_bucket50,
            one.coefficient_max
        ),
        (2, 1000, 3000, 3000)
    );
    let none = &listed.types[1];
    assert_eq!((none.active_workers, none.coefficient_max), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_listing_is_made_anew_only_when_it_is_old() {
    let listing = Listing::default();
    let first = listing.types_v2(|| Bytes::from_static(b"1"));
    assert_eq!(listing.types_v2(|| panic!("not yet")), first);
    tokio::time::advance(super::MAX_AGE).await;
    assert_eq!(listing.types_v2(|| Bytes::from_static(b"2")), "2");
}
