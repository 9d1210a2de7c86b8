# SPDX-License-Identifier: BSD-3-Clause
"""weirctl against a running weird: programs, maps, pins, ports, and what is said when it fails."""

import os
import re
import shutil
import subprocess
import time

import pytest

from weirctl_tool import BUILD, CAPTURES, PROGS, run, run_json

CONFIG = """\
version: 1
eal: {{hugepages: never, memory: 96MiB}}
workers: 1
ports:
  - name: replay
    pcap: {{rx: [{capture}], infinite: true}}
    pass: drop
  - name: quiet
    device: net_null0,no-rx=1
    pass: drop
"""


class Ctl:
    """weirctl with the socket of one weird."""

    def __init__(self, weird):
        self.weird = weird

    def __call__(self, *args, rc=0, **kwargs):
        return run(*args, rc=rc, socket=self.weird.socket, **kwargs)

    def json(self, *args, **kwargs):
        return run_json(*args, socket=self.weird.socket, **kwargs)

    def names(self, noun):
        return [row["name"] for row in self.json(noun)]


@pytest.fixture
def ctl(weird):
    return Ctl(weird)


@pytest.fixture
def lab(start_weird):
    """A weird whose port "replay" gives the packets of the DNS capture over and over."""
    return Ctl(start_weird(CONFIG.format(capture=CAPTURES / "dns.pcap")))


def attached(ctl):
    return [p["name"] for p in ctl.json("prog") if p["attached"]]


def compile_bpf(tmp_path, name, source):
    if not shutil.which("clang-19"):
        pytest.skip("no clang-19 to compile a program with")
    c, obj = tmp_path / f"{name}.bpf.c", tmp_path / f"{name}.bpf.o"
    c.write_text("#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n" + source +
                 '\nchar LICENSE[] SEC("license") = "Dual BSD/GPL";\n')
    subprocess.run(["clang-19", "-target", "bpf", "-mcpu=v3", "-O2", "-g",
                    f"-I/usr/include/{os.uname().machine}-linux-gnu", "-c", str(c), "-o", str(obj)],
                   check=True, timeout=60)
    return obj


COUNT = """
struct {{
	__uint(type, BPF_MAP_TYPE_{type});
	__uint(max_entries, {entries});
	__type(key, unsigned int);
	__type(value, unsigned long long);
{pin}}} {map} SEC(".maps");
unsigned long long seen = {seen};
SEC("xdp") int {name}(struct xdp_md *ctx)
{{
	unsigned int key = 0;
	unsigned long long *v = bpf_map_lookup_elem(&{map}, &key);
	seen++;
	if (v)
		__sync_fetch_and_add(v, 1);
	return {verdict};
}}
"""


def count_prog(tmp_path, name, verdict="XDP_DROP", type="ARRAY", entries=1, map="counts", pin=False,
               seen=7):
    return compile_bpf(tmp_path, name, COUNT.format(
        name=name, verdict=verdict, type=type, entries=entries, map=map, seen=seen,
        pin="\t__uint(pinning, LIBBPF_PIN_BY_NAME);\n" if pin else ""))


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("it did not come about")


# ---- lists ----

def test_an_empty_weird(ctl):
    status = ctl.json("status")
    assert status["pid"] == ctl.weird.pid and status["eal"] is False and status["progs"] == 0
    for noun in ("prog", "map", "port", "pin"):
        assert ctl.json(noun) == []
        assert ctl(noun).stdout.count("\n") == 1
        assert ctl(noun, "list").stdout == ctl(noun, "show").stdout
    assert ctl("trace", "--no-follow").stdout == ""
    assert "this weird has none" in ctl("prog", "attach", PROGS / "pass.bpf.o", "p0", rc=1).stderr


def test_a_worker_without_a_cpu_of_its_own(lab):
    worker = lab.json("status")["worker_list"][0]
    text = lab("status").stdout
    if worker["cpu"] is None:
        assert "worker 0    any CPU: " in text
    else:
        assert worker["cpu"] >= 0 and f"worker 0    CPU {worker['cpu']}: " in text


def test_ports(lab):
    rows = lab.json("port")
    assert [r["name"] for r in rows] == ["replay", "quiet"]
    assert all(r["ifindex"] >= 1 << 24 and r["state"] == "up" for r in rows)
    assert lab.json("port", "show", "quiet")[0]["name"] == "quiet"
    done = lab("port", "stats", "replya", rc=1)
    assert "replya" in done.stderr


