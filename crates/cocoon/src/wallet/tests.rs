use cocoon_types::Address;

#[test]
fn the_raw_form_is_the_one_that_is_read_back() {
    let address = Address::new([0xab; 32]);
    assert_eq!(super::raw(address).parse(), Ok(address));
}
