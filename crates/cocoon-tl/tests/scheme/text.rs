//! A parser of `scheme/cocoon.tl`, as far as that file goes.

/// The whole file.
pub(crate) struct Scheme {
    pub(crate) declarations: Vec<Declaration>,
}

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Declaration {
    /// On one line, with its `;`.
    pub(crate) text: String,
    pub(crate) name: String,
    /// The id written behind the name.
    pub(crate) explicit: Option<u32>,
    /// Name and type; built-ins with their own syntax have none.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) result: String,
    pub(crate) is_function: bool,
}

impl Scheme {
    pub(crate) fn load() -> Self {
        let text: String = include_str!("../../scheme/cocoon.tl")
            .lines()
            .map(|line| line.split("//").next().unwrap_or_default())
            .flat_map(|line| [line, "\n"])
            .collect();
        let (types, functions) = text
            .split_once("---functions---")
            .expect("the file has both parts");
        let parse = |part: &str, is_function| -> Vec<Declaration> {
            part.split_inclusive(';')
                .filter(|text| !text.trim().is_empty())
                .map(|text| Declaration::parse(text, is_function))
                .collect()
        };
        Self {
            declarations: [parse(types, false), parse(functions, true)].concat(),
        }
    }

    pub(crate) fn constructor(&self, name: &str) -> &Declaration {
        let mut found = self.declarations.iter().filter(|line| line.name == name);
        let line = found.next().unwrap_or_else(|| panic!("{name} is not declared"));
        assert!(found.next().is_none(), "{name} is declared twice");
        line
    }

    /// The constructors of a type.
    pub(crate) fn constructors_of(&self, result: &str) -> Vec<&Declaration> {
        self.declarations
            .iter()
            .filter(|line| !line.is_function && line.result == result)
            .collect()
    }

    pub(crate) fn has_type(&self, result: &str) -> bool {
        !self.constructors_of(result).is_empty()
    }
}

impl Declaration {
    pub(crate) fn parse(text: &str, is_function: bool) -> Self {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let body = text
            .strip_suffix(';')
            .unwrap_or_else(|| panic!("no `;` behind {text}"));
        let (left, result) = body
            .split_once(" = ")
            .unwrap_or_else(|| panic!("no ` = ` in {text}"));
        let (head, fields) = left.split_once(' ').unwrap_or((left, ""));
        let (name, explicit) = match head.split_once('#') {
            Some((name, id)) => (name, Some(u32::from_str_radix(id, 16).expect("hexadecimal id"))),
            None => (head, None),
        };
        // The only blank inside a type is that of `(vector x)`.
        let fields = fields.replace("(vector ", "vector ");
        let fields = fields
            .replace("vector ", "vector~")
            .split(' ')
            .filter_map(|field| field.split_once(':'))
            .map(|(name, kind)| (name.to_owned(), kind.replace(['(', ')'], "").replace('~', " ")))
            .collect();
        Self {
            name: name.to_owned(),
            explicit,
            fields,
            result: result.to_owned(),
            is_function,
            text,
        }
    }

    /// The explicit id, or the CRC-32 of the normal form (spec/network.md 5.4).
    pub(crate) fn id(&self) -> u32 {
        self.explicit.unwrap_or_else(|| {
            let normal = self.text.trim_end_matches(';').replace(['(', ')'], "");
            crc32fast::hash(normal.as_bytes())
        })
    }

    pub(crate) fn has_optional_fields(&self) -> bool {
        self.fields.iter().any(|(_, kind)| kind.starts_with("flags."))
    }
}
