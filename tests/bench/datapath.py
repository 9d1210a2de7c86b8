#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The data path, Mpps of one worker: weird beside testpmd, in turns, without hugepages.

datapath.py BUILD [--rounds N] [--seconds N] [--json] [--smoke]; tests/bench/run.sh calls it.

The polling thread has CPU 1, everything else CPU 0. A second is one of that thread's CPU time: what
others take from the CPU meanwhile costs neither side. Both have the same virtual device, packet
buffers and frames: net_null for drop and MAC swap, whose frames are all zero, and net_pcap with
infinite_rx over distinct TCP and UDP frames for what parses. weird's packets are counted from the
ledger, testpmd's from its statistics; each contender is started anew for each round. A row's ratios
are taken within a round; where those differ by more than 5 % it is noisy and judged neither way.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
FRAMES = 2048
MBUFS = 16384
NOISE = 1.05
SKEW, TRIES = 0.05, 5
WORKER_CPU, OTHER_CPU = 1, 0


class Failed(Exception):
    """A contender did not do what it should; the text says which and how."""


class Clock:
    """The share of a CPU that a process's polling thread got since the last look, and the time."""

    def __init__(self, pid):
        self.pid, self.wall, self.cpu = pid, 0.0, {}
        self.look()
        self.started = self.wall

    def look(self):
        """(share, seconds) since the last look."""
        wall, cpu = time.monotonic(), {}
        for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
            cpu[task.name] = int((task / "schedstat").read_text().split()[0]) / 1e9
        seconds = wall - self.wall
        # The one that polls is the busiest.
        share = max((cpu[t] - self.cpu.get(t, 0)) / seconds for t in cpu)
        self.wall, self.cpu = wall, cpu
        return share, seconds


class Weird:
    """weird with one program on one port; what it counts of `counter` is its figure."""

    def __init__(self, bench, device, program, counter):
        self.bench, self.device, self.program, self.counter = bench, device, program, counter

    def config(self, directory):
        return f"""version: 1
log: {{level: warning}}
control: {{socket: {directory}/weir.sock}}
directories: {{state: {directory}/state}}
eal: {{hugepages: never, memory: 256MiB, main-cpu: {OTHER_CPU}, mbufs: {MBUFS}}}
workers: [{{cpu: {WORKER_CPU}}}]
ports:
  - {{name: p0, device: "{self.device}", pass: drop}}
programs:
  - name: {self.program}
    object: {self.bench.objects}/{self.program}.bpf.o
    attach: [{{port: p0, hook: xdp}}]
"""

    def counters(self, socket):
        out = subprocess.run([self.bench.build / "tools/weirctl", "-s", socket, "--json", "port",
                              "stats", "p0"], check=True, capture_output=True, timeout=10)
        return json.loads(out.stdout)

    def measure(self):
        with tempfile.TemporaryDirectory(prefix="weir-bench-") as directory:
            config = pathlib.Path(directory) / "weir.yaml"
            config.write_text(self.config(directory))
            log = open(pathlib.Path(directory) / "log", "w+")
            weird = subprocess.Popen([self.bench.build / "daemon/weird", "-c", config], stdout=log,
                                     stderr=log, stdin=subprocess.DEVNULL,
                                     env=dict(os.environ, XDG_RUNTIME_DIR=directory))
            try:
                return self.sample(weird, f"{directory}/weir.sock", log)
            finally:
                weird.send_signal(signal.SIGTERM)
                weird.wait(20)

    def sample(self, weird, socket, log):
        deadline = time.monotonic() + 20
        while not os.path.exists(socket):
            if weird.poll() is not None or time.monotonic() > deadline:
                log.seek(0)
                raise Failed(f"weird with {self.program} did not start:\n{log.read()}")
            time.sleep(0.02)
        time.sleep(self.bench.warm_up)
        for _ in range(TRIES):
            start = time.monotonic()
            before = self.counters(socket)
            clock = Clock(weird.pid)
            time.sleep(self.bench.seconds)
            asked = time.monotonic()
            after = self.counters(socket)
            share, seconds = clock.look()
            # Counters and clock are read one after the other: not too long, or once more.
            if clock.started - start + clock.wall - asked < SKEW * seconds:
                break
        before, after = ({k: v for k, v in row(c).items() if isinstance(v, int)}
                         for c in (before, after))
        grown = {k: after[k] - before[k] for k in after}
        if grown[self.counter] < 0.99 * grown["rx"] or not grown["rx"]:
            raise Failed(f"weird with {self.program} on {self.device}: expected that all of rx is "
                         f"{self.counter}, found {grown}")
        return grown[self.counter] / seconds / share / 1e6


