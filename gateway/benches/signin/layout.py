"""Who runs on which cores while requests are forwarded."""

from dataclasses import dataclass

from harness.process import all_cores


@dataclass
class Layout:
    """Cores of the gateway, and those of the load and the upstream."""

    gateway: list
    others: list

    @property
    def workers(self):
        """How many passwords the gateway hashes at once by default."""
        return max(len(self.gateway) - 1, 1)

    @property
    def has_room(self):
        """Whether forwarding has a core that no hash takes."""
        return len(self.gateway) > self.workers

    def words(self):
        """For the report."""
        if self.gateway == self.others:
            return f"everything on {_listed(self.gateway)}"
        return (f"the gateway on {_listed(self.gateway)}, "
                f"load and upstream on {_listed(self.others)}")


def layout(pinning):
    """`apart`: the gateway has half of the cores for itself; `shared`: everybody has all of them.

    Apart is what one wants to know, since in earnest the load is not on the gateway's machine.
    """
    cores = all_cores()
    if pinning == "shared" or len(cores) < 2:
        return Layout(cores, cores)
    half = (len(cores) + 1) // 2
    return Layout(cores[:half], cores[half:])


def _listed(cores):
    return f"core{'s' if len(cores) > 1 else ''} {', '.join(map(str, cores))}"
