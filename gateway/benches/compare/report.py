"""The report: the results between two marks of `docs/performance.md`, and the chart beside it."""

import chart
import tables
from harness.markdown import put
from harness.system import REPOSITORY

DOCUMENT = REPOSITORY / "docs/performance.md"
CHART = REPOSITORY / "docs/performance.svg"

# Each measurement: its key in the results, its heading, its table.
SECTIONS = [
    ("forwarding", "A forwarded request", tables.forwarding),
    ("unpinned", "The same, unpinned", tables.unpinned),
    ("local", "Local answers", tables.local),
    ("https", "HTTPS", tables.https),
    ("work", "Real work", tables.work),
    ("latency", "Latency at the same rate", tables.latency),
    ("threads", "Threads", tables.threads),
    ("sessions", "Sessions", tables.sessions),
    ("idle", "Idle connections", tables.idle),
    ("streams", "Streams", tables.streams),
    ("start", "Start and size", tables.start),
    ("calls", "System calls", tables.calls),
    ("profile", "Where the time goes", tables.profile),
]


def markdown(results):
    """Everything that was measured, as Markdown."""
    parts = ["## Goals", tables.goals_met(results), _circumstances(results)]
    for key, heading, table in SECTIONS:
        if results.get(key):
            parts += [f"## {heading}", table(results)]
            if key == "forwarding":
                parts.append("![µs of CPU a forwarded request, a bar for each proxy]"
                             "(performance.svg)")
    return "\n\n".join(parts)


def _circumstances(results):
    machine, options = results["machine"], results["options"]
    programs = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    pinning = ("unless said otherwise, the proxy on one core, load and upstream on the other"
               if machine["cores"] > 1 else "everything on the only core there is")
    cpu = ("CPU is the kernel's CPU clock of the proxy's processes (`clock_getcpuclockid`), user and "
           "system; its\ndivision between the two is by clock ticks.")
    return f"""## Where and how
{results['date']}; `{results['command']}`: {options['rounds']} rounds of {options['seconds']} s \
for each proxy, in turn, fewer of what stands beside the first table; {options['minutes']:.0f} minutes in all.

{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}, \
Linux {machine['kernel']}; {pinning}.
{programs}.

{cpu} Medians, also of ratios: each round has its own; the
spread is that of the rounds."""


def write(results):
    """Puts the results into the document; its own words stay."""
    put(DOCUMENT, "make bench", markdown(results))
    if results.get("forwarding"):
        CHART.write_text(chart.costs(results["forwarding"]))
