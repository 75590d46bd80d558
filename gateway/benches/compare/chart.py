"""Bars, as SVG."""

from statistics import median
from xml.sax.saxutils import escape

WIDTH, LABEL, BAR, GAP, TOP, RIGHT = 760, 210, 22, 10, 56, 110
COLORS = {"ours": ("#0b6bcb", "#7db7ee"), "others": ("#6b7280", "#c3c8d0")}


def costs(forwarding):
    """CPU for each request: one bar a peer, the kernel's part paler.

    The scale ends at three times the median, so that the dearest do not dwarf the rest; a bar that
    is cut says so.
    """
    found = sorted(forwarding.items(), key=lambda item: item[1]["cpu_us"])
    costs_us = [peer["cpu_us"] for _, peer in found]
    most = min(costs_us[-1], 3 * median(costs_us))
    height = TOP + len(found) * (BAR + GAP) + 12
    body = [_text(16, 24, "µs of CPU a forwarded request", 16, weight="bold"),
            _text(16, 43, "one thread, 64 connections, empty answers; dark: the program, "
                          "pale: the kernel; line: least to most", 12)]
    for row, (name, peer) in enumerate(found):
        body += _bar(TOP + row * (BAR + GAP), name.startswith("gateway"), peer, most)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'font-family="system-ui, sans-serif" role="img">\n'
            f'<title>CPU a forwarded request</title>\n'
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n'
            + "\n".join(body) + "\n</svg>\n")


def _bar(top, ours, peer, most):
    dark, pale = COLORS["ours" if ours else "others"]
    scale = (WIDTH - LABEL - RIGHT) / most
    whole = min(peer["cpu_us"], most) * scale
    program = whole * (1 - peer["kernel_share"])
    middle = top + BAR / 2
    title = peer["title"].replace("`", "")
    cut = " (cut)" if peer["cpu_us"] > most else ""
    parts = [
        _text(LABEL - 10, middle + 4, title, 13, "end", "bold" if ours else "normal"),
        f'<rect x="{LABEL}" y="{top}" width="{program:.1f}" height="{BAR}" fill="{dark}"/>',
        f'<rect x="{LABEL + program:.1f}" y="{top}" width="{whole - program:.1f}" '
        f'height="{BAR}" fill="{pale}"/>',
        _text(LABEL + whole + 8, middle + 4, f"{peer['cpu_us']:,.1f}{cut}", 13),
    ]
    if not cut:
        least, farthest = (LABEL + min(peer[key], most) * scale for key in ("least_us", "most_us"))
        parts.append(f'<path d="M{least:.1f} {middle}H{farthest:.1f}" stroke="#111827"/>')
    return parts


def _text(x, y, content, size, anchor="start", weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'font-weight="{weight}" fill="#111827">{escape(content)}</text>')
