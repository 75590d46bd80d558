"""The programs that take part in a benchmark: found, and built."""

import shutil

from . import client, system


class Programs:
    """Those of Debian's packages, by name, and this repository's own. `made_by` installs what is missing."""

    # What every benchmark needs, and the Debian package that has it.
    COMMON = {"nginx": "nginx", "taskset": "util-linux", "setpriv": "util-linux", "cc": "gcc libc6-dev",
              "cargo": "(rustup.rs)"}

    def __init__(self, made_by, **packages):
        self._made_by, self._packages = made_by, self.COMMON | packages

    def find(self, name):
        """Where the program `name` is."""
        return system.find(name, f"{self._packages[name]} (or: {self._made_by})")

    def check(self):
        """Fails at once if anything is missing, rather than after ten minutes."""
        for name in self._packages:
            self.find(name)

    def build(self, folder, *examples, gateway=None):
        """Builds the load, `examples`, and the gateway unless that is given, into `folder`: name to path.

        Copies, so that whoever builds meanwhile changes nothing.
        """
        self.check()
        built = {"client": client.build(self.find("cc"), folder)}
        made = gateway or system.release("build", "--bin", "influx-gateway")
        built["influx-gateway"] = shutil.copy(made, folder / "influx-gateway")
        for name in examples:
            built[name] = shutil.copy(system.release("build", "--example", name), folder / name)
        return built