def row(stats):
    """weirctl's JSON: a list of ports, of which there is one."""
    return stats[0] if isinstance(stats, list) else stats


class Testpmd:
    """dpdk-testpmd on one port, perhaps with a BPF program at RX."""

    def __init__(self, bench, device, mode, bpf=None):
        self.bench, self.device, self.mode, self.bpf = bench, device, mode, bpf

    def command(self, directory):
        command = ["dpdk-testpmd", "--no-huge", "--no-shconf", "--no-telemetry", "-m", "256", "-l",
                   f"{OTHER_CPU},{WORKER_CPU}", "--main-lcore", str(OTHER_CPU), "--no-pci",
                   "--vdev", self.device, "--", f"--forward-mode={self.mode}", "--nb-cores=1",
                   f"--total-num-mbufs={MBUFS}", "--no-mlockall", "--stats-period=1"]
        if self.bpf:
            script = pathlib.Path(directory) / "commands"
            script.write_text(f"bpf-load rx 0 0 J {self.bench.objects}/{self.bpf}.bpf.o\n")
            command.append(f"--cmdline-file={script}")
        return command

    def measure(self):
        which = "Tx-pps" if self.mode == "macswap" else "Rx-pps"
        with tempfile.TemporaryDirectory(prefix="weir-bench-") as directory:
            testpmd = subprocess.Popen(self.command(directory), stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                       env=dict(os.environ, XDG_RUNTIME_DIR=directory))
            try:
                return self.read(testpmd, which)
            finally:
                testpmd.send_signal(signal.SIGINT)
                testpmd.stdout.close()
                testpmd.wait(20)

    def read(self, testpmd, which):
        """The mean of the whole seconds after the first, in which it started."""
        rates, text, clock, loaded, tries = [], [], None, not self.bpf, 0
        for line in testpmd.stdout:
            text.append(line)
            loaded |= "successfully creates" in line
            found = re.search(which + r":\s+(\d+)", line)
            if found and clock:
                share, seconds = clock.look()
                tries += 1
                # Read late, the share would be another second's than testpmd's rate.
                if abs(seconds - 1) < SKEW or tries > TRIES:
                    rates.append(int(found.group(1)) / share / 1e6)
            elif found:
                clock = Clock(testpmd.pid)
                rates.append(0.0)
            if len(rates) > max(1, round(self.bench.seconds)):
                if not loaded:
                    raise Failed(f"testpmd did not load {self.bpf}:\n" + "".join(text[:40]))
                if not min(rates[1:]):
                    raise Failed("testpmd moved no packet:\n" + "".join(text[-40:]))
                return statistics.mean(rates[1:])
        raise Failed("testpmd ended early:\n" + "".join(text[-40:]))


