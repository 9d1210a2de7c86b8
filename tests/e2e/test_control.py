# SPDX-License-Identifier: BSD-3-Clause
"""The control plane by itself: objects, their life, errno, and libweir as a library."""

import errno
import os
import signal
import socket
import stat
import struct
import subprocess
import time

import pytest

import bpfclient as b
import rawclient as raw
from conftest import BUILD

K1, K2 = struct.pack("<I", 1), struct.pack("<I", 2)


def eventually(check, seconds=5):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if check():
            return True
        time.sleep(0.01)
    return check()


def can_load(bpf):
    fd, _, _ = bpf.prog_load(b.XDP, b.ret(2))
    if fd >= 0:
        os.close(fd)
    return fd >= 0


@pytest.mark.sanitizer
def test_hash_elements(bpf):
    fd = bpf.map_create(b.HASH, 4, 8, 2, name=b"flows")
    assert bpf.lookup(fd, K1, 8) is None
    bpf.update(fd, K1, b"aaaaaaaa")
    bpf.update(fd, K2, b"bbbbbbbb")
    assert bpf.lookup(fd, K1, 8) == b"aaaaaaaa"
    assert sorted(bpf.keys(fd, 4)) == [K1, K2]
    with pytest.raises(OSError) as e:
        bpf.update(fd, struct.pack("<I", 3), b"cccccccc")
    assert e.value.errno == errno.E2BIG
    bpf.delete(fd, K1)
    assert bpf.keys(fd, 4) == [K2]


def test_percpu_values_are_those_of_possible_cpus(bpf):
    cpus = open("/sys/devices/system/cpu/possible").read().strip()
    count = int(cpus.replace("-", ",").split(",")[-1]) + 1
    fd = bpf.map_create(b.PERCPU_ARRAY, 4, 5, 3)
    value = b"".join(bytes([i + 1]) * 5 + bytes(3) for i in range(count))
    bpf.update(fd, bytes(4), value)
    assert bpf.lookup(fd, bytes(4), len(value)) == value


def test_descriptor_is_close_on_exec_and_a_socket(bpf):
    fd = bpf.map_create(b.ARRAY, 4, 8, 1)
    assert not os.get_inheritable(fd)
    assert stat.S_ISSOCK(os.fstat(fd).st_mode)


def test_last_close_removes_the_object(bpf):
    fd = bpf.map_create(b.ARRAY, 4, 8, 1)
    copy = os.dup(fd)
    assert len(bpf.ids(b.MAP_NEXT_ID)) == 1
    os.close(fd)
    assert len(bpf.ids(b.MAP_NEXT_ID)) == 1
    assert bpf.lookup(copy, bytes(4), 8) == bytes(8)
    os.close(copy)
    # Whoever asks after its own close sees the object gone at once, as with the kernel.
    assert bpf.ids(b.MAP_NEXT_ID) == []


def test_slot_is_not_mistaken_after_reuse_of_the_descriptor_number(bpf):
    key, value = b.buffer(bytes(4)), b.buffer(bytes(8))
    for i in range(50):
        fd = bpf.map_create(b.ARRAY, 4, 8, 1)
        bpf.update(fd, bytes(4), struct.pack("<Q", i))
        assert bpf.lookup(fd, bytes(4), 8) == struct.pack("<Q", i)
        os.close(fd)
        other = socket.socket()
        assert other.fileno() == fd
        assert bpf.call(b.MAP_LOOKUP, b.Bpf.elem(fd, key, value)) == (-1, errno.EINVAL)
        other.close()


def test_descriptor_passed_to_another_process(bpf, weird):
    fd = bpf.map_create(b.HASH, 4, 8, 4)
    bpf.update(fd, K1, b"fromhere")
    script = ("import sys; sys.path.insert(0, sys.argv[1]); import bpfclient as b;"
              "B = b.Bpf(sys.argv[2]); fd = int(sys.argv[3]);"
              "assert B.lookup(fd, b'\\1\\0\\0\\0', 8) == b'fromhere';"
              "B.update(fd, b'\\2\\0\\0\\0', b'fromhim!')")
    os.set_inheritable(fd, True)
    subprocess.run(["/usr/bin/python3", "-c", script, os.path.dirname(__file__), weird.socket,
                    str(fd)], pass_fds=[fd], check=True)
    assert bpf.lookup(fd, K2, 8) == b"fromhim!"


