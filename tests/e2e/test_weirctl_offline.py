# SPDX-License-Identifier: BSD-3-Clause
"""weirctl without a daemon: the grammar, verify, run and bench, and input of every bad kind."""

import os
import pathlib
import re

import pytest

from weirctl_tool import CAPTURES, PROGS, ROOT, read_pcap, run, run_json, write_pcap

OBJECTS = sorted(p for p in PROGS.glob("*.bpf.o") if not re.search(r"\.v\d\.bpf\.o$", p.name))
GOOD_CAPTURES = sorted(CAPTURES.glob("*.pcap"))
BAD_CAPTURES = sorted((CAPTURES / "malformed").glob("*.pcap"))


# ---- the grammar ----

@pytest.mark.parametrize("args, said", [
    ((), "NOUN VERB"),
    (("verfy",), "did you mean 'verify'"),
    (("p",), "ambiguous"),
    (("prog", "attahc"), "did you mean 'attach'"),
    (("prog", "d"), "ambiguous"),
    (("verify",), "expected OBJ"),
    (("verify", "a", "b"), "one word too many"),
    (("verify", "a", "--progam", "x"), "did you mean '--program'"),
    (("verify", "a", "--program"), "expected NAME"),
    (("verify", "a", "--program", "x", "--program", "y"), "given twice"),
    (("verify", "a", "--type", "kprobe"), "expected xdp"),
    (("verify", "a", "--role", "root"), "expected admin"),
    (("verify", "a", "--log-level", "99"), "from 0 to 7"),
    (("run", "a"), "-r IN.pcap"),
    (("bench", "a", "-r", "b", "--engine", "gcc"), "expected interp or jit"),
    (("bench", "a", "-r", "b", "--loops", "0"), "from 1 to"),
    (("bench", "a", "-r", "b", "--loops", "99999999999999999999999"), "from 1 to"),
    (("-s",), "expected a socket's path"),
    (("--frobnicate", "verify"), "unknown option"),
    (("prog", "attach", "x"), "expected a program and a port"),
    (("prog", "attach", "x", "p:9-3"), "expected queues"),
    (("prog", "attach", "x", "p:64"), "expected queues"),
    (("prog", "attach", "x", "p", "--hook", "egress"), "expected xdp, tc or tap"),
    (("prog", "attach", "x", "p", "--replace", "--expect", "1"), "expected one of them"),
    (("completion", "fish"), "expected bash"),
])
def test_wrong_usage_is_2(args, said):
    done = run(*args, rc=2)
    assert said in done.stderr
    assert not done.stdout


def test_help_names_every_command():
    out = run("help").stdout
    for words in ("verify OBJ", "run OBJ", "bench OBJ", "prog attach", "prog replace", "map update",
                  "port drops", "status", "trace"):
        assert words in out
    assert "--fresh" in run("help", "prog", "replace").stdout
    assert "--fresh" in run("prog", "replace", "--help").stdout
    assert "detach" in run("prog", "--help").stdout


def test_version():
    assert re.fullmatch(r"weirctl \d+\.\d+\.\d+\n", run("--version").stdout)


def test_completion_is_bash(tmp_path):
    script = tmp_path / "completion"
    script.write_text(run("completion", "bash").stdout)
    assert os.system(f"bash -n {script}") == 0


@pytest.mark.parametrize("args", [("help",), ("completion", "bash")])
def test_a_full_disk_is_a_failure(args):
    with open("/dev/full", "w") as full:
        done = run(*args, rc=1, stdout=full, stderr=-1)
    assert "standard output" in done.stderr


def test_no_daemon_is_told(tmp_path):
    done = run("status", rc=1, socket=str(tmp_path / "nobody.sock"))
    assert "nobody.sock" in done.stderr and "no weird answers" in done.stderr


# ---- verify ----

LINE = re.compile(r"(\S+) (xdp|sched_cls|sched_act|socket_filter|unsupported) (accept|reject) "
                  r"insns=\d+ processed=\d+( us=\d+(\.\d+)?( jit_us=\d+(\.\d+)?)?)?( [a-z0-9-]+)?")


@pytest.mark.parametrize("obj", OBJECTS, ids=lambda p: p.name)
def test_verify_prints_a_line_a_program(obj):
    done = run("verify", obj, rc=None)
    rows = run_json("verify", obj, rc=None)
    lines = done.stdout.splitlines()
    assert len(lines) == len(rows) > 0
    for line, row in zip(lines, rows):
        m = LINE.fullmatch(line)
        assert m, line
        assert m.group(1) == row["program"] and m.group(3) == row["result"]
        assert (m.group(8) is not None) == (row["result"] == "reject"), line
    rejected = any(r["result"] == "reject" for r in rows)
    assert done.returncode == (1 if rejected else 0)
    assert rejected == (obj.name == "broken.bpf.o")


