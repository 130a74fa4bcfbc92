//! TCB info and QE identity, in the form in which Intel's service gives them out.

use serde_json::{Value, json};

use super::fault::{Fault, PlatformFault, QeFault, TextFault};
use super::pki::{COLLATERAL_SECONDS, at, window};
use super::{DevelopmentError, Platform, QE_MISC_SELECT, QE_PRODUCT, QE_SIGNER, TCB_EVALUATION};

/// When the TCB levels of the development platform were made up, in seconds before now.
const LEVEL_AGE_SECONDS: u64 = 90 * 86_400;

/// The advisory that [`PlatformFault::Advisory`] opens; Intel numbers its own from 00001.
pub const ADVISORY: &str = "INTEL-SA-00000";

/// The TCB info of this platform, made at this second.
pub(super) fn tcb_info(
    platform: &Platform,
    now: u64,
    fault: Option<Fault>,
) -> Result<String, DevelopmentError> {
    let bad = |kind| fault == Some(Fault::Platform(kind));
    let text = |kind| fault == Some(Fault::TcbInfo(kind));
    let status = if bad(PlatformFault::OutOfDate) {
        "OutOfDate"
    } else if bad(PlatformFault::ConfigurationNeeded) {
        "ConfigurationNeeded"
    } else if bad(PlatformFault::SwHardeningNeeded) {
        "SWHardeningNeeded"
    } else if bad(PlatformFault::ConfigurationAndSwHardeningNeeded) {
        "ConfigurationAndSWHardeningNeeded"
    } else if bad(PlatformFault::OutOfDateConfigurationNeeded) {
        "OutOfDateConfigurationNeeded"
    } else if bad(PlatformFault::Revoked) {
        "Revoked"
    } else {
        "UpToDate"
    };
    let module_status = if bad(PlatformFault::ModuleOutOfDate) {
        "OutOfDate"
    } else if bad(PlatformFault::ModuleRevoked) {
        "Revoked"
    } else {
        "UpToDate"
    };
    let level_date = date(now.saturating_sub(LEVEL_AGE_SECONDS))?;
    let level = |svn_above: u8, status: &str, advisories: &[&str]| {
        let component = |svn: &u8| json!({ "svn": svn.saturating_add(svn_above) });
        let mut level = json!({
            "tcb": {
                "sgxtcbcomponents": platform.cpu_svn.iter().map(component).collect::<Vec<_>>(),
                "pcesvn": platform.pce_svn,
                "tdxtcbcomponents": platform.tee_tcb_svn.iter().map(component).collect::<Vec<_>>(),
            },
            "tcbDate": level_date,
            "tcbStatus": status,
        });
        if !advisories.is_empty() {
            level["advisoryIDs"] = json!(advisories);
        }
        level
    };
    let own: &[&str] = if bad(PlatformFault::Advisory) {
        &[ADVISORY]
    } else {
        &[]
    };
    let mut levels = vec![level(100, "UpToDate", &[])];
    if !bad(PlatformFault::NoLevel) {
        levels.push(level(0, status, own));
    }
    let module = |svn: u8, status: &str| json!({ "tcb": { "isvsvn": svn }, "tcbDate": level_date, "tcbStatus": status });
    // The module's own version is in the first two numbers; a module from before an update is one below.
    let [module_svn, module_version, ..] = platform.tee_tcb_svn;
    let mut module_levels = vec![module(module_svn, module_status)];
    if bad(PlatformFault::RelaunchAdvised) {
        module_levels.push(module(module_svn.saturating_sub(1), "OutOfDate"));
    }
    let known_version = if bad(PlatformFault::NoModule) {
        module_version.saturating_add(1)
    } else {
        module_version
    };
    let signer = if bad(PlatformFault::ModuleSigner) {
        "11"
    } else {
        "00"
    };
    let fmspc = if bad(PlatformFault::OtherFmspc) {
        [0xff; 6]
    } else {
        platform.fmspc
    };
    let evaluation = if bad(PlatformFault::OldEvaluation) {
        TCB_EVALUATION.saturating_sub(1)
    } else {
        TCB_EVALUATION
    };
    let (issued, next) = dates(now, text(TextFault::Expired), text(TextFault::NotYetValid))?;
    let identity = json!({
        "mrsigner": signer.repeat(48),
        "attributes": "0000000000000000",
        "attributesMask": "FFFFFFFFFFFFFFFF",
    });
    let mut versioned = identity.clone();
    versioned["id"] = json!(format!("TDX_{known_version:02X}"));
    versioned["tcbLevels"] = json!(module_levels);
    let info = json!({
        "id": if text(TextFault::OtherKind) { "SGX" } else { "TDX" },
        "version": 3,
        "issueDate": issued,
        "nextUpdate": next,
        "fmspc": hex::encode_upper(fmspc),
        "pceId": "0000",
        "tcbType": 0,
        "tcbEvaluationDataNumber": evaluation,
        "tdxModule": identity,
        "tdxModuleIdentities": [versioned],
        "tcbLevels": levels,
    });
    Ok(finish(&info, text(TextFault::Malformed)))
}

/// The QE identity, made at this second.
pub(super) fn qe_identity(
    platform: &Platform,
    now: u64,
    fault: Option<Fault>,
) -> Result<String, DevelopmentError> {
    let bad = |kind| fault == Some(Fault::Qe(kind));
    let text = |kind| fault == Some(Fault::QeIdentity(kind));
    let status = if bad(QeFault::OutOfDate) {
        "OutOfDate"
    } else if bad(QeFault::Revoked) {
        "Revoked"
    } else {
        "UpToDate"
    };
    let least = if bad(QeFault::NoLevel) {
        platform.qe_svn.saturating_add(1)
    } else {
        platform.qe_svn
    };
    let (issued, next) = dates(now, text(TextFault::Expired), text(TextFault::NotYetValid))?;
    let identity = json!({
        "id": if text(TextFault::OtherKind) { "QE" } else { "TD_QE" },
        "version": 2,
        "issueDate": issued,
        "nextUpdate": next,
        "tcbEvaluationDataNumber": TCB_EVALUATION,
        "miscselect": hex::encode_upper(QE_MISC_SELECT.to_le_bytes()),
        "miscselectMask": "FFFFFFFF",
        "attributes": "11000000000000000000000000000000",
        "attributesMask": "FBFFFFFFFFFFFFFF0000000000000000",
        "mrsigner": hex::encode_upper(QE_SIGNER),
        "isvprodid": QE_PRODUCT,
        "tcbLevels": [{
            "tcb": { "isvsvn": least },
            "tcbDate": date(now.saturating_sub(LEVEL_AGE_SECONDS))?,
            "tcbStatus": status,
        }],
    });
    Ok(finish(&identity, text(TextFault::Malformed)))
}

fn dates(now: u64, expired: bool, future: bool) -> Result<(String, String), DevelopmentError> {
    let (from, until) = window(now, COLLATERAL_SECONDS, expired, future);
    Ok((date(from)?, date(until)?))
}

fn date(unix: u64) -> Result<String, DevelopmentError> {
    let at = at(unix)?;
    let (hour, minute, second) = at.to_hms();
    Ok(format!(
        "{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z",
        at.year(),
        u8::from(at.month()),
        at.day()
    ))
}

fn finish(value: &Value, cut: bool) -> String {
    let mut text = value.to_string();
    if cut {
        text.truncate(text.len() / 2);
    }
    text
}
