"""Instructions of a forwarded request, of its metrics and of its access line, by callgrind."""

import re

import programs
from harness import text
from harness.command import say
from harness.process import Failure

METRICS = "influx_gateway::proxy::counted::count"

BROWSER = {
    "User_Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "application/json",
    "Accept_Language": "en-US,en;q=0.5",
    "Accept_Encoding": "gzip, deflate",
}


def measure(place, requests):
    """Of each request: all instructions without an access line, those of its metrics, and what an access line
    in a file adds, whichever thread writes it."""
    say(f"instructions of {requests:,} requests, with and without access log")
    off = _each(place, "silent", "[log]\naccess = false", requests)
    on = _each(place, "logged", '[log]\nfile = "access.log"', requests)
    found = {"request": off["all"] - off["metrics"], "metrics": off["metrics"],
             "line": on["all"] - off["all"]}
    found["share"] = (found["metrics"] + found["line"]) / found["request"]
    say(f"  {found['request']:,.0f}, metrics {found['metrics']:,.0f}, access line {found['line']:,.0f}: "
        f"{100 * found['share']:.2f} %")
    return found


def _each(place, name, keys, requests):
    """Instructions of one request. The difference of two runs is free of the start and of the sign-in."""
    few, many = (_run(place, f"{name}-{count}", keys, count) for count in (requests // 4, requests))
    return {of: (many[of] - few[of]) / (requests - requests // 4) for of in many}


def _run(place, name, keys, requests):
    out = place.folder / f"{name}.out"
    before = [programs.find("valgrind"), "--tool=callgrind", "--quiet", f"--callgrind-out-file={out}"]
    with place.start_gateway(name, keys, before=before) as gateway:
        [cookie] = place.sign_in(gateway, 1, 1)
        request = text.request(text.FORWARDED, Cookie=cookie, **BROWSER)
        place.load(gateway, request, "204", requests)
        gateway.process.terminate()
        gateway.process.wait(60)
    return _counts(out.read_text())


def _counts(profile):
    """All instructions, and those of `METRICS` with all that it calls."""
    total = int(re.search(r"^(?:totals|summary): (\d+)", profile, re.MULTILINE).group(1))
    numbers = set(re.findall(rf"^c?fn=(\(\d+\)) {re.escape(METRICS)}(?:::h[0-9a-f]+)?$", profile, re.MULTILINE))
    calls = re.findall(r"^cfn=(\(\d+\)).*\ncalls=.*\n\S+ (\d+)$", profile, re.MULTILINE)
    metrics = sum(int(cost) for number, cost in calls if number in numbers)
    if not metrics:
        raise Failure(f"no request calls {METRICS} any more; what takes its place?")
    return {"all": total, "metrics": metrics}
