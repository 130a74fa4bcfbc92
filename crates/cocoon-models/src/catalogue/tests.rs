use super::*;

const SHA: &str = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";

fn own(changes: &[(&str, &str)]) -> String {
    let mut text = format!(
        "[[model]]\nname = \"mine\"\nlicence = \"MIT\"\nsize = 5\nsha256 = \"{SHA}\"\nsources = [\"https://a.example/x\"]\n"
    );
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    text
}

#[test]
fn the_built_in_catalogue_is_sound() {
    let catalogue = Catalogue::built_in();
    let default = catalogue.default_model();
    assert_eq!(default.name, "smollm2-135m-instruct");
    assert_eq!(default.size, Some(98_362_432));
    assert_eq!(default.context_length, Some(8192));
    assert!(default.chat);
    for model in catalogue.models() {
        assert_eq!(
            model.sources.first().unwrap().label(),
            "hub",
            "{}: the hub comes first",
            model.name
        );
        assert_eq!(model.licence, "Apache-2.0");
        assert!(!model.title.is_empty());
        assert!(model.context_length.is_some());
    }
    assert!(
        default
            .sources
            .iter()
            .any(|source| matches!(source, Source::Package(_))),
        "comes without the hub"
    );
}

#[test]
fn an_own_file_adds_and_replaces() {
    let catalogue = Catalogue::with_text(&own(&[])).unwrap();
    assert_eq!(catalogue.models().len(), Catalogue::built_in().models().len() + 1);
    assert_eq!(catalogue.models().first().unwrap().name, "mine");
    assert_eq!(catalogue.default_model().name, "smollm2-135m-instruct");

    let replaced = own(&[("\"mine\"", "\"SmolLM2-135M-Instruct\"")]);
    let catalogue = Catalogue::with_text(&replaced).unwrap();
    assert_eq!(catalogue.models().len(), Catalogue::built_in().models().len());
    assert_eq!(catalogue.default_model().licence, "MIT");

    let default = own(&[("size = 5", "size = 5\ndefault = true")]);
    assert_eq!(
        Catalogue::with_text(&default).unwrap().default_model().name,
        "mine"
    );
}

#[test]
fn a_file_is_read_with_a_limit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("own.toml");
    assert!(matches!(
        Catalogue::with_file(&path),
        Err(CatalogueError::Read { .. })
    ));
    std::fs::write(&path, own(&[])).unwrap();
    assert!(Catalogue::with_file(&path).unwrap().find("MINE").is_some());
    std::fs::write(&path, vec![b'#'; 1024 * 1024 + 1]).unwrap();
    assert!(matches!(
        Catalogue::with_file(&path),
        Err(CatalogueError::TooLarge)
    ));
}

#[test]
fn what_a_file_may_not_say() {
    let long = "n".repeat(101);
    for (changes, part) in [
        (vec![("name = \"mine\"\n", "")], "missing field `name`"),
        (
            vec![("licence = \"MIT\"", "licence = \"\"")],
            "licence is missing",
        ),
        (vec![("licence = \"MIT\"", "licence = \"a\\nb\"")], "one line"),
        (vec![("size = 5", "size = 0")], "the size is between"),
        (vec![("size = 5", "size = -1")], "invalid value"),
        (vec![("size = 5", "size = 2000000000000")], "the size is between"),
        (vec![(SHA, "abc")], "64 hexadecimal"),
        (vec![("size = 5", "size = 5\nurl = \"x\"")], "unknown field `url`"),
        (vec![("\"https://a.example/x\"", "")], "1 to 16 sources"),
        (
            vec![("https://a.example/x", "file:///x")],
            "source 1: a source is",
        ),
        (vec![("\"mine\"", "\"a/b\"")], "a name has"),
        (vec![("\"mine\"", "\"../b\"")], "a name has"),
        (vec![("\"mine\"", "\"\"")], "a name has"),
        (vec![("\"mine\"", &format!("\"{long}\""))], "a name has"),
        (vec![("[[model]]", "[[model")], "line 1"),
        (vec![("size = 5", "size = 5\nsize = 6")], "line 5"),
    ] {
        let error = Catalogue::with_text(&own(&changes)).unwrap_err().to_string();
        assert!(error.contains(part), "{changes:?}: {error}");
    }
    let twice = format!("{}{}", own(&[]), own(&[("mine", "MINE")]));
    assert!(matches!(
        Catalogue::with_text(&twice),
        Err(CatalogueError::Twice(_))
    ));
    let mark = ("size = 5", "size = 5\ndefault = true");
    let defaults = format!("{}{}", own(&[mark]), own(&[mark, ("mine", "other")]));
    assert!(matches!(
        Catalogue::with_text(&defaults),
        Err(CatalogueError::TwoDefaults)
    ));
    let many: String = (0..1001).map(|n| own(&[("mine", &format!("m{n}"))])).collect();
    assert!(matches!(
        Catalogue::with_text(&many),
        Err(CatalogueError::TooManyModels)
    ));
}

#[test]
fn a_word_becomes_a_model() {
    let catalogue = Catalogue::built_in();
    let Model::Entry(found) = catalogue.resolve("SmolLM2-135M-instruct").unwrap() else {
        panic!()
    };
    assert_eq!(&*found, catalogue.default_model());

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("own.gguf");
    std::fs::write(&file, b"GGUF").unwrap();
    assert_eq!(catalogue.resolve(file.to_str().unwrap()), Ok(Model::File(file)));
    assert!(matches!(
        catalogue.resolve("./no/such.gguf"),
        Err(ResolveError::NoFile(_))
    ));
    let error = catalogue.resolve("nonsense").unwrap_err().to_string();
    assert!(
        error.contains("`nonsense`") && error.contains("smollm2-135m-instruct"),
        "{error}"
    );
}

#[test]
fn an_address_needs_a_digest() {
    let catalogue = Catalogue::built_in();
    let resolve = |text: &str| catalogue.resolve(text);
    let Model::Entry(web) = resolve(&format!("https://h.example/a/My%20Model.Q4.gguf#sha256={SHA}")).unwrap()
    else {
        panic!()
    };
    assert_eq!(
        (web.name.as_str(), web.size, web.sha256.to_string().as_str()),
        ("My20Model.Q4", None, SHA)
    );
    let Model::Entry(package) = resolve(&format!("pypi:a==1!b/..#sha256={SHA}")).unwrap() else {
        panic!()
    };
    assert_eq!(package.name, "model");
    assert_eq!(resolve("https://h.example/x.gguf"), Err(ResolveError::NoDigest));
    assert_eq!(
        resolve("https://h.example/x.gguf#sha256=12"),
        Err(ResolveError::Digest)
    );
    assert!(matches!(
        resolve(&format!("https://u:p@h.example/x#sha256={SHA}")),
        Err(ResolveError::Source(_))
    ));
}
