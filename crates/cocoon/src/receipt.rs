//! `cocoon receipt`: the receipts that the gateway keeps: list, show, export for `cocoon verify`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value;

use crate::api;
use crate::endpoint::Endpoint;
use crate::exit::Hinted;
use crate::text::{data, say, table};

/// The receipts that your gateway keeps: list, show, export
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cocoon receipt list
  cocoon receipt show ID                         the id stands in the answer: its `cocoon` object, its x-cocoon-receipt header
  cocoon receipt export ID receipt.cocoon        with all evidence, for `cocoon verify` on any machine
  cocoon receipt export ID receipt.cocoon --with-salts      so that request and answer can be compared too")]
pub(crate) struct ReceiptArgs {
    #[command(subcommand)]
    command: ReceiptCommand,
    /// The gateway; without it the running `cocoon up`, else 127.0.0.1:10000
    #[arg(long, value_name = "URL", env = "COCOON_API", global = true)]
    api: Option<String>,
    /// An API key of the gateway, if it wants one; receipts are shown to the key that asked
    #[arg(
        long,
        value_name = "KEY",
        env = "COCOON_API_KEY",
        hide_env_values = true,
        global = true
    )]
    key: Option<String>,
    /// Print JSON on stdout
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum ReceiptCommand {
    /// The newest receipts
    List,
    /// One receipt, with who stands for it
    Show {
        /// The receipt's id
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Write a receipt with all that proves it to a file
    Export {
        /// The receipt's id
        #[arg(value_name = "ID")]
        id: String,
        /// Where to
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// With the salts: who has the file and the texts can tell that they are the ones, and who guesses can test it
        #[arg(long)]
        with_salts: bool,
    },
}

#[derive(Debug, Deserialize)]
struct List {
    data: Vec<Entry>,
}

/// What is shown of a receipt.
#[derive(Debug, Deserialize)]
struct Entry {
    id: String,
    proxy: String,
    signed_by_worker: bool,
    #[serde(default)]
    charge: Option<Charge>,
    #[serde(default)]
    disagreement: Option<Disagreement>,
    receipt: Receipt,
}

#[derive(Debug, Deserialize)]
struct Charge {
    nanoton: String,
}

#[derive(Debug, Deserialize)]
struct Disagreement {
    field: String,
}

#[derive(Debug, Deserialize)]
struct Receipt {
    tier: String,
    usage: Usage,
}

#[derive(Debug, Deserialize)]
struct Usage {
    prompt: u64,
    completion: u64,
}

pub(crate) async fn run(args: ReceiptArgs) -> anyhow::Result<ExitCode> {
    let base = api::base(args.api.as_deref());
    let base = base.trim_end_matches("/v1");
    let gateway = Endpoint::new("the gateway", base, args.key.as_deref())?;
    match args.command {
        ReceiptCommand::List => {
            let (value, list) = gateway.read::<List>("/v1/receipts").await?;
            if args.json {
                data!("{value}");
            } else if list.data.is_empty() {
                say!("no receipts: none was made in the gateway's memory of them, or another key asked");
            } else {
                let head = [
                    "receipt",
                    "tier",
                    "prompt",
                    "completion",
                    "nanoTON",
                    "signed",
                    "proxy",
                ];
                let mut rows = vec![head.map(str::to_owned).to_vec()];
                rows.extend(list.data.iter().map(Entry::row));
                data!("{}", table(&rows));
            }
        }
        ReceiptCommand::Show { id } => {
            let path = format!("/v1/receipts/{}", checked(&id)?);
            let (value, _) = gateway.read::<Entry>(&path).await?;
            if args.json {
                data!("{value}");
            } else {
                let mut rows = Vec::new();
                lines("", &value, &mut rows);
                data!("{}", table(&rows));
            }
        }
        ReceiptCommand::Export { id, file, with_salts } => {
            let path = format!("/v1/receipts/{}?format=bundle&salts={with_salts}", checked(&id)?);
            let bundle = gateway.bytes(&path).await?;
            std::fs::write(&file, bundle).with_context(|| format!("cannot write {}", file.display()))?;
            say!("written: {}; check it with `cocoon verify`", file.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// An id goes into a URL.
fn checked(id: &str) -> anyhow::Result<&str> {
    if id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(id)
    } else {
        Err(Hinted::usage(
            "a receipt's id has 64 hexadecimal digits",
            "it stands in the answer: its `cocoon` object, its x-cocoon-receipt header; `cocoon receipt list` shows the newest",
        ))
    }
}

// === impl Entry ===

impl Entry {
    fn row(&self) -> Vec<String> {
        let signed = match (&self.disagreement, self.signed_by_worker) {
            (Some(it), _) => format!("DISAGREES: {}", it.field),
            (None, true) => "yes".to_owned(),
            (None, false) => "not yet".to_owned(),
        };
        let usage = &self.receipt.usage;
        let price = self.charge.as_ref().map_or("", |charge| &charge.nanoton);
        vec![
            self.id.clone(),
            self.receipt.tier.clone(),
            usage.prompt.to_string(),
            usage.completion.to_string(),
            price.to_owned(),
            signed,
            self.proxy.clone(),
        ]
    }
}

/// Name and value of every leaf.
fn lines(name: &str, value: &Value, rows: &mut Vec<Vec<String>>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let name = if name.is_empty() {
                    key.clone()
                } else {
                    format!("{name}.{key}")
                };
                lines(&name, value, rows);
            }
        }
        Value::Null => {}
        Value::String(text) => rows.push(vec![name.to_owned(), text.clone()]),
        other => rows.push(vec![name.to_owned(), other.to_string()]),
    }
}
