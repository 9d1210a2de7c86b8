# SPDX-License-Identifier: BSD-3-Clause
"""weird's life and its ports: start, refusals, captures, signals, notifications, real interfaces."""

import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("WEIR_BUILD", ROOT / "build"))
WEIRD = str(BUILD / "daemon" / "weird")
CAPTURES = sorted((ROOT / "tests" / "captures").glob("*.pcap"))
HERE = pathlib.Path(__file__).resolve().parent

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="interfaces and namespaces need root")


def run_weird(*args, **kwargs):
    return subprocess.run([WEIRD, *args], capture_output=True, text=True, timeout=20, **kwargs)


def records(path):
    """The packets of a classic pcap file of this byte order."""
    data = pathlib.Path(path).read_bytes()
    at, out = 24, []
    while at < len(data):
        length = struct.unpack_from("<I", data, at + 8)[0]
        out.append(data[at + 16:at + 16 + length])
        at += 16 + length
    return out


def ledgers(log):
    """{port: {counter: number}} of the lines that a stop leaves in the log."""
    out = {}
    for line in log.splitlines():
        if "ledger port=" in line:
            fields = dict(f.split("=") for f in line.split("ledger ")[1].split())
            out[fields.pop("port")] = {k: int(v) if v.isdigit() else v for k, v in fields.items()}
    return out


def wait_for(weird, text, seconds=10):
    deadline = time.monotonic() + seconds
    while text not in weird.log:
        assert time.monotonic() < deadline, f"no {text!r} in:\n{weird.log}"
        time.sleep(0.02)


def wait_up(weird):
    wait_for(weird, "ready version=")


# ---- the command line ----


def test_version_and_help():
    assert re.fullmatch(r"weird \d+\.\d+\.\d+\n", run_weird("--version").stdout)
    assert "--check" in run_weird("--help").stdout


@pytest.mark.parametrize("args", [[], ["-x"], ["-c"], ["-c", "a", "b"], ["--check"]])
def test_wrong_usage_is_2(args):
    done = run_weird(*args)
    assert done.returncode == 2
    assert done.stderr


@pytest.mark.sanitizer
def test_check(tmp_path):
    good = tmp_path / "good.yaml"
    good.write_text("version: 1\n")
    assert run_weird("--check", "-c", str(good)).returncode == 0
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nprots: []\n")
    done = run_weird("--check", "-c", str(bad))
    assert done.returncode == 1
    assert f"{bad}:2:1: prots" in done.stderr
    missing = run_weird("--check", "-c", str(tmp_path / "none.yaml"))
    assert missing.returncode == 1
    assert "none.yaml" in missing.stderr


def test_one_of_many_starts_gets_the_socket(tmp_path):
    # Each saw the stale socket, or the one that another had bound and did not listen on yet.
    config = tmp_path / "weir.yaml"
    config.write_text("version: 1\n")
    for i in range(10):
        path = tmp_path / f"s{i}"
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(str(path))
        stale.close()
        env = dict(os.environ, WEIR_SOCKET=str(path))
        all_of_them = [subprocess.Popen([WEIRD, "-c", str(config)], env=env, text=True,
                                        stderr=subprocess.PIPE) for _ in range(4)]
        deadline = time.monotonic() + 10
        while (sum(p.poll() is None for p in all_of_them) > 1
               and time.monotonic() < deadline):
            time.sleep(0.01)
        running = [p for p in all_of_them if p.poll() is None]
        for p in running:
            p.terminate()
        said = [p.communicate(timeout=10)[1] for p in all_of_them]
        assert len(running) == 1, said
        assert sum("another weird listens there" in text for text in said) == 3


