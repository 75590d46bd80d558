use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::*;

/// What `suspend/suspend.c` becomes, in `folder`.
fn library(folder: &Path) -> PathBuf {
    let library = folder.join("suspend.so");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"])
        .arg(&library)
        .arg(repository().join("tests/suspend/suspend.c"))
        .status()
        .unwrap();
    assert!(built.success());
    library
}

#[test]
fn s_05_the_time_for_which_the_machine_was_suspended_counts() {
    let config = "[session]\nidle = \"10m\"\nlifetime = \"25m\"\n";
    let url = format!("http://{}", closed_port());
    let folder = Gateway::prepare(&url, config, &users(&["ada"]));
    // Renamed into place, so that no half of it is read.
    let (new, file) = (folder.path().join("suspended.new"), folder.path().join("suspended"));
    let suspended_for = |seconds: u64| {
        std::fs::write(&new, seconds.to_string()).unwrap();
        std::fs::rename(&new, &file).unwrap();
    };
    suspended_for(0);
    let mut command = program();
    command.env("LD_PRELOAD", library(folder.path())).env("SUSPENDED_FOR", &file);
    let gateway = Gateway::start_by(command, folder);
    let [left, used] = [(); 2].map(|()| cookie(&gateway.sign_in("ada")));
    let status = |line: &str| gateway.connect().send(&get("/api/v2/me", &[line])).status;

    suspended_for(540);
    assert_eq!([status(&left), status(&used)], [200; 2]);
    suspended_for(1080);
    assert_eq!(status(&used), 200);
    suspended_for(1200);
    assert_eq!(status(&left), 401, "eleven minutes without use");
    assert_eq!(status(&used), 200);
    suspended_for(1560);
    assert_eq!(status(&used), 401, "26 minutes after sign-in");
}
