//! Spec/ton.md 13. The launch codes are known by hash and depth, which is all that addresses need.

use std::collections::BTreeSet;

use cocoon_contracts::{
    Params, RegisteredProxy, RootConfig, Signed, StateInit, client, hash, message, proxy, signed::Kind,
    worker,
};
use cocoon_types::{Address, Nanoton};
use tycho_types::cell::CellBuilder;

use crate::setup::{
    CLIENT, Contracts, PROXY, ROOT, TON, WORKER, address0, at, contracts, hash0, key, launch, params,
};

const TOKENS: u64 = 123_456_789;
const QUERY: u64 = 0x0102_0304_0506_0708;

#[test]
fn keys() {
    let public = |seed| hex::encode(key(seed).public());
    assert_eq!(
        public(1),
        "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
    );
    assert_eq!(
        public(2),
        "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394"
    );
}

#[test]
fn parameters() {
    let cases = [
        (
            3,
            0b111,
            372,
            "934171a19abb68260a747a87d0a35428caf43f20c24654bd4cd848d3a49e0e91",
        ),
        (
            3,
            0b110,
            372,
            "6a2666c32840cda6e66539a4d8b1381a2db014ab7db1025c3bf16abe8263067b",
        ),
        (
            3,
            0b000,
            372,
            "6e40bb9e2f088c3bda10fc7387726c3b89400ac6d730433db2f1d40f6ea0dba2",
        ),
        (
            0,
            0b000,
            164,
            "aa8c3a1a359b00eedfe5555703e0c590dcb9b020a1c4a9a586ca7a6f4aeeebc5",
        ),
        (
            1,
            0b000,
            244,
            "a31e43afd5910ba1f9c00733a538c8261b86f851d3d2bd02a3ce79331f3b942c",
        ),
        (
            2,
            0b000,
            308,
            "b1c6a8b90b182031ea9427e83e5b4c94591f773a6d4cfcd7db5771f116f8d1b5",
        ),
    ];
    for (struct_version, mask, bits, hash) in cases {
        let params = Params {
            struct_version,
            ..params().with_codes(mask)
        };
        let cell = params.to_cell();
        assert_eq!((hash0(&cell).as_str(), cell.bit_len()), (hash, bits));
        let read = Params::parse(&cell).unwrap();
        assert_eq!(hash0(&read.to_cell()), hash, "read and written again");
    }
}

#[test]
fn absent_parameters_have_the_originals_defaults() {
    let oldest = Params {
        struct_version: 0,
        ..params()
    };
    let read = Params::parse(&oldest.to_cell()).unwrap();
    assert_eq!(read.multipliers, cocoon_types::Multipliers::ONE);
    assert_eq!(
        (read.min_proxy_stake, read.min_client_stake),
        (Nanoton::new(TON), Nanoton::new(TON))
    );
    let middle = Params {
        struct_version: 2,
        ..params()
    };
    let read = Params::parse(&middle.to_cell()).unwrap().multipliers;
    assert_eq!(
        [read.prompt, read.cached, read.completion, read.reasoning],
        [10_000, 1_000, 10_000, 80_000]
    );
}

#[test]
fn addresses() {
    let Contracts {
        wallet,
        proxy,
        worker,
        client,
    } = contracts();
    assert_eq!(
        wallet.non_bounceable(),
        "UQBxTbW7yO6Lu0D4LCM8vmCpIgFWbY9qwUklUdUYYX7lna09"
    );
    let cases = [
        (
            &proxy,
            PROXY,
            "339c561f15dcc24831b89389629c29046ecd785a113031420ca64d9206205269",
            "0:a9455fc6375a83cbdb2d5746227ab7e1fa3061c740cb2863c8da8a171db3bcf5",
        ),
        (
            &worker,
            WORKER,
            "51119e7a0cff87090cf29d7eaaae271a4b4259d58961c0a58d5b776fa943be1b",
            "0:a281fb7b833bede082715f8241a7ec9452c652cd2d63284fff01d8515e004b7d",
        ),
        (
            &client,
            CLIENT,
            "c68e7ff71e181f894a369373018709e471b14819dbf5284ce98f561ad1c3779c",
            "0:9665c6a36c77f724f44749982d1d4856c6b062a2743bd429a74efb4292c2fbe6",
        ),
    ];
    for (init, code, data, address) in cases {
        assert_eq!(hash0(&init.code), code.0);
        assert_eq!(hash0(&init.data), data);
        assert_eq!(address0(init), address.parse::<Address>().unwrap());
    }
    assert_eq!(
        hash0(&proxy::Storage::parse(&proxy.data).unwrap().to_cell()),
        cases[0].2
    );
    assert_eq!(
        hash0(&worker::Storage::parse(&worker.data).unwrap().to_cell()),
        cases[1].2
    );
    assert_eq!(
        hash0(&client::Storage::parse(&client.data).unwrap().to_cell()),
        cases[2].2
    );
}