def test_the_ledger_and_the_drops_agree(lab):
    lab("prog", "attach", PROGS / "drop.bpf.o", "replay")
    wait_for(lambda: lab.json("port", "stats", "replay")[0]["drop"] > 100000)
    lab("prog", "detach", "replay")
    row, = lab.json("port", "stats", "replay")
    assert row["rx"] + row["injected"] + row["cloned"] == (
        row["drop"] + row["aborted"] + row["pass"] + row["tx"] + row["redirect"] + row["in_flight"])
    causes = {r["cause"]: r for r in lab.json("port", "drops", "replay")}
    # Nothing is dropped any more: these two do not move.
    assert causes["prog"]["packets"] == row["drop_prog"] == row["drop"] > 100000
    assert [r["where"] for r in causes.values()] == sorted(
        (r["where"] for r in causes.values()), key=["wire", "in", "pass", "out"].index)


# ---- load, show, dump ----

@pytest.mark.sanitizer
def test_load_pins_and_shows(ctl):
    obj = PROGS / "two_sections.bpf.o"
    loaded = ctl.json("prog", "load", obj)
    names = [p["name"] for p in loaded]
    assert len(names) == 3 and [p["pin"] for p in loaded] == [f"/weir/{n}" for n in names]
    shown = ctl.json("prog", "show", names[0])
    assert shown["object"] == str(obj.resolve()) and len(shown["sha256"]) == 64
    digest = subprocess.run(["sha256sum", str(obj)], capture_output=True, text=True, check=True)
    assert shown["sha256"] == digest.stdout.split()[0]
    assert shown["comm"] == "weirctl" and shown["uid"] == os.getuid()
    assert shown["pins"] == [f"/weir/{names[0]}"] and shown["attached"] == []
    assert abs(shown["loaded_ns"] / 1e9 - time.time()) < 60
    for subject in (str(shown["id"]), names[0], f"/weir/{names[0]}"):
        assert ctl.json("prog", "show", subject)["id"] == shown["id"]
    assert "sha256" in ctl("prog", "show", names[0]).stdout
    # a second time everything is there already, and nothing changes
    assert "--pin" in ctl("prog", "load", obj, rc=1).stderr
    assert ctl.names("prog") == names
    assert ctl.json("prog", "load", obj, "--program", names[1], "--pin", "/elsewhere/x")
    done = ctl("prog", "show", names[1], rc=1)
    assert "ambiguous" in done.stderr
    ctl("pin", "delete", "/elsewhere/x", *(p["pin"] for p in loaded))
    wait_for(lambda: ctl.json("prog") == [])


def test_unknown_objects_name_the_nearest(ctl):
    ctl("prog", "load", PROGS / "count_hash.bpf.o")
    name, = ctl.names("prog")
    assert f"did you mean '{name}'" in ctl("prog", "show", name + "x", rc=1).stderr
    a_map = ctl.names("map")[0]
    assert f"did you mean '{a_map}'" in ctl("map", "dump", a_map + "s", rc=1).stderr
    assert f"did you mean '/weir/{name}'" in ctl("pin", "delete", f"/weir/{name}y", rc=1).stderr
    assert "nothing is pinned" in ctl("map", "dump", "/weir/nothing", rc=1).stderr
    assert "a program is pinned there" in ctl("map", "dump", f"/weir/{name}", rc=1).stderr
    assert "no program '4711'" in ctl("prog", "dump", "4711", rc=1).stderr


def test_the_only_program_is_meant(ctl):
    # its own prog array names it, which makes others' programs parts of a chain
    assert "tail_loop" in ctl("prog", "load", PROGS / "tail_loop.bpf.o").stdout


def test_nothing_is_printed_into_the_socket(ctl):
    # Without a standard output its number would be the connection's, and text the next request.
    done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", BUILD / "tools" / "weirctl", "-s",
                           ctl.weird.socket, "status"], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "standard output" in done.stderr


@pytest.mark.sanitizer
def test_dump(ctl):
    ctl("prog", "load", PROGS / "count_hash.bpf.o")
    name, = ctl.names("prog")
    text = ctl("prog", "dump", name).stdout
    assert re.search(r"^ +0: ", text, re.M) and "exit" in text
    assert re.search(r"^; .*bpf_map_lookup_elem", text, re.M), "the C lines stand above"
    assert f"{name}:" in text and "map[" in text
    rows = ctl.json("prog", "dump", name)
    assert rows[0]["insn"] == 0 and rows[0]["function"] == name and rows[-1]["text"] == "exit"
    jited = ctl.json("prog", "dump", name, "--jited")
    assert jited["bytes"] == len(jited["hex"]) / 2 == ctl.json("prog", "show", name)["jited_bytes"]
    dumped = "".join(l.split(":")[1] for l in
                     ctl("prog", "dump", name, "--jited").stdout.splitlines())
    assert dumped.replace(" ", "") == jited["hex"]


