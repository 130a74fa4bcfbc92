//! `history`: what came and went.

use std::process::ExitCode;

use clap::Args;
use cocoon_chain::{Message, Transaction};
use cocoon_contracts::{Cell, op};
use cocoon_types::Address;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::FileArgs;
use crate::chain::Opened;
use crate::text::{data, say, table};

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// The account; without it this wallet
    #[arg(value_name = "ADDRESS")]
    address: Option<Address>,
    /// How many transactions, at most 256
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    limit: u16,
}

/// Longest comment that is shown, in characters.
const MAX_COMMENT: usize = 123;
/// Cells of a comment that are followed.
const MAX_COMMENT_CELLS: usize = 8;

/// One thing that a person sees in a transaction.
struct Row {
    time: u64,
    lt: u64,
    hash: String,
    incoming: bool,
    amount: cocoon_types::Nanoton,
    other: Option<Address>,
    what: String,
    fee: cocoon_types::Nanoton,
    failed: bool,
}

pub(super) async fn run(
    args: HistoryArgs,
    file: &FileArgs,
    on: &Opened,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let address = args
        .address
        .map_or_else(|| Ok(file.open()?.address()), anyhow::Ok)?;
    let account = on.account(address).await?;
    let list = match account.last {
        Some(newest) => {
            let list = on
                .chain
                .transactions(address, newest, 0, usize::from(args.limit))
                .await;
            list.map_err(|error| on.failed(error))?
        }
        None => Vec::new(),
    };
    let rows: Vec<Row> = list.iter().flat_map(rows).collect();
    if as_json {
        data!("{}", Value::Array(rows.iter().map(Row::json).collect()));
    } else if rows.is_empty() {
        say!("nothing came or went yet");
    } else {
        let head = ["time (UTC)", "", "amount", "other side", "what", "fee"]
            .map(str::to_owned)
            .to_vec();
        let lines: Vec<_> = std::iter::once(head).chain(rows.iter().map(Row::line)).collect();
        data!("{}", table(&lines));
    }
    Ok(ExitCode::SUCCESS)
}

/// The messages of a transaction; the fee stands with the first.
fn rows(transaction: &Transaction) -> Vec<Row> {
    let row = |message: &Message, incoming: bool| Row {
        time: transaction.time,
        lt: transaction.id.lt,
        hash: transaction
            .id
            .hash
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        incoming,
        amount: message.value,
        other: if incoming {
            message.source
        } else {
            message.destination
        },
        what: what(message),
        fee: cocoon_types::Nanoton::ZERO,
        failed: transaction.aborted,
    };
    let inbound = transaction.inbound.as_ref().filter(|message| !message.external);
    let mut rows: Vec<Row> = inbound.map(|message| row(message, true)).into_iter().collect();
    rows.extend(transaction.outbound.iter().map(|message| row(message, false)));
    let forwards = transaction
        .outbound
        .iter()
        .map(|message| message.forward_fee.nano())
        .sum::<u64>();
    if let Some(first) = rows.first_mut() {
        first.fee = cocoon_types::Nanoton::new(transaction.fees.nano().saturating_add(forwards));
    }
    rows
}

// === impl Row ===

impl Row {
    fn line(&self) -> Vec<String> {
        let time = i64::try_from(self.time)
            .ok()
            .and_then(|time| OffsetDateTime::from_unix_timestamp(time).ok());
        let time = time.map_or_else(String::new, |time| {
            format!(
                "{} {:02}:{:02}:{:02}",
                time.date(),
                time.hour(),
                time.minute(),
                time.second()
            )
        });
        let failed = if self.failed { " (failed)" } else { "" };
        vec![
            time,
            if self.incoming { "in" } else { "out" }.to_owned(),
            self.amount.to_string(),
            self.other
                .map_or_else(|| "outside".to_owned(), |other| other.non_bounceable()),
            format!("{}{failed}", self.what),
            self.fee.to_string(),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "time": self.time, "lt": self.lt, "hash": self.hash,
            "direction": if self.incoming { "in" } else { "out" },
            "amount": self.amount.nano().to_string(),
            "other": self.other.map(|other| other.non_bounceable()),
            "what": self.what, "fee": self.fee.nano().to_string(), "failed": self.failed,
        })
    }
}

/// What a message is, in a few words.
fn what(message: &Message) -> String {
    if message.bounced {
        return "came back".to_owned();
    }
    let Some(op) = message
        .body
        .as_slice()
        .ok()
        .and_then(|mut body| body.load_u32().ok())
    else {
        return String::new();
    };
    let name = match op {
        0 => return format!("\"{}\"", comment(&message.body)),
        op::EXCESSES => "change",
        op::PAYOUT => "payout",
        op::DO_NOT_PROCESS => "state commit",
        op::PROXY_INCREASE_STAKE => "stake",
        op::PROXY_PAYOUT => "proxy's share",
        op::PROXY_OWNER_CLOSE | op::PROXY_CLOSE | op::PROXY_CLOSE_COMPLETE => "proxy closes",
        op::WORKER_PAYOUT | op::WORKER_LAST_PAYOUT | op::WORKER_CLAIM => "worker's payout",
        op::WORKER_REGISTER => "worker registers",
        op::TOP_UP | op::CHANGE_SECRET_HASH_TOP_UP | op::REOPEN => "top-up",
        op::CHARGE => "charge",
        op::GRANT_REFUND | op::GRANT_REFUND_OF | op::CLIENT_CLAIM => "refund",
        op::REGISTER | op::CHANGE_SECRET_HASH => "client registers",
        op::INCREASE_STAKE => "stake",
        op::WITHDRAW => "withdraw",
        op::REQUEST_REFUND => "close",
        op::REGISTER_PROXY | op::UNREGISTER_PROXY | op::UPDATE_PROXY => "registry: proxy",
        op::ADD_WORKER_HASH | op::DELETE_WORKER_HASH | op::ADD_PROXY_HASH | op::DELETE_PROXY_HASH => {
            "registry: image"
        }
        op::ADD_MODEL_HASH | op::DELETE_MODEL_HASH => "registry: model",
        other => return format!("op {other:08x}"),
    };
    name.to_owned()
}

/// Text that anybody on the chain may have written: cut, and without control characters.
fn comment(body: &Cell) -> String {
    let mut bytes = Vec::new();
    let mut next = Some(body.clone());
    for index in 0..MAX_COMMENT_CELLS {
        let Some(cell) = next.take() else { break };
        let Ok(mut slice) = cell.as_slice() else { break };
        if index == 0 && slice.load_u32().is_err() {
            break;
        }
        while let Ok(byte) = slice.load_u8() {
            bytes.push(byte);
        }
        next = slice.load_reference_cloned().ok();
    }
    let text = String::from_utf8_lossy(&bytes);
    let shown = text
        .chars()
        .map(|letter| if letter.is_control() { '\u{fffd}' } else { letter });
    shown.take(MAX_COMMENT).collect()
}
