"""The report: the results between two marks of `docs/store.md`."""

from harness.markdown import put, table
from harness.system import REPOSITORY

DOCUMENT = REPOSITORY / "docs/store.md"

GOAL = 0.95

TITLES = {"redis": "Redis", "redis, no near cache": "Redis, `near_cache = false`"}


def markdown(results):
    """Everything that was measured, as Markdown."""
    parts = [_circumstances(results)]
    for key, heading, text in SECTIONS:
        if results.get(key):
            parts += [f"### {heading}", text(results[key])]
    return "\n\n".join(parts)


def write(results):
    """Puts the results into the document; its own words stay."""
    put(DOCUMENT, "make bench-store", markdown(results))


def _circumstances(results):
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return f"""{results['date']}, `{results['command']}`, {results['minutes']:.1f} minutes.
{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}, \
Linux {machine['kernel']}, load average before it {machine['busy']:.1f}, after it \
{results['busy_after']:.1f};
{versions}.
Gateways with one thread, on a core of their own; Redis, load and upstream on the others."""


def _forwarding(found):
    def spread(each):
        return f"{each['ratio']:.2f} ({each['least']:.2f}–{each['most']:.2f})"
    rows = [[TITLES.get(mode, mode), f"{each['per_cpu_second']:,.0f}", spread(each), f"{each['commands']:.3f}",
             f"{each['redis_us']:.1f}", f"{each['p50'] / 1000:.2f}", f"{each['p99'] / 1000:.2f}"]
            for mode, each in found.items()]
    met = "met" if found["redis"]["ratio"] >= GOAL else "missed"
    rounds = len(found["redis"]["rounds"])
    return table(["sessions in", ":requests a CPU second", ":of memory", ":Redis' commands a request",
                  ":Redis' CPU, µs a request", ":p50 ms", ":p99 ms"], rows) + f"""

Medians of {rounds} rounds in turn; in brackets the least and the most. The goal for Redis is {GOAL} of \
memory: {met}. Commands are counted with those of scripts."""


def _elsewhere(found):
    rows = [[title, *(f"{found[key][which] / 1000:.2f}" for which in ("median", "p99", "worst"))]
            for key, title in (("sign_in", "from a sign-in's 204 at A to the 200 of its first use at B"),
                               ("sign_out", "from a sign-out's 204 at B to the 401 at A"))]
    return table(["ms", ":median", ":p99", f":worst of {found['times']:,}"], rows) + f"""

Both gateways had the session at hand when it was signed out. {100 * found['at_once']:.1f} % of the sign-outs \
counted at A by the first request after the answer."""


def _crowd(found):
    rows = [[f"{each['sessions']:,}", f"{each['redis_us']:.1f}", f"{each['commands']:.1f}",
             f"{each['p50'] / 1000:.2f}", f"{each['p99'] / 1000:.2f}"]
            for each in (found["few"], found["many"])]
    return table([":sessions in Redis", ":Redis' CPU, µs a look-up", ":Redis' commands", ":p50 ms", ":p99 ms"],
                 rows) + f"""

Without near cache, so that each request asks Redis, with {found['few']['sessions']:,} sessions drawn by lot. A session \
takes \
{found['bytes_per_session']:,.0f} bytes of Redis' memory."""


# Each measurement: its key in the results, its heading, its text.
SECTIONS = [
    ("forwarding", "Forwarded requests", _forwarding),
    ("elsewhere", "From one gateway to another", _elsewhere),
    ("crowd", "Very many sessions", _crowd),
]