def test_no_ports_needs_nothing(start_weird):
    weird = start_weird("version: 1\n")
    wait_up(weird)
    assert "hugepages (" not in weird.log  # EAL was not asked for
    assert weird.stop() == 0


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="drops root's rights")
def test_any_user_may_run_it(tmp_path):
    (tmp_path / "weir.yaml").write_text(
        "version: 1\nports:\n  - {name: a, device: net_null0}\n")
    for path in [tmp_path, *tmp_path.parents]:
        if path.owner() == "root" and path != pathlib.Path("/") and "pytest" in str(path):
            path.chmod(0o755)
    own = tmp_path / "own"
    own.mkdir()
    os.chown(own, 65534, 65534)
    env = dict(os.environ, WEIR_SOCKET=str(own / "c.sock"), XDG_RUNTIME_DIR=str(own))
    process = subprocess.Popen(
        ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", WEIRD, "-c",
         str(tmp_path / "weir.yaml")], stderr=subprocess.PIPE, text=True, env=env)
    time.sleep(1.5)
    process.terminate()
    _, err = process.communicate(timeout=10)
    assert process.returncode == 0, err
    assert ledgers(err)["a"]["rx"] > 0
    assert ledgers(err)["a"]["balance"] == "exact"


# ---- refusals ----


@pytest.mark.parametrize("port,message", [
    ("{name: a, pcap: {rx: none.pcap}}", "none.pcap: No such file"),
    ("{name: a, device: net_nosuch0}", "port a: device net_nosuch0 cannot be made"),
    ("{name: a, device: net_ring0, rx-queues: 17}", "17 RX queues wanted, device net_ring0 has 16"),
    ("{name: a, interface: nosuch0}", "nosuch0: No such device"),
])
def test_a_port_that_is_not_there_ends_the_start(tmp_path, port, message):
    config = tmp_path / "weir.yaml"
    config.write_text(f"version: 1\nports:\n  - {port}\n")
    done = run_weird("-c", str(config), env=dict(os.environ, WEIR_SOCKET=str(tmp_path / "s")))
    assert done.returncode == 1
    assert message in done.stderr
    assert not (tmp_path / "s").exists()


@pytest.mark.sanitizer
@pytest.mark.parametrize("capture", sorted((ROOT / "tests" / "captures" / "malformed").glob("*")),
                         ids=lambda p: p.name)
def test_a_malformed_capture_is_refused_or_read(tmp_path, capture):
    config = tmp_path / "weir.yaml"
    config.write_text(f"version: 1\nports:\n  - {{name: a, pcap: {{rx: {capture}}}}}\n")
    process = subprocess.Popen([WEIRD, "-c", str(config)], stderr=subprocess.PIPE, text=True,
                               env=dict(os.environ, WEIR_SOCKET=str(tmp_path / "s")))
    try:
        _, err = process.communicate(timeout=1)
    except subprocess.TimeoutExpired:
        process.terminate()
        _, err = process.communicate(timeout=10)
    if process.returncode:  # even if it took its time to say so
        assert process.returncode == 1
        assert capture.name in err
    else:
        assert ledgers(err)["a"]["balance"] == "exact"


@pytest.mark.sanitizer
def test_an_optional_port_may_be_absent(start_weird):
    weird = start_weird("version: 1\nports:\n  - {name: a, device: net_null0}\n"
                        "  - {name: b, device: net_nosuch0, required: false}\n")
    wait_for(weird, "degraded=yes")
    assert weird.stop() == 0


# ---- captures ----


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda p: p.name)
def test_a_capture_comes_out_as_it_went_in(start_weird, capture):
    weird = start_weird(f"version: 1\nports:\n  - {{name: a, pcap: {{rx: {capture}}}, pass: {{to: b}}}}\n"
                        "  - {name: b, pcap: {tx: out.pcap}}\n")
    wait_for(weird, "read to its end port=a")
    assert weird.stop() == 0
    want = records(capture)
    assert records(weird.dir / "out.pcap") == want
    ledger = ledgers(weird.log)
    assert ledger["a"]["balance"] == ledger["b"]["balance"] == "exact"
    assert ledger["a"]["rx"] == ledger["a"]["pass"] == len(want)
    assert ledger["b"]["sent"] == ledger["b"]["passed_in"] == len(want)


# ---- programs of the file ----

