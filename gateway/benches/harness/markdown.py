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
