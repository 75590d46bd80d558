"""Learns which code of a gateway at work runs how often, for the compiler to go by.

    python3 gateway/benches/train          (or: make profile)

The gateway and bare Pingora are built so that they count, and are then given what gateways are given:
the comparison's load, that of gRPC's benchmark, and besides what is in neither: HTTPS, HTTP/2, refusals, and a log. What they
counted is kept in gateway/release.profdata, which `make release` uses.

The compiler finds what was counted by names in which all dependencies and their features have a part: with others it
finds next to nothing, and does not say so. So they are kept too, in gateway/release.crates, for a test to compare.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

# What it shares with the benchmarks is beside it, and so is the comparison.
BENCHES = Path(__file__).resolve().parents[1]
sys.path[1:1] = [str(BENCHES), str(BENCHES / "compare")]

import configuration as text
import peers
from harness import command, system
from harness.process import Failure, Server, free_port
from layout import cores

TARGET = system.REPOSITORY / "target" / "profile"
CRATES = system.REPOSITORY / "gateway" / "release.crates"

# What of the comparison is work as a gateway has it, kept short.
LOAD = ["--parts", "forwarding,local,sessions,streams", "--only", "gateway,gateway_logged,bare_pingora",
        "--rounds", "2", "--seconds", "2", "--sessions", "20000", "--stream-mib", "64"]

# The same of calls.
CALLS = ["--parts", "rate,small", "--rounds", "1", "--queries", "10", "--calls", "4000"]

HTTPS = """[[listen.https]]
address = "127.0.0.1:{port}"
certificate = "certificate.pem"
key = "key.pem"
"""


def main():
    """Builds, has the programs work, and keeps what they counted."""
    merge = _profdata()
    command.say("builds programs that count")
    # One by one, as they are built later: together they would get other features, and all names in
    # them would be others.
    for program in (["--bin", "influx-gateway"], ["--features", "internals", "--example", "bare_pingora"]):
        system.cargo("build", "--release", "--target-dir", TARGET, *program,
                     flags=f"-Cprofile-generate={TARGET / 'raw'}")
    with command.workplace("train") as folder:
        os.environ["LLVM_PROFILE_FILE"] = str(folder / "%p.profraw")
        system.run([sys.executable, "-B", BENCHES / "compare", "--programs", TARGET / "release", *LOAD])
        command.say("gRPC")
        system.run([sys.executable, "-B", BENCHES / "grpc", "--program", TARGET / "release" / "influx-gateway", *CALLS])
        command.say("HTTPS, HTTP/2, refusals, and a log")
        _work_in_the_open(folder)
        counted = sorted(folder.glob("*.profraw"))
        system.run([merge, "merge", "--sparse", "-o", system.PROFILE, *counted])
    CRATES.write_text(_crates())
    command.say(f"{system.PROFILE.relative_to(system.REPOSITORY)}: {system.PROFILE.stat().st_size >> 10} KiB, of {len(counted)} "
                "processes")


def _crates():
    """What the program is made of, and with which features: a line for each crate."""
    tree = system.run(["cargo", "tree", "--locked", "-p", "influx-gateway", "-e", "normal,build", "--prefix", "none",
                       "--format", "{p} {f}"], cwd=system.REPOSITORY)
    lines = {re.sub(r" \(.*?\)", "", line).strip() for line in tree.splitlines()}
    return "".join(f"{line}\n" for line in sorted(lines))


def _profdata():
    """What makes one profile of many: rustup's component llvm-tools."""
    root = Path(system.run(["rustc", "--print", "sysroot"]).strip())
    found = list(root.glob("lib/rustlib/*/bin/llvm-profdata"))
    if not found:
        raise Failure("llvm-profdata is missing; `rustup component add llvm-tools` brings it")
    return found[0]


def _work_in_the_open(folder):
    """What browsers do over HTTPS, and what nobody should."""
    place = peers.Place(folder, {"gateway": TARGET / "release" / "influx-gateway"})
    with peers.upstream(place, 1 << 20) as upstream:
        place.upstream = upstream.port
        http, https = free_port(), free_port()
        at = peers.gateway_folder(place, "open", http)
        with (at / "gateway.toml").open("a") as file:
            file.write(HTTPS.format(port=https))
        system.run([system.find("openssl", "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost", "-days", "2",
                    "-keyout", at / "key.pem", "-out", at / "certificate.pem"])
        (at / "key.pem").chmod(0o600)
        program = [place.built["gateway"], "run", "--config", at / "gateway.toml"]
        with Server("gateway", program, http, cores()[0], at / "log"):
            jar = at / "jar"
            for origin in (f"http://127.0.0.1:{http}", f"https://127.0.0.1:{https}"):
                _curl("-c", jar, "-u", f"{text.USER}:{text.PASSWORD}", "-X", "POST",
                      f"{origin}/api/v2/signin")
                for version in ("--http1.1", "--http2"):
                    _curl(version, "-b", jar, f"{origin}{text.EMPTY}?[1-4000]")
                    _curl(version, "-b", jar, "--data-binary", "cpu usage=1",
                          f"{origin}/api/v2/write?[1-1000]")
                _curl("-b", jar, f"{origin}/api/v2/me?[1-1000]")
                _curl(f"{origin}{text.EMPTY}?[1-500]")
                _curl("-X", "POST", "-b", jar, f"{origin}/api/v2/signout")


def _curl(*arguments):
    """Many requests, some at a time, whatever they are answered."""
    line = [system.find("curl", "curl"), "-sk", "-Z", "--parallel-max", "16", "-o", os.devnull, *arguments]
    if subprocess.run(list(map(str, line)), stderr=subprocess.DEVNULL).returncode:
        raise Failure(f"curl {' '.join(map(str, arguments))} failed")


try:
    main()
except Failure as failure:
    sys.exit(f"train: {failure}")
except KeyboardInterrupt:
    sys.exit(130)
