//! `cocoon model`: which models there are, and getting them onto this machine.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use cocoon_models::{Catalogue, Listed, Model, ModelEntry, PullError, Quiet, State, Store, VerifyError};
use serde_json::{Value, json};

use crate::exit::{self, Hinted};
use crate::text::data;

mod view;

pub(crate) use view::PullView;

/// Models: list, fetch, check
#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    #[command(subcommand)]
    command: ModelCommand,
    /// TOML file with models of your own, beside the built-in ones
    #[arg(long, value_name = "FILE", env = "COCOON_CATALOGUE", global = true)]
    catalogue: Option<PathBuf>,
    /// Print JSON on stdout
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum ModelCommand {
    /// Show the known models and which of them are here
    List,
    /// Fetch models that are not here yet
    Pull {
        /// Names, or ADDRESS#sha256=HEX; without any, the default model
        #[arg(value_name = "MODEL")]
        models: Vec<String>,
    },
    /// Read model files and compare their digests
    Verify {
        /// Names; without any, every model that is here
        #[arg(value_name = "MODEL")]
        models: Vec<String>,
    },
    /// Print the path of a model's file
    Path {
        /// Name; without one, the default model
        #[arg(value_name = "MODEL")]
        model: Option<String>,
    },
}

/// Runs the sub-command. Data goes to stdout, talk to stderr.
pub(crate) async fn run(args: ModelArgs) -> anyhow::Result<ExitCode> {
    let catalogue = match &args.catalogue {
        None => Catalogue::built_in(),
        Some(path) => Catalogue::with_file(path)
            .map_err(|error| Hinted::usage(with_sources(&error), "docs/how-to/models.md shows the form"))?,
    };
    let dir = cocoon_models::default_dir()
        .map_err(|error| Hinted::usage(error.to_string(), "set COCOON_CACHE to a directory"))?;
    let store = Store::open(dir);
    match args.command {
        ModelCommand::List => list(&catalogue, &store, args.json),
        ModelCommand::Pull { models } => pull(&catalogue, &store, &models, args.json).await,
        ModelCommand::Verify { models } => verify(&catalogue, &store, &models, args.json).await,
        ModelCommand::Path { model } => path(&catalogue, &store, model.as_deref(), args.json),
    }
}