PROGS = BUILD / "tests" / "progs"


def program(name, hook="xdp"):
    return (f"programs:\n  - {{name: p, object: {PROGS}/{name}.bpf.o, "
            f"attach: [{{port: a, hook: {hook}}}]}}\n")


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda p: p.name)
def test_every_packet_of_a_capture_is_judged(start_weird, capture):
    weird = start_weird(f"version: 1\nports:\n  - {{name: a, pcap: {{rx: {capture}, tx: out.pcap}}}}\n"
                        + program("macswap_tx"))
    wait_for(weird, "read to its end port=a")
    assert weird.stop() == 0
    packets = records(capture)
    want = [r[6:12] + r[0:6] + r[12:] for r in packets if not r[0] & 1]  # groups are passed
    assert records(weird.dir / "out.pcap") == want
    ledger = ledgers(weird.log)["a"]
    assert ledger["balance"] == "exact"
    assert ledger["tx"] == ledger["sent"] == len(want)
    assert ledger["pass"] == len(packets) - len(want)


def test_a_run_without_end_is_off_at_once(start_weird):
    weird = start_weird("version: 1\nworkers: 2\nports:\n"
                        "  - {name: a, device: net_null0}\n  - {name: b, device: net_null1}\n"
                        + program("endless"))
    wait_for(weird, "cause=budget port=a")
    time.sleep(0.2)
    assert weird.stop() == 0
    ledger = ledgers(weird.log)
    # A run costs 1 ms, the default budget: 100 of them would be 100 ms.
    assert 3 <= ledger["a"]["aborted"] < 100
    assert ledger["a"]["pass"] > 0
    assert ledger["b"]["rx"] > 100000


@pytest.mark.parametrize("entry,said", [
    ("attach: [{port: a, hook: tc}]", "cannot attach: XDP program pass "),
    ("section: none", "no program in section 'none'"),
    ("program: none", "no program 'none'"),
])
def test_check_says_what_a_start_would_once(tmp_path, entry, said):
    config = tmp_path / "weir.yaml"
    obj = tmp_path / "pass.bpf.o"
    shutil.copy(PROGS / "pass.bpf.o", obj)
    config.write_text("version: 1\nports:\n  - {name: a, device: net_null0}\nprograms:\n"
                      f"  - {{name: p, object: pass.bpf.o, {entry}}}\n")
    done = run_weird("--check", "-c", str(config))
    assert done.returncode == 1
    assert done.stderr.count(str(config)) == 1
    assert said in done.stderr
    assert done.stderr.startswith(f"{config}:5:")
    start = run_weird("-c", str(config), env=dict(os.environ, WEIR_SOCKET=str(tmp_path / "s")))
    assert start.returncode == 1
    assert done.stderr in start.stderr


@pytest.mark.sanitizer
def test_check_verifies_what_the_file_names(tmp_path):
    config = tmp_path / "weir.yaml"
    head = "version: 1\nports:\n  - {name: a, device: net_null0}\n"
    config.write_text(head + program("parse_drop"))
    assert run_weird("--check", "-c", str(config)).returncode == 0
    config.write_text(head + program("broken"))
    done = run_weird("--check", "-c", str(config))
    assert done.returncode == 1
    assert "broken" in done.stderr


# ---- signals and the service manager ----


@pytest.mark.sanitizer
def test_hangup_reads_the_file_again(start_weird):
    text = "version: 1\nlog: {level: info}\nports:\n  - {name: a, device: net_null0}\n"
    weird = start_weird(text)
    wait_up(weird)
    weird.config.write_text(text.replace("info", "debug") + "workers: 2\n")
    weird.process.send_signal(signal.SIGHUP)
    wait_for(weird, "configuration reloaded")
    assert "workers changes from 1 to 2 at the next start" in weird.log
    weird.config.write_text("version: 2\n")
    weird.process.send_signal(signal.SIGHUP)
    wait_for(weird, "not reloaded, the old one stays")
    assert weird.stop() == 0


