# SPDX-License-Identifier: BSD-3-Clause
"""The control socket's bytes, written by hand: weir's own commands, and messages that lie."""

import array
import socket
import struct

HELLO, BIND, STATUS, WORKER_LIST, PORT_LIST, PORT_STATS, PORT_DROPS = range(0x10000, 0x10007)
ATTACH, ATTACH_LIST, PROG_META, PROG_LIST, MAP_LIST, LINK_LIST, PIN_LIST = range(0x10007, 0x1000e)
UNPIN, SLOT_LOOKUP, SLOT_UPDATE, MAP_DUMP, TRACE = range(0x1000e, 0x10013)
KEY, VALUE, INSNS, LICENSE, BTF, PATH, DESC, RECS, TEXT, PORT = 1, 2, 4, 5, 9, 13, 22, 23, 24, 25
BADF = 0xffffffff
ATTR = 168


def message(cmd, attr=b"", body=b"", serial=1, magic=0x52494557, version=1, flags=0, result=0,
            fds=0, attr_bytes=None, body_bytes=None):
    pad = bytes(-len(attr) % 8)
    return struct.pack("<IHHIIiIII", magic, version, flags, serial, cmd, result,
                       len(attr) if attr_bytes is None else attr_bytes,
                       len(body) if body_bytes is None else body_bytes, fds) + attr + pad + body


def section(id, data):
    return struct.pack("<II", id, len(data)) + data + bytes(-len(data) % 8)


def sections(body):
    out, at = {}, 0
    while at < len(body):
        id, size = struct.unpack_from("<II", body, at)
        out[id] = body[at + 8:at + 8 + size]
        at += 8 + size + -size % 8
    return out


def read_exact(s, n):
    out = b""
    while len(out) < n:
        chunk = s.recv(n - len(out))
        if not chunk:
            raise EOFError
        out += chunk
    return out


def read_message(s):
    """(cmd, result, attr, body)"""
    head = read_exact(s, 32)
    _, _, _, _, cmd, result, attr, body, _ = struct.unpack("<IHHIIiIII", head)
    rest = read_exact(s, attr + -attr % 8 + body)
    return cmd, result, rest[:attr], rest[attr + -attr % 8:]


def connect(weird):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(10)
    s.connect(weird.socket)
    read_message(s)
    return s


def call(s, cmd, attr=b"", body=b""):
    """(result, attr, {section: bytes})"""
    s.sendall(message(cmd, attr, body))
    got, result, attr, body = read_message(s)
    assert got == cmd
    return result, attr, sections(body)


def bind(s, fd):
    """The connection's slot of an object descriptor, or -errno."""
    s.sendmsg([message(BIND, fds=1)],
              [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", fd))])
    _, result, _, body = read_message(s)
    if result:
        return result
    return struct.unpack_from("<I", sections(body)[DESC])[0]


def received_fds(ancillary):
    fds = array.array("i")
    for _, _, data in ancillary:
        fds.frombytes(data)
    return list(fds)
