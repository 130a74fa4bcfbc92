use cocoon_types::Coefficient;

use super::*;

fn id(number: usize) -> RequestId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&number.to_le_bytes());
    RequestId(id)
}

fn feared(number: usize) -> Feared {
    Feared {
        request: id(number),
        worst: 10,
        max_coefficient: Coefficient::ONE,
        held: None,
        key_left: None,
    }
}

/// Some that have begun.
fn open(numbers: std::ops::RangeInclusive<usize>) -> Requests {
    let mut requests = Requests::default();
    numbers.for_each(|number| requests.opened(id(number)));
    requests
}

#[tokio::test]
async fn what_a_left_request_cost_is_found_in_either_order() {
    let mut requests = open(1..=3);
    assert!(requests.told(id(1), 7).is_none(), "its caller is still there");
    let (_, tokens) = requests.left(feared(1)).expect("told before");
    assert_eq!(tokens, 7);
    assert!(requests.left(feared(2)).is_none());
    assert!(requests.told(id(2), 8).is_some(), "told after");
    assert!(requests.told(id(2), 8).is_none(), "once");
    requests.ended(id(3));
    assert!(requests.told(id(3), 9).is_none(), "its own end told it");
    assert!(requests.open.is_empty() && requests.left.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_released_one_is_not_waited_for_for_ever() {
    let mut requests = open(1..=2);
    requests.left(feared(1));
    tokio::time::advance(PATIENCE / 2).await;
    requests.left(feared(2));
    tokio::time::advance(PATIENCE / 2).await;
    requests.forget_old();
    assert!(requests.told(id(1), 7).is_none() && requests.told(id(2), 7).is_some());
}

#[tokio::test]
async fn there_are_only_so_many() {
    let mut requests = open(0..=MOST);
    for number in 0..=MOST {
        requests.left(feared(number));
    }
    assert!(requests.told(id(0), 1).is_none() && requests.told(id(1), 1).is_some());
}
