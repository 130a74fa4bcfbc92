//! The wallet against what the npm packages `@ton/ton` 16.3.0 and `@ton/crypto` 3.3.0 make.

use cocoon_contracts::{
    Cell, CellError, Flaw, StateInit, hash, message, proxy,
    wallet::{
        ExternalError, MAX_OUTGOING, Mnemonic, MnemonicError, Network, Outgoing, Storage, Wallet, mode,
    },
};
use cocoon_types::{Address, Nanoton};

use crate::setup::{TON, at, hash0, key};

fn outgoing(value: u64, bounce: bool, body: Option<Cell>, comment: Option<&str>) -> Outgoing {
    Outgoing {
        to: at(0xaa),
        value: Nanoton::new(value),
        bounce,
        state_init: None,
        body,
        mode: mode::PAY_FEE,
        comment: comment.map(str::to_owned),
    }
}

#[test]
fn address_and_first_state() {
    let wallet = Wallet::new(key(2), Network::Main);
    let data = "7e5d46d5631dfa9455e558566ded86949869af114c6945eb1fe63428637891ef";
    assert_eq!(hash0(&wallet.state_init().data), data);
    let address = "0:b27fe84eda268569286f5cd2b78f59c671c4406782998d5efb93cb4f4887cc9d";
    assert_eq!(wallet.address(), address.parse::<Address>().unwrap());
    let test = Wallet::new(key(2), Network::Test);
    let address = "0:535684a5fea73f4c69e6a107cdeb358a36369adb86ee1ffa405f1362dde6caf5";
    assert_eq!(test.address(), address.parse::<Address>().unwrap());
    let storage = Storage::parse(&wallet.state_init().data).unwrap();
    assert_eq!((storage.seqno, storage.public_key), (0, key(2).public()));
    assert_eq!(storage.to_cell(), wallet.state_init().data);
}

#[test]
fn external_messages() {
    let wallet = Wallet::new(key(2), Network::Main);
    let body = proxy::Message::Payout {
        query_id: 7,
        excesses: wallet.address(),
    }
    .to_cell();
    let list = [
        outgoing(TON / 5, true, Some(body), Some("not written beside a body")),
        outgoing(1, false, None, Some("hello")),
    ];
    let external = wallet.external(7, 1_765_003_600, &list).unwrap();
    let body = "7cdfb80e9d5d914c766429d385d29bb9f4973160b70e6c338ffcedcaba51c870";
    assert_eq!(hex::encode(external.body_hash), body);
    let whole = "e2be5764a281142f6b3757e8c59f1c0caf9bcf12af660b39efe9f2069fbeb70c";
    assert_eq!(hash0(&external.message), whole);
    let read = message::Inbound::parse(&external.message).unwrap();
    assert!(read.external && !read.deploys && read.source.is_none());
    assert_eq!(
        (read.destination, hash(&read.body)),
        (wallet.address(), external.body_hash)
    );
}

#[test]
fn the_first_external_message_deploys() {
    let wallet = Wallet::new(key(2), Network::Main);
    let first = wallet.external(0, 1, &[outgoing(1, true, None, None)]).unwrap();
    let read = message::Inbound::parse(&first.message).unwrap();
    assert!(read.deploys);
    assert_eq!(hash(&read.body), first.body_hash);
    let init = StateInit::parse(&first.message.reference_cloned(0).unwrap()).unwrap();
    assert_eq!(init.address(), wallet.address());
    let second = wallet.external(1, 1, &[]).unwrap();
    assert!(!message::Inbound::parse(&second.message).unwrap().deploys);
}

#[test]
fn what_deploys_is_never_bounced() {
    let wallet = Wallet::new(key(2), Network::Main);
    let to = Wallet::new(key(3), Network::Main);
    let init = Some(to.state_init().clone());
    let one = Outgoing {
        to: to.address(),
        state_init: init,
        ..outgoing(1, true, None, None)
    };
    let external = wallet.external(1, 1, &[one]).unwrap();
    // The external's own body is inline, its first reference is the list of actions, whose second is the message.
    let action = external.message.reference_cloned(0).unwrap();
    let sent = action.reference_cloned(1).unwrap();
    let read = message::Inbound::parse(&sent).unwrap();
    assert!(read.deploys && !read.bounce);
}