@pytest.mark.sanitizer
def test_a_refused_program_leaves_nothing(ctl):
    done = ctl("prog", "load", PROGS / "broken.bpf.o", rc=1)
    assert "refused" in done.stderr
    assert ctl.json("prog") == ctl.json("map") == ctl.json("pin") == []


# ---- attach, detach ----

@pytest.mark.sanitizer
def test_attach_and_detach(lab):
    drop, other = PROGS / "drop.bpf.o", PROGS / "pass.bpf.o"
    first = lab.json("prog", "attach", drop, "replay")
    assert (first["port"], first["hook"], first["priority"]) == ("replay", "xdp", 50)
    shown = wait_for(lambda: [p for p in lab.json("prog") if p["verdicts"]["drop"] > 1000])[0]
    place, = shown["attached"]
    assert place["queues"] == "all" and place["link_id"] == 0
    done = lab("prog", "attach", other, "replay", rc=1)
    assert "replay/xdp/50" in done.stderr and "drop" in done.stderr and "--replace" in done.stderr
    assert lab("prog", "attach", other, "replay", "--expect", "4711", rc=1).stderr
    second = lab.json("prog", "attach", other, "replay", "--expect", first["id"])
    assert second["replaced"] == first["id"]
    lab("prog", "attach", drop, "replay:0", "--priority", "10")
    done = lab("prog", "detach", "replay", rc=1)
    assert "--priority" in done.stderr and "replay" in done.stderr
    assert "xdp/10" in done.stderr and "xdp/50" in done.stderr
    assert lab("prog", "detach", "replay", "--hook", "tc", rc=1).stderr
    lab("prog", "detach", "replay", "--priority", "10")
    assert lab.json("prog", "detach", "replay")["id"] == second["id"]
    assert "nothing is attached" in lab("prog", "detach", "replay", rc=1).stderr
    wait_for(lambda: lab.json("prog") == [])
    assert "did you mean 'replay'" in lab("prog", "attach", drop, "repaly", rc=1).stderr


def test_the_log_names_the_place(lab):
    lab("prog", "attach", PROGS / "pass.bpf.o", "quiet", "--priority", "7")
    lab("prog", "detach", "quiet", "--priority", "7")
    assert re.search(r"attached port=quiet hook=xdp priority=7 ", lab.weird.log)
    assert re.search(r"detached port=quiet hook=xdp priority=7 ", lab.weird.log)


def test_attach_wants_the_right_things(lab, tmp_path):
    assert "missing.o" in lab("prog", "attach", tmp_path / "missing.o", "replay", rc=1).stderr
    assert "--program" in lab("prog", "attach", PROGS / "two_sections.bpf.o", "replay",
                              rc=1).stderr
    assert lab("prog", "attach", PROGS / "drop.bpf.o", "replay", "--hook", "tc", rc=1).stderr
    assert lab("prog", "attach", PROGS / "drop.bpf.o", "replay:5", rc=1).stderr
    assert "expected an object file" in lab("prog", "attach", "1", "replay", "--type", "xdp",
                                            rc=2).stderr
    assert lab.json("prog") == []


def test_filter_is_a_guard(lab):
    lab.json("prog", "attach", "replay", "--filter", "udp port 53")
    row = wait_for(lambda: [p for p in lab.json("prog") if p["runs"] > 100000])[0]
    assert row["type"] == "socket_filter" and row["object"] == "filter: udp port 53"
    assert row["attached"][0]["guard"] and row["attached"][0]["hook"] == "tc"
    # of the capture's 36 packets 28 are DNS
    assert abs(row["verdicts"]["keep"] / row["runs"] - 28 / 36) < 0.001
    assert lab.json("port", "stats", "replay")[0]["drop_guard"] > 10000
    done = lab("prog", "attach", "replay", "--filter", "tcp prt 80", rc=1)
    assert "tcp prt 80" in done.stderr and "syntax error" in done.stderr
    lab("prog", "attach", "replay", "--filter", "udp", "--hook", "xdp", rc=2)
    lab("prog", "attach", "replay", "--filter", "udp", "--hook", "tap")
    lab("prog", "detach", "replay", "--hook", "tap")
    lab("prog", "detach", "replay")


# ---- replace ----