#[test]
fn signed_payments() {
    let contracts = contracts();
    let cases = [
        (
            Kind::Charge,
            address0(&contracts.client),
            "3335cdbfff01465ff07919a4e86ecc97fe18ee93fbf1eb2bb6922cfa3939c4a3",
            "045a931e6bdbbb41c6c3d17a8ea2669a765d3bc4d3ae37a4ece6e0567f12d9a9\
             b3f71ebe5469514d9797259f99cb47a0df4359c3fbe143394b412680b97a190a",
            "64560ac1b63780091d21564b43598cb45d383cfeadd59d4d5fa92b26dd76f72a",
        ),
        (
            Kind::Payout,
            address0(&contracts.worker),
            "e96e19da7bc64729d32f2b9a63b9ab814ef805a37d9d1755da3c754993199035",
            "3e73231b85a1ecced4785848ca2102d5895c75a69ab950141ecd5b61fec6b54c\
             f5fe604c34d4711dc710f274b5b7c8dfbc47d86f864705b8f148d0e9e0f58e00",
            "10d2449fedd2bcfda55f2d43819603c727e3aca258ec2edc4f2b4ffed6dca40d",
        ),
    ];
    for (kind, contract, payload, signature, envelope) in cases {
        let signed = Signed::sign(&key(1), kind, QUERY, TOKENS, contract, contracts.wallet);
        assert_eq!(hash0(&signed.payload()), payload);
        assert_eq!(hex::encode(signed.signature), signature);
        let cell = signed.to_cell();
        assert_eq!((hash0(&cell).as_str(), cell.bit_len()), (envelope, 875));
        let read = Signed::from_boc(&signed.to_boc()).unwrap();
        assert_eq!(read, signed);
        assert_eq!(read.verify(&key(1).public(), kind, &contract), Ok(()));
    }
}

#[test]
fn end_of_the_scenario() {
    let Contracts {
        proxy,
        worker,
        client,
        ..
    } = contracts();
    let mut client = client::Storage::parse(&client.data).unwrap();
    client.balance = Nanoton::new(12_530_864_220);
    client.tokens_used = TOKENS;
    let hash = "2414bef9e359b3d7b296661ac662c24bc40a4798ad2848cb97888463963ba335";
    assert_eq!(hash0(&client.to_cell()), hash);
    let mut worker = worker::Storage::parse(&worker.data).unwrap();
    worker.tokens = TOKENS;
    let hash = "4484f00cde28e0735696071dd8d7cd86d7410f497403efadb4dcf9a05540b70b";
    assert_eq!(hash0(&worker.to_cell()), hash);
    let mut proxy = proxy::Storage::parse(&proxy.data).unwrap();
    proxy.balance = Nanoton::new(TOKENS);
    let hash = "ee9f39930d218d18e04b1bc7654eee29f6f5a0d888cd55f536f4aa3b6b312262";
    assert_eq!(hash0(&proxy.to_cell()), hash);
}

/// The external of the original's wallet, which is not ours: the message in it is.
#[test]
fn a_message_of_the_originals_wallet() {
    let Contracts { wallet, proxy, .. } = contracts();
    let body = proxy::Message::Payout {
        query_id: 7,
        excesses: wallet,
    }
    .to_cell();
    // It puts bodies into a cell of their own; ours does when they do not fit. Here the flag and the body are moved.
    let inline = message::internal(&address0(&proxy), Nanoton::new(TON / 5), true, None, Some(&body));
    let mut slice = inline.as_slice().unwrap();
    let header = slice
        .load_prefix(slice.size_bits() - body.bit_len() - 1, 0)
        .unwrap();
    let mut apart = CellBuilder::new();
    apart.store_slice(header).unwrap();
    apart.store_bit_one().unwrap();
    apart.store_reference(body).unwrap();

    let unsigned = |mut builder: CellBuilder| {
        builder.store_u32(0).unwrap();
        builder.store_u32(1_765_003_600).unwrap();
        builder.store_u32(0).unwrap();
        builder.store_u8(0).unwrap();
        builder.store_reference(apart.clone().build().unwrap()).unwrap();
        builder.build().unwrap()
    };
    let cell = unsigned(CellBuilder::new());
    let expected = "be1cc357bb22c82719b040ba7b5a4b525e9364dd853d8a7cc879894f1a3a788d";
    assert_eq!(hash0(&cell), expected);
    let mut builder = CellBuilder::new();
    builder.store_raw(&key(2).sign(&hash(&cell)), 512).unwrap();
    let expected = "ef9fec7506bf9ea0be6dcd51db0d4a8057d550973a65461d0c75b6ccea7262e1";
    assert_eq!(hash0(&unsigned(builder)), expected);
}

#[test]
fn state_commit() {
    let commit = proxy::Commit {
        seqno: 42,
        session: [0x5a; 32],
    };
    let message = proxy::Message::Commit { query_id: 9, commit };
    let expected = "21f0899a7180ad97761382fca6987f21778f54e4b94617be82b0b213291d4057";
    assert_eq!(hash0(&message.to_cell()), expected);
    assert_eq!(
        proxy::Event::parse(&message.to_cell()),
        Ok(proxy::Event::Message(message))
    );
}

#[test]
fn root() {
    let model = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"test-model@0:0");
    let config = RootConfig {
        owner: at(0xee),
        version: 9,
        proxies: vec![RegisteredProxy::from_text(1, "10.0.0.1:9001 10.0.0.1:9002").unwrap()],
        last_proxy_seqno: 1,
        proxy_hashes: BTreeSet::from([[0x11; 32]]),
        worker_hashes: BTreeSet::from([[0x22; 32]]),
        model_hashes: BTreeSet::from([model.as_ref().try_into().unwrap()]),
        params: params(),
        key_manager: None,
    };
    let data = config.to_cell();
    let lists = data.reference_cloned(0).unwrap();
    assert_eq!(
        hash0(&lists),
        "20cabe97a2867bcde9a59534fc38fdb5a3b682b34b62e3a7a00d253123b0ccfd"
    );
    assert_eq!(
        hash0(&data),
        "d1312a82f88b6945a5dbff89c8eafaa39f783323ce35c2db034389c3afc41dcd"
    );
    assert_eq!(RootConfig::parse(&data).as_ref(), Ok(&config));
    let address = address0(&StateInit {
        code: launch(ROOT),
        data,
    });
    let expected = "0:404d72a615bb46c87e5971ae0bba9b470636a34b8753fecd6a1a36d4b86b0063";
    assert_eq!(address, expected.parse().unwrap());
}
