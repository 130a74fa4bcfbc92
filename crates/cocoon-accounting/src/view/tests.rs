use cocoon_types::{Address, Multipliers, Nanoton};

use super::{ClientAction, ClientPolicy, ClientView, Lie, ToldLevels, WorkerPolicy, WorkerView};
use crate::{ClientState, Levels, Prices, Status, Terms, WorkerState};

const TON: u64 = 1_000_000_000;

fn terms() -> Terms {
    Terms {
        contract: Address::new([1; 32]),
        params_version: 1,
        prices: Prices::new(Nanoton::new(20), Nanoton::new(19), Multipliers::ONE).unwrap(),
        proxy_delay: 1000,
        client_delay: 200,
    }
}

fn told(signed: u64, journal: u64, memory: u64) -> ToldLevels {
    ToldLevels {
        signed: Some(signed),
        journal,
        memory,
    }
}

fn account(balance: u64, stake: u64, tokens: u64) -> ClientState {
    ClientState {
        balance: Nanoton::new(balance),
        stake: Nanoton::new(stake),
        tokens,
        ..ClientState::default()
    }
}

#[test]
fn a_level_that_falls_is_a_lie() {
    let mut view = WorkerView::new(terms());
    let mut link = view.greeted(view.levels(), told(0, 0, 0)).unwrap();
    view.pushed(&mut link, told(5, 10, 20)).unwrap();
    let lies = [
        (told(4, 10, 20), "signed"),
        (told(5, 9, 20), "journal"),
        (told(5, 10, 19), "memory"),
    ];
    for (told, level) in lies {
        assert!(
            matches!(view.clone().pushed(&mut link.clone(), told), Err(Lie::Fell { level: it, .. }) if it == level)
        );
    }
    assert!(matches!(
        view.pushed(&mut link, told(11, 10, 20)),
        Err(Lie::Order { .. })
    ));
    assert!(matches!(
        view.pushed(&mut link, told(5, 21, 20)),
        Err(Lie::Order { .. })
    ));
    assert_eq!(
        view.levels(),
        Levels {
            memory: 20,
            journal: 10,
            chain: 5
        },
        "a lie changes nothing"
    );
    assert!(view.lie().is_some());
}

#[test]
fn a_proxy_ended_by_force_may_have_forgotten_what_was_in_memory_alone() {
    let known = Levels {
        memory: 20,
        journal: 10,
        chain: 5,
    };
    let mut view = WorkerView::new(terms()).remembering(known);
    view.greeted(view.levels(), told(5, 10, 10)).unwrap();
    let mut view = WorkerView::new(terms()).remembering(known);
    assert!(matches!(
        view.greeted(view.levels(), told(5, 9, 30)),
        Err(Lie::Fell { level: "journal", .. })
    ));
    let empty = ToldLevels {
        signed: None,
        journal: 10,
        memory: 20,
    };
    assert_eq!(view.greeted(view.levels(), empty), Err(Lie::Unsigned));
}

#[test]
fn a_worker_notices_what_is_missing() {
    let mut view = WorkerView::new(terms());
    let mut link = view.greeted(view.levels(), told(0, 0, 100)).unwrap();
    view.served(50);
    view.pushed(&mut link, told(0, 0, 149)).unwrap();
    assert_eq!(
        view.balanced(),
        Err(Lie::Underpaid {
            told: 149,
            least: 150
        })
    );
    view.pushed(&mut link, told(0, 0, 150)).unwrap();
    assert_eq!(view.balanced(), Ok(()));
}

#[test]
fn a_client_owes_no_more_than_its_requests_can_cost() {
    let mut view = ClientView::new(terms());
    let mut link = view.greeted(view.levels(), told(0, 0, 0)).unwrap();
    view.opened(100);
    view.opened(100);
    view.pushed(&mut link, told(0, 0, 200)).unwrap();
    view.receipted(100, 30);
    let lie = Lie::Overcharged { told: 201, most: 130 };
    assert_eq!(view.pushed(&mut link, told(0, 0, 201)), Err(lie));
    assert_eq!(view.lie(), Some(lie));
}