@pytest.mark.sanitizer
def test_replace_keeps_maps(lab, tmp_path):
    a = count_prog(tmp_path, "first", seen=7)
    b = count_prog(tmp_path, "second", verdict="XDP_PASS", seen=1 << 60)
    old = lab.json("prog", "attach", a, "replay")
    wait_for(lambda: lab.json("map", "lookup", "counts", 0)["value"] > 1000)
    before = lab.json("map", "lookup", "counts", 0)["value"]
    done = lab.json("prog", "replace", "replay", b)
    assert done["replaced"] == old["id"] and done["replaced_name"] == "first"
    assert done["maps"] == [{"name": "counts", "fate": "kept"}, {"name": ".data", "fate": "new"}]
    assert lab.json("map", "lookup", "counts", 0)["value"] > before
    assert attached(lab) == ["second"]
    fresh = lab.json("prog", "replace", "replay", a, "--fresh", "counts")
    assert fresh["maps"][0] == {"name": "counts", "fate": "new"}
    # the program that was replaced is kept for a while; names mean what runs
    wait_for(lambda: lab.json("map", "lookup", "counts", 0)["value"] > 0)
    old = lab.json("prog", "replace", "replay", a)
    assert lab.json("prog", "show", "first")["id"] == old["id"]
    text = lab("prog", "replace", "replay", count_prog(tmp_path, "third", map="tallies")).stdout
    assert re.search(r"map tallies +new", text) and re.search(r"map counts +dropped", text)
    assert attached(lab) == ["third"]


def test_a_replace_that_fails_changes_nothing(lab, tmp_path):
    old = lab.json("prog", "attach", count_prog(tmp_path, "first"), "replay")
    maps = lab.json("map")

    def same():
        assert [p["id"] for p in lab.json("prog")] == [old["id"]]
        assert [m["id"] for m in lab.json("map")] == [m["id"] for m in maps]
        assert lab.json("pin") == []

    done = lab("prog", "replace", "replay", PROGS / "broken.bpf.o", rc=1)
    assert "refused" in done.stderr
    same()
    wide = count_prog(tmp_path, "wide", entries=2, pin=False)
    done = lab("prog", "replace", "replay", wide, rc=1)
    assert "max_entries 1," in done.stderr and "max_entries 2," in done.stderr
    same()
    done = lab("prog", "replace", "replay", wide, "--fresh", "conts", rc=1)
    assert "did you mean 'counts'" in done.stderr
    same()
    tc = PROGS / "tc_classifier.bpf.o"
    assert lab("prog", "replace", "replay", tc, rc=1).stderr  # no XDP program
    wait_for(lambda: len(lab.json("prog")) == 1)
    same()
    assert "nothing is attached" in lab("prog", "replace", "quiet", wide, rc=1).stderr
    before = lab.json("prog")[0]["runs"]
    wait_for(lambda: lab.json("prog")[0]["runs"] > before)
    lab("prog", "replace", "replay", wide, "--fresh", "counts")
    assert attached(lab) == ["wide"]


def test_pinned_maps_are_shared_and_checked(lab, tmp_path):
    a = count_prog(tmp_path, "one", pin=True)
    lab("prog", "attach", a, "replay")
    assert [p["path"] for p in lab.json("pin")] == ["/weir/counts"]
    lab("prog", "attach", count_prog(tmp_path, "two", pin=True), "quiet")
    assert lab.names("map").count("counts") == 1
    wide = count_prog(tmp_path, "three", pin=True, entries=9)
    done = lab("prog", "attach", wide, "quiet", "--priority", "60", rc=1)
    assert "/weir/counts" in done.stderr and "max_entries 9," in done.stderr
    # pins made on the way to a failure are taken back
    lab("pin", "delete", "/weir/counts")
    lab("prog", "attach", wide, "quiet", rc=1)
    assert lab.json("pin") == []


# ---- maps ----

@pytest.mark.sanitizer
def test_map_elements(lab):
    lab("prog", "attach", PROGS / "count_percpu.bpf.o", "quiet")
    name = next(m["name"] for m in lab.json("map") if m["type"].startswith("percpu"))
    slots = len(lab.json("map", "lookup", name, 0)["values"])
    lab("map", "update", name, 0, 5)
    assert [v["value"] for v in lab.json("map", "lookup", name, 0)["values"]] == [5] * slots
    lab("map", "update", name, 0, 9, "--cpu", slots - 1)
    assert [v["value"] for v in lab.json("map", "lookup", name, 0)["values"]] == [5] * (slots - 1) + [9]
    assert lab.json("map", "lookup", name, 0, "--cpu", slots - 1)["value"] == 9
    assert "from 0 to" in lab("map", "update", name, 0, 1, "--cpu", slots, rc=2).stderr
    assert "found '-5'" in lab("map", "update", name, 0, "-5", rc=2).stderr  # no option
    assert lab.json("map", "dump", name)[0]["key"] == 0


