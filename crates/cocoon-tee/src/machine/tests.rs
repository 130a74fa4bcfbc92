//! A directory acts as the kernel: pipes where the kernel computes, plain files where it only shows.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;
use std::thread::JoinHandle;

use tempfile::TempDir;

use super::*;

const ENTRY: &str = "cocoon-test";
pub(crate) const REPORT_DATA: [u8; 64] = [7; 64];

pub(crate) struct Kernel {
    directory: TempDir,
    thread: Option<JoinHandle<Vec<u8>>>,
}

impl Kernel {
    /// Answers one request: takes the report data, counts, gives this report.
    pub(crate) fn answering(provider: &str, report: Vec<u8>, counts: &'static str) -> Self {
        let kernel = Self::silent(provider);
        let place = kernel.entry();
        let thread = std::thread::spawn(move || {
            let mut asked = Vec::new();
            File::open(place.join("inblob"))
                .unwrap()
                .read_to_end(&mut asked)
                .unwrap();
            fs::write(place.join("generation"), counts).unwrap();
            // A reader that has had enough closes the pipe early.
            let _ = File::options()
                .write(true)
                .open(place.join("outblob"))
                .unwrap()
                .write_all(&report);
            asked
        });
        Self {
            thread: Some(thread),
            ..kernel
        }
    }

    /// Has the files, and nobody behind them.
    fn silent(provider: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join(ENTRY);
        fs::create_dir(&place).unwrap();
        fs::write(place.join("provider"), format!("{provider}\n")).unwrap();
        fs::write(place.join("generation"), "4\n").unwrap();
        for pipe in ["inblob", "outblob"] {
            let made = Command::new("mkfifo").arg(place.join(pipe)).status().unwrap();
            assert!(made.success());
        }
        Self {
            directory,
            thread: None,
        }
    }

    fn entry(&self) -> PathBuf {
        self.directory.path().join(ENTRY)
    }

    pub(crate) fn machine(&self) -> Machine {
        let options = MachineOptions {
            reports: self.directory.path().to_owned(),
            registers: self.directory.path().to_owned(),
            timeout: Duration::from_secs(5),
        };
        Machine::named(options, ENTRY)
    }

    /// What it was asked.
    fn asked(mut self) -> Vec<u8> {
        self.thread.take().unwrap().join().unwrap()
    }
}

#[test]
fn a_tdx_guest_gives_its_quote() {
    let kernel = Kernel::answering("tdx_guest", vec![1; 5000], "5\n");
    let report = kernel.machine().report(&REPORT_DATA).unwrap();
    assert_eq!(report.provider, Provider::Tdx);
    assert_eq!(report.report, vec![1; 5000]);
    assert!(report.certificates.is_empty());
    assert_eq!(kernel.asked(), REPORT_DATA);
}

#[test]
fn a_sev_guest_gives_its_report_and_the_hosts_certificates() {
    let kernel = Kernel::answering("sev_guest", vec![2; 1184], "5");
    fs::write(kernel.entry().join("auxblob"), [3; 100]).unwrap();
    let report = kernel.machine().report(&REPORT_DATA).unwrap();
    assert_eq!(report.provider, Provider::SevSnp);
    assert_eq!(report.certificates, vec![3; 100]);
    assert_eq!(kernel.asked(), REPORT_DATA);
    // A host without certificates.
    let kernel = Kernel::answering("sev_guest", vec![2; 1184], "5");
    let report = kernel.machine().report(&REPORT_DATA).unwrap();
    assert!(report.certificates.is_empty());
}

#[test]
fn somebody_elses_write_is_noticed() {
    for counts in ["4", "6", "3"] {
        let kernel = Kernel::answering("tdx_guest", vec![1; 5000], counts);
        let found = kernel.machine().report(&REPORT_DATA);
        assert!(
            matches!(found, Err(MachineError::Overtaken)),
            "{counts}: {found:?}"
        );
    }
}

#[test]
fn what_the_kernel_says_wrong_is_refused() {
    let kernel = Kernel::answering("tdx_guest", vec![1; 32_769], "5");
    let found = kernel.machine().report(&REPORT_DATA);
    assert!(matches!(
        found,
        Err(MachineError::TooLong { file: "outblob", .. })
    ));
    let kernel = Kernel::answering("tdx_guest", Vec::new(), "5");
    assert!(matches!(
        kernel.machine().report(&REPORT_DATA),
        Err(MachineError::Empty)
    ));
    let kernel = Kernel::answering("tdx_guest", vec![1; 10], "many");
    assert!(matches!(
        kernel.machine().report(&REPORT_DATA),
        Err(MachineError::Generation)
    ));
    let kernel = Kernel::silent("arm_cca_guest");
    let Err(MachineError::Provider(name)) = kernel.machine().report(&REPORT_DATA) else {
        panic!("accepted");
    };
    assert_eq!(name, "arm_cca_guest");
    let kernel = Kernel::silent(&"x".repeat(65));
    assert!(matches!(
        kernel.machine().report(&REPORT_DATA),
        Err(MachineError::TooLong { file: "provider", .. })
    ));
}

