use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
};

use crate::support::*;

/// Somebody who signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, both in PEM.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut about = CertificateParams::default();
        about.distinguished_name.push(DnType::CommonName, "authority.test");
        about.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(about, KeyPair::generate().unwrap());
        Self(issuer.unwrap())
    }

    /// Its own certificate, in PEM.
    pub(crate) fn certificate(&self) -> String {
        self.0.pem()
    }

    /// A certificate for `name`, an address or a host.
    pub(crate) fn pair(&self, name: &str) -> Pair {
        self.sign(CertificateParams::new([name.to_owned()]).unwrap())
    }

    /// A certificate for `name` whose time is over.
    pub(crate) fn expired(&self, name: &str) -> Pair {
        let mut about = CertificateParams::new([name.to_owned()]).unwrap();
        about.not_after = rcgen::date_time_ymd(2020, 1, 1);
        self.sign(about)
    }

    /// A certificate for `name` that is its own authority, as `openssl req -x509` makes it; in force
    /// up to this year.
    pub(crate) fn of_itself(name: &str, until: i32) -> Pair {
        let mut about = CertificateParams::new([name.to_owned()]).unwrap();
        about.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        about.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = about.self_signed(&key).unwrap().pem();
        Pair { certificate, key: key.serialize_pem() }
    }

    fn sign(&self, about: CertificateParams) -> Pair {
        let key = KeyPair::generate().unwrap();
        let certificate = about.signed_by(&key, &self.0).unwrap().pem();
        Pair { certificate, key: key.serialize_pem() }
    }

    /// Only this authority.
    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }
}

impl Pair {
    /// Writes both into `folder`, as `name.crt` and `name.key`.
    pub(crate) fn write(&self, folder: &Path, name: &str) {
        std::fs::write(folder.join(format!("{name}.crt")), &self.certificate).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), &self.key).unwrap();
    }

    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()]
    }

    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap()
    }
}

/// A gateway that speaks HTTP and HTTPS, the latter with a certificate for 127.0.0.1.
pub(crate) struct SecureGateway {
    pub(crate) gateway: Gateway,
    pub(crate) https: SocketAddr,
    pub(crate) authority: Authority,
}

impl SecureGateway {
    /// With the users `ada` and `bob`, in front of `upstream`.
    pub(crate) fn start(upstream: SocketAddr) -> Self {
        Self::start_with(upstream, "", "")
    }

    /// The same with more of `[listen]`, and more sections.
    pub(crate) fn start_with(upstream: SocketAddr, listen: &str, config: &str) -> Self {
        Self::start_for(upstream, listen, config, &users(&["ada", "bob"]))
    }

    /// The same with other users.
    pub(crate) fn start_for(upstream: SocketAddr, listen: &str, config: &str, users: &str) -> Self {
        let authority = Authority::new();
        let folder = tempfile::tempdir().unwrap();
        authority.pair("127.0.0.1").write(folder.path(), "gateway");
        let text = format!(
            "[listen]\nhttp = [\"127.0.0.1:0\"]\n{listen}\n[[listen.https]]\n\
             address = \"127.0.0.1:0\"\ncertificate = \"gateway.crt\"\nkey = \"gateway.key\"\n\
             [upstream]\nurl = \"http://{upstream}\"\n{config}"
        );
        std::fs::write(folder.path().join("gateway.toml"), text).unwrap();
        std::fs::write(folder.path().join("users.toml"), users).unwrap();
        let gateway = Gateway::start_in(folder);
        let https = gateway.next_https();
        Self { gateway, https, authority }
    }

    /// A new connection that speaks HTTP/1.1.
    pub(crate) fn connect(&self) -> SecureClient {
        self.connect_as(&[b"http/1.1"], rustls::ALL_VERSIONS).unwrap()
    }

    /// A new connection on which the client offers these protocols and versions of TLS.
    pub(crate) fn connect_as(
        &self,
        protocols: &[&[u8]],
        versions: &[&'static SupportedProtocolVersion],
    ) -> std::io::Result<SecureClient> {
        let stream = connect(self.https, self.authority.roots(), protocols, versions)?;
        Ok(SecureClient::new(stream))
    }
}

/// A connection over TLS.
pub(crate) type SecureStream = StreamOwned<ClientConnection, TcpStream>;

/// Connects to `address`, whose certificate one of `roots` must have signed, and shakes hands.
pub(crate) fn connect(
    address: SocketAddr,
    roots: RootCertStore,
    protocols: &[&[u8]],
    versions: &[&'static SupportedProtocolVersion],
) -> std::io::Result<SecureStream> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
    let mut config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let name = ServerName::from(address.ip());
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.set_nodelay(true)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut socket)?;
    }
    Ok(StreamOwned::new(connection, socket))
}

/// A connection over TLS that speaks HTTP/1.1.
pub(crate) struct SecureClient(BufReader<SecureStream>);

impl SecureClient {
    /// On a connection that is there.
    pub(crate) fn new(stream: SecureStream) -> Self {
        Self(BufReader::new(stream))
    }

    /// Sends `request` and reads one answer.
    pub(crate) fn send(&mut self, request: &str) -> Answer {
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        Answer::read(&mut self.0, request.split(' ').next().unwrap())
    }

    pub(crate) fn protocol(&self) -> Option<&[u8]> {
        self.0.get_ref().conn.alpn_protocol()
    }

    pub(crate) fn version(&self) -> Option<ProtocolVersion> {
        self.0.get_ref().conn.protocol_version()
    }

    /// The certificate that the other side has shown.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        self.0.get_ref().conn.peer_certificates().unwrap()[0].to_vec()
    }
}

/// The first bytes of the answer to the beginning of a handshake that offers `suites` and no more
/// than `version`, as in 0x0302 for TLS 1.1: a record's kind, version and length, and two bytes of
/// its content.
pub(crate) fn hello(address: SocketAddr, version: u16, suites: &[u8]) -> Vec<u8> {
    let version = version.to_be_bytes();
    let groups = [0x00, 0x0a, 0x00, 0x06, 0x00, 0x04, 0x00, 0x1d, 0x00, 0x17];
    let points = [0x00, 0x0b, 0x00, 0x02, 0x01, 0x00];
    let signatures = [0x00, 0x0d, 0x00, 0x06, 0x00, 0x04, 0x04, 0x03, 0x04, 0x01];
    let extensions = [&groups[..], &points, &signatures].concat();
    let short = |length: usize| u16::try_from(length).unwrap().to_be_bytes();
    let body = [
        &version[..],
        &[7; 32],
        &[0],
        &short(suites.len()),
        suites,
        &[1, 0],
        &short(extensions.len()),
        &extensions,
    ]
    .concat();
    let handshake = [&[1, 0][..], &short(body.len()), &body].concat();
    let record = [&[0x16][..], &version, &short(handshake.len()), &handshake].concat();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&record).unwrap();
    let mut answer = vec![0; 7];
    stream.read_exact(&mut answer).unwrap();
    answer
}
