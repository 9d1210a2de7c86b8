# SPDX-License-Identifier: BSD-3-Clause
"""Programs at ports: weir's attachments, bpf(2)'s links, the configuration's programs, lists."""

import errno
import os
import signal
import struct
import subprocess
import time

import pytest

import bpfclient as b
import rawclient as raw
from conftest import BUILD
from test_control import can_load, eventually

TWO_PORTS = """version: 1
eal: {hugepages: never}
workers: 1
ports:
  - {name: left, device: net_null0}
  - {name: right, device: net_null1}
"""
ATTACH_REC = struct.Struct("<64s16sIIIIQQIIII")
PROG_REC_BYTES = 16 + 8 + 8
BPF_XDP = 37


@pytest.fixture
def lab(start_weird):
    weird = start_weird(TWO_PORTS)
    client = b.Bpf(weird.socket)
    if not can_load(client):
        pytest.skip("this build refuses every program")
    client.weird = weird
    client.raw = raw.connect(weird)
    yield client
    client.raw.close()
    client.close()


def load(client, verdict):
    fd, err, log = client.prog_load(b.XDP, b.ret(verdict), log_level=1, log_size=4096)
    assert fd >= 0, log
    return fd, struct.unpack_from("<I", client.info(fd), 4)[0]


def attach(client, port, fd, expected, priority=50, hook=0, flags=0):
    """(result, program that was there, text); fd None detaches."""
    slot = raw.BADF if fd is None else raw.bind(client.raw, fd)
    attr = struct.pack("<IIIIQII", slot, hook, priority, expected, 0, flags, 0)
    result, attr, body = raw.call(client.raw, raw.ATTACH, attr, raw.section(raw.PORT, port))
    return result, struct.unpack_from("<I", attr, 28)[0], body.get(raw.TEXT, b"").decode()


def attachments(client):
    _, _, body = raw.call(client.raw, raw.ATTACH_LIST, bytes(4))
    recs = ATTACH_REC.iter_unpack(body.get(raw.RECS, b""))
    return [(r[0].rstrip(b"\0").decode(), r[3], r[4], r[5]) for r in recs]


def port_ifindex(client, name):
    _, _, body = raw.call(client.raw, raw.PORT_LIST, bytes(4), raw.section(raw.PORT, name))
    return struct.unpack_from("<I", body[raw.RECS], 64 + 128 + 16 + 24 + 4)[0]


def test_attachment_outlives_its_maker_and_is_compare_and_swap(lab):
    one, one_id = load(lab, 1)
    two, two_id = load(lab, 1)
    assert attach(lab, b"left", one, 0)[0] == 0
    assert attachments(lab) == [("left", 0, 50, one_id)]
    assert attach(lab, b"left", two, 0)[0] == -errno.EEXIST
    assert attach(lab, b"left", two, two_id)[0] == -errno.ENOENT
    assert attach(lab, b"right", two, one_id)[0] == -errno.ENOENT
    assert attach(lab, b"left", two, one_id)[:2] == (0, one_id)
    assert attachments(lab) == [("left", 0, 50, two_id)]
    os.close(one)
    os.close(two)
    assert two_id in lab.ids(b.PROG_NEXT_ID)
    assert attach(lab, b"left", None, two_id)[0] == 0
    assert attach(lab, b"left", None, two_id)[0] == -errno.ENOENT
    assert attachments(lab) == []
    assert f"attached port=left hook=xdp priority=50 prog={one_id} " in lab.weird.log
    assert eventually(lambda: lab.ids(b.PROG_NEXT_ID) == [])


def test_attach_errors_name_what_is_wrong(lab):
    fd, _ = load(lab, 1)
    result, _, text = attach(lab, b"nowhere", fd, 0)
    assert result == -errno.ENODEV and "nowhere" in text
    assert attach(lab, b"left", fd, 0, hook=7)[0] == -errno.EINVAL
    assert attach(lab, b"left", fd, 0, hook=1)[0] == -errno.EINVAL  # an XDP program at tc
    assert attach(lab, b"left", fd, 0, flags=1 << 9)[0] == -errno.EINVAL
    assert attach(lab, b"x" * 200, fd, 0)[0] == -errno.EINVAL
    array = lab.map_create(b.ARRAY, 4, 8, 1)
    assert attach(lab, b"left", array, 0)[0] == -errno.EINVAL
    assert attachments(lab) == []


def link_create(client, fd, ifindex):
    attr = bytearray(struct.pack("<IIII", fd, ifindex, BPF_XDP, 0) + bytes(48))
    return client.call(b.LINK_CREATE, attr)


def test_link_ends_with_its_last_descriptor(lab):
    fd, id = load(lab, 1)
    ifindex = port_ifindex(lab, b"left")
    link, err = link_create(lab, fd, ifindex)
    assert link >= 0, errno.errorcode.get(err)
    assert attachments(lab) == [("left", 0, 50, id)]
    assert link_create(lab, fd, ifindex) == (-1, errno.EBUSY)
    # weir's own commands leave a link's place alone.
    assert attach(lab, b"left", None, id)[0] == -errno.EBUSY
    info = lab.info(link, 48)
    assert struct.unpack_from("<III", info) == (6, lab.ids(b.LINK_NEXT_ID)[0], id)
    os.close(link)
    assert eventually(lambda: attachments(lab) == [])
    assert lab.ids(b.LINK_NEXT_ID) == []


