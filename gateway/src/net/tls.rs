//! Certificates of the listeners, read again when their files change.

pub mod pem;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwap;
use pingora::listeners::TlsAccept;
use pingora::listeners::tls::TlsSettings;
use pingora::protocols::tls::SslDigest;
use pingora::tls::sign::CertifiedKey;
use pingora::tls::{
    ClientHello, CryptoProvider, PrivateKeyDer, ResolvesServerCert, install_default_crypto_provider,
};

use crate::file_identity::Files;
use crate::file_identity::watched::{Occasion, Source, Watched};
use crate::metrics::Expiry;
use crate::toml_reader::{Diagnostic, Named};
use pem::Chain;

/// A certificate with its key, as good as their files were when they last made a pair.
pub struct Certificate {
    files: Pair,
    current: ArcSwap<CertifiedKey>,
    expiry: Expiry,
}

/// The files of a certificate, with those that vouch for it, and of its key.
#[derive(Clone)]
pub struct Pair {
    /// The certificate.
    pub certificate: Named,
    /// Its key.
    pub key: Named,
}

impl Certificate {
    /// Reads the pair by `files`; all that is wrong with it.
    pub fn load(pair: Pair, files: &Files) -> Result<Self, Vec<Diagnostic>> {
        let current = pair.read(files)?.certified;
        let expiry = Expiry::default();
        expiry.store(ends(&current), Ordering::Relaxed);
        Ok(Self { files: pair, current: ArcSwap::from_pointee(current), expiry })
    }

    /// The file that it was read from.
    pub fn path(&self) -> &Path {
        &self.files.certificate.path
    }

    /// Until when it is valid, up to date for as long as it is watched.
    pub fn expiry(&self) -> Expiry {
        Arc::clone(&self.expiry)
    }

    /// The pair as something to be looked at.
    pub fn watched(self: &Arc<Self>) -> Watched {
        let Pair { certificate, key } = &self.files;
        let paths = [certificate.path.clone(), key.path.clone()];
        Watched::new(Box::new(Arc::clone(self)), paths)
    }
}

impl Source for Arc<Certificate> {
    fn take(&self, files: &Files, _occasion: Occasion) -> Result<(), Vec<String>> {
        let read = self.files.read(files).map_err(|faults| told(&faults))?;
        if read.certified.cert != self.current.load().cert {
            self.expiry.store(ends(&read.certified), Ordering::Relaxed);
            self.current.store(Arc::new(read.certified));
            log::info!("{}: the new certificate is in use", self.files.certificate.path.display());
        }
        Ok(())
    }

    fn refused(&self, faults: &[String]) {
        log::error!("{}; the old certificate stays in use", faults.join("; "));
    }
}

fn ends(pair: &CertifiedKey) -> i64 {
    pair.cert.first().map_or(0, pem::expiry)
}

/// A pair that fits.
pub struct ReadPair {
    /// The certificate, with those that vouch for it.
    pub chain: Chain,
    /// Its key.
    pub private: PrivateKeyDer<'static>,
    /// Both as one.
    pub certified: CertifiedKey,
}

impl Pair {
    /// Reads both files, also if the first is at fault.
    pub fn read(&self, files: &Files) -> Result<ReadPair, Vec<Diagnostic>> {
        let Self { certificate, key } = self;
        let chain = read(certificate, files, pem::chain);
        let private = read(key, files, pem::key);
        let (chain, private) = match (chain, private) {
            (Ok(chain), Ok(private)) => (chain, private),
            (chain, private) => return Err(chain.err().into_iter().chain(private.err()).collect()),
        };
        install_default_crypto_provider();
        let certified = self.certify(chain.clone(), private.clone_key());
        certified.map_err(|what| vec![key.fault(what)]).map(|certified| ReadPair {
            chain,
            private,
            certified,
        })
    }

    /// The two as one, if they fit each other.
    fn certify(&self, chain: Chain, key: PrivateKeyDer<'static>) -> Result<CertifiedKey, String> {
        let provider =
            CryptoProvider::get_default().ok_or("there is no provider of cryptography")?;
        let private = provider.key_provider.load_private_key(key);
        let private =
            private.map_err(|error| format!("this private key cannot be used: {error}"))?;
        let pair = CertifiedKey::new(chain, private);
        pair.keys_match().map_err(|error| {
            let certificate = self.certificate.path.display();
            format!("the key is not the certificate's, which is {certificate}: {error}")
        })?;
        Ok(pair)
    }
}

/// Reads one file; the fault says what the system or `parse` has against it.
pub fn read<T>(
    file: &Named,
    files: &Files,
    parse: impl FnOnce(&[u8]) -> Result<T, String>,
) -> Result<T, Diagnostic> {
    let content = files.read(&file.path).map_err(|error| file.fault(error))?;
    parse(&zeroize::Zeroizing::new(content)).map_err(|what| file.fault(what))
}

/// The faults as text.
pub fn told(faults: &[Diagnostic]) -> Vec<String> {
    faults.iter().map(ToString::to_string).collect()
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Certificate({})", self.files.certificate.path.display())
    }
}

/// The version of TLS of a connection, for the log.
pub fn version(connection: &SslDigest) -> &'static str {
    match &*connection.version {
        "TLSv1_3" => "1.3",
        "TLSv1_2" => "1.2",
        _ => "other",
    }
}

/// TLS 1.2 and 1.3 with `certificate`, HTTP/2 where the client wants it.
pub fn settings(certificate: &Arc<Certificate>) -> TlsSettings {
    struct Nothing;
    impl TlsAccept for Nothing {}
    let settings = TlsSettings::with_callbacks(Box::new(Nothing));
    let mut settings = settings.expect("settings without files cannot fail");
    settings.set_cert_resolver(Arc::clone(certificate) as Arc<dyn ResolvesServerCert>);
    settings.enable_h2();
    settings
}
