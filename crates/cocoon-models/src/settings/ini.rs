//! The part of Python's configuration file format that pip's files use.

use std::collections::BTreeMap;

/// Options of the sections that a download looks at, later files over earlier ones.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// One map for each of [`SECTIONS`], in its order.
    sections: [BTreeMap<String, String>; 3],
    /// From the environment: over everything.
    over: BTreeMap<String, String>,
}

/// Weakest first. pip itself reads `global` and the section of the command that runs; people write theirs for
/// `install`, and what happens here is `download`.
const SECTIONS: [&str; 3] = ["global", "install", "download"];

impl Options {
    /// Takes the options of one file. A line that cannot be read is passed over: it is pip's business to complain.
    pub(crate) fn read(&mut self, text: &str) {
        let mut section = None;
        let mut last: Option<String> = None;
        for line in text.lines() {
            let word = line.trim();
            if word.is_empty() || word.starts_with('#') || word.starts_with(';') {
                continue;
            }
            if line.starts_with([' ', '\t']) {
                // Goes on with the value above it.
                if let Some(value) = target(&mut self.sections, section)
                    .zip(last.as_ref())
                    .and_then(|(options, key)| options.get_mut(key))
                {
                    value.push('\n');
                    value.push_str(word);
                }
                continue;
            }
            if let Some(name) = word.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = SECTIONS.iter().position(|known| *known == name.trim());
                last = None;
                continue;
            }
            let Some(at) = word.find(['=', ':']) else { continue };
            let (key, value) = word.split_at(at);
            let key = key.trim().to_ascii_lowercase().replace('_', "-");
            if let Some(options) = target(&mut self.sections, section) {
                options.insert(key.clone(), value.get(1..).unwrap_or_default().trim().to_owned());
            }
            last = Some(key);
        }
    }

    /// Sets an option over all files.
    pub(crate) fn set(&mut self, key: &str, value: String) {
        self.over.insert(key.into(), value);
    }

    /// The strongest value of an option; an empty one counts as none.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let strongest = std::iter::once(&self.over).chain(self.sections.iter().rev());
        strongest
            .filter_map(|options| options.get(key))
            .map(|value| value.trim())
            .find(|value| !value.is_empty())
    }
}

fn target(
    sections: &mut [BTreeMap<String, String>; 3],
    at: Option<usize>,
) -> Option<&mut BTreeMap<String, String>> {
    sections.get_mut(at?)
}
