//! Reads certificates and keys in PEM, and explains what is wrong with a file.

use std::fmt;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ParsedCertificate;

/// A certificate and those that vouch for it.
pub type Chain = Vec<CertificateDer<'static>>;

/// The certificates in `content`.
pub fn certificates(content: &[u8]) -> Result<Chain, String> {
    let mut chain = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(content) {
        let number = chain.len() + 1;
        chain.push(certificate.map_err(|error| unreadable(number, &error))?);
    }
    if chain.is_empty() { Err(why_none(content, &CERTIFICATE)) } else { Ok(chain) }
}

/// The certificates in `content`, the first of which is to be shown.
pub fn chain(content: &[u8]) -> Result<Chain, String> {
    let chain = certificates(content)?;
    for (index, certificate) in chain.iter().enumerate() {
        let parsed = ParsedCertificate::try_from(certificate);
        parsed.map_err(|error| unreadable(index + 1, &error))?;
    }
    Ok(chain)
}

/// The certificates in `content`, which are those of authorities.
pub fn authorities(content: &[u8]) -> Result<Chain, String> {
    let certificates = certificates(content)?;
    for certificate in &certificates {
        let added = RootCertStore::empty().add(certificate.clone());
        added.map_err(|error| format!("not certificates of authorities: {error}"))?;
    }
    Ok(certificates)
}

/// Until when `certificate` is valid, in seconds since 1970. One that cannot be read is not valid any more.
pub fn expiry(certificate: &CertificateDer<'_>) -> i64 {
    let read = x509_parser::parse_x509_certificate(certificate);
    read.map_or(0, |(_, certificate)| certificate.validity().not_after.timestamp())
}

fn unreadable(number: usize, error: &dyn fmt::Display) -> String {
    format!("certificate {number} in it cannot be read: {error}")
}

/// The key in `content`.
pub fn key(content: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    match PrivateKeyDer::from_pem_slice(content) {
        // An old way to encrypt, in which what is encrypted looks like a key.
        Ok(_) if has(content, "Proc-Type: 4,ENCRYPTED") => Err(ENCRYPTED.to_owned()),
        Ok(key) => Ok(key),
        Err(rustls::pki_types::pem::Error::NoItemsFound) => Err(why_none(content, &KEY)),
        Err(_) if has(content, "Proc-Type: 4,ENCRYPTED") => Err(ENCRYPTED.to_owned()),
        Err(error) => Err(format!("the key in it cannot be read: {error}")),
    }
}

/// What a file should hold.
struct PemKind {
    /// Its name, as in `-----BEGIN …-----`.
    name: &'static str,
    /// What makes PEM of DER.
    command: &'static str,
}

const CERTIFICATE: PemKind = PemKind { name: "CERTIFICATE", command: "openssl x509" };
const KEY: PemKind = PemKind { name: "PRIVATE KEY", command: "openssl pkey" };

const ENCRYPTED: &str = "the key is encrypted, and nobody is there to be asked for the passphrase; \
                         `openssl pkey -in OLD -out NEW` decrypts it";

/// Why nothing of this kind is in `content`.
fn why_none(content: &[u8], kind: &PemKind) -> String {
    let PemKind { name, command } = kind;
    let marks = [&b"\xef\xbb\xbf"[..], b"\xff\xfe", b"\xfe\xff"];
    let begins = |text: &str| has(content, &format!("-----BEGIN {text}"));
    let what = if content.iter().all(u8::is_ascii_whitespace) {
        "it is empty".to_owned()
    } else if marks.iter().any(|mark| content.starts_with(mark)) {
        "it begins with a byte-order mark; save it as plain ASCII, without one".to_owned()
    } else if content.first() == Some(&0x30) {
        format!(
            "it is DER (or PKCS #12), not PEM; `{command} -inform der -in OLD -out NEW` makes PEM \
             of DER"
        )
    } else if begins("ENCRYPTED PRIVATE KEY") && *name == KEY.name {
        ENCRYPTED.to_owned()
    } else if begins("CERTIFICATE REQUEST") || begins("NEW CERTIFICATE REQUEST") {
        "it holds a request for a certificate, which an authority has to sign first".to_owned()
    } else if begins("CERTIFICATE-----") {
        "it holds a certificate, and no key; are certificate and key swapped?".to_owned()
    } else if has(content, "PRIVATE KEY-----") {
        "it holds a key, and no certificate; are certificate and key swapped?".to_owned()
    } else if begins("") {
        "it holds something else".to_owned()
    } else {
        "it is not PEM".to_owned()
    };
    format!("{what}; expected a file with lines `-----BEGIN {name}-----`")
}

fn has(content: &[u8], text: &str) -> bool {
    memchr::memmem::find(content, text.as_bytes()).is_some()
}
