# SPDX-License-Identifier: BSD-3-Clause
"""weirctl as tests run it, and captures as they read and write them."""

import json
import os
import pathlib
import struct
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("WEIR_BUILD", ROOT / "build"))
PROGS = BUILD / "tests" / "progs"
CAPTURES = ROOT / "tests" / "captures"
XDP_FILTER = pathlib.Path("/usr/lib/x86_64-linux-gnu/bpf")


def run(*args, rc=0, socket=None, **kwargs):
    """Runs weirctl; rc None accepts 0, 1 and 2, and nothing else ever (no signal, no abort)."""
    command = [str(BUILD / "tools" / "weirctl")]
    if socket:
        command += ["-s", socket]
    kwargs.setdefault("timeout", 60)
    done = subprocess.run(command + [str(a) for a in args], capture_output="stdout" not in kwargs,
                          text=True, errors="replace", **kwargs)
    expected = (0, 1, 2) if rc is None else (rc,)
    assert done.returncode in expected, (
        f"{' '.join(map(str, args))}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    if done.returncode:
        assert (done.stderr or "") + (done.stdout or ""), f"{args}: failed without a word"
    return done


def run_json(*args, rc=0, **kwargs):
    return json.loads(run("--json", *args, rc=rc, **kwargs).stdout)


def read_pcap(path):
    """[(time in ns, bytes)] of a pcap in this machine's byte order."""
    data = pathlib.Path(path).read_bytes()
    magic = struct.unpack_from("<I", data)[0]
    unit = {0xa1b2c3d4: 1000, 0xa1b23c4d: 1}[magic]
    at, packets = 24, []
    while at < len(data):
        seconds, fraction, length, _ = struct.unpack_from("<IIII", data, at)
        at += 16
        packets.append((seconds * 10**9 + fraction * unit, data[at:at + length]))
        at += length
    return packets


def write_pcap(path, packets):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 262144, 1))
        for ns, data in packets:
            f.write(struct.pack("<IIII", ns // 10**9, ns % 10**9, len(data), len(data)) + data)
