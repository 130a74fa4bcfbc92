//! Get methods: reading a contract by running its code.

use cocoon_types::Address;
use num_bigint::BigInt;
use tycho_types::{
    cell::{Cell, CellBuilder},
    dict::Dict,
};
use tycho_vm::{OwnedCellSlice, RcStackValue, SafeRc, Stack, StackValue, VmCaller, VmGetterArgs};

use super::{Ledger, execute::guarded};
use crate::chain::{At, ChainError};

/// What goes into a get method and comes out of it.
#[derive(Clone, Debug, PartialEq)]
pub enum StackItem {
    /// Nothing; also the empty list.
    Null,
    /// A number of 257 bits.
    Int(BigInt),
    /// A cell.
    Cell(Cell),
    /// What is left of a cell while it is read, as a cell of its own.
    Slice(Cell),
    /// A cell while it is written, as if it were finished.
    Builder(Cell),
    /// Several.
    Tuple(Vec<Self>),
}

/// How a get method ended.
#[derive(Clone, Debug, PartialEq)]
pub struct GetMethodOutput {
    /// 0 and 1 are success.
    pub exit_code: i32,
    /// Gas that it took.
    pub gas_used: u64,
    /// What it left, the top last.
    pub stack: Vec<StackItem>,
}

/// Why a get method did not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GetMethodError {
    /// There is nothing to run.
    #[error("the account has no code")]
    NoCode,
    /// The arguments or the result are more than is carried.
    #[error("more than {MAX_ITEMS} values, deeper than {MAX_DEPTH} tuples, or a value of another kind")]
    Stack,
    /// The account could not be read.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The virtual machine failed.
    #[error("the virtual machine failed")]
    Machine,
}

/// Values that go in or come out: a tuple can hold one other many times over, so its depth alone bounds nothing.
const MAX_ITEMS: usize = 4096;
/// Tuples within tuples; a list of n is n deep.
const MAX_DEPTH: usize = 128;

impl Ledger {
    /// Runs a get method at the chain's present time, with a million gas.
    ///
    /// # Errors
    /// [`GetMethodError`]; a method that ends with an exit code is not an error.
    pub fn get_method(
        &self,
        address: Address,
        method: u32,
        arguments: &[StackItem],
    ) -> Result<GetMethodOutput, GetMethodError> {
        let state = self.shard_account(address, At::Latest)?;
        let account = state.load_account().map_err(|_| GetMethodError::Machine)?;
        let account = account.ok_or(GetMethodError::NoCode)?;
        let caller = VmCaller {
            libraries: Dict::new(),
            behaviour_modifiers: Default::default(),
            config: self.config.raw.params.clone(),
        };
        let mut args = VmGetterArgs::default();
        args.now = self.head.time;
        let run = guarded(|| {
            let mut budget = MAX_ITEMS;
            let stack = arguments.iter().map(|item| item.to_vm(0, &mut budget));
            let stack: Vec<_> = stack.collect::<Option<_>>().ok_or(GetMethodError::Stack)?;
            let output = caller
                .call_getter_ext(&account, method, stack, &args, None)
                .map_err(|_| GetMethodError::NoCode)?;
            let mut budget = MAX_ITEMS;
            let stack = output
                .stack
                .iter()
                .map(|value| StackItem::from_vm(&**value, 0, &mut budget));
            Ok(GetMethodOutput {
                exit_code: output.exit_code,
                gas_used: output.gas_used,
                stack: stack.collect::<Option<_>>().ok_or(GetMethodError::Stack)?,
            })
        });
        run.unwrap_or(Err(GetMethodError::Machine))
    }

    /// The number of a get method by its name.
    pub fn method_id(name: &str) -> u32 {
        u32::from(tycho_types::crc::crc_16(name.as_bytes())) | 0x1_0000
    }
}

// === impl StackItem ===

impl StackItem {
    fn to_vm(&self, depth: usize, budget: &mut usize) -> Option<RcStackValue> {
        *budget = budget.checked_sub(1).filter(|_| depth < MAX_DEPTH)?;
        Some(match self {
            Self::Null => Stack::make_null(),
            Self::Int(int) if int.bits() > 256 => return None,
            Self::Int(int) => SafeRc::new_dyn_value(int.clone()),
            Self::Cell(cell) => SafeRc::new_dyn_value(cell.clone()),
            Self::Slice(cell) => SafeRc::new_dyn_value(OwnedCellSlice::new_allow_exotic(cell.clone())),
            Self::Builder(cell) => {
                let mut builder = CellBuilder::new();
                builder.store_slice(cell.as_slice_allow_exotic()).ok()?;
                SafeRc::new_dyn_value(builder)
            }
            Self::Tuple(items) => {
                let items = items.iter().map(|item| item.to_vm(depth + 1, budget));
                let items: Vec<RcStackValue> = items.collect::<Option<_>>()?;
                SafeRc::new_dyn_value(items)
            }
        })
    }

    fn from_vm(value: &dyn StackValue, depth: usize, budget: &mut usize) -> Option<Self> {
        *budget = budget.checked_sub(1).filter(|_| depth < MAX_DEPTH)?;
        if value.is_null() {
            return Some(Self::Null);
        }
        if let Some(int) = value.as_int() {
            return Some(Self::Int(int.clone()));
        }
        if let Some(cell) = value.as_cell() {
            return Some(Self::Cell(cell.clone()));
        }
        if let Some(slice) = value.as_cell_slice() {
            return CellBuilder::build_from(slice.apply()).ok().map(Self::Slice);
        }
        if let Some(builder) = value.as_cell_builder() {
            return builder.clone().build().ok().map(Self::Builder);
        }
        let items = value.as_tuple()?.iter();
        let items = items.map(|item| Self::from_vm(&**item, depth + 1, budget));
        items.collect::<Option<_>>().map(Self::Tuple)
    }
}
