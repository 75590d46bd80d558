"""Bars, as SVG: sign-ins a second, and what forwarded requests notice of a storm."""

from xml.sax.saxutils import escape

WIDTH, LABEL, RIGHT, BAR, GAP = 760, 320, 115, 20, 6

# Colours of its own for dark pages, and a ground of its own for those who know neither.
STYLE = """
  .ground { fill: #ffffff } text { fill: #111827 } .soft { fill: #4b5563 }
  .ours { fill: #0b6bcb } .limit { fill: #9ca3af }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117 } text { fill: #e5e7eb } .soft { fill: #9ca3af }
    .ours { fill: #58a6ff } .limit { fill: #6b7280 }
  }
"""


def is_possible(results):
    """Whether everything was measured that is drawn."""
    return bool(results.get("hashing") and results.get("forwarding"))


def draw(results):
    """The whole picture."""
    hashing, top = _hashing(results["hashing"], 16)
    latency, height = _latency(results["forwarding"], top + 24)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'font-family="system-ui, sans-serif" role="img">\n'
            f"<title>Sign-ins a second, and p99 of forwarded requests during storms</title>\n"
            f"<style>{STYLE}</style>\n"
            f'<rect class="ground" width="{WIDTH}" height="{height}" rx="6"/>\n'
            + "\n".join([*hashing, *latency]) + "\n</svg>\n")


def _hashing(found, top):
    """The machine's limit and the gateway under it, for each number of workers."""
    parts = _heading(top, "Sign-ins a second", "against Argon2 hashes a second in as many plain "
                                               "threads, at the default cost")
    top, most = top + 50, max(max(each["limit"], each["sign_ins"]) for each in found.values())
    for workers, each in found.items():
        named = f"{workers} worker" if workers == "1" else f"{workers} workers"
        ratio = f"{each['sign_ins']:.1f} ({100 * each['ratio']:.0f} %)"
        parts += _bar(top, "plain threads", each["limit"], most, "limit", f"{each['limit']:.1f}")
        parts += _bar(top + BAR, f"gateway, {named}", each["sign_ins"], most, "ours", ratio)
        top += 2 * BAR + 2 * GAP
    return parts, top


def _latency(found, top):
    """p99 without and with each storm."""
    words = (f"p99 in ms, {found['rate']:,.0f} a second; storms of {found['connections']} "
             f"connections, each asking again {found['pause_ms'] / 1000:g} s after its answer")
    parts = _heading(top, "Forwarded requests at half load", words)
    top, most = top + 50, max(each["p99_us"] for each in found["paced"].values())
    for name, each in found["paced"].items():
        title = found["titles"].get(name, "no storm").replace("`", "")
        kind = "ours" if name in ("one", "many") else "limit"
        parts += _bar(top, title, each["p99_us"], most, kind, f"{each['p99_us'] / 1000:.2f}")
        top += BAR + GAP
    return parts, top + 10


def _heading(top, title, words):
    return [_text(16, top + 12, title, 16, weight="bold"),
            _text(16, top + 32, words, 12, kind="soft")]


def _bar(top, label, value, most, kind, shown):
    width = (WIDTH - LABEL - RIGHT) * value / most
    return [_text(LABEL - 10, top + 14, label, 13, "end"),
            f'<rect class="{kind}" x="{LABEL}" y="{top}" width="{width:.1f}" height="{BAR - 2}"/>',
            _text(LABEL + width + 6, top + 14, shown, 13)]


def _text(x, y, content, size, anchor="start", weight="normal", kind=""):
    chosen = f' class="{kind}"' if kind else ""
    return (f'<text{chosen} x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{escape(content)}</text>')
