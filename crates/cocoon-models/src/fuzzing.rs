//! Entry functions of the fuzz targets (`/fuzz`): every parser of bytes that a file, a server or a person wrote.
//!
//! A function here panics iff this crate is wrong.

use std::io::Cursor;

use crate::package::{page, wheel};
use crate::settings::ini;
use crate::{Catalogue, Model, PackagePart, Source, gguf};

/// The name of a target and of its corpus directory, and its entry function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of this crate.
pub const TARGETS: &[Target] = &[
    ("models_catalogue", catalogue),
    ("models_gguf", header),
    ("models_index", index),
    ("models_pip", pip),
    ("models_resolve", resolve),
    ("models_wheel", wheel),
];

/// Most bytes that [`wheel`] lets out.
const LIMIT: u64 = 10_000;

/// A model file.
pub fn header(data: &[u8]) {
    if let Ok(header) = gguf::Header::read(data) {
        for text in [
            Some(&header.architecture),
            header.name.as_ref(),
            header.licence.as_ref(),
        ]
        .into_iter()
        .flatten()
        {
            assert!(text.len() <= 1024, "what is kept is short");
        }
        assert_eq!(gguf::Header::read(data).ok(), Some(header));
    }
}

/// A user's catalogue.
pub fn catalogue(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(catalogue) = Catalogue::with_text(text) else {
        return;
    };
    catalogue.default_model();
    for entry in catalogue.models() {
        assert!(
            !entry.name.contains('/') && !entry.name.starts_with('.'),
            "a name is part of a file name"
        );
        assert!(entry.size.is_some() && !entry.sources.is_empty());
        assert_eq!(catalogue.find(&entry.name), Some(entry));
    }
}

/// What a person types for a model.
pub fn resolve(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(source) = text.parse::<Source>() {
        source.label();
        let again = source.to_string();
        if !again.ends_with("?...") {
            assert_eq!(again.parse(), Ok(source), "what is shown can be typed again");
        }
    }
    // Paths are left out: the file system is not under test.
    if let Some(Ok(Model::Entry(entry))) = text
        .contains("#sha256=")
        .then(|| Catalogue::built_in().resolve(text))
    {
        assert!(
            !entry.name.contains('/') && !entry.name.starts_with('.'),
            "a name is part of a file name"
        );
    }
}

/// A page of a package index, in both forms.
pub fn index(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let part = PackagePart {
        name: "my-model".into(),
        version: "1.0".into(),
        path: "x".into(),
    };
    for files in [page::from_json(text).unwrap_or_default(), page::from_html(text)] {
        page::choose(&files, &part);
    }
}

/// A configuration file of pip.
pub fn pip(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut options = ini::Options::default();
    options.read(text);
    options.read(text);
    for option in ["index-url", "extra-index-url", "no-index", "cert"] {
        assert!(options.get(option).is_none_or(|value| !value.is_empty()));
    }
}

/// A wheel.
pub fn wheel(data: &[u8]) {
    let mut bytes = 0;
    let result = wheel::copy_member(Cursor::new(data), "x", LIMIT, 0, |piece| {
        bytes += piece.len() as u64;
        Ok(())
    });
    assert!(bytes <= LIMIT);
    if let Ok(written) = result {
        assert_eq!(written, bytes);
    }
}

#[cfg(test)]
mod tests;
