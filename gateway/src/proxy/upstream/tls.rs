//! TLS to an `https` upstream: the authorities it is checked against, and the gateway's own certificate.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pingora::tls::{CertificateDer, RootCertStore, load_native_certs};
use pingora::utils::tls::{CertKey, WrappedX509, parse_x509};
use rustls::client::verify_server_name;
use rustls::pki_types::ServerName;
use rustls::server::ParsedCertificate;
use sha2::{Digest, Sha256};

use super::Upstream;
use crate::file_identity::Files;
use crate::file_identity::watched::{Occasion, Source, Watched};
use crate::metrics::Expiry;
use crate::net::tls::{Pair, pem, read, told};
use crate::toml_reader::{Diagnostic, Named};

/// The files for TLS to an upstream: authorities, and the gateway's own certificate and key.
#[derive(Clone, Default)]
pub struct UpstreamFiles {
    /// Certificates that may have signed the upstream's, or that it has itself; none: those of the
    /// system.
    pub authorities: Option<Named>,
    /// The gateway's own certificate.
    pub client: Option<Pair>,
    /// Until when that is valid, as it was last read.
    pub expiry: Expiry,
}

/// The settings for TLS to an `https` upstream.
#[derive(Clone, Default)]
pub struct UpstreamTls {
    /// The certificates that may have signed the upstream's; `None`: those of the system.
    pub authorities: Option<Arc<[WrappedX509]>>,
    /// The gateway's own certificate.
    pub client: Option<Arc<CertKey>>,
    /// A hash of all that was read: what has the same is the same.
    pub sum: [u8; 32],
}

impl UpstreamFiles {
    /// Reads the files, or returns all their faults.
    pub fn read(&self, files: &Files) -> Result<UpstreamTls, Vec<Diagnostic>> {
        let (mut faults, mut sum) = (Vec::new(), Sha256::new());
        let mut tls = UpstreamTls::default();
        if let Some(file) = &self.authorities {
            match read(file, files, authorities) {
                Ok(authorities) => {
                    for certificate in &*authorities {
                        sum.update(certificate.borrow_raw_cert());
                    }
                    tls.authorities = Some(authorities);
                }
                Err(fault) => faults.push(fault),
            }
        }
        match self.client.as_ref().map(|pair| pair.read(files)).transpose() {
            Ok(None) => {}
            Ok(Some(pair)) => {
                let chain: Vec<_> = pair.chain.iter().map(|der| der.to_vec()).collect();
                let key = pair.private.secret_der().to_vec();
                chain.iter().chain([&key]).for_each(|der| sum.update(der));
                tls.client = Some(Arc::new(CertKey::new(chain, key)));
            }
            Err(more) => faults.extend(more),
        }
        tls.sum = sum.finalize().into();
        if !faults.is_empty() {
            return Err(faults);
        }
        let own = tls.client.as_ref().map(|own| CertificateDer::from(own.leaf()));
        self.expiry.store(own.as_ref().map_or(0, pem::expiry), Ordering::Relaxed);
        Ok(tls)
    }

    /// Where the files are.
    fn paths(&self) -> Vec<PathBuf> {
        let client = self.client.iter().flat_map(|pair| [&pair.certificate, &pair.key]);
        self.authorities.iter().chain(client).map(|file| file.path.clone()).collect()
    }
}

/// Whether the system has certificates of authorities; if not, what was found. Pingora panics without them, if it is to
/// load them.
pub fn look_for_system_authorities() -> Result<(), String> {
    let found = load_native_certs().map_err(|error| error.to_string())?;
    if found.is_empty() {
        return Err("there are none".to_owned());
    }
    let mut store = RootCertStore::empty();
    let mut add = |certificate| store.add(certificate);
    let added = found.into_iter().try_for_each(&mut add);
    added.map_err(|error| format!("one of them cannot be used: {error}"))
}

/// The files of an upstream that follows them.
struct Followed {
    files: UpstreamFiles,
    upstream: Arc<Upstream>,
}

impl UpstreamFiles {
    /// The files as something to be looked at: `upstream` is known by them.
    pub fn watched(self, upstream: Arc<Upstream>) -> Watched {
        let paths = self.paths();
        Watched::new(Box::new(Followed { files: self, upstream }), paths)
    }
}

impl Source for Followed {
    fn take(&self, files: &Files, _occasion: Occasion) -> Result<(), Vec<String>> {
        let tls = self.files.read(files).map_err(|faults| told(&faults))?;
        if self.upstream.set_tls(tls) {
            log::info!("the new certificates for the upstream are in use");
        }
        Ok(())
    }

    fn refused(&self, faults: &[String]) {
        log::error!("{}; the old certificates for the upstream stay in use", faults.join("; "));
    }
}

/// What is no certificate is a fault like any other; Pingora's own parser panics at it.
fn authorities(content: &[u8]) -> Result<Arc<[WrappedX509]>, String> {
    let certificates = pem::authorities(content)?;
    std::panic::catch_unwind(|| {
        let certificates = certificates.into_iter().map(|der| der.to_vec());
        certificates.map(|der| WrappedX509::new(der, parse_x509)).collect()
    })
    .map_err(|_| "not certificates".to_owned())
}

/// Certificates in the file of authorities that the upstream may have itself: trusted for the names
/// in them. By the rules of the web's authorities such a certificate, if it says that it is one of
/// an authority too, as `openssl req -x509` has it, is none of a server; but whoever has put it into
/// that file has said that it is.
#[derive(Default)]
pub struct Own(Vec<OwnCertificate>);

struct OwnCertificate {
    hash: [u8; 32],
    certificate: WrappedX509,
}

impl Own {
    /// Those of `tls` that name `host`, and are for servers.
    pub fn of(tls: &UpstreamTls, host: &str) -> Self {
        let all = tls.authorities.iter().flat_map(|authorities| authorities.iter());
        let ders = all.map(WrappedX509::borrow_raw_cert);
        let own = ders.filter(|der| names(der, host)).map(|der| OwnCertificate {
            hash: Sha256::digest(der).into(),
            certificate: WrappedX509::new(der.clone(), parse_x509),
        });
        Self(own.filter(OwnCertificate::is_for_servers).collect())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the certificate with this SHA-256 is one of them, and in force now.
    pub fn has(&self, hash: &[u8]) -> bool {
        let own = self.0.iter().find(|own| own.hash == hash);
        own.is_some_and(|own| own.certificate.borrow_cert().validity().is_valid())
    }
}

impl OwnCertificate {
    fn is_for_servers(&self) -> bool {
        match self.certificate.borrow_cert().extended_key_usage() {
            Ok(None) => true,
            Ok(Some(usage)) => usage.value.server_auth || usage.value.any,
            Err(_) => false,
        }
    }
}

fn names(der: &[u8], host: &str) -> bool {
    let der = CertificateDer::from(der);
    let certificate = ParsedCertificate::try_from(&der);
    let name = ServerName::try_from(host);
    matches!((certificate, name), (Ok(certificate), Ok(name))
        if verify_server_name(&certificate, &name).is_ok())
}
