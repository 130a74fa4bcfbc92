//! What a proxy's accounts are opened with: chain, wallet, directory, and the key that signs payments.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use aws_lc_rs::hmac;
use cocoon_chain::{Chain, HttpChain, RegistryOptions, wallet_file::WalletFile};
use cocoon_contracts::{SigningKey, wallet::Wallet};
use cocoon_web::keys::state_file;

use super::StartError;
use crate::{accounting::Payments, options::MoneyConfig};

/// How often contracts are looked at.
const CHAIN_POLL: Duration = Duration::from_secs(1);
/// Marks accounts that were given up.
const GIVEN_UP: &str = "given-up";
/// Nobody gives up so often.
const MOST: u32 = 100;

/// Opens what the accounts need.
///
/// Accounts that were refused for good (a journal that is older than the chain, and no newer copy) are given up by a file
/// `given-up` beside their journal. The next start then begins anew beside them, with another key and so another contract.
/// What was signed stays valid at the old one.
///
/// # Errors
/// [`StartError`] names the key of the configuration that is to blame.
pub(super) async fn open(money: &MoneyConfig, state_dir: Option<PathBuf>) -> Result<Payments, StartError> {
    let chain: Arc<dyn Chain> = Arc::new(HttpChain::new(&money.purse.chain)?);
    let wallet = WalletFile::open_in_background(&money.purse.wallet_file)
        .await?
        .into_wallet();
    let (number, directory) = directory(&|name| state_file(state_dir.clone(), name))?;
    Ok(Payments {
        chain,
        root: money.purse.root,
        owner: money.owner.unwrap_or_else(|| wallet.address()),
        key: SigningKey::from_seed(seed(&wallet, number))?,
        directory,
        wallet,
        policy: money.policy,
        poll: CHAIN_POLL,
        registry_poll: RegistryOptions::new(true).poll,
    })
}

/// Where the accounts are that were not given up, and how many were before them.
fn directory(of: &dyn Fn(&str) -> PathBuf) -> Result<(u32, PathBuf), StartError> {
    let named = |number| match number {
        0 => of("accounts"),
        number => of(&format!("accounts-{number}")),
    };
    let is_given_up = |directory: &Path| directory.join(GIVEN_UP).exists();
    (0..MOST)
        .map(|number| (number, named(number)))
        .find(|(_, directory)| !is_given_up(directory))
        .ok_or(StartError::GivenUp(MOST))
}

/// Derived from the wallet's key, so that it lives as long as the proxy's contract does and is restored with the 24 words.
fn seed(wallet: &Wallet, number: u32) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &wallet.key().seed()[..]);
    let purpose = match number {
        0 => "cocoon/proxy-payments/1".to_owned(),
        number => format!("cocoon/proxy-payments/1/{number}"),
    };
    let mut seed = [0; 32];
    seed.copy_from_slice(hmac::sign(&key, purpose.as_bytes()).as_ref());
    seed
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use cocoon_contracts::wallet::{Network, Wallet};

    use super::{MOST, SigningKey, StartError, directory, seed};

    #[test]
    fn accounts_that_were_given_up_stay_and_others_begin_beside_them() {
        let home = tempfile::tempdir().unwrap();
        let find = || directory(&|name| home.path().join(name));
        let (number, first) = find().unwrap();
        assert_eq!((number, first.file_name().unwrap()), (0, "accounts".as_ref()));
        fs::create_dir(&first).unwrap();
        assert_eq!(find().unwrap().0, 0, "they are there and good");
        fs::write(first.join("given-up"), "").unwrap();
        let (number, second) = find().unwrap();
        assert_eq!((number, second.file_name().unwrap()), (1, "accounts-1".as_ref()));
        for number in 1..MOST {
            let directory = home.path().join(format!("accounts-{number}"));
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join("given-up"), "").unwrap();
        }
        assert!(matches!(find(), Err(StartError::GivenUp(MOST))));
    }

    #[test]
    fn each_beginning_has_a_key_of_its_own() {
        let key = SigningKey::from_seed([7; 32]).unwrap();
        let wallet = Wallet::new(key, Network::Test);
        let seeds: BTreeSet<_> = (0..MOST).map(|number| seed(&wallet, number)).collect();
        assert_eq!(seeds.len(), MOST as usize);
    }
}
