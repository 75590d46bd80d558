"""Where everything is started: a folder, the programs, the upstream, and the gateways."""

from harness import place, text
from harness.place import OF_GATEWAYS
from harness.process import Server, free_port

# Below the default of `session.max_sessions_per_user`.
PER_USER = 200


class Place(place.Place):
    """One whose gateways have a listener for operators."""

    def start_gateway(self, name, keys, users=1, before=()):
        """A gateway with its defaults but for addresses, one thread and cheap hashes, with more `keys`, run by
        the command `before`; and its listener for operators."""
        folder, port, admin = self.of(name), free_port(), free_port()
        more = f'[admin]\nlisten = "127.0.0.1:{admin}"\n{keys}\n'
        configuration = text.gateway(port, self.upstream, folder, more)
        command = [*before, *self.write_gateway(folder, configuration, text.users(users, text.CHEAPEST_HASH))]
        # No certificates: to read them takes callgrind longer than the requests.
        environment = {"SSL_CERT_FILE": "/dev/null"}
        server = Server(name, command, port, OF_GATEWAYS, folder / "log", environment)
        server.admin, server.folder = admin, folder
        return server
