use prometheus_client::metrics::counter::Counter;

use super::Metrics;

#[test]
fn two_nodes_in_one_process_keep_apart() {
    let (one, two) = (Metrics::new("client"), Metrics::new("proxy"));
    let count: Counter = one.register("requests", "Requests", Counter::default());
    count.inc_by(3);
    let text = one.encode();
    assert!(text.contains("cocoon_requests_total 3\n"), "{text}");
    assert!(text.contains("cocoon_build_info{role=\"client\""), "{text}");
    assert!(text.ends_with("# EOF\n"));
    assert!(!two.encode().contains("cocoon_requests"));
}

#[cfg(target_os = "linux")]
#[test]
fn the_process_shows_its_memory() {
    let text = Metrics::new("client").encode();
    let line = text
        .lines()
        .find(|line| line.starts_with("process_resident_memory_bytes "))
        .unwrap();
    let bytes: u64 = line.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(bytes > 1024 * 1024, "{line}");
}
