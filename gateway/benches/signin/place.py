"""Where everything is started: a folder, the programs, the upstream, and the gateway."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import configuration as text
import programs
from harness.process import Server, all_cores, free_port
from harness.system import run


@dataclass
class Place:
    """A folder that is removed in the end, and the programs that were built."""

    folder: Path
    built: dict
    upstream: int = 0
    # A hash of the password, at the gateway's default cost.
    password_hash: str = field(init=False)

    def __post_init__(self):
        self.password_hash = run([self.built["influx-gateway"], "hash"], text.PASSWORD).strip()

    def of(self, name):
        """A folder for the server `name`, which may run as somebody else."""
        folder = self.folder / name
        (folder / "temp").mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        return folder

    def file(self, content):
        """A file with `content`."""
        file = self.folder / hashlib.sha256(content.encode()).hexdigest()[:16]
        if not file.exists():
            file.write_text(content)
        return file

    def start_upstream(self, on):
        """nginx, which answers at once."""
        folder, port = self.of("upstream"), free_port()
        (folder / "nginx.conf").write_text(text.upstream(port))
        self.upstream = port
        command = [programs.find("nginx"), "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf"]
        return Server("nginx", command, port, on, folder / "log")

    def start_gateway(self, name, users=256, password_hash=None, on=None, **settings):
        """The gateway, with its audit trail and without its access log."""
        folder, port = self.of(name), free_port()
        configuration = text.gateway(port, self.upstream, folder, **settings)
        (folder / "gateway.toml").write_text(configuration)
        (folder / "users.toml").write_text(text.users(users, password_hash or self.password_hash))
        (folder / "users.toml").chmod(0o600)
        command = [self.built["influx-gateway"], "run", "--config", folder / "gateway.toml"]
        return Server(name, command, port, on or all_cores(), folder / "log", {"RUST_LOG": "warn"})
