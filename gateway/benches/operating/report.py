"""The report: the results between two marks of `docs/metrics.md`."""

from harness.markdown import put, table
from harness.system import REPOSITORY

DOCUMENT = REPOSITORY / "docs/metrics.md"

# Of the instructions of a request, and milliseconds.
SHARE = 0.02
WORST = 5


def markdown(results):
    """Everything that was measured, as Markdown."""
    machine, found, scrape = results["machine"], results["instructions"], results["scrape"]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    rows = [["a forwarded request itself", f"{found['request']:,.0f}", ""],
            ["its metrics", f"{found['metrics']:,.0f}", f"{100 * found['metrics'] / found['request']:.2f} %"],
            ["its access line, into a file", f"{found['line']:,.0f}",
             f"{100 * found['line'] / found['request']:.2f} %"]]
    met = "met" if found["share"] <= SHARE else "missed"
    times = [f"{scrape[key]:.2f}" for key in ("median", "p99", "worst")]
    in_time = "met" if scrape["worst"] < WORST else "missed"
    return f"""{results['date']}, `{results['command']}`.
{machine['processor']}, {machine['cores']} cores, {machine['system']}, Linux {machine['kernel']}; {versions}.

{table(["", ":instructions", ":of the request"], rows)}

By callgrind, the program that `make release` builds; of a line, what the request's own thread does. Metrics \
and access line together, with the clock that is read for both, take \
{100 * found['share']:.2f} %; the goal of {100 * SHARE:.0f} % is {met}.

{table([":sessions", ":/metrics, ms: median", ":p99", f":worst of {scrape['scrapes']:,}", ":bytes"],
       [[f"{scrape['sessions']:,}", *times, f"{scrape['bytes']:,}"]])}

The goal of {WORST} ms for the worst is {in_time}."""


def write(results):
    """Puts the results into the document; its own words stay."""
    put(DOCUMENT, "make bench-operating", markdown(results))
