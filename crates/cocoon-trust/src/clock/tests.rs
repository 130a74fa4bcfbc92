use super::*;

const T: u64 = 1_795_400_000;

struct Scene {
    watch: ClockWatch,
    start: Instant,
    at: u64,
}

impl Scene {
    fn new() -> Self {
        Self {
            watch: ClockWatch::default(),
            start: Instant::now(),
            at: 0,
        }
    }

    /// Seconds pass.
    fn wait(&mut self, seconds: u64) {
        self.at += seconds;
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_secs(self.at)
    }

    /// A block of this number and time is the newest; the node's clock is off by so much.
    fn look(&mut self, seqno: u32, time: u64, off: i64) -> Option<ClockFault> {
        let clock = (T + self.at).checked_add_signed(off).unwrap();
        let id = [0; 32];
        self.watch.look(Head { seqno, id, time }, clock, self.now())
    }
}

fn ahead(fault: Option<ClockFault>) -> bool {
    fault.is_some_and(|fault| fault.is_ahead)
}

fn behind(fault: Option<ClockFault>) -> bool {
    fault.is_some_and(|fault| !fault.is_ahead)
}

#[test]
fn a_chain_that_goes_on_shows_both_kinds() {
    for (off, is_behind, is_ahead) in [
        (0, false, false),
        (29, false, false),
        (-29, false, false),
        (-31, true, false),
        (-86_400, true, false),
        (60, false, true),
        (86_400, false, true),
    ] {
        let mut scene = Scene::new();
        let mut last = None;
        for block in 0..5 {
            last = scene.look(block, T + scene.at, off);
            scene.wait(10);
        }
        assert_eq!((behind(last), ahead(last)), (is_behind, is_ahead), "{off}");
    }
}

#[test]
fn an_old_head_stops_nobody() {
    // Made on demand: the newest block is a day old, and nobody sends anything.
    let mut scene = Scene::new();
    for _ in 0..100 {
        assert_eq!(scene.look(7, T - 86_400, 0), None);
        scene.wait(10);
    }
    // The next one comes when somebody does.
    assert_eq!(scene.look(8, T + scene.at, 0), None);
    scene.wait(100_000);
    assert_eq!(scene.look(8, T + 1000, 0), None, "it stalls");
}

#[test]
fn behind_the_first_head_is_behind() {
    let mut scene = Scene::new();
    assert!(behind(scene.look(7, T + 31, 0)));
    let text = scene.look(7, T + 31, 0).unwrap().to_string();
    assert_eq!(
        text,
        "this node's clock is 31 s behind the chain's (at most 30 s are allowed)"
    );
}

#[test]
fn a_clock_that_is_set_while_the_node_runs_is_noticed_without_a_block_and_forgiven_when_it_is_set_back() {
    let mut scene = Scene::new();
    scene.look(1, T, 0);
    scene.wait(10);
    assert_eq!(scene.look(2, T + 10, 0), None);
    scene.wait(10);
    assert!(ahead(scene.look(2, T + 10, 3600)));
    scene.wait(10);
    assert!(behind(scene.look(2, T + 10, -3600)));
    // The chain stalls from here on.
    scene.wait(1000);
    assert!(ahead(scene.look(2, T + 10, 3600)), "who was wrong stays so");
    scene.wait(10);
    assert_eq!(scene.look(2, T + 10, 0), None);
    scene.wait(10);
    assert_eq!(scene.look(2, T + 10, 3600), None, "too long ago to say more");
    let clock = T + scene.at + 3600;
    let now = scene.now();
    assert_eq!(scene.watch.judge(clock, now), None);
}

#[test]
fn a_server_that_lags_changes_nothing() {
    let mut scene = Scene::new();
    scene.look(5, T, 0);
    scene.wait(10);
    scene.look(6, T + 10, 0);
    scene.wait(10);
    assert_eq!(scene.look(3, T - 5000, 0), None);
    assert_eq!(scene.look(9, T - 5000, 0), None, "a block's time never falls");
    assert!(behind(scene.look(3, T - 5000, -40)));
}