@pytest.mark.sanitizer
def test_pins(bpf):
    fd = bpf.map_create(b.ARRAY, 4, 8, 1, name=b"pinned")
    bpf.update(fd, bytes(4), b"12345678")
    bpf.pin(fd, "/a/b/c")
    os.close(fd)
    assert len(bpf.ids(b.MAP_NEXT_ID)) == 1
    again = bpf.get("//a/b//c")
    assert bpf.lookup(again, bytes(4), 8) == b"12345678"
    for path, err in (("/a/b/c", errno.EEXIST), ("/a/b", errno.EEXIST), ("/a/b/c/d", errno.ENOTDIR),
                      ("/a/../x", errno.EINVAL), ("/" + "x" * 300, errno.ENAMETOOLONG)):
        with pytest.raises(OSError) as e:
            bpf.pin(again, path)
        assert e.value.errno == err, path
    readonly = bpf.get("/a/b/c", flags=1 << 3)
    with pytest.raises(OSError) as e:
        bpf.update(readonly, bytes(4), b"xxxxxxxx")
    assert e.value.errno == errno.EPERM


def test_freeze(bpf):
    fd = bpf.map_create(b.ARRAY, 4, 8, 1)
    bpf.update(fd, bytes(4), b"constant")
    bpf.freeze(fd)
    with pytest.raises(OSError) as e:
        bpf.update(fd, bytes(4), b"changed!")
    assert e.value.errno == errno.EPERM
    assert bpf.lookup(fd, bytes(4), 8) == b"constant"


def test_ids_and_descriptors_by_id(bpf):
    fds = [bpf.map_create(b.ARRAY, 4, 8, 1) for _ in range(5)]
    ids = bpf.ids(b.MAP_NEXT_ID)
    assert ids == sorted(ids) and len(ids) == 5
    bpf.update(fds[3], bytes(4), b"element!")
    other = bpf.fd_by_id(b.MAP_FD_BY_ID, ids[3])
    assert bpf.lookup(other, bytes(4), 8) == b"element!"
    info = bpf.info(other, 80)
    assert struct.unpack_from("<IIIII", info) == (b.ARRAY, ids[3], 4, 8, 1)


def test_large_map_is_made_by_the_loader(bpf):
    fd = bpf.map_create(b.HASH, 16, 64, 200000)
    key = os.urandom(16)
    bpf.update(fd, key, bytes(range(64)))
    assert bpf.lookup(fd, key, 64) == bytes(range(64))
    os.close(fd)
    assert eventually(lambda: bpf.ids(b.MAP_NEXT_ID) == [])


@pytest.mark.sanitizer
def test_program_and_test_run(bpf):
    if not can_load(bpf):
        pytest.skip("this build refuses every program")
    fd, err, _ = bpf.prog_load(b.XDP, b.ret(2), name=b"pass")
    assert fd >= 0, errno.errorcode.get(err)
    packet = bytes(range(64))
    err, retval, out, duration = bpf.test_run(fd, packet, repeat=100)
    assert (err, retval, out) == (0, 2, packet)
    assert duration < 1000000
    info = bpf.info(fd)
    assert struct.unpack_from("<I", info)[0] == b.XDP
    assert info[64:80].rstrip(b"\0") == b"pass"


@pytest.mark.sanitizer
def test_bad_program_is_refused_with_a_log(bpf):
    if not can_load(bpf):
        pytest.skip("this build refuses every program")
    bad = b.insn(0x95)  # r0 was never written
    fd, err, log = bpf.prog_load(b.XDP, bad, log_level=1, log_size=4096)
    assert (fd, err) == (-1, errno.EACCES)
    assert "R0" in log
    fd, err, short = bpf.prog_load(b.XDP, bad, log_level=1, log_size=10)
    assert (fd, err) == (-1, errno.ENOSPC)
    assert len(short) == 9 and log.endswith(short)
    fd, err, fixed = bpf.prog_load(b.XDP, bad, log_level=9, log_size=10)
    assert (fd, err) == (-1, errno.ENOSPC)
    assert log.startswith(fixed)
    assert bpf.ids(b.PROG_NEXT_ID) == []


