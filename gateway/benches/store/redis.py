"""A redis-server, and what it says of itself."""

import re
import socket

from harness.process import Server, free_port


class Redis(Server):
    """An empty one that keeps nothing on disk; runs for as long as its `with` block."""

    def __init__(self, program, folder, on):
        port = free_port()
        command = [program, "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        super().__init__("redis-server", command, port, on, folder / "log")

    @property
    def url(self):
        """For `session.store`."""
        return f"redis://127.0.0.1:{self.port}"

    def ask(self, *words):
        """The answer to a command, as it comes, without the line that says its length."""
        with socket.create_connection(("127.0.0.1", self.port), 60) as connection:
            connection.sendall((" ".join(words) + "\r\n").encode())
            answers = connection.makefile("rb")
            first = answers.readline().decode()
            if first.startswith("$"):
                return answers.read(int(first[1:])).decode()
            return first.strip()

    def commands(self):
        """How many commands it has carried out, those of scripts included."""
        stats = self.ask("INFO", "commandstats")
        return sum(map(int, re.findall(r"^cmdstat_\S+:calls=(\d+)", stats, re.M)))

    def memory(self):
        """Bytes that it uses."""
        return int(re.search(r"used_memory:(\d+)", self.ask("INFO", "memory")).group(1))

    def sessions(self):
        """How many sessions are in it."""
        return int(self.ask("ZCARD", "igw:all").removeprefix(":"))
