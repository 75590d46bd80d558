"""The report: the results between two marks of `docs/signin.md`, and the picture beside it."""

import picture
import tables
from harness.markdown import put
from harness.system import REPOSITORY

DOCUMENT = REPOSITORY / "docs/signin.md"
PICTURE = REPOSITORY / "docs/signin.svg"

# Each measurement: its key in the results, its heading, its text.
SECTIONS = [
    ("hashing", "Sign-ins a second", tables.hashing),
    ("forwarding", "Forwarded requests during a storm", tables.forwarding),
    ("memory", "Memory during a storm", tables.memory),
    ("sessions", "Very many sessions", tables.sessions),
]


def markdown(results):
    """Everything that was measured, as Markdown."""
    parts = [_circumstances(results)]
    if picture.is_possible(results):
        parts.append("![Sign-ins a second against the machine's limit, and p99 of forwarded "
                     "requests without and with storms](signin.svg)")
    for key, heading, table in SECTIONS:
        if results.get(key):
            parts += [f"### {heading}", table(results[key])]
    return "\n\n".join(parts)


def _circumstances(results):
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return f"""{results['date']}, `{results['command']}`: {results['rounds']} rounds of \
{results['seconds']} s for each figure, in turn; {results['minutes']:.1f} minutes.
{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}, \
Linux {machine['kernel']}, load average before it {machine['busy']:.1f};
{versions}.
With an audit file, without the access log. Figures are medians of the rounds; in brackets the least
and the most."""


def write(results):
    """Puts the results into the document; its own words stay."""
    put(DOCUMENT, "make bench-signin", markdown(results))
    if picture.is_possible(results):
        PICTURE.write_text(picture.draw(results))