@pytest.mark.sanitizer
@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_ends(start_weird, sig):
    weird = start_weird("version: 1\nworkers: 2\nports:\n"
                        "  - {name: a, device: net_null0, rx-queues: 2, pass: {to: b}}\n"
                        "  - {name: b, device: net_null1, tx-queues: 1}\n")
    wait_up(weird)
    time.sleep(0.2)
    start = time.monotonic()
    assert weird.stop(sig) == 0
    assert time.monotonic() - start < 2
    ledger = ledgers(weird.log)
    assert ledger["a"]["pass"] == ledger["b"]["passed_in"] > 0
    assert {p["balance"] for p in ledger.values()} == {"exact"}
    assert "are not back" not in weird.log


def test_the_service_manager_is_told(start_weird, tmp_path):
    path = str(tmp_path / "notify")
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(path)
    manager.settimeout(5)
    weird = start_weird("version: 1\nports:\n  - {name: a, device: net_null0}\n",
                        NOTIFY_SOCKET=path, WATCHDOG_USEC="200000")
    seen = []

    def until(text):
        while text not in seen:
            seen.extend(manager.recv(4096).decode().splitlines())

    until("READY=1")
    assert any(s.startswith("STATUS=1 ports") for s in seen)
    until("WATCHDOG=1")
    weird.process.send_signal(signal.SIGHUP)
    until("RELOADING=1")
    weird.process.send_signal(signal.SIGTERM)
    until("STOPPING=1")
    assert weird.stop() == 0


# ---- interfaces, each test in a network namespace of its own ----


@pytest.fixture
def netns():
    holder = subprocess.Popen(["unshare", "-n", "sleep", "600"])
    time.sleep(0.1)
    prefix = ["nsenter", "-t", str(holder.pid), "-n"]

    def run(*args, **kwargs):
        return subprocess.run([*prefix, *args], check=True, capture_output=True, text=True,
                              timeout=30, **kwargs)

    run.prefix = prefix
    run("ip", "link", "set", "lo", "up")
    yield run
    holder.kill()
    holder.wait()


def veth(netns, name, mtu=1500):
    netns("ip", "link", "add", name, "mtu", str(mtu), "type", "veth", "peer", "name", name + "p",
          "mtu", str(mtu))
    for end in (name, name + "p"):
        netns("sysctl", "-qw", f"net.ipv6.conf.{end}.disable_ipv6=1")
        netns("ip", "link", "set", end, "up")


class InNamespace:
    def __init__(self, netns, directory, config):
        self.dir = directory
        self.log_path = directory / "weird.log"
        (directory / "weir.yaml").write_text(config)
        self.out = open(self.log_path, "wb")
        self.process = subprocess.Popen(
            [*netns.prefix, WEIRD, "-c", str(directory / "weir.yaml")], stderr=self.out,
            env=dict(os.environ, WEIR_SOCKET=str(directory / "s")))

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    def stop(self):
        self.process.terminate()
        return self.process.wait(10)


@needs_root
def test_frames_cross_interfaces_unchanged(netns, tmp_path):
    veth(netns, "wa", 9000)
    veth(netns, "wb", 9000)
    weird = InNamespace(netns, tmp_path, "version: 1\nports:\n"
                        "  - {name: a, interface: wa, pass: {to: b}}\n"
                        "  - {name: b, interface: wb}\n")
    wait_up(weird)
    done = netns(sys.executable, str(HERE / "frames.py"), "wap", "wbp")
    assert done.stdout.strip() == "same", done.stdout
    assert weird.stop() == 0, weird.log
    ledger = ledgers(weird.log)
    assert ledger["a"]["balance"] == ledger["b"]["balance"] == "exact"
    assert ledger["a"]["drop"] == 0


