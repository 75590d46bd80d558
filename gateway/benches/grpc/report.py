"""The report: the results between two marks of `docs/influxdb3.md`."""

from harness.markdown import met, put, sections, table
from harness.system import REPOSITORY

DOCUMENT = REPOSITORY / "docs/influxdb3.md"

# Of the rate direct to the server; of nginx' CPU.
RATE, SMALL = 0.9, 1.15


def rate(found):
    """Long queries."""
    kinds = {"made": "made as it is sent", "ready": "there already"}
    rows = [[title, *(f"{found[kind]['rates'][name] / 1e6:.2f}" for name in ("direct", "nginx", "gateway")),
             f"{found[kind]['nginx']:.2f}",
             f"{found[kind]['ratio']:.2f} ({found[kind]['least']:.2f}–{found[kind]['most']:.2f})"]
            for kind, title in kinds.items()]
    return f"""Queries of {found['rows']:,} rows by pyarrow, {found['queries']} one after the other in each round, in millions of \
rows a second:

""" + table(["a table that is", ":direct", ":by nginx", ":by the gateway", ":nginx, of direct", ":the gateway, of direct"],
            rows) + f"""

The goal of {RATE} is for a server that has to make what it sends, as InfluxDB does: it is \
{met(found['made']['ratio'] >= RATE)}."""


def small(found):
    """Small queries."""
    cpu = found["cpu"]
    return f"""A query of one row, {found['calls']:,} in each round, {found['threads']} at once: {cpu['gateway']:.0f} µs of the \
gateway's CPU, {cpu['nginx']:.0f} of nginx' (`grpc_pass`, which asks nobody who it is); {found['ratio']:.2f} \
({found['least']:.2f}–{found['most']:.2f}) of that, and the goal of {SMALL} is {met(found['ratio'] <= SMALL)}."""


def idle(found):
    """Calls that wait."""
    return f"""{found['calls']:,} calls that are not answered yet, a hundred on a connection, take \
{found['bytes'] / 2**20:.0f} MiB of the gateway's memory, {found['each'] / 1024:.1f} KiB each."""


# Each measurement: its key in the results, its heading, its text.
SECTIONS = [("rate", "Long queries", rate), ("small", "Small queries", small), ("idle", "Calls that wait", idle)]


def markdown(results):
    """Everything that was measured, as Markdown."""
    return sections(results, SECTIONS, "The gateway has one thread and a core of its own, and so has nginx; everything else has the others.")


def write(results):
    """Puts the results into the document; its own words stay."""
    put(DOCUMENT, "make bench-grpc", markdown(results))