fn list(catalogue: &Catalogue, store: &Store, as_json: bool) -> anyhow::Result<ExitCode> {
    let models = store.list(catalogue);
    let default = &catalogue.default_model().name;
    if as_json {
        let models: Vec<_> = models.iter().map(|listed| listed_json(listed, default)).collect();
        data!("{}", json!({ "directory": store.dir(), "models": models }));
        return Ok(ExitCode::SUCCESS);
    }
    let width = models
        .iter()
        .map(|listed| listed.entry.name.len())
        .max()
        .unwrap_or(0);
    for Listed { entry, state, .. } in &models {
        let here = match state {
            State::Absent => "-".into(),
            State::Partial { bytes } => format!("{} so far", size(*bytes)),
            State::Unchecked => "unchecked".into(),
            State::Ready => "here".into(),
        };
        let star = if entry.name == *default { " (default)" } else { "" };
        let bytes = entry.size.map_or("?".into(), size);
        let name = &entry.name;
        data!(
            "{name:width$}  {bytes:>9}  {here:<14}  {:<10}  {}{star}",
            entry.licence,
            entry.title
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn listed_json(listed: &Listed, default: &str) -> Value {
    let Listed { entry, state, path } = listed;
    let mut value = json!({
        "name": entry.name,
        "title": entry.title,
        "licence": entry.licence,
        "size": entry.size,
        "sha256": entry.sha256.to_string(),
        "context_length": entry.context_length,
        "chat": entry.chat,
        "default": entry.name == default,
        "sources": entry.sources.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "path": path,
    });
    if let (Some(value), Value::Object(state)) = (value.as_object_mut(), json!(state)) {
        value.extend(state);
    }
    value
}

async fn pull(
    catalogue: &Catalogue,
    store: &Store,
    names: &[String],
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let mut models = chosen(catalogue, names)?;
    if models.is_empty() {
        models.push(Model::Entry(Box::new(catalogue.default_model().clone())));
    }
    for model in &models {
        let mut view = PullView::for_model(model);
        let result = store.obtain(model, &mut view).await;
        view.end();
        let path = result.map_err(|error| pull_failed(&error))?;
        show_path(model, &path, as_json);
    }
    Ok(ExitCode::SUCCESS)
}

/// Says why a model cannot be had, and what to do.
pub(crate) fn pull_failed(error: &PullError) -> anyhow::Error {
    let hint = match error {
        PullError::NoSource { .. } => {
            "is this machine on-line? pip's index settings and HTTPS_PROXY are used; or name a .gguf file of your own"
        }
        PullError::NoRoom { .. } => "free some room, or set COCOON_CACHE to a directory on another disk",
        PullError::Disk { .. } => "set COCOON_CACHE to a directory that you may write to",
        _ => "look for another `cocoon` that hangs, and end it",
    };
    Hinted::failed(with_sources(error), hint)
}

async fn verify(
    catalogue: &Catalogue,
    store: &Store,
    names: &[String],
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let entries: Vec<ModelEntry> = if names.is_empty() {
        let here = store.list(catalogue).into_iter();
        here.filter(|listed| matches!(listed.state, State::Ready | State::Unchecked))
            .map(|l| l.entry)
            .collect()
    } else {
        chosen(catalogue, names)?
            .into_iter()
            .filter_map(entry_of)
            .collect()
    };
    let mut code = ExitCode::SUCCESS;
    for entry in &entries {
        let result = store.verify(entry, &mut Quiet).await;
        if as_json {
            let problem = result.as_ref().err().map(with_sources);
            let path = store.path(entry);
            data!(
                "{}",
                json!({ "model": entry.name, "ok": result.is_ok(), "problem": problem, "path": path })
            );
        } else if let Ok(path) = &result {
            data!("{}: right ({})", entry.name, path.display());
        }
        if let Err(error) = result {
            let hint = match &error {
                VerifyError::Disk { .. } => "is the file readable, and the disk healthy?".to_owned(),
                _ => format!("`cocoon model pull {}` fetches it anew", entry.name),
            };
            code = exit::report(Hinted::failed(with_sources(&error), hint));
        }
    }
    Ok(code)
}

fn path(catalogue: &Catalogue, store: &Store, name: Option<&str>, as_json: bool) -> anyhow::Result<ExitCode> {
    let name = name.unwrap_or(&catalogue.default_model().name);
    let model = resolve(catalogue, name)?;
    let path = match &model {
        Model::File(path) => Some(path.clone()),
        Model::Entry(entry) => store.path_if_present(entry),
    };
    let Some(path) = path else {
        return Err(Hinted::failed(
            format!("`{name}` is not here"),
            format!("`cocoon model pull {name}` fetches it"),
        ));
    };
    show_path(&model, &path, as_json);
    Ok(ExitCode::SUCCESS)
}

fn show_path(model: &Model, path: &Path, as_json: bool) {
    if as_json {
        data!("{}", json!({ "model": name_of(model), "path": path }));
    } else {
        data!("{}", path.display());
    }
}

fn chosen(catalogue: &Catalogue, names: &[String]) -> anyhow::Result<Vec<Model>> {
    names.iter().map(|name| resolve(catalogue, name)).collect()
}

/// The model of this name, path or address.
pub(crate) fn resolve(catalogue: &Catalogue, name: &str) -> anyhow::Result<Model> {
    let hint = "`cocoon model list` shows the names; a path to a .gguf file works too";
    catalogue
        .resolve(name)
        .map_err(|error| Hinted::usage(error.to_string(), hint))
}

fn entry_of(model: Model) -> Option<ModelEntry> {
    match model {
        Model::Entry(entry) => Some(*entry),
        Model::File(_) => None,
    }
}

fn name_of(model: &Model) -> String {
    match model {
        Model::Entry(entry) => entry.name.clone(),
        Model::File(path) => path.display().to_string(),
    }
}

/// The error and everything behind it, on one line.
fn with_sources(error: &(impl std::error::Error + ?Sized)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

/// Bytes as people read them.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut tenths = bytes / 100;
    for unit in UNITS {
        if tenths < 10_000 || unit == "TB" {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
        tenths /= 1000;
    }
    unreachable!("invariant: the last unit returns")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_for_people() {
        for (bytes, text) in [
            (0, "0.0 kB"),
            (1234, "1.2 kB"),
            (98_362_432, "98.3 MB"),
            (5_027_783_488, "5.0 GB"),
            (u64::MAX, "18446744.0 TB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
