//! Numbers of the process itself, under the names that every Prometheus client uses.

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{
        MetricType,
        gauge::{ConstGauge, Gauge},
    },
    registry::Registry,
};

use crate::clock;

/// Bytes in a page of memory where `/proc` counts in pages (Linux on x86-64 and most of aarch64).
const PAGE: i64 = 4096;

#[derive(Debug)]
struct Process;

pub(super) fn register(registry: &mut Registry) {
    let started = Gauge::<i64>::default();
    started.set(i64::try_from(clock::unix_now()).unwrap_or(i64::MAX));
    registry.register(
        "process_start_time_seconds",
        "Start of the process, Unix seconds",
        started,
    );
    registry.register_collector(Box::new(Process));
}

// === impl Process ===

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let numbers = [
            (
                "process_resident_memory_bytes",
                "Memory in use by the process, bytes",
                resident_bytes(),
            ),
            ("process_open_fds", "Open files and sockets", open_files()),
        ];
        for (name, help, value) in numbers {
            // Elsewhere than on Linux there is no /proc, and the line is left out.
            if let Some(value) = value {
                let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                ConstGauge::new(value).encode(metric)?;
            }
        }
        Ok(())
    }
}

fn resident_bytes() -> Option<i64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    text.split(' ').nth(1)?.parse::<i64>().ok()?.checked_mul(PAGE)
}

fn open_files() -> Option<i64> {
    i64::try_from(std::fs::read_dir("/proc/self/fd").ok()?.count()).ok()
}
