//! `influx-gateway demo`: the whole product, with a built-in upstream and one user.

use std::net::SocketAddr;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Failure, run, say};
use crate::app;
use crate::config::Config;
use crate::directory::users::{Account, Users};
use crate::toml_reader::Environment;
use crate::user::access::Access;
use crate::user::password::{Cost, Memory, Password, PasswordHash};
use crate::user::{Status, User, UserId};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Where the gateway listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8086")]
    listen: SocketAddr,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    run::start_log();
    let bind = |address| app::bind(address).map_err(|error| Failure::Bind(error.to_string()));
    let listener = bind(arguments.listen)?;
    let upstream = bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let (url, built_in) = (listener.url(), upstream.url());

    let text = format!(
        "[upstream]\nurl = \"{built_in}\"\n[server]\ndrain_delay = \"0s\"\ngrace = \"5s\"\n\
         [page]\nenabled = true\ntitle = \"Demo\"\n"
    );
    let bare = Environment { variable: &|_| None, file: &|_| Err("no files here".to_owned()) };
    let config = Config::parse("demo", &text, Path::new(""), bare)
        .map_err(|refused| Failure::Configuration(refused.faults))?;
    let password = random_password();
    let users = Users::new(vec![demo_account(&password)]);

    app::serve_with_whoami(config, users, vec![listener], vec![upstream], move || {
        run::announce(std::slice::from_ref(&url));
        explain(&url, &built_in, &password);
    });
    Ok(())
}

fn demo_account(password: &str) -> Account {
    let password = Password::new(password.as_bytes().to_vec());
    let user = User {
        name: "demo".parse().expect("demo is a name"),
        id: UserId::generate(),
        status: Status::Active,
        access: Access::Full,
        token: None,
    };
    let mut memory = Memory::new(Cost::RECOMMENDED);
    Account::new(user, PasswordHash::create(&password, Cost::RECOMMENDED, &mut memory))
}

/// 96 random bits as 16 characters that no shell minds.
fn random_password() -> String {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes).expect("the operating system provides randomness");
    URL_SAFE_NO_PAD.encode(bytes).replace('-', "x").replace('_', "y")
}

fn explain(gateway: &str, upstream: &str, password: &str) {
    say::mention(&format!(
        "upstream     {upstream} (built in: it answers with what it saw)
user         demo
password     {password}
page         {gateway}/gateway/ (sign in with a browser)

# sign in, who am I, a forwarded call, sign out:
curl -i -c demo.cookies -u demo:{password} -X POST {gateway}/api/v2/signin
curl -i -b demo.cookies {gateway}/api/v2/me
curl -i -b demo.cookies '{gateway}/api/v2/buckets?org=demo'
curl -i -b demo.cookies -X POST {gateway}/api/v2/signout
"
    ));
}
