"""Draws docs/overview.svg: where the gateway stands. `make overview` runs it.

    python3 docs/overview.py > docs/overview.svg
"""

from xml.sax.saxutils import escape

WIDTH, HEIGHT = 880, 400

# Colours of its own for dark pages, and a ground of its own for pages that know neither.
STYLE = """
  .ground { fill: #ffffff } text { fill: #111827 } .soft { fill: #4b5563 }
  .box { fill: #f3f4f6; stroke: #9ca3af } .ours { fill: #dbeafe; stroke: #0b6bcb; stroke-width: 2 }
  .maybe { fill: none; stroke: #9ca3af; stroke-dasharray: 5 4 }
  .line { fill: none; stroke: #4b5563; stroke-width: 1.5 } .tip { fill: #4b5563 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117 } text { fill: #e5e7eb } .soft { fill: #9ca3af }
    .box { fill: #1f2937; stroke: #6b7280 } .ours { fill: #172554; stroke: #58a6ff }
    .maybe { stroke: #6b7280 } .line { stroke: #9ca3af } .tip { fill: #9ca3af }
  }
"""

CLIENTS = [
    ("Browser", ["InfluxDB's UI, or pages of yours"], "session cookie"),
    ("Clients that sign in", ["Python, Go, JavaScript, Java, influx"], "session cookie"),
    ("Clients with a token", ["Telegraf, scripts"], "API token"),
]

GATEWAY = ["answers sign-in, sign-out and me", "keeps the sessions", "limits password guessing",
           "decides what a user may do", "adds credential and user name", "writes the audit trail"]


def draw():
    """The whole picture."""
    parts = []
    for row, (title, lines, carries) in enumerate(CLIENTS):
        top = 56 + row * 84
        parts += box(16, top, 240, 60, title, lines, "box")
        parts += arrow(256, top + 30, 400, top + 30, carries)
    parts.append('<rect class="maybe" x="366" y="40" width="18" height="244" rx="4"/>')
    parts.append(text(384, 304, "nginx or a load balancer, if you have one", 11, "end", kind="soft"))
    parts += box(400, 40, 236, 244, "influx-gateway", GATEWAY, "ours")
    parts += arrow(636, 132, 724, 132, "credential")
    parts += [text(680, 152, "+ user name", 11, "middle", kind="soft")]
    parts += box(724, 92, 140, 80, "InfluxDB 2 or 3", ["data and API tokens,", "perhaps the users"], "box")
    parts += box(400, 328, 236, 52, "users.toml", ["or the users of InfluxDB"], "box")
    parts += arrow(518, 328, 518, 284)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'font-family="system-ui, sans-serif" role="img">\n'
            f"<title>influx-gateway stands between clients and InfluxDB</title>\n"
            f"<style>{STYLE}</style>\n"
            f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}" rx="6"/>\n'
            + "\n".join(parts) + "\n</svg>\n")


def box(left, top, width, height, title, lines, kind):
    """A box with a title and lines below it."""
    parts = [f'<rect class="{kind}" x="{left}" y="{top}" width="{width}" height="{height}" rx="8"/>',
             text(left + width / 2, top + 24, title, 14, "middle", "bold")]
    gap = 32 if len(lines) > 2 else 18
    return parts + [text(left + width / 2, top + 24 + (row + 1) * gap, line, 12, "middle", kind="soft")
                    for row, line in enumerate(lines)]


def arrow(left, top, right, bottom, label=""):
    """A line from one point to another, with a tip at its end and a label above."""
    if left == right:
        tip = f"{left - 5},{bottom + 9} {left + 5},{bottom + 9} {left},{bottom}"
    else:
        tip = f"{right - 9},{bottom - 5} {right - 9},{bottom + 5} {right},{bottom}"
    parts = [f'<path class="line" d="M{left} {top}L{right} {bottom}"/>',
             f'<polygon class="tip" points="{tip}"/>']
    return parts + ([text((left + min(right, 366 if left == 256 else right)) / 2, top - 7, label, 11,
                          "middle", kind="soft")] if label else [])


def text(x, y, content, size, anchor="start", weight="normal", kind=""):
    """A line of text."""
    chosen = f' class="{kind}"' if kind else ""
    return (f'<text{chosen} x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{escape(content)}</text>')


if __name__ == "__main__":
    print(draw(), end="")
