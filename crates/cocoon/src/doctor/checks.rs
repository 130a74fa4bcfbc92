use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use super::Finding;

/// Memory that the default model's worker, a proxy and a gateway need together, in MiB.
const MEMORY_MIB: u64 = 1024;

/// Every look, cheapest first.
pub(super) async fn all() -> Vec<Finding> {
    let mut findings = vec![processor(), memory(), engine_binary(), model()];
    findings.push(local_engine().await);
    findings.push(port());
    findings.push(gpu());
    findings
}

fn processor() -> Finding {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let has = |flag: &str| {
        cpuinfo
            .lines()
            .any(|line| line.starts_with("flags") && line.split_whitespace().any(|f| f == flag))
    };
    let found = format!("{cores} cores");
    if !cfg!(target_arch = "x86_64") || has("avx2") {
        Finding::good(
            "processor",
            format!("{found}{}", if has("avx512f") { ", AVX-512" } else { ", AVX2" }),
        )
    } else {
        Finding::absent(
            "processor",
            format!("{found}, no AVX2"),
            "the built-in engine needs AVX2; serve your own with --engine URL",
        )
    }
}

fn memory() -> Finding {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = meminfo
        .lines()
        .find_map(|line| {
            line.strip_prefix("MemAvailable:")?
                .trim()
                .strip_suffix(" kB")?
                .parse::<u64>()
                .ok()
        })
        .map(|kib| kib / 1024);
    match available {
        Some(mib) if mib < MEMORY_MIB => Finding::missing(
            "memory",
            format!("{mib} MiB free"),
            format!("free at least {MEMORY_MIB} MiB"),
        ),
        Some(mib) => Finding::good("memory", format!("{mib} MiB free")),
        None => Finding::good("memory", "could not be read"),
    }
}

fn engine_binary() -> Finding {
    let binary = std::env::current_exe().map(|path| path.with_file_name("cocoon-engine"));
    match binary {
        Ok(path) if path.is_file() => Finding::good("built-in engine", path.display().to_string()),
        _ => Finding::missing(
            "built-in engine",
            "the program cocoon-engine is not beside this one",
            "run `./cocoon up` once, which builds it; or serve your own with --engine URL",
        ),
    }
}

fn model() -> Finding {
    let catalogue = cocoon_models::Catalogue::built_in();
    let entry = catalogue.default_model();
    let present = cocoon_models::default_dir()
        .ok()
        .and_then(|dir| cocoon_models::Store::open(dir).path_if_present(entry));
    match present {
        Some(path) => Finding::good("default model", path.display().to_string()),
        None => Finding::absent(
            "default model",
            format!("{} is not here yet", entry.name),
            "`cocoon up` fetches it; `cocoon model pull` does it now",
        ),
    }
}

async fn local_engine() -> Finding {
    match cocoon_engine::discover().await.first() {
        Some(found) => Finding::good("local engine", format!("{} at {}", found.kind, found.address)),
        None => Finding::absent(
            "local engine",
            "none on the usual ports (vLLM, SGLang, llama.cpp, Ollama, LM Studio)",
            "not needed; start one to serve a larger model with --engine auto",
        ),
    }
}

fn port() -> Finding {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, 10000)) {
        Ok(_) => Finding::good("API port", "127.0.0.1:10000 is free"),
        Err(_) => Finding::absent(
            "API port",
            "127.0.0.1:10000 is taken",
            "`cocoon up` takes a free one; --port names one",
        ),
    }
}

fn gpu() -> Finding {
    let names = Path::new("/proc/driver/nvidia/gpus");
    let count = std::fs::read_dir(names).map_or(0, Iterator::count);
    if count > 0 {
        return Finding::good(
            "GPU",
            format!("{count} NVIDIA device(s) with a driver; build with --features cuda or vulkan"),
        );
    }
    if Path::new("/dev/dri/renderD128").exists() {
        return Finding::good(
            "GPU",
            "a render device is there; build with --features vulkan to use it",
        );
    }
    Finding::absent(
        "GPU",
        "none with a driver",
        "not needed; models then run on the processor",
    )
}