@needs_root
def test_a_frame_beyond_the_mtu_is_dropped_whole(netns, tmp_path):
    veth(netns, "wa")
    veth(netns, "wb")
    weird = InNamespace(netns, tmp_path, "version: 1\nports:\n"
                        "  - {name: a, interface: wa, pass: {to: b}}\n"
                        "  - {name: b, interface: wb}\n")
    wait_up(weird)
    netns("ip", "link", "set", "wap", "mtu", "9000")
    netns("ip", "link", "set", "wa", "mtu", "9000")
    done = netns(sys.executable, str(HERE / "frames.py"), "wap", "wbp")
    assert "5000: lost" in done.stdout
    assert "cut" not in done.stdout
    assert weird.stop() == 0
    ledger = ledgers(weird.log)
    assert ledger["a"]["drop"] > 0
    assert ledger["a"]["balance"] == "exact"


@needs_root
def test_slots_smaller_than_the_mtu_are_refused(netns, tmp_path):
    veth(netns, "wa", 3000)
    text = "version: 1\nports:\n  - {name: a, device: 'net_af_packet0,iface=wa%s'}\n"
    weird = InNamespace(netns, tmp_path, text % "")
    assert weird.process.wait(10) == 1
    assert "up to 3018 bytes, its slots hold 1981" in weird.log
    twin = tmp_path / "twin"
    twin.mkdir()
    weird = InNamespace(netns, twin, text % ",framesz=4096,blocksz=65536,framecnt=256")
    wait_up(weird)
    assert weird.stop() == 0


@needs_root
def test_tap_to_kernel(netns, tmp_path):
    veth(netns, "wa")
    weird = InNamespace(netns, tmp_path, "version: 1\nports:\n"
                        "  - {name: a, interface: wa, pass: {to: k}}\n"
                        "  - {name: k, tap: {interface: wtap0}, pass: {to: a}}\n")
    wait_up(weird)
    # The namespace answers at the tap what a second namespace asks at the veth's other end.
    peer = subprocess.Popen(["unshare", "-n", "sleep", "60"])
    try:
        time.sleep(0.1)
        inside = ["nsenter", "-t", str(peer.pid), "-n"]
        netns("ip", "link", "set", "wap", "netns", str(peer.pid))
        subprocess.run([*inside, "ip", "addr", "add", "10.77.0.2/24", "dev", "wap"], check=True)
        subprocess.run([*inside, "ip", "link", "set", "wap", "up"], check=True)
        netns("ip", "addr", "add", "10.77.0.1/24", "dev", "wtap0")
        netns("ip", "link", "set", "wtap0", "up")
        done = subprocess.run([*inside, "ping", "-c", "5", "-i", "0.2", "-W", "2", "10.77.0.1"],
                              capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stdout + weird.log
    finally:
        peer.kill()
        peer.wait()
    assert weird.stop() == 0
    assert ledgers(weird.log)["k"]["sent"] > 0


@needs_root
def test_an_interface_that_goes_away_is_noticed(netns, tmp_path):
    veth(netns, "wa")
    weird = InNamespace(netns, tmp_path, "version: 1\nports:\n  - {name: a, interface: wa}\n")
    wait_up(weird)
    netns("ip", "link", "del", "wa")
    wait_for(weird, "the interface is gone port=a")
    assert weird.stop() == 0


@needs_root
@pytest.mark.parametrize("family", ["-4", "-6"])
def test_the_default_route_is_not_taken(netns, tmp_path, family):
    netns("ip", "link", "add", "wa", "type", "veth", "peer", "name", "wap")
    netns("ip", "link", "set", "wa", "up")
    netns("ip", "link", "set", "wap", "up")
    netns("ip", family, "route", "add", "default", "dev", "wa")
    text = "version: 1\nports:\n  - {name: a, interface: wa%s}\n"
    weird = InNamespace(netns, tmp_path, text % "")
    assert weird.process.wait(10) == 1
    assert "wa carries the default route" in weird.log
    assert "take-over: true" in weird.log
    twin = tmp_path / "twin"
    twin.mkdir()
    weird = InNamespace(netns, twin, text % ", take-over: true")
    wait_up(weird)
    assert weird.stop() == 0
