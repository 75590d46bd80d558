"""The results as Markdown, one function for each measurement."""

import load
from harness.markdown import table

MIB = 1024 * 1024
GOAL_HASHING, GOAL_LATENCY = 0.9, 1.2

# What each kind of answer to a storm is called.
ANSWERS = {load.REFUSED: "401", load.BANNED: "429, banned", load.OVERFLOWED: "429, line full"}


def _spread(found):
    return f"{found['ratio']:.2f} ({found['least']:.2f}–{found['most']:.2f})"


def hashing(found):
    """Sign-ins against plain threads."""
    rows = [[workers, f"{each['limit']:.1f}", f"{each['sign_ins']:.1f}", _spread(each),
             "met" if each["ratio"] >= GOAL_HASHING else "missed"]
            for workers, each in found.items()]
    return table([":`hash_workers`", ":hashes a second, as many plain threads",
                  ":sign-ins a second", ":ratio", f"goal {GOAL_HASHING}"], rows)


def forwarding(found):
    """Latency with storms that pause, throughput with storms that do not."""
    workers = found["workers"]
    pause = found["pause_ms"] / 1000
    return f"""Pinned: {found['layout']}. {workers} hash worker{'s' if workers > 1 else ''}; \
{_room(found)}.

At half load, {found['rate']:,.0f} requests a second of {found['most']:,.0f}, each due at its own \
moment and timed from then. The storms
have {found['connections']} connections; each asks again {pause:g} s after its answer.

{_latency(found)}

The same storms without any pause, and forwarded requests as many as come through:

{_throughput(found)}"""


def _room(found):
    if found["has_room"]:
        return "forwarding has a core that no hash takes"
    return "hashing and forwarding share a core"


def _latency(found):
    rows = [[_title(found, name), f"{each['p50_us'] / 1000:.2f}", f"{each['p99_us'] / 1000:.2f}",
             _spread(each) if each["storm"] else "1", _verdict(found, each), _answers(each["storm"])]
            for name, each in found["paced"].items()]
    return table(["storm", ":p50 ms", ":p99 ms", ":ratio of p99", f"goal {GOAL_LATENCY}",
                  "the storm's answers a second"], rows)


def _verdict(found, each):
    if not each["storm"]:
        return ""
    if each["ratio"] <= GOAL_LATENCY:
        return "met"
    return "missed" if found["has_room"] else "missed; no core to spare"


def _throughput(found):
    calm = found["flooded"]["calm"]["per_second"]
    rows = [[_title(found, name), f"{each['per_second']:,.0f}", f"{each['per_second'] / calm:.2f}",
             _answers(each["storm"])] for name, each in found["flooded"].items()]
    return table(["storm", ":forwarded a second", ":of it without a storm",
                  "the storm's answers a second"], rows)


def _title(found, name):
    return found["titles"].get(name, "none")


def _answers(storm):
    if not storm:
        return ""
    return ", ".join(f"{rate:,.0f} × {ANSWERS[kind]}" for kind, rate in storm.items() if rate >= 0.5)


def memory(found):
    """Resident memory."""
    def mib(count):
        return f"{count / MIB:.1f}"
    rows = [[workers, mib(each["before"]), mib(each["connected"]), mib(each["storms"]["one"]),
             mib(each["storms"]["many"]), mib(each["hashing"]), mib(each["rest"])]
            for workers, each in found.items()]
    return "Resident, in MiB; the storms without any pause:\n\n" + table(
        [":`hash_workers`", ":at first", ":with 500 clients that do not sign in", ":storm from one address",
         ":from 500 addresses", ":workers × 19", ":what is left to explain"], rows)


def sessions(found):
    """Many sessions."""
    count = f"{found['sessions']:,}"
    rows = [[f"{count} sign-ins of {found['users']:,} users, with the cheapest Argon2id",
             f"{found['seconds']:.0f} s"],
            ["memory of a session, all told", f"{found['bytes_per_session']:,.0f} bytes"],
            ["resident with all of them", f"{found['resident'] / MIB:,.0f} MiB"]]
    for name, title in (("empty", "a table without sessions"), ("full", f"a table of {count}")):
        rows.append([f"one more sign-in, {title}: p50, p99",
                     f"{found[name]['p50']:,.0f} µs, {found[name]['p99']:,.0f} µs"])
    return table(["", ":"], rows)