def test_prog_array_and_program_that_hold_each_other_go(bpf):
    if not can_load(bpf):
        pytest.skip("this build refuses every program")
    array = bpf.map_create(b.PROG_ARRAY, 4, 4, 4)
    program = (b.insn(0x18, 2, 1, imm=array) + b.insn(0) + b.insn(0xb7, 3) +
               b.insn(0x85, imm=12) + b.ret(2))
    fd, err, log = bpf.prog_load(b.XDP, program, log_level=1, log_size=4096)
    assert fd >= 0, log
    bpf.update(array, bytes(4), struct.pack("<i", fd))
    assert bpf.lookup(array, bytes(4), 4) == struct.pack("<I", bpf.ids(b.PROG_NEXT_ID)[0])
    os.close(fd)
    assert len(bpf.ids(b.PROG_NEXT_ID)) == 1
    os.close(array)
    assert eventually(lambda: not bpf.ids(b.MAP_NEXT_ID) and not bpf.ids(b.PROG_NEXT_ID))


def test_trace_lines_reach_a_reader(bpf, weird):
    if not can_load(bpf):
        pytest.skip("this build refuses every program")
    program = (b.insn(0x7a, 10, off=-8, imm=int.from_bytes(b"hi\n\0", "little")) +
               b.insn(0xbf, 1, 10) + b.insn(0x07, 1, imm=-8) + b.insn(0xb7, 2, imm=4) +
               b.insn(0x85, imm=6) + b.ret(2))
    fd, err, log = bpf.prog_load(b.XDP, program, log_level=1, log_size=4096)
    assert fd >= 0, log
    s = raw.connect(weird)
    for times in (1, 2):
        assert bpf.test_run(fd, bytes(64))[:2] == (0, 2)
    result, attr, body = raw.call(s, raw.TRACE, bytes(16))
    assert result == 0 and body[raw.TEXT].count(b"hi") == 2
    # From the cursor on there is nothing new; a cursor from nowhere starts at the beginning.
    assert raw.call(s, raw.TRACE, attr[:16])[2][raw.TEXT] == b""
    far = struct.pack("<QQ", 1 << 60, 0)
    assert raw.call(s, raw.TRACE, far)[2][raw.TEXT] == body[raw.TEXT]


def test_all_slots_are_in_view_of_weirs_own_commands(start_weird):
    """Two workers and the test slot: three slots, of which bpf(2) shows the host's CPUs."""
    weird = start_weird("version: 1\neal: {hugepages: never}\nworkers: 7\n")
    bpf = b.Bpf(weird.socket)
    s = raw.connect(weird)
    cpus = os.sysconf("SC_NPROCESSORS_CONF")
    slots = 8
    if cpus >= slots:
        pytest.skip("this host has more CPUs than slots")
    fd = bpf.map_create(b.PERCPU_ARRAY, 4, 8, 2)
    slot = raw.bind(s, fd)
    key = raw.section(raw.KEY, bytes(4))

    def every_slot():
        result, _, body = raw.call(s, raw.SLOT_LOOKUP, struct.pack("<IiQ", slot, -1, 0), key)
        assert result == 0
        return [body[raw.VALUE][i:i + 8] for i in range(0, len(body[raw.VALUE]), 8)]

    bpf.update(fd, bytes(4), b"flags..." * cpus)
    assert every_slot() == [b"flags..."] * slots
    different = b"".join(struct.pack("<Q", i + 1) for i in range(cpus))
    bpf.update(fd, bytes(4), different)
    assert b"".join(every_slot()) == different + bytes(8 * (slots - cpus))
    one = struct.pack("<IiQ", slot, slots - 1, 0)
    assert raw.call(s, raw.SLOT_UPDATE, one, key + raw.section(raw.VALUE, b"lastslot"))[0] == 0
    assert every_slot()[slots - 1] == b"lastslot"
    assert bpf.lookup(fd, bytes(4), 8 * cpus) == different
    for cpu in (-2, slots):
        attr = struct.pack("<IiQ", slot, cpu, 0)
        assert raw.call(s, raw.SLOT_LOOKUP, attr, key)[0] == -errno.EINVAL
    assert raw.call(s, raw.SLOT_UPDATE, one, key + raw.section(raw.VALUE, b"short"))[0] == \
        -errno.EINVAL


