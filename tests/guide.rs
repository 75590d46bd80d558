use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::secure::Authority;
use crate::support::*;

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap()
}

/// The files of docs/examples, by name.
fn examples() -> BTreeMap<String, String> {
    let entries = fs::read_dir(repository().join("docs/examples")).unwrap();
    let named = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    named.map(|name| (name.clone(), read(&format!("docs/examples/{name}")))).collect()
}

fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == extension)
}

/// What the examples name: users, a certificate.
fn surround(folder: &Path) {
    fs::write(folder.join("users.toml"), read("conf/users.toml")).unwrap();
    let pair = Authority::new().pair("influx.example.com");
    fs::write(folder.join("fullchain.pem"), pair.certificate).unwrap();
    fs::write(folder.join("privkey.pem"), pair.key).unwrap();
}

/// `check` has nothing to say against this configuration, beside the files that it names.
fn check(text: &str) {
    let folder = tempfile::tempdir().unwrap();
    surround(folder.path());
    for file in named(text) {
        fs::write(folder.path().join(file), "a-secret\n").unwrap();
    }
    let config = folder.path().join("gateway.toml");
    fs::write(&config, text).unwrap();
    let output = output_of(program().args(["check", "--config"]).arg(&config), "");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*said), (Some(0), ""), "{text}");
}

/// The files of tokens and secrets that a text names.
fn named(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(['"', ' ', '\n']);
    words.filter(|word| has_extension(word, "token") || has_extension(word, "secret"))
}

#[test]
fn every_example_of_the_guide_is_good() {
    let guide = read("docs/guide.md");
    for (name, text) in examples() {
        let shown = format!("[examples/{name}](examples/{name}):\n\n```");
        let (_, block) = guide.split_once(&shown).unwrap_or_else(|| panic!("{name}: not shown"));
        let (_, block) = block.split_once('\n').unwrap();
        assert_eq!(block.split("```").next().unwrap(), text, "{name}: the guide shows another");
        if !has_extension(&name, "toml") {
            continue;
        }
        // Whoever uses it has made that folder.
        check(&text.replace("/var/log/influx-gateway/", ""));
    }
    let blocks = guide.matches("```toml\n").count();
    assert_eq!(blocks, examples().keys().filter(|name| has_extension(name, "toml")).count());
}

/// The whole configurations on these pages are what a stranger copies.
#[test]
fn the_configurations_for_providers_and_for_influxdb_3_are_good() {
    for (page, count) in [("docs/single-sign-on.md", 4), ("docs/influxdb3.md", 1)] {
        let text = read(page);
        let blocks = text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
        let whole: Vec<_> = blocks.filter(|block| block.starts_with("[listen]")).collect();
        assert_eq!(whole.len(), count, "{page}");
        whole.into_iter().for_each(check);
    }
}

#[test]
fn the_guide_makes_each_token_that_it_names() {
    let guide = read("docs/guide.md");
    let mut tokens = 0;
    for section in guide.split("\n## ") {
        let title = section.lines().next().unwrap();
        for token in named(section) {
            assert!(section.contains(&format!(" > {token})\n")), "{title}: {token}");
            tokens += 1;
        }
    }
    assert!(tokens > 4, "{tokens}");
}

#[test]
fn each_field_of_the_access_log_is_explained() {
    let page = read("docs/configuration.md");
    let (_, table) = page.split_once("| field | |\n").unwrap();
    let table = table.split("\n\n").next().unwrap();
    let mut fields = 0;
    for file in ["access_log.rs", "access_log/compared.rs"] {
        let source = read(&format!("gateway/src/gateway/{file}"));
        for rest in source.split("name!(\"").skip(1) {
            let name = rest.split('"').next().unwrap();
            assert!(table.contains(&format!("`{name}`")), "docs/configuration.md: {name}");
            fields += 1;
        }
    }
    assert!(fields > 15, "{fields}");
}

