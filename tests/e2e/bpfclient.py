# SPDX-License-Identifier: BSD-3-Clause
"""bpf(2) for tests: the same calls to weird (through libweir.so) and to the kernel.

Layouts are written out here rather than taken from weir, so that a test does not inherit its
mistakes. Every Bpf of weird's uses a thread of its own, because a thread keeps its connection.
"""

import ctypes
import errno
import os
import pathlib
import queue
import struct
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("WEIR_BUILD", ROOT / "build"))

MAP_CREATE, MAP_LOOKUP, MAP_UPDATE, MAP_DELETE, MAP_NEXT_KEY = 0, 1, 2, 3, 4
PROG_LOAD, OBJ_PIN, OBJ_GET, TEST_RUN = 5, 6, 7, 10
PROG_NEXT_ID, MAP_NEXT_ID, PROG_FD_BY_ID, MAP_FD_BY_ID, INFO = 11, 12, 13, 14, 15
BTF_LOAD, BTF_FD_BY_ID, MAP_FREEZE, BTF_NEXT_ID = 18, 19, 22, 23
LINK_CREATE, LINK_FD_BY_ID, LINK_NEXT_ID, LINK_DETACH = 28, 30, 31, 34

HASH, ARRAY, PROG_ARRAY, PERCPU_HASH, PERCPU_ARRAY = 1, 2, 3, 5, 6
SOCKET_FILTER, SCHED_CLS, XDP = 1, 3, 6

SYS_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]


class _Worker:
    """Runs calls on one thread of its own."""

    def __init__(self):
        self.jobs = queue.Queue()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while True:
            fn, answer = self.jobs.get()
            if fn is None:
                answer.put(None)
                return
            answer.put(fn())

    def call(self, fn):
        answer = queue.Queue()
        self.jobs.put((fn, answer))
        return answer.get()

    def close(self):
        self.call(None)
        self.thread.join()


