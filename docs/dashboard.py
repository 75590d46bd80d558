"""Draws docs/dashboard.svg: the panels of conf/grafana/dashboard.json, with real figures.

    python3 -B docs/dashboard.py target/release/influx-gateway > docs/dashboard.svg

Starts a gateway with a small upstream and some load, and a Prometheus (Debian's `prometheus`) that reads it once a
second; asks each query of the dashboard for the last two minutes, and draws what comes. `make dashboard` runs it.
Grafana is not a package of Debian; this is what it would show, in the same places.
"""

import base64
import http.server
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from xml.sax.saxutils import escape

ROOT = pathlib.Path(__file__).parent.parent
SECONDS = 150
WIDTH, UNIT, MARGIN = 1080, 26, 12
COLOURS = ["#0b6bcb", "#d97706", "#059669", "#dc2626", "#7c3aed", "#0891b2", "#be185d", "#65a30d", "#475569"]
STYLE = """
  .ground { fill: #ffffff } text { fill: #111827 } .soft { fill: #6b7280 }
  .panel { fill: #f9fafb; stroke: #d1d5db } .grid { stroke: #e5e7eb } .curve { fill: none; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117 } text { fill: #e5e7eb } .soft { fill: #9ca3af }
    .panel { fill: #161b22; stroke: #374151 } .grid { stroke: #1f2937 }
  }
"""


class Upstream(http.server.BaseHTTPRequestHandler):
    """Answers after some milliseconds; one request in two hundred with an error."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        """Any method."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        time.sleep(random.expovariate(1 / 0.003))
        body = b"x" * random.randrange(200, 4000)
        self.send_response(503 if random.random() < 0.005 else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *_):
        """Nothing."""


def main(program):
    """Prints the picture."""
    with tempfile.TemporaryDirectory() as folder, http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        folder = pathlib.Path(folder)
        gateway, client, admin = start_gateway(program, folder, server.server_port)
        prometheus, address = start_prometheus(folder, admin)
        try:
            begin = time.time()
            for number in range(12):
                threading.Thread(target=use, args=(client, number, begin + SECONDS), daemon=True).start()
            time.sleep(SECONDS)
            sys.stdout.write(draw(json.loads((ROOT / "conf/grafana/dashboard.json").read_text()), address))
        finally:
            for process in (gateway, prometheus):
                process.terminate()
                process.wait()
            server.shutdown()


def start_gateway(program, folder, upstream):
    """A gateway that speaks HTTP and HTTPS; returns it and its addresses for clients and for operators."""
    digest = subprocess.run([program, "hash"], input="password", text=True, capture_output=True, check=True).stdout
    users = "".join(f'[[user]]\nname = "user{n}"\nid = "{n + 1:016x}"\npassword = "{digest.strip()}"\n' for n in range(12))
    (folder / "users.toml").write_text(users)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "60", "-subj", "/CN=localhost", "-keyout", folder / "a.key", "-out", folder / "a.crt"],
                   check=True, capture_output=True)
    (folder / "gateway.toml").write_text(f"""
[listen]
http = ["127.0.0.1:0"]
[[listen.https]]
address = "127.0.0.1:0"
certificate = "a.crt"
key = "a.key"
[upstream]
url = "http://127.0.0.1:{upstream}"
[users]
file = "users.toml"
[audit]
file = "audit.jsonl"
[admin]
listen = "127.0.0.1:0"
""")
    gateway = subprocess.Popen([program, "run", "--config", folder / "gateway.toml"], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    client, _https, admin = [gateway.stdout.readline().split()[2] for _ in range(3)]
    return gateway, client, admin.removeprefix("http://")


def start_prometheus(folder, admin):
    """A Prometheus with the shipped rules; returns it and its address."""
    config = (ROOT / "conf/prometheus/prometheus.yml").read_text()
    (folder / "prometheus.yml").write_text(config.replace("127.0.0.1:9086", admin).replace("15s", "1s"))
    for name in ("rules.yml", "alerts.yml"):
        (folder / name).write_text((ROOT / "conf/prometheus" / name).read_text())
    process = subprocess.Popen(
        ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
         "--web.listen-address=127.0.0.1:0"], text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for line in process.stderr:
        found = re.search(r'msg="Listening on" address=(\S+)', line)
        if found:
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return process, found[1]
    raise SystemExit("Prometheus does not start")


def use(client, number, end):
    """One user: signs in now and then, sometimes with a wrong password, writes, queries, and signs out."""
    def ask(method, path, headers, body=None):
        request = urllib.request.Request(client + path, method=method, headers=headers, data=body)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                answer.read()
                return answer.headers
        except urllib.error.HTTPError as error:
            error.read()
            return error.headers
        except OSError:
            # No answer, or it is over.
            return {}

    def sign_in(password):
        basic = base64.b64encode(f"user{number}:{password}".encode()).decode()
        headers = ask("POST", "/api/v2/signin", {"Authorization": "Basic " + basic}, b"")
        return {"Cookie": (headers.get("Set-Cookie") or "").split(";")[0]}

    while time.time() < end:
        if random.random() < 0.05:  # too few for a ban
            sign_in("wrong")
        session = sign_in("password")
        for _ in range(random.randrange(20, 120)):
            wave = 1.5 + (time.time() % 60) / 60
            ask(*random.choice([
                ("POST", "/api/v2/write?bucket=b", session, b"m f=1\n" * random.randrange(1, 50)),
                ("POST", "/api/v2/write?bucket=b", session, b"m f=1\n" * random.randrange(1, 50)),
                ("POST", "/api/v2/query", session, b"from(bucket: \"b\")"),
                ("GET", "/api/v2/buckets", session), ("GET", "/api/v2/me", session), ("GET", "/ping", {}),
            ]))
            time.sleep(random.expovariate(12 * wave))
        if random.random() < 0.7:
            ask("POST", "/api/v2/signout", session, b"")


def draw(dashboard, prometheus):
    """The whole picture."""
    end = int(time.time())
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"]) * UNIT + MARGIN
    parts = []
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        left, top = place["x"] * WIDTH / 24, place["y"] * UNIT + MARGIN / 2
        if panel["type"] == "row":
            parts.append(text(left + MARGIN, top + 18, panel["title"], 14, "font-weight='bold'"))
            continue
        curves = []
        for target in panel["targets"]:
            query = target["expr"].replace("$__rate_interval", "15s").replace("$instance", ".+")
            parameters = urllib.parse.urlencode({"query": query, "start": end - 120, "end": end, "step": 2})
            with urllib.request.urlopen(f"http://{prometheus}/api/v1/query_range?{parameters}") as answer:
                series = json.load(answer)["data"]["result"]
            if not series:
                raise SystemExit(f"{panel['title']}: nothing for {query}")
            for one in series:
                name = re.sub(r"{{(\w+)}}", lambda label: one["metric"].get(label[1], ""), target["legendFormat"])
                points = [(at, float(value)) for at, value in one["values"] if value != "NaN"]
                curves.append((name.replace("127.0.0.1:", ":"), points))
        parts += draw_panel(left + 4, top, WIDTH * place["w"] / 24 - 8, place["h"] * UNIT - 8, panel, curves, end)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
            f'font-family="system-ui, sans-serif" role="img">\n<title>The dashboard of influx-gateway</title>\n'
            f"<style>{STYLE}</style>\n"
            f'<rect class="ground" width="{WIDTH}" height="{height:.0f}"/>\n' + "\n".join(parts) + "\n</svg>\n")


