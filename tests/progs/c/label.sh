#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Asks the running kernel about every object of the corpus and writes manifest.txt (root; bpftool).
# usage: tests/progs/c/label.sh BUILD_DIR > tests/progs/c/manifest.txt
set -eu
export LC_ALL=C
pins=/sys/fs/bpf/weir-label-$$
trap 'rm -rf "$pins"' EXIT

echo "# file program type verdict, as given by Linux $(uname -r | cut -d. -f1,2) to root"
for object in "$1"/tests/progs/c/*.bpf.o; do
	file=$(basename "$object")
	program=${file%.bpf.o}
	program=${program%.bad}
	case $(readelf -WS "$object") in
	*" tc "*) type=sched_cls ;;
	*" socket "*) type=socket_filter ;;
	*) type=xdp ;;
	esac
	if bpftool prog load "$object" "$pins" >/dev/null 2>&1; then
		verdict=accept
		rm -f "$pins"
	else
		verdict=reject
	fi
	echo "$file $program $type $verdict"
done
