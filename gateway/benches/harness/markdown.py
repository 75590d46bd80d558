"""Results in Markdown: tables, and their place in a document."""

import re

from .process import Failure


def table(head, rows):
    """`head` with a `:` before each column of numbers."""
    marks = ["--:" if name.startswith(":") else "---" for name in head]
    lines = [[name.removeprefix(":") for name in head], marks, *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def put(document, command, text):
    """Puts `text` between the marks of `command` in `document`, whose own words stay."""
    begin, end = (f"<!-- measured by {command}: {which} -->" for which in ("begin", "end"))
    words = document.read_text()
    pattern = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.DOTALL)
    if not pattern.search(words):
        raise Failure(f"{document}: the marks {begin} and {end} are not there")
    measured = f"{begin}\n\n{text}\n\n{end}"
    document.write_text(pattern.sub(lambda _: measured, words))


def met(is_met):
    """Whether a goal is."""
    return "met" if is_met else "missed"


def sections(results, each, layout):
    """When and where `results` came about, in this `layout` of cores, and what they are: of `each` section its key in them,
    its heading, and what makes its text."""
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    parts = [f"""{results['date']}, `{results['command']}`, {results['rounds']} rounds, {results['minutes']:.1f} minutes.
{machine['processor']}, {machine['cores']} cores, {machine['system']}, Linux {machine['kernel']}, load average before it \
{machine['busy']:.1f}; {versions}.
{layout}"""]
    for key, heading, section in each:
        if results.get(key):
            parts += [f"### {heading}", section(results[key])]
    return "\n\n".join(parts)