def test_dump_shows_every_element_once(bpf, weird):
    fd = bpf.map_create(b.HASH, 4, 64, 10000)
    want = {}
    for i in range(5000):
        want[struct.pack("<I", i)] = bytes([i % 251]) * 64
        bpf.update(fd, struct.pack("<I", i), want[struct.pack("<I", i)])
    s = raw.connect(weird)
    slot, got, after = raw.bind(s, fd), [], b""
    while True:
        body = raw.section(raw.KEY, after) if after else b""
        result, attr, out = raw.call(s, raw.MAP_DUMP,
                                     struct.pack("<IIIII", slot, 0xffffffff, 0, 0, 0), body)
        assert result == 0
        _, _, elems, value_bytes, done = struct.unpack_from("<IIIII", attr)
        page = out[raw.VALUE]
        assert value_bytes == 64 and len(page) == elems * 68
        got += [(page[i:i + 4], page[i + 4:i + 68]) for i in range(0, len(page), 68)]
        if done:
            break
        after = got[-1][0]
    assert len(got) == 5000 and dict(got) == want


def test_same_mistake_same_errno_as_the_kernel(bpf, weird):
    if not can_load(bpf):
        pytest.skip("this build refuses every program")
    done = subprocess.run([BUILD / "tests" / "e2e" / "errno_compare"], capture_output=True,
                          text=True, env=dict(os.environ, WEIR_SOCKET=weird.socket))
    if done.returncode == 77:
        pytest.skip(done.stdout.strip())
    wrong = [l for l in done.stdout.splitlines() if not l.startswith("ok ")]
    assert done.returncode == 0, "\n".join(wrong)


def test_libweir_needs_libc_only():
    out = subprocess.run(["readelf", "-d", BUILD / "api" / "libweir.so"], capture_output=True,
                         text=True, check=True).stdout
    needed = [l.split("[")[1].rstrip("]") for l in out.splitlines() if "(NEEDED)" in l]
    assert needed == ["libc.so.6"]
    symbols = subprocess.run(["nm", "-D", "--defined-only", BUILD / "api" / "libweir.so"],
                             capture_output=True, text=True, check=True).stdout.split("\n")
    assert [l.split()[-1] for l in symbols if " T " in l] == ["weir_bpf@@LIBWEIR_0.1"]


def test_restart_makes_descriptors_stale(bpf, weird):
    fd = bpf.map_create(b.ARRAY, 4, 8, 1)
    assert weird.stop(signal.SIGKILL) == -signal.SIGKILL
    weird.start()
    assert "stale control socket removed" in weird.log
    key, value = b.buffer(bytes(4)), b.buffer(bytes(8))
    assert bpf.call(b.MAP_LOOKUP, b.Bpf.elem(fd, key, value)) == (-1, errno.ESTALE)
    fresh = bpf.map_create(b.ARRAY, 4, 8, 1)
    assert bpf.lookup(fresh, bytes(4), 8) == bytes(8)


def test_live_socket_is_not_taken_over(weird):
    second = subprocess.run(weird.args, env=weird.env, capture_output=True, text=True, timeout=20)
    assert second.returncode == 1
    assert "another weird listens there" in second.stderr
    assert os.path.exists(weird.socket)
    assert weird.process.poll() is None


def test_stop_removes_the_socket(weird):
    assert weird.stop() == 0
    assert not os.path.exists(weird.socket)
    assert "objects left" not in weird.log


def test_no_weird_there(tmp_path):
    client = b.Bpf(str(tmp_path / "none.sock"))
    assert client.call(b.MAP_NEXT_ID, bytearray(12)) == (-1, errno.ENOENT)