#[test]
fn a_worker_takes_its_pay_by_money_not_by_tokens() {
    let policy = WorkerPolicy::default();
    let mut view = WorkerView::new(terms());
    // 0.2 TON at 19 nanoTON a token.
    let enough = (TON / 5).div_ceil(19);
    let mut link = view
        .greeted(view.levels(), told(enough - 1, enough, enough))
        .unwrap();
    assert_eq!(view.due(&policy, true, 0), None);
    view.pushed(&mut link, told(enough, enough, enough)).unwrap();
    assert_eq!(view.due(&policy, true, 0), Some(enough));
    assert_eq!(view.due(&policy, false, 0), None);
    view.outdated(50);
    assert_eq!(view.due(&policy, false, 149), None);
    assert_eq!(view.due(&policy, false, 150), Some(enough));
    view.contract_read(WorkerState {
        status: Status::Open,
        tokens: enough,
    });
    assert_eq!(view.due(&policy, true, 150), None);
}

#[test]
fn a_client_keeps_its_account() {
    let policy = ClientPolicy::default();
    let mut view = ClientView::new(terms());
    assert_eq!(view.due(&policy, 0), None, "no contract yet");
    view.contract_read(account(0, TON + 7, 0), 0);
    assert_eq!(view.due(&policy, 0), Some(ClientAction::TopUp(Nanoton::new(TON))));
    view.contract_read(account(TON, TON, 0), 0);
    assert_eq!((view.due(&policy, 0), view.available()), (None, Some(TON / 20)));
    let mut link = view.greeted(view.levels(), told(0, 0, 0)).unwrap();
    // More than half the stake is used: the client helps a proxy that does not charge.
    let used = TON / 40 + 1;
    view.opened(used);
    view.pushed(&mut link, told(10, used, used)).unwrap();
    assert_eq!(view.due(&policy, 0), Some(ClientAction::Charge { tokens: 10 }));
    view.withdraw();
    assert_ne!(
        view.due(&policy, 0),
        Some(ClientAction::Withdraw),
        "nothing is above the stake"
    );
    view.contract_read(account(2 * TON, TON, 10), 0);
    view.withdraw();
    assert_eq!(view.due(&policy, 0), Some(ClientAction::Withdraw));
    view.close();
    assert_eq!(view.due(&policy, 0), Some(ClientAction::RequestRefund));
    let closing = ClientState {
        status: Status::Closing,
        ..account(TON, TON, 10)
    };
    view.contract_read(closing, 100);
    assert_eq!(view.due(&policy, 100), None);
    assert_eq!(view.due(&policy, 101), Some(ClientAction::RequestRefund));
    view.contract_read(
        ClientState {
            status: Status::Closed,
            ..closing
        },
        0,
    );
    assert_eq!(view.due(&policy, 1000), None);
}

#[test]
fn an_outdated_account_is_closed_while_the_proxy_can_still_pay() {
    let policy = ClientPolicy::default();
    let mut view = ClientView::new(terms());
    view.contract_read(account(0, TON, 0), 0);
    view.outdated(100);
    assert_eq!(view.due(&policy, 499), None, "no more money goes in");
    assert_eq!(
        view.due(&policy, 500),
        Some(ClientAction::RequestRefund),
        "half of 1000 less 200"
    );
}

#[test]
fn a_liar_gets_no_more_money() {
    let mut view = ClientView::new(terms());
    view.contract_read(account(0, TON, 0), 0);
    let mut link = view.greeted(view.levels(), told(0, 0, 0)).unwrap();
    view.pushed(&mut link, told(0, 0, 1)).unwrap_err();
    assert_eq!(view.due(&ClientPolicy::default(), 0), None);
}