def test_map_keys_and_values_as_text(lab):
    lab("prog", "attach", PROGS / "port_blocklist.bpf.o", "quiet")
    row = next(m for m in lab.json("map") if m["type"] == "hash")
    name, size = row["name"], row["key_bytes"]
    value = ["hex"] + ["00"] * row["value_bytes"]
    lab("map", "update", name, "hex", *["0a"] * size, *value)
    assert len(lab.json("map", "dump", name)) == 1
    assert lab("map", "dump", name).stdout.count("=>") == 1
    lab("map", "update", name, "hex", "0b" * size, "hex", "00" * row["value_bytes"], "--noexist")
    assert "File exists" in lab("map", "update", name, "hex", "0b" * size, *value, "--noexist",
                                rc=1).stderr
    assert lab("map", "update", name, "hex", "0c" * size, *value, "--exist", rc=1).stderr
    lab("map", "delete", name, "hex", "0b" * size)
    assert "no such key" in lab("map", "delete", name, "hex", "0b" * size, rc=1).stderr
    assert lab("map", "lookup", name, "hex", "0b" * size, rc=1).stderr
    for words, said in ((("hex", "0"), "pairs"), (("hex", "zz"), "pairs"), (("hex",), "0 of"),
                        (("hex", "00" * (size + 1)), "more than"), (("frog",), "frog")):
        assert said in lab("map", "lookup", name, *words, rc=2).stderr
    assert "one word too many" in lab("map", "delete", name, "hex", "0a" * size, "x", rc=2).stderr
    assert lab("map", "lookup", name, rc=2).stderr


def test_a_large_map_is_dumped_whole(lab, tmp_path):
    lab("prog", "attach", count_prog(tmp_path, "large", entries=70000), "quiet")
    rows = lab.json("map", "dump", "counts")
    assert [r["key"] for r in rows] == list(range(70000))


@pytest.mark.sanitizer
def test_prog_arrays_and_devmaps(lab):
    lab("prog", "attach", PROGS / "tail_call_parser.bpf.o", "replay")
    layers = next(m["name"] for m in lab.json("map") if m["type"] == "prog_array")
    ids = {e["key"]: e["value"] for e in lab.json("map", "dump", layers)}
    names = {p["id"]: p["name"] for p in lab.json("prog")}
    assert [names[i] for i in ids.values()] == ["parse_ipv4", "parse_ipv6", "parse_tcp", "parse_udp"]
    lab("map", "update", layers, 0, "parse_ipv6")
    assert lab.json("map", "lookup", layers, 0)["value"] == ids[1]
    assert "did you mean 'parse_tcp'" in lab("map", "update", layers, 0, "parse_tcq", rc=1).stderr
    lab("map", "delete", layers, 0)
    assert lab("map", "lookup", layers, 0, rc=1).stderr
    assert len(lab.json("map", "dump", layers)) == 3
    # a name longer than weird keeps
    assert lab.json("prog", "show", "tail_call_parser")["name"] == "tail_call_parse"
    done = lab.json("prog", "replace", "replay", PROGS / "tail_call_parser.bpf.o")
    # what the object fills itself leads to its own programs, never to the old one's
    assert {m["name"]: m["fate"] for m in done["maps"]}[layers] == "new"
    lab("prog", "attach", PROGS / "redirect_map.bpf.o", "quiet")
    ifindex = lab.json("port", "show", "quiet")[0]["ifindex"]
    lab("map", "update", "ports", 0, ifindex)
    assert "no port has" in lab("map", "update", "ports", 0, ifindex + 999, rc=1).stderr
    assert lab.json("map", "dump", "ports") == [{"key": 0, "value": ifindex}]
    assert lab("map", "dump", "ports").stdout == f"0 => {ifindex}\n"
    assert lab.json("prog", "replace", "quiet", PROGS / "redirect_map.bpf.o")["maps"] == [
        {"name": "ports", "fate": "kept"}]


def test_trace(lab, tmp_path):
    obj = compile_bpf(tmp_path, "say", '''
SEC("xdp") int say(struct xdp_md *ctx)
{
	bpf_printk("port %d", ctx->ingress_ifindex);
	return XDP_PASS;
}''')
    lab("prog", "attach", obj, "replay")
    out = lab("trace", "--lines", 3).stdout
    assert len(out.splitlines()) == 3 and "port 1677721" in out
