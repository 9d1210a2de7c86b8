#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Compares every #include with tools/layers.txt; prints offences, exits 1 if there are any."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIBRARIES = [
    (re.compile(r"(libelf|gelf|elf|dwarf)\.h$"), "libelf"),
    (re.compile(r"yaml\.h$"), "libyaml"),
    (re.compile(r"pcap(/.*)?\.h$"), "libpcap"),
    (re.compile(r"rte_.*\.h$"), "dpdk"),
    (re.compile(r"jansson\.h$"), "jansson"),
    (re.compile(r"systemd/.*\.h$"), "libsystemd"),
    (re.compile(r"(sha2|md5)\.h$"), "libmd"),
]
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)


def rules():
    allowed, only = {}, {}
    for line in (ROOT / "tools/layers.txt").read_text().splitlines():
        line = line.split("#")[0].strip()
        if not line:
            continue
        name, _, rest = line.partition(":")
        if name.startswith("only "):
            only[name[5:]] = rest.split()
        else:
            allowed[name] = set(rest.split())
    return allowed, only


def target(kind, path):
    """What an include names: a folder of ours, a library, or None (libc, own private header)."""
    if path.startswith("weir/"):
        return path.split("/")[1]
    for pattern, library in LIBRARIES:
        if pattern.search(path) and (kind == "<" or library != "libelf"):
            # <elf.h> is libc's
            return None if path == "elf.h" else library
    return None


def main():
    allowed, only = rules()
    offences = []
    count = 0
    for folder in allowed:
        for file in sorted((ROOT / folder).rglob("*.[ch]")):
            name = file.relative_to(ROOT).as_posix()
            count += 1
            for kind, path in INCLUDE.findall(file.read_text(errors="replace")):
                what = target(kind, path)
                if what is None or "*" in allowed[folder]:
                    continue
                if what not in allowed[folder] and not any(
                    name.startswith(p) for p in only.get(what, [])
                ):
                    offences.append(f"{name}: includes {path}; {folder} may not include {what}")
                elif what in only and not any(name.startswith(p) for p in only[what]):
                    offences.append(f"{name}: includes {path}; only {only[what]} may")
            if kind_of_parent_include(file):
                offences.append(f"{name}: includes another folder's private header")
    print("\n".join(offences) if offences else f"{count} files, no include against the layers")
    return 1 if offences else 0


def kind_of_parent_include(file):
    """Private headers stay in their folder: no "../" that leaves the top-level folder."""
    top = file.relative_to(ROOT).parts[0]
    if top == "tests":
        return False
    for kind, path in INCLUDE.findall(file.read_text(errors="replace")):
        if kind == '"' and path.startswith("../"):
            where = (file.parent / path).resolve()
            if where.is_relative_to(ROOT) and where.relative_to(ROOT).parts[0] != top:
                return True
    return False


if __name__ == "__main__":
    sys.exit(main())
