use std::fs;
use std::path::Path;

/// Devices that are looked at; the largest machines have some hundreds on the bus.
const MAX_DEVICES: usize = 4096;

/// Makers of accelerators that engines use. Every virtual machine has somebody else's display adapter.
const MAKERS: [&str; 3] = ["0x10de", "0x1002", "0x8086"];

/// How many accelerators there are in this machine, in use or not: GPUs of the makers whose GPUs engines use, and processing
/// accelerators of anybody. Reads sysfs; a machine without it has none.
pub fn accelerators() -> usize {
    accelerators_in(Path::new("/sys/bus/pci/devices"))
}

pub(super) fn accelerators_in(bus: &Path) -> usize {
    let Ok(devices) = fs::read_dir(bus) else {
        return 0;
    };
    let devices = devices.take(MAX_DEVICES).flatten();
    devices.filter(|device| is_accelerator(&device.path())).count()
}

fn is_accelerator(device: &Path) -> bool {
    let word = |name| fs::read_to_string(device.join(name)).unwrap_or_default();
    let (class, vendor) = (word("class"), word("vendor"));
    // Classes of the PCI code and id assignment: 03 display controller, 12 processing accelerator.
    class.starts_with("0x12") || (class.starts_with("0x03") && MAKERS.contains(&vendor.trim()))
}
