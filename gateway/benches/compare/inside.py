"""Where the time goes: system calls for each request, and the gateway's functions.

Both slow the proxy down, so neither is timed.
"""

import re
import signal
import subprocess
import time

import configuration as text
import load
import peers
import programs
from bench import warm_up
from harness.command import say
from harness.process import Failure
from layout import cores

TRACED = 20_000
SECONDS = 5
SHOWN = 25


def measure_calls(bench):
    """System calls for each forwarded request, by name."""
    say("system calls for each request")
    place = bench.place
    traced = [peers.gateway(place, "calls"), peers.bare_pingora(place), peers.nginx_lua(place)]
    return {peer.title: _calls(bench, peer) for peer in traced}


def _calls(bench, peer):
    folder = bench.place.of(peer.name)
    requests = folder / "requests"
    with peer:
        requests.write_text(load.request(text.EMPTY, peer.headers))
        warm_up(peer)
        attached = [option for pid in peer.server.pids() for option in ("-p", str(pid))]
        command = [programs.find("strace"), "-c", "-f", "-qq", "-o", folder / "calls", *attached]
        strace = subprocess.Popen(list(map(str, command)), stderr=subprocess.DEVNULL)
        try:
            time.sleep(1)
            load.client(bench, peer, requests, TRACED)
        finally:
            strace.send_signal(signal.SIGINT)
            strace.wait()
    rows = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+ +)?(\w+)$",
                      (folder / "calls").read_text(), re.MULTILINE)
    if not rows:
        raise Failure("strace counted nothing: may this user trace processes?")
    each = {name: int(count) / TRACED for count, name in rows if name != "total"}
    return {name: count for name, count in each.items() if count >= 0.01}


def measure_profile(bench):
    """The functions in which the gateway spends the time of a forwarded request itself."""
    say("profile of the gateway, forwarding")
    data = bench.place.of("profile") / "perf.data"
    with peers.gateway(bench.place, "profile", program="symbols") as peer:
        warm_up(peer)
        record = [programs.find("perf"), "record", "-q", "-e", "cpu-clock", "-F", "1999",
                  "-o", str(data), "-p", str(peer.server.process.pid), "sleep", str(SECONDS)]
        perf = subprocess.Popen(record, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        load.wrk(peer.server.port, text.EMPTY, peer.headers, SECONDS + 1, cores()[1])
        if perf.wait():
            say("  perf cannot be used here; no profile")
            return None
        report = [programs.find("perf"), "report", "-i", str(data), "--stdio", "--no-children",
                  "-F", "overhead,symbol", "-w", "0,400"]
        done = subprocess.run(report, text=True, capture_output=True)
    rows = re.findall(r"^\s*([\d.]+)%\s+\[([k.])\] (.*?)\s*$", done.stdout, re.MULTILINE)
    found = [(float(share), kind == "k", name) for share, kind, name in rows]
    owners = {}
    for share, kernel, name in found:
        owner = "kernel" if kernel else _owner(name)
        owners[owner] = owners.get(owner, 0) + share
    return {
        "owners": owners,
        "functions": [{"share": share, "kernel": kernel, "name": name}
                      for share, kernel, name in found[:SHOWN]],
    }


def _owner(name):
    """The crate that a function is of, the type's before the trait's; else the C library."""
    crate = re.search(r"\b(\w+)::", name)
    return crate.group(1) if crate else "C library"
