//! What events call what they measured. This is for people: nothing is decided by it.

use super::reader::Reader;

/// Longest name that is shown.
const MAX_NAME: usize = 128;

/// The TCG's names of event types (PC Client Platform Firmware Profile 1.06, table 27).
const KINDS: &[(u32, &str)] = &[
    (0x0000_0001, "EV_POST_CODE"),
    (0x0000_0004, "EV_SEPARATOR"),
    (0x0000_0005, "EV_ACTION"),
    (0x0000_0006, "EV_EVENT_TAG"),
    (0x0000_0007, "EV_S_CRTM_CONTENTS"),
    (0x0000_0008, "EV_S_CRTM_VERSION"),
    (0x0000_000a, "EV_PLATFORM_CONFIG_FLAGS"),
    (0x0000_000b, "EV_TABLE_OF_DEVICES"),
    (0x0000_000d, "EV_IPL"),
    (0x0000_0012, "EV_NONHOST_INFO"),
    (0x8000_0001, VARIABLE_DRIVER_CONFIG),
    (0x8000_0002, VARIABLE_BOOT),
    (0x8000_0003, BOOT_APPLICATION),
    (0x8000_0004, "EV_EFI_BOOT_SERVICES_DRIVER"),
    (0x8000_0006, "EV_EFI_GPT_EVENT"),
    (0x8000_0007, "EV_EFI_ACTION"),
    (0x8000_0008, "EV_EFI_PLATFORM_FIRMWARE_BLOB"),
    (0x8000_0009, "EV_EFI_HANDOFF_TABLES"),
    (0x8000_000a, FIRMWARE_BLOB2),
    (0x8000_000b, HANDOFF_TABLES2),
    (0x8000_000c, "EV_EFI_VARIABLE_BOOT2"),
    (0x8000_00e0, VARIABLE_AUTHORITY),
];
const VARIABLE_DRIVER_CONFIG: &str = "EV_EFI_VARIABLE_DRIVER_CONFIG";
const VARIABLE_BOOT: &str = "EV_EFI_VARIABLE_BOOT";
const VARIABLE_AUTHORITY: &str = "EV_EFI_VARIABLE_AUTHORITY";
const BOOT_APPLICATION: &str = "EV_EFI_BOOT_SERVICES_APPLICATION";
const FIRMWARE_BLOB2: &str = "EV_EFI_PLATFORM_FIRMWARE_BLOB2";
const HANDOFF_TABLES2: &str = "EV_EFI_HANDOFF_TABLES2";

pub(super) fn of_kind(kind: u32) -> &'static str {
    KINDS
        .iter()
        .find(|&&(known, _)| known == kind)
        .map_or("unknown", |&(_, name)| name)
}

pub(super) fn of_event(kind: u32, data: &[u8]) -> String {
    let name = match of_kind(kind) {
        VARIABLE_DRIVER_CONFIG | VARIABLE_BOOT | VARIABLE_AUTHORITY => variable(data),
        BOOT_APPLICATION => file_path(data),
        FIRMWARE_BLOB2 | HANDOFF_TABLES2 => counted(data),
        "EV_ACTION" | "EV_EFI_ACTION" | "EV_IPL" | "EV_POST_CODE" => Some(printable(data.iter().copied())),
        "EV_EVENT_TAG" => data.get(8..).map(|text| printable(text.iter().copied())),
        _ => None,
    };
    name.unwrap_or_default()
}

/// UEFI_VARIABLE_DATA: GUID, count of characters, size of the content, name in UTF-16.
fn variable(data: &[u8]) -> Option<String> {
    let mut reader = Reader::new(data);
    reader.take(16, "").ok()?;
    let characters = usize::try_from(reader.u64("").ok()?).ok()?;
    reader.u64("").ok()?;
    let text = reader.take(characters.checked_mul(2)?, "").ok()?;
    Some(wide(text))
}

/// UEFI_IMAGE_LOAD_EVENT: address, size, link address, length of the device path, device path; the last file path in it.
fn file_path(data: &[u8]) -> Option<String> {
    const MEDIA: u8 = 4;
    const FILE: u8 = 4;
    let mut reader = Reader::new(data);
    reader.take(24, "").ok()?;
    let length = usize::try_from(reader.u64("").ok()?).ok()?;
    let mut nodes = Reader::new(reader.take(length, "").ok()?);
    let mut found = None;
    while let (Ok(kind), Ok(subtype), Ok(length)) = (nodes.u8(""), nodes.u8(""), nodes.u16("")) {
        // The length counts its own four bytes; a node that is shorter would go in circles.
        let body = nodes.take(usize::from(length).checked_sub(4)?, "").ok()?;
        if (kind, subtype) == (MEDIA, FILE) {
            found = Some(wide(body));
        }
    }
    found
}

/// A description behind its length in one byte.
fn counted(data: &[u8]) -> Option<String> {
    let mut reader = Reader::new(data);
    let length = usize::from(reader.u8("").ok()?);
    Some(printable(reader.take(length, "").ok()?.iter().copied()))
}

/// UTF-16 whose high bytes are zero; others are replaced.
fn wide(text: &[u8]) -> String {
    printable(text.chunks_exact(2).map(|pair| match pair {
        [low, 0] => *low,
        _ => b'?',
    }))
}

/// What a terminal may show: up to the first zero, everything else than printable ASCII replaced.
fn printable(bytes: impl Iterator<Item = u8>) -> String {
    bytes
        .take_while(|&byte| byte != 0)
        .take(MAX_NAME)
        .map(|byte| match byte {
            0x20..=0x7e => char::from(byte),
            _ => '?',
        })
        .collect()
}
