//! Debian's nginx, as it is without any configuration but where it listens and what it passes on to.

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

    fn launch(address: SocketAddr, listen: &str, gateway: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Authority::new().pair("127.0.0.1").write(folder.path(), "nginx");
        let certificate = "ssl_certificate nginx.crt; ssl_certificate_key nginx.key;";
        let certificate = if listen.is_empty() { "" } else { certificate };
        let config = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr;
             events {{}}
             http {{
                 access_log off;
                 client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
                 uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                 server {{
                     listen {address}{listen};
                     {certificate}
                     location / {{
                         proxy_pass http://{gateway};
                     }}
                 }}
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