@pytest.mark.sanitizer
def test_link_detach_and_pin(lab):
    fd, id = load(lab, 1)
    link, _ = link_create(lab, fd, port_ifindex(lab, b"right"))
    lab.pin(link, "/links/right")
    os.close(link)
    assert attachments(lab) == [("right", 0, 50, id)]
    link = lab.get("/links/right")
    lab.ok(b.LINK_DETACH, bytearray(struct.pack("<I", link)))
    assert attachments(lab) == []
    assert len(lab.ids(b.LINK_NEXT_ID)) == 1


@pytest.mark.sanitizer
def test_killed_client_takes_its_link_along(lab):
    script = """
import os, struct, sys, time
sys.path.insert(0, sys.argv[1])
import bpfclient as b
B = b.Bpf(sys.argv[2])
fd, err, log = B.prog_load(b.XDP, b.ret(1))
attr = bytearray(struct.pack("<IIII", fd, int(sys.argv[3]), 37, 0) + bytes(48))
link = B.ok(b.LINK_CREATE, attr)
print("ready", flush=True)
time.sleep(60)
"""
    child = subprocess.Popen(["/usr/bin/python3", "-c", script, os.path.dirname(__file__),
                              lab.weird.socket, str(port_ifindex(lab, b"left"))],
                             stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"ready\n"
    assert len(attachments(lab)) == 1
    child.kill()
    child.wait()
    child.stdout.close()
    assert eventually(lambda: attachments(lab) == [])
    assert eventually(lambda: lab.ids(b.PROG_NEXT_ID) == [])


def test_thousand_replacements_leave_one_program(lab):
    keep, current = load(lab, 1)
    assert attach(lab, b"left", keep, 0)[0] == 0
    for i in range(1000):
        fd, id = load(lab, 1 + i % 2)
        result, old, text = attach(lab, b"left", fd, current)
        assert (result, old) == (0, current), text
        os.close(keep)
        keep, current = fd, id
    # What the last change replaced is kept for a run-budget detach.
    assert eventually(lambda: len(lab.ids(b.PROG_NEXT_ID)) <= 2)
    assert lab.weird.stop() == 0
    assert "objects left" not in lab.weird.log


def test_ledger_causes_sum_up(lab):
    fd, _ = load(lab, 1)
    attach(lab, b"left", fd, 0)
    time.sleep(0.2)
    attach(lab, b"left", None, struct.unpack_from("<I", lab.info(fd), 4)[0])
    _, _, body = raw.call(lab.raw, raw.PORT_DROPS, bytes(4), raw.section(raw.PORT, b"left"))
    rows = [(r[0].rstrip(b"\0"), r[1].rstrip(b"\0").decode(), r[4])
            for r in struct.iter_unpack("<64s32s16s96sQ", body[raw.RECS])]
    assert {r[0] for r in rows} == {b"left"}
    assert dict((r[1], r[2]) for r in rows)["prog"] > 0


def test_configuration_loads_and_attaches(lab, start_weird):
    objects = BUILD / "tests" / "progs"
    if not (objects / "drop.bpf.o").exists():
        pytest.skip("the sample objects are not built")
    weird = start_weird(TWO_PORTS + f"""
programs:
  - name: dropper
    object: {objects}/drop.bpf.o
    pin: /dropper
    attach: [{{port: left, hook: xdp}}]
  - name: pinned
    object: {objects}/pinned_map.bpf.o
    attach: [{{port: right, hook: xdp, priority: 7}}]
""")
    client = b.Bpf(weird.socket)
    client.raw = raw.connect(weird)
    places = attachments(client)
    assert [p[:3] for p in places] == [("left", 0, 50), ("right", 0, 7)]
    assert struct.unpack_from("<I", client.info(client.get("/weir/weir_pinned"), 80))[0] == b.HASH
    fd = client.get("/dropper")
    assert struct.unpack_from("<I", client.info(fd), 4)[0] == places[0][3]
    _, _, body = raw.call(client.raw, raw.PROG_LIST, bytes(4))
    assert b"drop.bpf.o" in body[raw.RECS] and b"weird" in body[raw.RECS]
    client.close()


def test_configuration_with_a_broken_program_attaches_nothing(tmp_path):
    objects = BUILD / "tests" / "progs"
    if not (objects / "broken.bpf.o").exists():
        pytest.skip("the sample objects are not built")
    config = tmp_path / "weir.yaml"
    config.write_text(TWO_PORTS + f"""
programs:
  - {{name: bad, object: {objects}/broken.bpf.o, attach: [{{port: left, hook: xdp}}]}}
""")
    for args in (["--check"], []):
        done = subprocess.run([BUILD / "daemon" / "weird", *args, "-c", config], timeout=30,
                              capture_output=True, text=True,
                              env=dict(os.environ, WEIR_SOCKET=str(tmp_path / "s")))
        assert done.returncode == 1
        assert "weir.yaml:" in done.stderr and "broken.bpf.o" in done.stderr
    assert not (tmp_path / "s").exists()


def test_devmap_takes_ports_only(lab):
    """As Linux: EINVAL for an interface that is not there, behind the map's own errors."""
    devmap = lab.map_create(14, 4, 4, 2)
    there = port_ifindex(lab, b"right")

    def update(key, ifindex, flags=0):
        try:
            lab.update(devmap, struct.pack("<I", key), struct.pack("<I", ifindex), flags)
        except OSError as e:
            return e.errno
        return 0

    assert update(0, there) == 0
    assert update(0, there + 999) == errno.EINVAL
    assert update(0, 0xffffffff) == errno.EINVAL
    assert update(9, there + 999) == errno.E2BIG
    assert update(0, there + 999, 1) == errno.EEXIST
    assert update(1, 1) == 0
    assert update(0, 0) == 0