#[test]
fn the_guides_commands_for_users_work() {
    let guide = read("docs/guide.md");
    let block = guide.lines().skip_while(|line| !line.starts_with("Add, change, remove"));
    let commands: Vec<_> = block.skip(2).map_while(|line| line.strip_prefix("    ")).collect();
    assert_eq!(commands.len(), 5, "{commands:?}");
    let folder = tempfile::tempdir().unwrap();
    surround(folder.path());
    for token in ["ada.token", "bob.token"] {
        fs::write(folder.path().join(token), "a-token-of-influxdb\n").unwrap();
    }
    let config = folder.path().join("gateway.toml");
    fs::write(config, read("docs/examples/users-file.toml")).unwrap();
    for command in commands {
        let arguments = command.strip_prefix("influx-gateway ").unwrap().split(' ');
        let output = output_of(program().args(arguments).current_dir(folder.path()), PASSWORD);
        assert_eq!(output.status.code(), Some(0), "{command}: {output:?}");
    }
    let kept = fs::read_to_string(folder.path().join("users.toml")).unwrap();
    assert!(kept.contains("\"ada\"") && kept.contains("\"ada.token\""), "{kept}");
    assert!(!kept.contains("\"bob\""), "removed: {kept}");
}

/// The anchor that a heading has on GitHub.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn links_of_the_documentation_lead_somewhere() {
    let pages = fs::read_dir(repository().join("docs")).unwrap();
    let pages = pages.map(|entry| format!("docs/{}", entry.unwrap().file_name().display()));
    let mut links = 0;
    for page in pages.chain(["README.md".to_owned()]).filter(|page| has_extension(page, "md")) {
        let text = read(&page);
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if link.starts_with("https://") {
                continue;
            }
            links += 1;
            let (file, part) = link.split_once('#').unwrap_or((link, ""));
            let path = Path::new(&page).with_file_name(file);
            let path = if file.is_empty() { Path::new(&page) } else { &path };
            assert!(repository().join(path).exists(), "{page}: {link}");
            let headings = read_if_text(path);
            let mut headings = headings.lines().filter(|line| line.starts_with('#'));
            assert!(part.is_empty() || headings.any(|it| anchor(it) == part), "{page}: {link}");
        }
    }
    assert!(links > 40, "{links}");
}

#[test]
fn pictures_of_the_documentation_are_there() {
    let mut pictures = 0;
    for page in ["README.md", "docs/page.md"] {
        // Behind `src` and `srcset`.
        let text = read(page).replace("srcset=\"", "src=\"");
        for link in text.split("src=\"").skip(1) {
            let file = link.split('"').next().unwrap();
            let path = repository().join(page).with_file_name(file);
            let bytes =
                fs::metadata(&path).unwrap_or_else(|error| panic!("{page}: {file}: {error}"));
            assert!((1..=120_000).contains(&bytes.len()), "{file}: {} bytes", bytes.len());
            pictures += 1;
        }
    }
    assert_eq!(pictures, 8);
}

#[test]
fn the_picture_of_the_readme_is_what_its_script_draws() {
    let output = output_of(
        std::process::Command::new("python3")
            .args(["-B", "docs/overview.py"])
            .current_dir(repository()),
        "",
    );
    assert!(output.status.success(), "{output:?}");
    let drawn = String::from_utf8(output.stdout).unwrap();
    assert!(drawn == read("docs/overview.svg"), "`make overview` draws it anew");
    assert!(read("README.md").contains("(docs/overview.svg)"));
}

/// Its examples of configuration, beside the files that they name.
#[test]
fn every_example_of_the_readme_is_good() {
    let readme = read("README.md");
    let blocks: Vec<_> = readme.split("```toml\n").skip(1).collect();
    assert!(blocks.len() >= 3, "{}", blocks.len());
    for block in blocks {
        check(block.split("```").next().unwrap());
    }
}

fn read_if_text(path: &Path) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_default()
}
