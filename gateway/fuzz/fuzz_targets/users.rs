//! Users files: what can be read can be edited, and faults say where they are.
#![no_main]

use std::path::Path;

use influx_gateway::internals::{Environment, Users, parse_users};
use libfuzzer_sys::fuzz_target;
use toml_edit::DocumentMut;

const NOTHING: Environment<'static> = Environment {
    variable: &|name| (name == "NAME").then(|| "value".to_owned()),
    file: &|_| Err("no such file".to_owned()),
};

fuzz_target!(|text: &str| {
    match (parse(text), parse(text)) {
        (Ok(users), Ok(again)) => {
            let document: DocumentMut =
                text.parse().expect("the editor reads what the gateway reads");
            assert_eq!(names(&users), names(&again));
            let written =
                parse(&document.to_string()).unwrap_or_else(|faults| panic!("{faults:?}"));
            assert_eq!(names(&users), names(&written), "written again");
        }
        (Err(faults), Err(again)) => {
            assert!(!faults.is_empty());
            assert_eq!(faults, again);
        }
        _ => panic!("read in two ways"),
    }
});

fn parse(text: &str) -> Result<Users, Vec<String>> {
    let lines = text.matches('\n').count() + 1;
    parse_users("users.toml", text, Path::new("/nowhere"), NOTHING).map_err(|faults| {
        for fault in &faults {
            assert!(!fault.what.is_empty() && !fault.what.contains('\n'), "{fault:?}");
            assert!(fault.line.is_none_or(|line| (1..=lines).contains(&line)), "{fault:?}");
        }
        faults.iter().map(ToString::to_string).collect()
    })
}

fn names(users: &Users) -> Vec<String> {
    users.sorted().iter().map(|user| format!("{} {}", user.name, user.id)).collect()
}
