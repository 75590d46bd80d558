//! The configuration file, read again when it changes or when somebody says so: good as a whole and in force at once,
//! or without any consequence.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use serde_json::Value;

use super::counted;
use super::files::{Loaded, load_again, load_mixed};
use super::oidc;
use super::policy;
use crate::audit::{Event, EventKind};
use crate::auth::credential::Shared;
use crate::auth::reload::faults_of_users;
use crate::config::Config;
use crate::file_identity::Files;
use crate::file_identity::watched::{Occasion, Source, Watched};
use crate::gateway::Gateway;
use crate::gateway::reloads::Outcome;
use crate::net::concurrency::ConcurrencyLimits;
use crate::net::connections::Connections;
use crate::process_log;
use crate::tasks::reload::Configuration;
use crate::toml_reader::{Diagnostic, Written};

/// What a configuration that was read again is told to.
pub(super) struct InForce {
    pub(super) gateway: Arc<Gateway>,
    pub(super) shared: Arc<Shared>,
    pub(super) connections: Connections,
    pub(super) concurrency: Arc<ConcurrencyLimits>,
    /// The configuration in use, for people to read.
    pub(super) effective: Arc<ArcSwap<Value>>,
}

/// The configuration file.
struct ConfigFile {
    path: PathBuf,
    in_force: InForce,
    /// As it was at the start: what needs a restart is still so.
    at_start: Written,
    /// As it was when it was last taken.
    last: Mutex<Written>,
    outcome: Arc<Mutex<Outcome>>,
}

/// The file at `path`, of which `config` was read, as something to be looked at; `None` if it can be read once only.
pub(super) fn configuration(
    path: &Path,
    config: &Config,
    in_force: InForce,
) -> Option<Configuration> {
    if !path.is_file() {
        return None;
    }
    let outcome = Arc::default();
    let file = ConfigFile {
        path: path.to_owned(),
        in_force,
        at_start: config.written.clone(),
        last: Mutex::new(config.written.clone()),
        outcome: Arc::clone(&outcome),
    };
    Some(Configuration::new(Watched::new(Box::new(file), [path.to_owned()]), outcome))
}

impl InForce {
    /// Puts `config` in force, in which what needs a restart is as it was at the start.
    fn put(&self, config: Config) {
        oidc::put(&config, self.gateway.auth().oidc());
        let limits = &config.limits;
        self.connections.set_limits(limits.connections, limits.connections_per_client);
        self.concurrency.set_limits(limits);
        self.gateway.auth().set_rules(config.signin.rules);
        self.gateway.auth().set_capacity(config.capacity);
        process_log::set_level(config.log.level, config.log.access);
        self.gateway.set_policy(policy::of(&config, Arc::clone(&self.shared)));
        counted::taken(&config);
        self.effective.store(Arc::new(config.effective));
    }
}

impl ConfigFile {
    /// What can be in force of `config` before a restart: with the keys that need one as they were at the start. That
    /// must be good, too, or something would be in force that nobody may have.
    fn for_now(&self, config: Config, needs_restart: &[String]) -> Result<Config, Vec<String>> {
        if needs_restart.is_empty() {
            return Ok(config);
        }
        let mixed = load_mixed(&self.path, &config.written, (&self.at_start, needs_restart));
        let keys = needs_restart.join(", ");
        let told = |fault: &Diagnostic| {
            format!(
                "{fault} (while what needs a restart is as it was at the start: {keys}; restart, or mend it first)"
            )
        };
        mixed.map_err(|faults| faults.iter().map(told).collect())
    }

    /// Where and how users are read is as it was, up to the restart that another one of `needs_restart` needs: there
    /// must be no fault by that either, or it would be in force in part.
    fn check_users(&self, needs_restart: &[String]) -> Result<(), Vec<String>> {
        let is_about_users =
            |key: &&String| key.starts_with("users.") || key.starts_with("identity.");
        let keys: Vec<_> = needs_restart.iter().filter(is_about_users).cloned().collect();
        let faults = match &keys[..] {
            [] => Vec::new(),
            _ => faults_of_users(self.in_force.gateway.auth()),
        };
        if faults.is_empty() {
            return Ok(());
        }
        let keys = keys.join(", ");
        let told =
            |fault| format!("{fault} (read as before {keys} changed, which needs a restart)");
        Err(faults.iter().map(told).collect())
    }
}

impl Source for ConfigFile {
    fn take(&self, files: &Files, occasion: Occasion) -> Result<(), Vec<String>> {
        let loaded = load_again(&self.path, files);
        let Loaded { config, .. } =
            loaded.map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        let mut last = lock(&self.last);
        let changed = last.differences(&config.written);
        let differences = self.at_start.differences(&config.written);
        let needs_restart = policy::needing_restart(differences);
        self.check_users(&needs_restart)?;
        let written = config.written.clone();
        let config = self.for_now(config, &needs_restart)?;
        if occasion == Occasion::Told || !changed.is_empty() {
            self.in_force.put(config);
            report(&self.path, &needs_restart);
        }
        *last = written;
        *lock(&self.outcome) = Outcome { faults: Vec::new(), needs_restart };
        Ok(())
    }

    fn refused(&self, faults: &[String]) {
        for fault in faults {
            log::error!("{fault}");
        }
        log::error!(
            "the configuration is not read again, and nothing changes: {} faults",
            faults.len()
        );
        self.in_force
            .gateway
            .auth()
            .audit()
            .record(Event::now(EventKind::ReloadRefused(faults.len())));
        counted::refused();
        *lock(&self.outcome) = Outcome { faults: faults.to_vec(), needs_restart: Vec::new() };
    }
}

fn report(path: &Path, needs_restart: &[String]) {
    if needs_restart.is_empty() {
        log::info!("{}: read again and in force", path.display());
    } else {
        log::warn!(
            "{}: read again and in force, but for what needs a restart: {}",
            path.display(),
            needs_restart.join(", ")
        );
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
