"""The report: the results between two marks of `docs/single-sign-on.md`."""

from harness.markdown import met, put, sections, table
from harness.system import REPOSITORY
from issuer import ALGORITHMS
from storms import CALM, FORGED, NOBODY, name_of

DOCUMENT = REPOSITORY / "docs/single-sign-on.md"

# Of a request with a session; microseconds; of a p99; milliseconds of CPU; milliseconds.
REMEMBERED, COLD, STORM, SIGN_IN, BACK_CHANNEL = 1.05, 150, 1.2, 5, 50


def cpu(found):
    """CPU of a request."""
    rows = []
    for name in ALGORITHMS:
        each = found[name]
        rows.append([name, *(f"{each[key]:.1f}" for key in ("session", "remembered")), f"{each['ratio']:.2f}",
                     met(each["ratio"] <= REMEMBERED), *(f"{each[key]:.1f}" for key in ("cold", "verification")),
                     met(each["verification"] <= COLD)])
    return f"""Microseconds of CPU of a forwarded request, {found['requests']:,} in each round:

""" + table(["", ":with a session", ":with a JWT that is remembered", ":of one with a session", f"goal {REMEMBERED}",
             ":with one never seen before", ":its verification", f"goal {COLD} µs"], rows)


def storms(found):
    """Latency beside storms."""
    titles = {CALM: "none", NOBODY: "requests of nobody"}
    for algorithm, of_many in FORGED:
        titles[name_of(algorithm, of_many)] = f"forged JWTs, {algorithm}, of {'a client each' if of_many else 'one client'}"
    rows = []
    for name, each in found["storms"].items():
        is_forged = name not in (CALM, NOBODY)
        rows.append([titles[name], f"{each['p50_us'] / 1e3:.2f}", f"{each['p99_us'] / 1e3:.2f}",
                     f"{each['ratio']:.2f} ({each['least']:.2f}–{each['most']:.2f})" if is_forged else "",
                     met(each["ratio"] <= STORM) if is_forged else "", f"{100 * each['cpu']:.0f} %"])
    return f"""{found['rate']:,} forwarded requests a second, each due at its own moment and timed from then, beside \
{found['storm']:,} others a second, all of them refused:

""" + table(["the others", ":p50 ms", ":p99 ms", ":of that beside requests of nobody", f"goal {STORM}",
             ":the gateway's CPU"], rows)


def signins(found):
    """What a sign-in takes."""
    return f"""Of a sign-in by a provider, from its button to the session, the gateway takes {found['cpu_ms']:.2f} ms of CPU \
(at most {found['most_ms']:.2f} in a round of {found['times']}); the goal of {SIGN_IN} ms is \
{met(found['cpu_ms'] <= SIGN_IN)}. With a provider that signs with OpenSSL's command and asks nobody, all takes \
{found['median_ms']:.1f} ms."""


def backchannel(found):
    """How soon a sign-out counts elsewhere."""
    return f"""From a provider's POST to one gateway until another, with the same Redis, refuses the session: \
{found['median_ms']:.1f} ms, p99 {found['p99_ms']:.1f}, at worst {found['worst_ms']:.1f} of {found['times']}; the goal of \
{BACK_CHANNEL} ms is {met(found['worst_ms'] <= BACK_CHANNEL)}."""


# Each measurement: its key in the results, its heading, its text.
SECTIONS = [("cpu", "A request with a JWT", cpu), ("storms", "Forged JWTs", storms),
            ("signins", "Signing in", signins),
            ("backchannel", "Signing out by the provider", backchannel)]


def markdown(results):
    """Everything that was measured, as Markdown."""
    return sections(results, SECTIONS, "The gateway has one thread and a core of its own; everything else has the others.")


def write(results):
    """Puts the results into the document; its own words stay."""
    put(DOCUMENT, "make bench-sso", markdown(results))
