"""Instructions of a forwarded request, of its metrics and of its access line, by callgrind."""

import re

from harness import text
from harness.command import say
from harness.process import Failure

# Of a request that is over, each with all that it calls.
FUNCTIONS = {"metrics": "influx_gateway::proxy::counted::count", "line": "influx_gateway::proxy::access_line::log",
             "both": "influx_gateway::proxy::Proxy::conclude"}

BROWSER = {
    "User_Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "application/json",
    "Accept_Language": "en-US,en;q=0.5",
    "Accept_Encoding": "gzip, deflate",
}


def measure(place, requests):
    """Of each request: the instructions of its metrics, those of its access line, both with the clock that is read for
    them, and all others. The difference of two runs is free of the start and of the sign-in."""
    say(f"instructions of {requests:,} requests")
    few, many = (_run(place, f"logged-{count}", count) for count in (requests // 4, requests))
    found = {of: (many[of] - few[of]) / (requests - requests // 4) for of in many}
    found["request"] = found.pop("all") - found["both"]
    found["share"] = found["both"] / found["request"]
    say(f"  {found['request']:,.0f}, metrics {found['metrics']:,.0f}, access line {found['line']:,.0f}: "
        f"{100 * found['share']:.2f} %")
    return found


def _run(place, name, requests):
    out = place.folder / f"{name}.out"
    before = [place.find("valgrind"), "--tool=callgrind", "--quiet", f"--callgrind-out-file={out}"]
    with place.start_gateway(name, '[log]\nfile = "access.log"', before=before) as gateway:
        [cookie] = place.sign_in(gateway)
        request = text.request(text.FORWARDED, Cookie=cookie, **BROWSER)
        place.load(gateway, request, "204", requests)
        gateway.process.terminate()
        gateway.process.wait(60)
    return _counts(out.read_text())


def _counts(profile):
    """All instructions, and those of each of `FUNCTIONS`."""
    total = re.search(r"^(?:totals|summary): (\d+)", profile, re.MULTILINE).group(1)
    calls = re.findall(r"^cfn=(\(\d+\)).*\ncalls=.*\n\S+ (\d+)$", profile, re.MULTILINE)
    counts = {"all": int(total)}
    for of, function in FUNCTIONS.items():
        pattern = rf"^c?fn=(\(\d+\)) {re.escape(function)}(?:::h[0-9a-f]+)?$"
        numbers = set(re.findall(pattern, profile, re.MULTILINE))
        counts[of] = sum(int(cost) for number, cost in calls if number in numbers)
        if not counts[of]:
            raise Failure(f"no request calls {function} any more; what takes its place?")
    return counts
