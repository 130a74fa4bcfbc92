//! One TOML file per role; unknown keys are refused by the role's own `Options`.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::exit::Hinted;

/// Reads a role's options from a file, or the empty options when there is none.
pub(crate) fn load<O: DeserializeOwned + Default>(path: Option<&Path>) -> anyhow::Result<O> {
    let Some(path) = path else { return Ok(O::default()) };
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Hinted::usage(
            format!("cannot read the configuration {shown}: {error}"),
            "check the path given to --config",
        )
    })?;
    toml::from_str(&text).map_err(|error| {
        let message = error.to_string();
        Hinted::usage(
            format!("the configuration {shown} is not valid:\n{}", message.trim_end()),
            "every key is listed by --help of this role",
        )
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_unknown_key_is_refused_with_its_name_and_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("proxy.toml");
        std::fs::write(&path, "listen_clientz = \"127.0.0.1:1\"\n").unwrap();
        let error = super::load::<cocoon_proxy::Options>(Some(&path))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("listen_clientz") && error.contains("proxy.toml"),
            "{error}"
        );
    }
}
