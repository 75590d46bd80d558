//! Debian's nginx: with no configuration but where it listens and what it passes on to, or as docs/guide.md has it.

use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use crate::secure::Authority;
use crate::support::*;

/// A running nginx; killed when dropped.
pub(crate) struct Nginx {
    pub(crate) address: SocketAddr,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Nginx {
    /// At `address`, over HTTP/1.1, before the gateway at `gateway`.
    pub(crate) fn start(address: SocketAddr, gateway: SocketAddr) -> Self {
        Self::launch(address, "", gateway)
    }

    /// The same over TLS, HTTP/2 included.
    pub(crate) fn start_secure(address: SocketAddr, gateway: SocketAddr) -> Self {
        Self::launch(address, " ssl http2", gateway)
    }

    /// By docs/examples/behind-nginx.conf, with addresses and certificate of this machine.
    pub(crate) fn start_as_documented(address: SocketAddr, gateway: SocketAddr) -> Self {
        let example = repository().join("docs/examples/behind-nginx.conf");
        let mut server = std::fs::read_to_string(example).unwrap();
        for (documented, here) in [
            ("listen 443", format!("listen {address}")),
            ("127.0.0.1:8086", gateway.to_string()),
            ("/etc/ssl/influx.example.com.pem", "nginx.crt".to_owned()),
            ("/etc/ssl/influx.example.com.key", "nginx.key".to_owned()),
        ] {
            assert_eq!(server.matches(documented).count(), 1, "{documented}: {server}");
            server = server.replace(documented, &here);
        }
        Self::serve(address, &server)
    }

    fn launch(address: SocketAddr, listen: &str, gateway: SocketAddr) -> Self {
        let certificate = "ssl_certificate nginx.crt; ssl_certificate_key nginx.key;";
        let certificate = if listen.is_empty() { "" } else { certificate };
        let server = format!(
            "server {{
                 listen {address}{listen};
                 {certificate}
                 location / {{
                     proxy_pass http://{gateway};
                 }}
             }}"
        );
        Self::serve(address, &server)
    }

    /// With this block, which listens at `address`.
    fn serve(address: SocketAddr, server: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Authority::new().pair("127.0.0.1").write(folder.path(), "nginx");
        let config = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr;
             events {{}}
             http {{
                 access_log off;
                 client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
                 uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                 {server}
             }}"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, config).unwrap();
        let child = Command::new("/usr/sbin/nginx")
            .args(["-e", "stderr", "-p"])
            .arg(folder.path())
            .arg("-c")
            .arg(file)
            .stdout(Stdio::null())
            .spawn()
            .expect("`make influxdb-tools` installs nginx");
        let nginx = Self { address, child, _folder: folder };
        wait_until("nginx listens", || TcpStream::connect(address).is_ok());
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