class Bpf:
    """ok(cmd, attr) raises OSError; call(cmd, attr) gives (return value, errno)."""

    def __init__(self, socket_path=None):
        self.kernel = socket_path is None
        self.worker = None
        if self.kernel:
            libc = ctypes.CDLL(None, use_errno=True)
            self.fn = lambda cmd, p, n: libc.syscall(SYS_BPF, cmd, p, n)
        else:
            os.environ["WEIR_SOCKET"] = socket_path
            # a sanitizer's library cannot be loaded into Python: the client's may be another build's
            path = os.environ.get("WEIR_LIB", BUILD / "api" / "libweir.so")
            lib = ctypes.CDLL(str(path), use_errno=True)
            self.fn = lambda cmd, p, n: lib.weir_bpf(cmd, p, n)
            self.worker = _Worker()

    def close(self):
        if self.worker:
            self.worker.close()

    def call(self, cmd, attr, size=None):
        """attr is a bytearray and receives what was written to it."""
        buf = (ctypes.c_char * max(len(attr), 1)).from_buffer(attr) if attr else None
        n = len(attr) if size is None else size

        def run():
            ctypes.set_errno(0)
            ret = self.fn(cmd, ctypes.byref(buf) if buf else None, n)
            return ret, ctypes.get_errno() if ret < 0 else 0

        result = self.worker.call(run) if self.worker else run()
        del buf
        return result

    def ok(self, cmd, attr, size=None):
        ret, err = self.call(cmd, attr, size)
        if ret < 0:
            raise OSError(err, f"bpf command {cmd}: {os.strerror(err)}")
        return ret

    # ---- maps ----

    def map_create(self, type, key, value, entries, flags=0, name=b""):
        attr = bytearray(struct.pack("<5I2I16s", type, key, value, entries, flags, 0, 0, name))
        return self.ok(MAP_CREATE, attr)

    @staticmethod
    def elem(fd, key=None, value=None, flags=0):
        return bytearray(struct.pack("<IIQQQ", fd & 0xffffffff, 0, address(key), address(value),
                                     flags))

    def update(self, fd, key, value, flags=0):
        k, v = buffer(key), buffer(value)
        self.ok(MAP_UPDATE, self.elem(fd, k, v, flags))

    def lookup(self, fd, key, size, flags=0):
        k, v = buffer(key), ctypes.create_string_buffer(size)
        ret, err = self.call(MAP_LOOKUP, self.elem(fd, k, v, flags))
        if err == errno.ENOENT:
            return None
        if ret < 0:
            raise OSError(err, os.strerror(err))
        return v.raw

    def delete(self, fd, key):
        k = buffer(key)
        self.ok(MAP_DELETE, self.elem(fd, k))

    def keys(self, fd, size):
        at, out = None, []
        while True:
            k = ctypes.create_string_buffer(size)
            ret, err = self.call(MAP_NEXT_KEY, self.elem(fd, at, k))
            if err == errno.ENOENT:
                return out
            if ret < 0:
                raise OSError(err, os.strerror(err))
            out.append(k.raw)
            at = k

    def ids(self, cmd):
        at, out = 0, []
        while True:
            attr = bytearray(struct.pack("<III", at, 0, 0))
            ret, err = self.call(cmd, attr)
            if err == errno.ENOENT:
                return out
            if ret < 0:
                raise OSError(err, os.strerror(err))
            at = struct.unpack_from("<I", attr, 4)[0]
            out.append(at)

    def fd_by_id(self, cmd, id):
        return self.ok(cmd, bytearray(struct.pack("<III", id, 0, 0)))

    # ---- objects ----

    def pin(self, fd, path):
        p = buffer(path.encode() + b"\0")
        self.ok(OBJ_PIN, bytearray(struct.pack("<QII", address(p), fd, 0)))

    def get(self, path, flags=0):
        p = buffer(path.encode() + b"\0")
        return self.ok(OBJ_GET, bytearray(struct.pack("<QII", address(p), 0, flags)))

    def info(self, fd, size=232):
        out = ctypes.create_string_buffer(size)
        attr = bytearray(struct.pack("<IIQ", fd, size, address(out)))
        self.ok(INFO, attr)
        return out.raw[:struct.unpack_from("<I", attr, 4)[0]]

    def freeze(self, fd):
        self.ok(MAP_FREEZE, bytearray(struct.pack("<I", fd)))

    # ---- programs ----

    def prog_load(self, type, insns, license=b"GPL\0", log_level=0, log_size=0, name=b"",
                  flags=0):
        """Returns (fd or -1, errno, log)."""
        i, l = buffer(insns), buffer(license)
        log = ctypes.create_string_buffer(max(log_size, 1))
        attr = bytearray(struct.pack("<IIQQIIQII16s", type, len(insns) // 8, address(i),
                                     address(l), log_level, log_size,
                                     address(log) if log_size else 0, 0, flags, name))
        attr += bytes(144 - len(attr))
        ret, err = self.call(PROG_LOAD, attr)
        return ret, err, log.value.decode(errors="replace")

    def test_run(self, fd, data, repeat=1, out_size=None):
        """Returns (errno, retval, data out, duration)."""
        d = buffer(data)
        size = len(data) + 256 if out_size is None else out_size
        out = ctypes.create_string_buffer(max(size, 1))
        attr = bytearray(struct.pack("<IIIIQQII", fd, 0, len(data), size, address(d),
                                     address(out), repeat, 0))
        attr += bytes(80 - len(attr))
        ret, err = self.call(TEST_RUN, attr)
        retval, _, got = struct.unpack_from("<III", attr, 4)
        duration = struct.unpack_from("<I", attr, 36)[0]
        return err if ret < 0 else 0, retval, out.raw[:min(got, size)], duration


def buffer(data):
    """Memory for a call; the caller keeps it until the call is done."""
    return ctypes.create_string_buffer(bytes(data), len(data))


def address(buf):
    if buf is None:
        return 0
    if isinstance(buf, int):
        return buf
    return ctypes.addressof(buf)


def insn(code, dst=0, src=0, off=0, imm=0):
    return struct.pack("<BBhi", code, src << 4 | dst, off, imm)


def ret(value):
    """A program that returns value."""
    return insn(0xb7, 0, imm=value) + insn(0x95)