#[test]
fn answers_and_pushes_may_overtake_each_other() {
    let mut client = ClientView::new(terms());
    let mut worker = WorkerView::new(terms());
    let mut client_link = client.greeted(client.levels(), told(0, 100, 100)).unwrap();
    client.opened(100);
    let mut worker_link = worker.greeted(worker.levels(), told(0, 100, 100)).unwrap();
    let asked = client.levels();
    client.pushed(&mut client_link, told(50, 120, 120)).unwrap();
    worker.pushed(&mut worker_link, told(50, 120, 120)).unwrap();
    for answer in [told(40, 110, 110), told(0, 100, 100)] {
        client.answered(asked, answer).unwrap();
        worker.answered(asked, answer).unwrap();
        assert_eq!(
            client.levels(),
            Levels {
                memory: 120,
                journal: 120,
                chain: 50
            }
        );
        assert_eq!(worker.levels(), client.levels());
    }
    client.answered(asked, told(60, 130, 130)).unwrap();
    assert_eq!(client.levels().memory, 130, "news");
    client.pushed(&mut client_link, told(50, 125, 125)).unwrap();
    let best = Levels {
        memory: 130,
        journal: 130,
        chain: 60,
    };
    assert_eq!(
        client.levels(),
        best,
        "pushed before that answer, and heard after it"
    );
    client.pushed(&mut client_link, told(50, 124, 125)).unwrap_err();
    let fell = Lie::Fell {
        level: "journal",
        from: 100,
        to: 99,
    };
    let below = worker.answered(asked, told(0, 99, 99)).unwrap_err();
    assert_eq!(below, fell, "what was known when it was asked");
}

#[test]
fn while_a_link_is_renewed_each_of_the_two_keeps_its_own_order() {
    let mut view = WorkerView::new(terms());
    let mut old = view.greeted(view.levels(), told(0, 100, 100)).unwrap();
    let asked = view.levels();
    view.pushed(&mut old, told(10, 120, 120)).unwrap();
    let mut new = view.greeted(asked, told(5, 110, 115)).unwrap();
    let best = view.levels();
    assert_eq!(best.memory, 120, "asked for before the push, and heard after it");
    view.pushed(&mut new, told(20, 130, 130)).unwrap();
    view.pushed(&mut old, told(10, 125, 125)).unwrap();
    assert_eq!(view.levels().memory, 130, "the old link's word is older");
    for (link, told) in [(&mut old, told(10, 124, 125)), (&mut new, told(19, 130, 130))] {
        assert!(matches!(view.clone().pushed(link, told), Err(Lie::Fell { .. })));
    }
    let fell = view.greeted(view.levels(), told(20, 129, 130));
    assert!(matches!(fell, Err(Lie::Fell { level: "journal", .. })));
}

#[test]
fn who_pays_in_much_may_owe_much() {
    let policy = ClientPolicy {
        top_up: Some(Nanoton::new(8 * TON)),
        auto_top_up: true,
    };
    let mut view = ClientView::new(terms());
    view.contract_read(account(8 * TON, TON, 0), 0);
    assert_eq!(
        view.due(&policy, 0),
        Some(ClientAction::IncreaseStake(Nanoton::new(4 * TON)))
    );
    assert_eq!(view.due(&ClientPolicy::default(), 0), None);
    view.contract_read(account(8 * TON, 4 * TON, 0), 0);
    assert_eq!(view.due(&policy, 0), None, "done");
    view.contract_read(account(4 * TON, TON, 0), 0);
    assert_eq!(
        view.due(&policy, 0),
        Some(ClientAction::IncreaseStake(Nanoton::new(4 * TON)))
    );
    let mut link = view.greeted(view.levels(), told(0, 0, 0)).unwrap();
    view.pushed(&mut link, told(0, 0, 1)).unwrap_err();
    assert_eq!(view.due(&policy, 0), None, "a liar gets no more of it");
}
