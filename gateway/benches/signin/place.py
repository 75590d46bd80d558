"""Where everything is started: a folder, the programs, the upstream, and the gateway."""

import configuration as text
from harness import place
from harness.process import Server, all_cores, free_port
from harness.system import run


class Place(place.Place):
    """One whose users have a password at the gateway's default cost."""

    def __init__(self, folder, built, find):
        super().__init__(folder, built, find)
        self.password_hash = run([built["influx-gateway"], "hash"], text.PASSWORD).strip()

    def start_gateway(self, name, users=256, password_hash=None, on=None, **settings):
        """The gateway, with its audit trail and without its access log."""
        folder, port = self.of(name), free_port()
        configuration = text.gateway(port, self.upstream, folder, **settings)
        command = self.write_gateway(folder, configuration, text.users(users, password_hash or self.password_hash))
        server = Server(name, command, port, on or all_cores(), folder / "log", {"RUST_LOG": "warn"})
        server.folder = folder
        return server