def draw_panel(left, top, width, height, panel, curves, end):
    """One panel: title, the curves that are not zero throughout, and what they are."""
    unit = panel["fieldConfig"]["defaults"]["unit"]
    shown = [curve for curve in curves if any(value for _, value in curve[1])] or curves[:1]
    most = max((value for _, points in shown for _, value in points), default=0) or 1
    x0, y0, x1, y1 = left + 52, top + 30, left + width - 8, top + height - 30
    parts = [f'<rect class="panel" x="{left:.0f}" y="{top:.0f}" width="{width:.0f}" height="{height:.0f}" rx="4"/>',
             text(left + 8, top + 17, panel["title"], 12)]
    for step in range(3):
        y = y1 - (y1 - y0) * step / 2
        parts.append(f'<path class="grid" d="M{x0:.0f} {y:.1f}H{x1:.0f}"/>')
        parts.append(text(x0 - 5, y + 4, written(most * step / 2, unit), 10, "text-anchor='end'", "soft"))
    for number, (_, points) in enumerate(shown):
        line = " ".join(f"{x0 + (x1 - x0) * (at - end + 120) / 120:.1f},{y1 - (y1 - y0) * value / most:.1f}"
                        for at, value in points)
        parts.append(f'<polyline class="curve" stroke="{COLOURS[number % len(COLOURS)]}" points="{line}"/>')
    x = left + 8
    for number, (name, _) in enumerate(shown):
        if x + 14 + 6 * len(name) > left + width:
            break
        parts.append(f'<rect x="{x:.0f}" y="{top + height - 16:.0f}" width="8" height="8" '
                     f'fill="{COLOURS[number % len(COLOURS)]}"/>')
        parts.append(text(x + 11, top + height - 8, name, 10))
        x += 20 + 5.6 * len(name)
    return parts


def written(value, unit):
    """A value on the axis."""
    if unit == "s":
        for scale, word in ((86400, "d"), (1, "s"), (1e-3, "ms"), (1e-6, "µs")):
            if value >= scale or scale == 1e-6:
                return f"{value / scale:.3g} {word}" if value else "0"
    if unit == "percentunit":
        return f"{value * 100:.2g} %"
    for scale, word in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= scale:
            return f"{value / scale:.3g} {word}"
    return f"{value:.3g}"


def text(x, y, what, size, more="", kind=""):
    """A line of text."""
    kind = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}"{kind} {more}>{escape(what)}</text>'


if __name__ == "__main__":
    main(sys.argv[1])
