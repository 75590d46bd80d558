"""How much memory a storm takes: that of the workers, and nothing that grows with it."""

import time

import configuration as text
from harness.command import say
from harness.process import all_cores
from storms import all_storms

# Seconds that each storm goes on.
HELD = 2


def measure(bench):
    """For each number of workers: resident memory before, with as many clients, and at the most."""
    say("memory: the most that is resident during the storms")
    return {str(workers): _of(bench, workers) for workers in bench.workers}


def _of(bench, workers):
    *sign_ins, others = all_storms()
    with bench.place.start_gateway(f"memory-{workers}", hash_workers=workers) as gateway:
        before = gateway.resident()
        connected, _ = _peak(bench, gateway, others)
        found = {storm.name: _peak(bench, gateway, storm) for storm in sign_ins}
    most = max(peak for peak, _ in found.values())
    say(f"  {workers}: {_mib(before)} at first, {_mib(connected)} with {bench.storm} clients, "
        f"{_mib(most)} at the most")
    return {
        "before": before, "connected": connected,
        "storms": {name: peak for name, (peak, _) in found.items()},
        "answers": {name: answers for name, (_, answers) in found.items()},
        "hashing": workers * text.HASH_BYTES,
        "rest": most - connected - workers * text.HASH_BYTES,
    }


def _peak(bench, gateway, storm):
    """The most that was resident, and how the storm was answered."""
    gateway.forget_peak()
    with storm.raging(bench, gateway, all_cores(), 0) as result:
        time.sleep(HELD)
    return gateway.peak(), result["kinds"]


def _mib(count):
    return f"{count / 2**20:.0f} MiB"