#[test]
fn too_much_for_one_external() {
    let wallet = Wallet::new(key(2), Network::Main);
    let many = vec![outgoing(1, true, None, None); MAX_OUTGOING + 1];
    assert_eq!(wallet.external(1, 1, &many), Err(ExternalError::TooMany(256)));
    let most = wallet.external(1, 1, &many[1..]).unwrap();
    assert!(most.message.repr_depth() <= cocoon_contracts::boc::MAX_DEPTH);
    let long = "x".repeat(124);
    let one = [outgoing(1, true, None, Some(&long))];
    assert_eq!(wallet.external(1, 1, &one), Err(ExternalError::Comment(124)));
    assert!(
        wallet
            .external(1, 1, &[outgoing(1, true, None, Some(&long[1..]))])
            .is_ok()
    );
}

#[test]
fn a_wallet_with_extensions_is_read_and_one_with_more_is_not() {
    let plain = Storage {
        is_signature_allowed: false,
        seqno: 9,
        id: 1,
        public_key: [7; 32],
    };
    let mut builder = tycho_types::cell::CellBuilder::new();
    builder.store_slice(plain.to_cell().as_slice().unwrap()).unwrap();
    builder.rewind_bits(1).unwrap();
    builder.store_bit_one().unwrap();
    builder.store_reference(Cell::default()).unwrap();
    let cell = builder.clone().build().unwrap();
    assert_eq!(Storage::parse(&cell), Ok(plain));
    builder.store_bit_one().unwrap();
    let cell = builder.build().unwrap();
    let error = CellError {
        field: "wallet storage",
        flaw: Flaw::TrailingBits(1),
    };
    assert_eq!(Storage::parse(&cell), Err(error));
}

const WORDS: &str = "only brief mechanic together blouse latin satisfy priority reward panda scale ride add situate \
    loud aspect develop analyst address minor surprise tool manual decade";
const MORE_WORDS: &str = "major notice monkey payment assume ticket clump egg mutual wild flip turn injury vivid praise \
    you amazing scrub chicken material payment mercy scatter voice";
const WORDS_WITH_PASSWORD: &str = "elegant inside mean wood cousin joke grief forget fat assault extra border photo \
    embark flush climb blood express dry warm lawsuit jaguar worth runway";

#[test]
fn words() {
    let public = |text: &str| hex::encode(Mnemonic::parse(text).unwrap().to_key().unwrap().public());
    assert_eq!(
        public(WORDS),
        "97710128813093132d477a23dc43ae4f3f010c5f8ef32d6a9b0693829e5337bc"
    );
    assert_eq!(
        public(MORE_WORDS),
        "1c4020e78f934f52f138aa7ac4b762bd0350530abfccce9de29c93a5c4cf8c46"
    );
    let shouted = format!("\n {}\t", WORDS.to_uppercase().replace(' ', "   "));
    assert_eq!(*Mnemonic::parse(&shouted).unwrap().words(), WORDS);
}

#[test]
fn words_that_are_none() {
    let error = |text: &str| Mnemonic::parse(text).unwrap_err();
    assert_eq!(error(""), MnemonicError::Count(0));
    assert_eq!(error(&WORDS[5..]), MnemonicError::Count(23));
    assert_eq!(error(&format!("{WORDS} only")), MnemonicError::Count(25));
    assert_eq!(error(&WORDS.replace("brief", "breif")), MnemonicError::Word(2));
    assert_eq!(
        error(&WORDS.replace("only brief", "brief only")),
        MnemonicError::Checksum
    );
    assert_eq!(error(WORDS_WITH_PASSWORD), MnemonicError::Checksum);
}

#[test]
fn new_words() {
    let mut number = 0_u64;
    let made = Mnemonic::generate(|bytes| {
        number += 1;
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        bytes[32] = 0xff;
    });
    let made = made.unwrap();
    let words = made.words();
    // The last eleven bits are 000 1111 1111: word 255, counted from 0.
    assert!(words.ends_with(" cable"));
    assert_eq!(Mnemonic::parse(&words), Ok(made));
}

#[test]
fn randomness_that_is_none() {
    assert_eq!(Mnemonic::generate(|_| {}), Err(MnemonicError::Randomness));
    assert_eq!(
        Mnemonic::generate(|bytes| *bytes = [5; 33]),
        Err(MnemonicError::Randomness)
    );
}

#[test]
fn secrets_are_not_shown() {
    let words = Mnemonic::parse(WORDS).unwrap();
    assert_eq!(
        format!("{words:?} {:?}", words.to_key().unwrap()),
        "Mnemonic SigningKey"
    );
    let wallet = Wallet::new(key(2), Network::Main);
    assert!(!format!("{wallet:?}").contains("02, 02"));
}
