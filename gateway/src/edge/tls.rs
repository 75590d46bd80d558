//! Certificates: read from files, read again when the files change.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use pingora::listeners::TlsAccept;
use pingora::listeners::tls::TlsSettings;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use pingora::tls::sign::CertifiedKey;
use pingora::tls::{
    CertificateDer, ClientHello, CryptoProvider, PrivateKeyDer, ResolvesServerCert, RootCertStore,
    install_default_crypto_provider, load_certs_and_key_files,
};
use pingora::utils::tls::{CertKey, WrappedX509, parse_x509};

use crate::stamp::Stamp;

/// A certificate with its key, as good as their files were when they last made a pair.
pub struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    current: ArcSwap<CertifiedKey>,
    /// The files' stamps when they were last there, both of them.
    seen: Mutex<Option<[Stamp; 2]>>,
}

/// A certificate and those that vouch for it.
type Chain = Vec<CertificateDer<'static>>;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(1);

impl Certificate {
    /// Reads the pair; the error says what is wrong with it.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, String> {
        let seen = stamps(certificate, key);
        Ok(Self {
            current: ArcSwap::from_pointee(read_pair(certificate, key)?),
            seen: Mutex::new(seen),
            chain: certificate.to_owned(),
            key: key.to_owned(),
        })
    }

    /// Reads the pair again if either file has changed. A pair that does not fit is not taken:
    /// the old one goes on, and the log says so.
    fn renew(&self) {
        let now = stamps(&self.chain, &self.key);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if now.is_none() || *seen == now {
            return;
        }
        *seen = now;
        match read_pair(&self.chain, &self.key) {
            Ok(pair) => {
                self.current.store(Arc::new(pair));
                log::info!("{}: the new certificate is in use", self.chain.display());
            }
            Err(error) => log::warn!("{error}; the old certificate stays in use"),
        }
    }
}

fn stamps(certificate: &Path, key: &Path) -> Option<[Stamp; 2]> {
    Some([Stamp::of(certificate).ok()?, Stamp::of(key).ok()?])
}

fn read_pair(certificate: &Path, key: &Path) -> Result<CertifiedKey, String> {
    let (chain, private) = read_files(certificate, key)?;
    pair(chain, private).map_err(|what| told_of(certificate, key, &what))
}

fn read_files(certificate: &Path, key: &Path) -> Result<(Chain, PrivateKeyDer<'static>), String> {
    let files = load_certs_and_key_files(&text(certificate), &text(key));
    files.ok().flatten().ok_or_else(|| {
        told_of(certificate, key, "not a certificate and a key, in PEM, that can be read")
    })
}

/// The two as one, if they fit each other.
fn pair(chain: Chain, private: PrivateKeyDer<'static>) -> Result<CertifiedKey, String> {
    install_default_crypto_provider();
    let provider = CryptoProvider::get_default().ok_or("no cryptography")?;
    let private = provider.key_provider.load_private_key(private);
    let pair = CertifiedKey::new(chain, private.map_err(|_| "not a key of a known kind")?);
    let fits = pair.keys_match();
    fits.map_err(|error| format!("the key is not the certificate's: {error}"))?;
    Ok(pair)
}

fn told_of(certificate: &Path, key: &Path, what: &str) -> String {
    format!("{} and {}: {what}", certificate.display(), key.display())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Certificate({})", self.chain.display())
    }
}

/// TLS 1.2 and 1.3 with `certificate`, HTTP/2 where the client wants it.
pub(super) fn settings(certificate: &Arc<Certificate>) -> TlsSettings {
    struct Nothing;
    impl TlsAccept for Nothing {}
    let settings = TlsSettings::with_callbacks(Box::new(Nothing));
    let mut settings = settings.expect("settings without files cannot fail");
    settings.set_cert_resolver(Arc::clone(certificate) as Arc<dyn ResolvesServerCert>);
    settings.enable_h2();
    settings
}

/// Looks at the files of certificates now and then.
pub(super) struct Renewal(pub(super) Vec<Arc<Certificate>>);

#[async_trait]
impl BackgroundService for Renewal {
    async fn start(&self, shutdown: ShutdownWatch) {
        while !*shutdown.borrow() && !self.0.is_empty() {
            tokio::time::sleep(EVERY).await;
            self.0.iter().for_each(|certificate| certificate.renew());
        }
    }
}

/// By what an `https` upstream is known, and by what it knows us.
#[derive(Clone, Default)]
pub struct UpstreamTls {
    /// The certificates that may have signed the upstream's; `None`: those of the system.
    pub authorities: Option<Arc<[WrappedX509]>>,
    /// The gateway's own certificate.
    pub client: Option<Arc<CertKey>>,
}

impl UpstreamTls {
    /// Reads the files; the error says what is wrong with them.
    pub fn load(
        authorities: Option<&Path>,
        client: Option<(&Path, &Path)>,
    ) -> Result<Self, String> {
        let authorities = authorities.map(read_authorities).transpose()?;
        let client = client.map(|(certificate, key)| read_client(certificate, key)).transpose()?;
        Ok(Self { authorities, client })
    }
}

fn read_authorities(path: &Path) -> Result<Arc<[WrappedX509]>, String> {
    use base64::Engine;
    let told = |what: &str| format!("{}: {what}", path.display());
    let pem = std::fs::read_to_string(path).map_err(|error| told(&error.to_string()))?;
    let blocks = pem.split("-----BEGIN CERTIFICATE-----").skip(1);
    let certificates = blocks.map(|block| {
        let body = block.split("-----END").next().unwrap_or_default();
        let body: String = body.split_whitespace().collect();
        base64::engine::general_purpose::STANDARD.decode(body).ok()
    });
    let certificates: Option<Vec<_>> = certificates.collect();
    match certificates {
        Some(certificates) if !certificates.is_empty() => parse_all(certificates),
        _ => Err("not certificates in PEM".to_owned()),
    }
    .map_err(|what| told(&what))
}

/// What is no certificate is a fault like any other; Pingora's own parser panics at it.
fn parse_all(certificates: Vec<Vec<u8>>) -> Result<Arc<[WrappedX509]>, String> {
    for der in &certificates {
        let added = RootCertStore::empty().add(CertificateDer::from_slice(der));
        added.map_err(|error| format!("not certificates of authorities: {error}"))?;
    }
    std::panic::catch_unwind(|| {
        certificates.into_iter().map(|der| WrappedX509::new(der, parse_x509)).collect()
    })
    .map_err(|_| "not certificates".to_owned())
}

fn read_client(certificate: &Path, key: &Path) -> Result<Arc<CertKey>, String> {
    let (chain, private) = read_files(certificate, key)?;
    let for_pingora =
        CertKey::new(chain.iter().map(|der| der.to_vec()).collect(), private.secret_der().to_vec());
    // Whether they fit each other is checked as for the gateway's own listeners.
    pair(chain, private).map_err(|what| told_of(certificate, key, &what))?;
    Ok(Arc::new(for_pingora))
}