def test_verify_explains_a_reject():
    done = run("verify", PROGS / "broken.bpf.o", rc=1)
    assert " reject " in done.stdout
    assert done.stderr.strip() and len(done.stderr.splitlines()) <= 30
    row, = run_json("verify", PROGS / "broken.bpf.o", rc=1)
    assert row["reason"] in done.stdout and row["message"]


def test_verify_chooses_programs():
    obj = PROGS / "two_sections.bpf.o"
    names = [r["program"] for r in run_json("verify", obj)]
    assert len(names) == 3
    assert run("verify", obj, "--program", names[1]).stdout.startswith(names[1] + " ")
    done = run("verify", obj, "--program", "nobody", rc=1)
    assert all(n in done.stderr for n in names)
    assert "us=" in run("verify", obj, "--timing").stdout


# ---- objects of every bad kind ----

@pytest.mark.sanitizer
def test_missing_and_odd_files(tmp_path):
    empty = tmp_path / "empty.o"
    empty.write_bytes(b"")
    for path in (tmp_path / "missing.o", tmp_path, empty, "/dev/null", "/dev/zero", "/etc/passwd",
                 GOOD_CAPTURES[0]):
        done = run("verify", path, rc=1)
        assert str(path) in done.stderr
        assert not done.stdout


@pytest.mark.sanitizer
@pytest.mark.parametrize("name", ["two_sections", "tail_call_parser", "global_data"])
def test_cut_objects(tmp_path, name):
    data = (PROGS / f"{name}.bpf.o").read_bytes()
    path = tmp_path / "cut.o"
    for i in range(40):
        path.write_bytes(data[:len(data) * i // 40])
        run("verify", path, rc=1)


@pytest.mark.sanitizer
def test_flipped_objects(tmp_path):
    data = bytearray((PROGS / "tail_call_parser.bpf.o").read_bytes())
    path = tmp_path / "flipped.o"
    seed = 1
    for _ in range(120):
        broken = bytearray(data)
        for _ in range(4):
            seed = (seed * 1103515245 + 12345) & 0x7fffffff
            broken[seed % len(broken)] ^= 1 << (seed >> 20) % 8
        path.write_bytes(broken)
        done = run("verify", path, rc=None)
        assert done.returncode != 2, done.stderr


# ---- run ----

@pytest.mark.parametrize("capture", GOOD_CAPTURES, ids=lambda p: p.name)
def test_run_keeps_times_and_bytes(tmp_path, capture):
    out = tmp_path / "out.pcap"
    result = run_json("run", PROGS / "pass.bpf.o", "-r", capture, "-w", out)
    before = read_pcap(capture)
    assert read_pcap(out) == before
    assert result["packets"] == result["packets_out"] == len(before) == result["verdicts"]["pass"]
    assert result["bytes"] == sum(len(b) for _, b in before)
    assert [r["packet"] for r in result["results"]] == list(range(1, len(before) + 1))


def test_run_with_nanoseconds(tmp_path):
    packets = [(1_700_000_000_123_456_789 + i, bytes([i]) * 60) for i in range(3)]
    write_pcap(tmp_path / "in.pcap", packets)
    run("run", PROGS / "pass.bpf.o", "-r", tmp_path / "in.pcap", "-w", tmp_path / "out.pcap")
    assert read_pcap(tmp_path / "out.pcap") == packets


@pytest.mark.sanitizer
def test_run_drops(tmp_path):
    out = tmp_path / "out.pcap"
    done = run("run", PROGS / "drop.bpf.o", "-r", CAPTURES / "dns.pcap", "-w", out)
    assert read_pcap(out) == []
    assert done.stdout.splitlines()[-1] == "36 packets in, 0 out; drop 36"
    assert done.stdout.startswith("1 drop 42\n2 drop 42\n")


def test_run_fails_clearly(tmp_path):
    obj, dns = PROGS / "pass.bpf.o", CAPTURES / "dns.pcap"
    for capture in (tmp_path / "missing.pcap", tmp_path, "/dev/null"):
        assert str(capture) in run("run", obj, "-r", capture, rc=1).stderr
    assert "/dev/full" in run("run", obj, "-r", dns, "-w", "/dev/full", rc=1).stderr
    assert "nowhere" in run("run", obj, "-r", dns, "-w", tmp_path / "nowhere" / "x", rc=1).stderr
    done = run("run", PROGS / "two_sections.bpf.o", "-r", dns, rc=1)
    assert "--program" in done.stderr and "first" in done.stderr
    with open("/dev/full", "w") as full:
        run("run", obj, "-r", dns, rc=1, stdout=full, stderr=-1)


@pytest.mark.sanitizer
@pytest.mark.parametrize("capture", BAD_CAPTURES, ids=lambda p: p.name)
def test_malformed_captures(tmp_path, capture):
    for name in ("proto_counters", "port_blocklist", "vlan_strip", "ldabs_filter"):
        done = run("run", PROGS / f"{name}.bpf.o", "-r", capture, "-q", rc=None)
        if done.returncode:
            assert capture.name in done.stderr
            assert capture.name.startswith("file_"), "malformed packets are no broken file"


def test_run_spares_its_input(tmp_path):
    capture = tmp_path / "in.pcap"
    packets = [(i, bytes(60)) for i in range(9)]
    write_pcap(capture, packets)
    (tmp_path / "link.pcap").hardlink_to(capture)
    for out in (capture, tmp_path / "link.pcap"):
        assert "another file" in run("run", PROGS / "pass.bpf.o", "-r", capture, "-w", out,
                                     rc=1).stderr
    run("run", PROGS / "pass.bpf.o", "-r", capture, "-w", "-", rc=2)
    assert read_pcap(capture) == packets


def test_an_endless_program_ends(tmp_path):
    one = tmp_path / "one.pcap"
    write_pcap(one, [(0, bytes(60))])
    results = [run_json("run", PROGS / "endless.bpf.o", "-r", one, "--map-dump", *engine)
               for engine in ((), ("--interp",))]
    assert results[0] == results[1]
    assert results[0]["verdicts"] == {"aborted": 1}
    assert results[0]["results"][0]["cause"] == "budget"


# endless has a test of its own: it runs into the budget with every packet.
RUNNABLE = [p for p in OBJECTS + sorted(PROGS.glob("c/*.bpf.o"))
            if p.name != "endless.bpf.o" and ".bad." not in p.name]


@pytest.mark.parametrize("obj", RUNNABLE, ids=lambda p: p.name)
def test_engines_agree(tmp_path, obj):
    """Verdicts, packets and maps are the same, byte for byte, over every capture."""
    out = tmp_path / "out.pcap"
    accepted = [row["program"] for row in run_json("verify", obj, rc=None)
                if row["result"] == "accept"]
    if not accepted:
        pytest.skip("the verifier accepts no program of it")
    for program in accepted:
        for capture in GOOD_CAPTURES + [c for c in BAD_CAPTURES if c.name.startswith("frames_")]:
            outputs = []
            for engine in ([], ["--interp"]):
                done = run("--json", "run", obj, "--program", program, "-r", capture, "-w", out,
                           "--map-dump", *engine)
                outputs.append((done.stdout, out.read_bytes()))
            assert outputs[0] == outputs[1], (program, capture.name)


# ---- bench ----

@pytest.mark.parametrize("engine", ["jit", "interp"])
def test_bench(engine):
    row = run_json("bench", PROGS / "parse_drop.bpf.o", "-r", CAPTURES / "http_ipv4.pcap",
                   "--loops", 3, "--engine", engine)
    assert row["engine"] == engine and row["buffers"] >= 16384
    assert 0 < row["ns_min"] <= row["ns_median"] < 100000


def test_bench_wants_packets():
    done = run("bench", PROGS / "pass.bpf.o", "-r",
               CAPTURES / "malformed" / "file_header_only.pcap", rc=1)
    assert "no packet" in done.stderr


def test_bench_takes_no_gigabytes(tmp_path):
    write_pcap(tmp_path / "huge.pcap", [(0, bytes(262144))])
    done = run("bench", PROGS / "pass.bpf.o", "-r", tmp_path / "huge.pcap", rc=1)
    assert "262144 bytes" in done.stderr and "MiB" in done.stderr


# ---- the manual ----

def test_the_manual_knows_every_command_and_option():
    page = (ROOT / "docs" / "man" / "weirctl.8").read_text()
    commands = re.findall(r"^  ([a-z]+(?: [a-z]+)?) (?=[A-Z/\[ ])", run("help").stdout, re.M)
    assert len(commands) > 20
    for command in commands:
        items = [line for line in page.splitlines()
                 if re.match(rf"\.It Cm {command}( |$)", line)]
        assert items, f"weirctl.8 has no entry for '{command}'"
        options = re.findall(r"^  (?:-., |    )--([a-z-]+)",
                             run("help", *command.split()).stdout, re.M)
        for option in options:
            letter = {"read": "r", "write": "w"}.get(option, f"-{option}")
            assert any(re.search(rf"[ |](Fl )?{letter}( |$)", line) for line in items), (
                f"weirctl.8: '{command}' has no --{option}")
