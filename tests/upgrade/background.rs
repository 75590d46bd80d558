//! Upgrades of a process in the background: `server.daemon`.

use super::*;

/// Ends what runs with the files of a folder: nobody waits for a process in the background.
struct InBackground(PathBuf);

impl InBackground {
    /// The processes.
    fn ids(&self) -> Vec<u32> {
        let folder = self.0.to_str().unwrap();
        let is_with = |id: &u32| {
            let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(folder)
        };
        let entries = fs::read_dir("/proc").unwrap().map_while(Result::ok);
        let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.filter(is_with).collect()
    }

    /// The one process, which is where `reload` looks for it.
    fn id(&self) -> Option<u32> {
        let written = fs::read_to_string(self.0.join("pid")).unwrap_or_default();
        let id = written.trim().parse().ok()?;
        (self.ids() == [id]).then_some(id)
    }
}

impl Drop for InBackground {
    fn drop(&mut self) {
        for id in self.ids() {
            let _ = Command::new("kill").args(["-s", "KILL", &id.to_string()]).status();
        }
    }
}

/// A folder with a configuration that has such keys of `[server]`.
fn folder(upstream: SocketAddr, server: &str) -> tempfile::TempDir {
    let server = format!("[server]\ndaemon = true\ndrain_delay = \"1s\"\n{server}");
    let folder = Gateway::prepare(&format!("http://{upstream}"), &server, &users(&["ada", "bob"]));
    let path = folder.path().join("gateway.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("127.0.0.1:0", &closed_port().to_string())).unwrap();
    folder
}

/// Files are beside the configuration, though the process is elsewhere.
#[test]
fn an_upgrade_in_the_background_refuses_nobody_and_signs_nobody_out() {
    let upstream = Upstream::start();
    let folder = folder(upstream.address, "pid_file = \"pid\"\nupgrade_socket = \"upgrade.sock\"");
    let path = folder.path().join("gateway.toml");
    let old = Gateway::start_in(folder);
    // Its log is read up to the end of the process.
    let mut new = None;
    let in_background = InBackground(old.folder().to_owned());
    wait_until("its id is written", || in_background.id().is_some());
    let before = in_background.id();
    let session = buckets(&old.sign_in("ada"));
    let load = Load::default();
    thread::scope(|scope| {
        let _done = Done(&load);
        scope.spawn(|| {
            let mut kept = None;
            load.run("kept", |_| ask(&mut kept, old.address, &session));
        });
        scope.spawn(|| load.run("new", |_| ask(&mut None, old.address, &session)));
        load.wait_for(50);
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" run --upgrade --config \"$1\""]);
        command.arg(program().get_program()).arg(&path);
        let new = new.insert(Gateway::start_by(command, tempfile::tempdir().unwrap()));
        assert_eq!(new.address, old.address);
        wait_until("the old one has ended", || {
            in_background.id().is_some_and(|id| Some(id) != before)
        });
        load.wait_for(50);
    });
    assert_eq!(*load.failures.lock().unwrap(), [""; 0]);
    // It is found by its file, of which there is one.
    let reload = output_of(program().args(["reload", "--config"]).arg(&path), "");
    assert!(reload.status.success(), "{reload:?}");
    assert!(!old.folder().join("pid.old").exists());
}

/// Its id has to be written somewhere. That is said before there is a background, where nobody would see it.
#[test]
fn without_a_folder_for_its_id_nothing_is_started_in_the_background() {
    let folder = folder(closed_port(), "pid_file = \"nowhere/pid\"");
    let mut command = program();
    command.args(["run", "--config"]).arg(folder.path().join("gateway.toml"));
    let told = fail(command, 78);
    assert!(
        told.contains("server.daemon: ") && told.contains("nowhere/pid has no folder"),
        "{told}"
    );
}
