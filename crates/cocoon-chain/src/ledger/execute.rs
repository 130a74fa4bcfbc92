//! One message on one account.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tycho_executor::{Executor, ExecutorInspector, ExecutorOutput, ExecutorParams, ParsedConfig, TxError};
use tycho_types::{
    cell::Cell,
    models::{IntAddr, MsgInfo, ShardAccount, StdAddr},
};

/// A message that can be executed here.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    pub(crate) destination: StdAddr,
    pub(crate) external: bool,
    pub(crate) message: Cell,
}

/// What became of a message.
#[derive(Debug)]
pub(crate) enum Outcome {
    Done(Box<ExecutorOutput>),
    /// An external that the account's code did not accept; `None` if the code did not run.
    NotAccepted(Option<i32>),
    /// The executor could not make anything of it.
    Broken(String),
}

impl Envelope {
    /// `None` for a message that leaves the chain or goes where there is no account.
    pub(crate) fn read(message: Cell) -> Option<Self> {
        let (destination, external) = match message.parse::<MsgInfo>().ok()? {
            MsgInfo::Int(info) => (info.dst, false),
            MsgInfo::ExtIn(info) => (info.dst, true),
            MsgInfo::ExtOut(_) => return None,
        };
        match destination {
            IntAddr::Std(destination) if destination.anycast.is_none() => Some(Self {
                destination,
                external,
                message,
            }),
            _ => None,
        }
    }
}

/// Executes `envelope`, at a logical time of at least `min_lt`.
pub(crate) fn execute(
    config: &ParsedConfig,
    params: &ExecutorParams,
    min_lt: u64,
    envelope: &Envelope,
    state: &ShardAccount,
) -> Outcome {
    let outcome = guarded(|| {
        let mut inspector = ExecutorInspector::default();
        let executor = Executor::new(params, config).with_min_lt(min_lt);
        let begun = executor.begin_ordinary_ext(
            &envelope.destination,
            envelope.external,
            envelope.message.clone(),
            state,
            Some(&mut inspector),
        );
        match begun {
            Ok(transaction) => match transaction.commit() {
                Ok(output) => Outcome::Done(Box::new(output)),
                Err(error) => Outcome::Broken(format!("{error:#}")),
            },
            Err(TxError::Skipped) => Outcome::NotAccepted(inspector.exit_code),
            Err(TxError::Fatal(error)) => Outcome::Broken(format!("{error:#}")),
        }
    });
    outcome.unwrap_or_else(|| Outcome::Broken("the executor panicked".into()))
}

/// `None` if `run` panicked. The executor is a library that runs whatever code somebody deployed; should it panic, that
/// is one message's end and not the chain's.
pub(crate) fn guarded<T>(run: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(run)).ok()
}
