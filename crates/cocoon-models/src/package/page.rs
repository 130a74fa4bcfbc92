//! Pages of a package index: PEP 691 (JSON) and PEP 503 (HTML), and the choice of a wheel on them.

use serde::Deserialize;

use crate::PackagePart;
use crate::fetch::SourceError;

/// A file on a page of an index.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct File {
    filename: String,
    url: String,
}

/// The page as PEP 691 has it; what is not needed is passed over.
#[derive(Deserialize)]
struct Page {
    files: Vec<File>,
}

/// Most files of one page that are looked at.
const MAX_FILES: usize = 200_000;

/// A project's name as PEP 503 compares it.
pub(crate) fn normal_name(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if normal.ends_with('-') => {}
            '-' | '_' | '.' => normal.push('-'),
            other => normal.push(other.to_ascii_lowercase()),
        }
    }
    normal
}

pub(crate) fn from_json(text: &str) -> Result<Vec<File>, SourceError> {
    let page: Page =
        serde_json::from_str(text).map_err(|_| SourceError::Index("its page is not valid JSON"))?;
    Ok(page.files)
}

/// The links of a page. The file's name is the last part of the address: the text of the anchor is for people.
pub(crate) fn from_html(text: &str) -> Vec<File> {
    let mut files = Vec::new();
    for anchor in text
        .split("<a")
        .skip(1)
        .chain(text.split("<A").skip(1))
        .take(MAX_FILES)
    {
        let Some((attributes, _)) = anchor.split_once('>') else {
            continue;
        };
        let Some(link) = href(attributes) else { continue };
        let url = unescape(link);
        let path = url.split(['#', '?']).next().unwrap_or_default();
        let filename = percent_decoded(path.rsplit('/').next().unwrap_or_default());
        files.push(File { filename, url });
    }
    files
}

/// The link of the wheel of this project and version; one for every platform before one for some.
pub(crate) fn choose<'a>(files: &'a [File], part: &PackagePart) -> Option<&'a str> {
    let fits = |file: &&File| {
        let mut words = file.filename.strip_suffix(".whl")?.split('-');
        let name = words
            .next()
            .is_some_and(|name| normal_name(name) == normal_name(&part.name));
        let version = words
            .next()
            .is_some_and(|version| normal_version(version) == normal_version(&part.version));
        (name && version).then_some(())
    };
    let mut wheels: Vec<_> = files.iter().filter(|file| fits(file).is_some()).collect();
    wheels.sort_by_key(|file| !file.filename.ends_with("-any.whl"));
    wheels.first().map(|file| file.url.as_str())
}

/// Enough of PEP 440 to compare two ways of writing one version: case, a leading `v`, zeros at the end.
fn normal_version(version: &str) -> String {
    // A wheel's name has `_` for the `-` or `+` that a file name cannot hold between its parts.
    let version = version.to_ascii_lowercase().replace(['_', '-'], "+");
    let version = version.strip_prefix('v').unwrap_or(&version);
    let (release, local) = version.split_once('+').unwrap_or((version, ""));
    let mut release = release;
    while let Some(shorter) = release.strip_suffix(".0") {
        release = shorter;
    }
    format!("{release}+{local}")
}

fn href(attributes: &str) -> Option<&str> {
    let at = attributes.to_ascii_lowercase().find("href")?;
    let rest = attributes
        .get(at + "href".len()..)?
        .trim_start()
        .strip_prefix('=')?
        .trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    rest.get(1..)?.split(quote).next()
}

fn unescape(text: &str) -> String {
    let plain = text
        .replace("&#38;", "&")
        .replace("&#x2B;", "+")
        .replace("&#43;", "+");
    plain
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let coded = (first == b'%').then(|| after.get(..2)).flatten();
        match coded.and_then(|digits| hex::decode(digits).ok()) {
            Some(byte) => {
                bytes.extend_from_slice(&byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests;