class Bench:
    """The contenders and the rows made of them."""

    def __init__(self, args, frames):
        self.build = pathlib.Path(args.build).resolve()
        self.objects = self.build / "tests/bench"
        self.rounds, self.seconds, self.smoke = args.rounds, args.seconds, args.smoke
        self.warm_up = 0.1 if args.smoke else 0.4
        null = "net_null0,size=64"
        pcap = f"net_pcap0,rx_pcap={frames},infinite_rx=1"
        self.contenders = {
            "null testpmd rxonly": Testpmd(self, null, "rxonly"),
            "null testpmd rte_bpf drop": Testpmd(self, null, "rxonly", "rte_drop"),
            "null weird drop": Weird(self, null, "drop", "drop"),
            "null testpmd macswap": Testpmd(self, null, "macswap"),
            "null weird macswap": Weird(self, null, "macswap_tx", "sent"),
            "pcap testpmd rxonly": Testpmd(self, pcap, "rxonly"),
            "pcap testpmd rte_bpf parse-drop": Testpmd(self, pcap, "rxonly", "rte_parse.v2"),
            "pcap weird parse-drop": Weird(self, pcap, "parse_drop_all", "drop"),
            "pcap testpmd macswap": Testpmd(self, pcap, "macswap"),
            "pcap weird parse-macswap": Weird(self, pcap, "parse_macswap", "sent"),
        }
        # name, weird's contender, the peer, the smallest ratio that passes
        self.rows = [
            ("net_null drop / rxonly", "null weird drop", "null testpmd rxonly", 0.9),
            ("net_null drop / rte_bpf drop", "null weird drop", "null testpmd rte_bpf drop", 1.2),
            ("net_null macswap / macswap", "null weird macswap", "null testpmd macswap", 0.97),
            ("net_pcap parse-drop / rxonly", "pcap weird parse-drop", "pcap testpmd rxonly", 0.92),
            ("net_pcap parse-drop / rte_bpf", "pcap weird parse-drop",
             "pcap testpmd rte_bpf parse-drop", 1.0),
            ("net_pcap parse+macswap / macswap", "pcap weird parse-macswap",
             "pcap testpmd macswap", 0.95),
        ]
        if args.smoke:
            names = ["null testpmd rte_bpf drop", "null weird drop", "pcap weird parse-macswap"]
            self.contenders = {name: self.contenders[name] for name in names}
        if not shutil.which("dpdk-testpmd"):
            print("dpdk-testpmd (Debian's dpdk-dev) is not there: weird is measured alone",
                  file=sys.stderr)
            self.contenders = {name: c for name, c in self.contenders.items()
                               if isinstance(c, Weird)}

    def run(self):
        mpps = {name: [] for name in self.contenders}
        for i in range(self.rounds):
            for name, contender in self.contenders.items():
                mpps[name].append(contender.measure())
                print(f"  round {i + 1}: {name}: {mpps[name][-1]:.2f} Mpps", file=sys.stderr)
        return mpps

    def judge(self, mpps):
        for name, ours, theirs, goal in self.rows:
            if ours not in mpps or theirs not in mpps:
                continue
            ratios = [a / b for a, b in zip(mpps[ours], mpps[theirs])]
            ratio = statistics.median(ratios)
            noisy = max(ratios) > min(ratios) * NOISE
            verdict = "-" if self.smoke else "noisy" if noisy else "ok" if ratio >= goal else "SLOWER"
            yield {"row": name, "weird_mpps": statistics.median(mpps[ours]),
                   "peer_mpps": statistics.median(mpps[theirs]), "ratio": ratio,
                   "ratios": ratios, "goal": goal, "verdict": verdict}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="measured per contender")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--smoke", action="store_true", help="one short round, nothing judged")
    args = parser.parse_args()
    if args.smoke:
        args.rounds, args.seconds = 1, 0.3
    return args


def main():
    args = arguments()
    os.sched_setaffinity(0, {OTHER_CPU})
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as directory:
        frames = pathlib.Path(directory) / "frames.pcap"
        subprocess.run([HERE / "make-frames.py", frames, str(FRAMES)], check=True)
        bench = Bench(args, frames)
        try:
            mpps = bench.run()
        except Failed as failed:
            sys.exit(f"datapath.py: {failed}")
    rows = list(bench.judge(mpps))
    if args.json:
        print(json.dumps({"mpps": mpps, "rows": rows}, indent=1))
    else:
        print(f"{'data path, Mpps one worker':34} {'weird':>8} {'testpmd':>8} {'ratio':>7} "
              f"{'goal':>6}")
        for r in rows:
            print(f"{r['row']:34} {r['weird_mpps']:8.2f} {r['peer_mpps']:8.2f} {r['ratio']:7.2f} "
                  f"{r['goal']:6.2f} {r['verdict']}")
    return 0 if all(r["verdict"] != "SLOWER" for r in rows) else 1


sys.exit(main())