#[test]
fn a_kernel_that_never_answers_costs_the_timeout_and_no_second_thread() {
    let kernel = Kernel::silent("tdx_guest");
    let mut machine = kernel.machine();
    machine.options.timeout = Duration::from_millis(50);
    assert!(matches!(
        machine.report(&REPORT_DATA),
        Err(MachineError::Timeout(_))
    ));
    assert!(matches!(machine.report(&REPORT_DATA), Err(MachineError::Busy)));
    // Lets the thread of before come to its end.
    let mut asked = Vec::new();
    File::open(kernel.entry().join("inblob"))
        .unwrap()
        .read_to_end(&mut asked)
        .unwrap();
    drop(File::options().write(true).open(kernel.entry().join("outblob")));
    assert_eq!(asked, REPORT_DATA);
}

#[test]
fn most_machines_have_none_and_are_told_what_is_missing() {
    let nowhere = Machine::new(MachineOptions {
        reports: PathBuf::from("/nonexistent/tsm/report"),
        registers: PathBuf::from("/nonexistent/tdx_guest"),
        timeout: Duration::from_secs(5),
    })
    .unwrap();
    let error = nowhere.report(&REPORT_DATA).unwrap_err();
    assert!(matches!(error, MachineError::NoReports(_)), "{error:?}");
    assert_eq!(
        error.to_string(),
        "this machine has no report interface at /nonexistent/tsm/report"
    );
    assert!(error.hint().contains("configfs") && error.hint().contains("6.7"));
    assert!(matches!(nowhere.provider(), Err(MachineError::NoReports(_))));
    let error = nowhere.extend(Register::Rtmr3, &[0; 48]).unwrap_err();
    assert!(matches!(error, MachineError::NoRegister(_)));
    assert!(error.hint().contains("6.16"));
}

#[test]
fn a_directory_that_is_no_kernel_is_left_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let options = MachineOptions {
        reports: directory.path().to_owned(),
        ..MachineOptions::default()
    };
    let machine = Machine::new(options).unwrap();
    assert!(matches!(machine.provider(), Err(MachineError::NoReports(_))));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn names_of_requests_differ() {
    let name = || Machine::new(MachineOptions::default()).unwrap().entry;
    assert_ne!(name(), name());
}

fn registers(directory: &Path) -> Machine {
    let options = MachineOptions {
        registers: directory.to_owned(),
        ..MachineOptions::default()
    };
    Machine::new(options).unwrap()
}

#[test]
fn an_extension_that_did_not_happen_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rtmr3:sha384");
    // A plain file holds what was written, not what an extension gives.
    fs::write(&file, [0; 48]).unwrap();
    let found = registers(directory.path()).extend(Register::Rtmr3, &[1; 48]);
    assert!(matches!(found, Err(MachineError::NotExtended)));
    fs::write(&file, [0; 47]).unwrap();
    let found = registers(directory.path()).extend(Register::Rtmr3, &[1; 48]);
    assert!(matches!(found, Err(MachineError::NotExtended)));
    fs::write(&file, [0; 49]).unwrap();
    let found = registers(directory.path()).extend(Register::Rtmr3, &[1; 48]);
    assert!(matches!(found, Err(MachineError::TooLong { .. })));
    let found = registers(directory.path()).extend(Register::Rtmr2, &[1; 48]);
    assert!(matches!(found, Err(MachineError::NoRegister(_))));
}

#[test]
fn a_register_is_extended() {
    use aws_lc_rs::digest::{SHA384, digest};
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rtmr3:sha384");
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    let expected: [u8; 48] = digest(&SHA384, &[[5; 48], [1; 48]].concat())
        .as_ref()
        .try_into()
        .unwrap();
    let kernel = std::thread::spawn(move || {
        let mut written = Vec::new();
        File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .write_all(&[5; 48])
            .unwrap();
        // The reader's end must be seen before the pipe is opened again.
        File::open(&file).unwrap().read_to_end(&mut written).unwrap();
        File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .write_all(&expected)
            .unwrap();
        written
    });
    let found = registers(directory.path()).extend(Register::Rtmr3, &[1; 48]);
    assert_eq!(found.unwrap(), expected);
    assert_eq!(kernel.join().unwrap(), [1; 48]);
}

#[test]
fn permission_is_told_from_absence() {
    let error = MachineError::at(
        PathBuf::from("report"),
        std::io::Error::from(std::io::ErrorKind::PermissionDenied),
        MachineError::NoReports,
    );
    assert!(matches!(error, MachineError::Permission { .. }));
    assert!(error.hint().contains("root"));
}

#[test]
fn accelerators_are_counted_and_display_adapters_of_virtual_machines_are_not() {
    let bus = tempfile::tempdir().unwrap();
    assert_eq!(super::accelerators::accelerators_in(bus.path()), 0);
    for (name, class, vendor) in [
        ("0000:00:01.0", "0x030000\n", "0x1234\n"),
        ("0000:00:02.0", "0x030000\n", "0x1af4\n"),
        ("0000:00:03.0", "0x020000\n", "0x10de\n"),
        ("0000:01:00.0", "0x030200\n", "0x10de\n"),
        ("0000:02:00.0", "0x038000\n", "0x1002\n"),
        ("0000:03:00.0", "0x120000\n", "0x1e52\n"),
    ] {
        let device = bus.path().join(name);
        fs::create_dir(&device).unwrap();
        fs::write(device.join("class"), class).unwrap();
        fs::write(device.join("vendor"), vendor).unwrap();
    }
    fs::create_dir(bus.path().join("without files")).unwrap();
    assert_eq!(super::accelerators::accelerators_in(bus.path()), 3);
    assert_eq!(
        super::accelerators::accelerators_in(&bus.path().join("absent")),
        0
    );
}
