"""Who runs on which cores."""

from harness.process import all_cores


def cores():
    """The cores for the proxy under test, and those for the load and the upstream.

    Apart where there are two: what the load costs must not look like the proxy's.
    """
    usable = all_cores()
    return usable[:1], usable[1:] or usable
