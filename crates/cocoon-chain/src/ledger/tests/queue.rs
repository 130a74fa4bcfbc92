use tycho_types::cell::{Cell, CellBuilder};

use crate::ledger::{queue::Queue, store::Store};

fn message(number: u64) -> Cell {
    CellBuilder::build_from(number).unwrap()
}

/// More than memory holds goes in and comes out in order, with blocks and restarts in between.
#[test]
fn what_memory_does_not_hold_waits_on_disk_in_order() {
    let store = Store::open(None).unwrap();
    let mut queue = Queue::load(&store).unwrap();
    let (mut pushed, mut popped) = (0, 0);
    let mut push = |queue: &mut Queue, count: u64| {
        for _ in 0..count {
            pushed += 1;
            queue.push(&store, pushed, message(pushed)).unwrap();
        }
    };
    let mut pop = |queue: &mut Queue, count: u64| {
        for _ in 0..count {
            popped += 1;
            assert_eq!(queue.pop(&store).unwrap(), Some(message(popped)));
        }
    };
    push(&mut queue, 5_000);
    assert!(queue.is_overflowing());
    pop(&mut queue, 1_250);
    queue.flush(&store).unwrap();
    let mut queue = Queue::load(&store).unwrap();
    pop(&mut queue, 1_500);
    push(&mut queue, 2_500);
    queue.flush(&store).unwrap();
    pop(&mut queue, 2_250);
    queue.flush(&store).unwrap();
    let mut queue = Queue::load(&store).unwrap();
    pop(&mut queue, 2_500);
    assert_eq!(queue.pop(&store).unwrap(), None);
    assert!(!queue.is_overflowing());
    queue.flush(&store).unwrap();
    assert_eq!(Queue::load(&store).unwrap().pop(&store).unwrap(), None);
}
