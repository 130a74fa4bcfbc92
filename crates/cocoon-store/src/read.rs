//! Verifies every row and replays it.

use cocoon_accounting::{Accounts, MAX_RECORD_BYTES, MAX_SNAPSHOT_BYTES, Record};
use rusqlite::{Connection, OptionalExtension as _};

use crate::{
    chain::{JournalKey, Tag},
    file::OpenError,
};

/// The state at the end of a journal, and the tag of its last record.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) accounts: Accounts,
    pub(crate) chain: Tag,
    /// When the newest snapshot was made, in records.
    pub(crate) snapshot: u64,
}

/// Reads a journal to its end.
pub(crate) fn replay(connection: &Connection, key: &JournalKey) -> Result<Replayed, OpenError> {
    let mut state = newest_snapshot(connection, key)?;
    let first = state.accounts.applied();
    let mut rows =
        connection.prepare("SELECT number, body, tag FROM records WHERE number >= ? ORDER BY number")?;
    let mut rows = rows.query([signed(first)])?;
    while let Some(row) = rows.next()? {
        let expected = state.accounts.applied();
        let altered = OpenError::Altered {
            what: "record",
            number: expected,
        };
        let number: i64 = row.get(0)?;
        if signed(expected) != number {
            return Err(OpenError::Altered {
                what: "record",
                number: expected,
            });
        }
        let (body, tag) = (row.get_ref(1)?.as_blob(), row.get_ref(2)?.as_blob());
        let (Ok(body), Ok(tag)) = (body, tag) else {
            return Err(altered);
        };
        if body.len() > MAX_RECORD_BYTES {
            return Err(altered);
        }
        let chain = key.record(&state.chain, expected, body);
        if !equal(&chain, tag) {
            return Err(altered);
        }
        let record = Record::decode(body).map_err(|source| OpenError::Decode {
            number: expected,
            source,
        })?;
        let applied = state.accounts.apply(&record);
        applied.map_err(|source| OpenError::Apply {
            number: expected,
            source,
        })?;
        state.chain = chain;
        // What is read from the disk is on the disk.
        state.accounts.flushed(state.accounts.applied());
    }
    check_end(connection, key, &state)?;
    Ok(state)
}

/// Where replay starts: the newest snapshot, or nothing.
fn newest_snapshot(connection: &Connection, key: &JournalKey) -> Result<Replayed, OpenError> {
    let newest = "SELECT records, body, chain, tag FROM snapshots ORDER BY records DESC LIMIT 1";
    let row = connection
        .query_row(newest, [], |row| {
            let blob = |index| row.get::<_, Vec<u8>>(index);
            Ok((row.get::<_, i64>(0)?, blob(1)?, blob(2)?, blob(3)?))
        })
        .optional()?;
    let Some((records, body, chain, tag)) = row else {
        return Ok(Replayed {
            accounts: Accounts::new(),
            chain: key.start(),
            snapshot: 0,
        });
    };
    let records = u64::try_from(records).unwrap_or(u64::MAX);
    let altered = || OpenError::Altered {
        what: "snapshot",
        number: records,
    };
    let chain: Tag = chain.try_into().map_err(|_| altered())?;
    if body.len() > MAX_SNAPSHOT_BYTES || !equal(&key.snapshot(&chain, records, &body), &tag) {
        return Err(altered());
    }
    let accounts = Accounts::decode(&body).map_err(|source| OpenError::Decode {
        number: records,
        source,
    })?;
    if accounts.applied() != records {
        return Err(altered());
    }
    Ok(Replayed {
        accounts,
        chain,
        snapshot: records,
    })
}

/// The head was written with the last record: rows that were cut off at the end are missed.
fn check_end(connection: &Connection, key: &JournalKey, state: &Replayed) -> Result<(), OpenError> {
    let head = "SELECT records, tag FROM head WHERE only = 0";
    let head = connection
        .query_row(head, [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
        })
        .optional()?;
    let found = state.accounts.applied();
    let Some((records, tag)) = head else {
        return if found == 0 {
            Ok(())
        } else {
            Err(OpenError::Altered {
                what: "head",
                number: found,
            })
        };
    };
    let expected = u64::try_from(records).unwrap_or(u64::MAX);
    if expected > found {
        return Err(OpenError::Truncated { expected, found });
    }
    if expected < found || !equal(&key.head(&state.chain, found), &tag) {
        return Err(OpenError::Altered {
            what: "head",
            number: expected,
        });
    }
    Ok(())
}

/// SQLite's integers are signed; a journal of 2^63 records would take a hundred thousand years.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn equal(expected: &Tag, found: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(expected, found).is_ok()
}
