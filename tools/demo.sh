#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Sets up what is missing, builds, and shows weir's main job: a capture through a live weird, a map
# read through its socket, a broken program refused, a thousand replacements under load. Needs
# neither root (but for apt) nor hugepages, and leaves nothing running.
#   --yes   install packages without asking      --no-install   never install
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tools/deps.sh
. tools/deps.sh

yes=0 never=0
for option; do
	case $option in
	--yes) yes=1 ;;
	--no-install) never=1 ;;
	*) echo "demo.sh: unknown option $option; --yes and --no-install are all there are" >&2 && exit 2 ;;
	esac
done
deps_install $yes $never "${deps_build[@]}"

progs=build/tests/progs
lab=$(mktemp -d) # a unix socket's path must be short, so not below the build folder
weird_pid=
cleanup() {
	[ -z "$weird_pid" ] || kill "$weird_pid" 2>/dev/null || true
	[ -z "$weird_pid" ] || wait "$weird_pid" 2>/dev/null || true
	rm -rf "$lab"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

say() { printf '\n== %s\n' "$*"; }
weirctl() { build/tools/weirctl -s "$lab/weir.sock" "$@"; }
die() {
	echo "demo.sh: $*" >&2
	[ ! -s "$lab/log" ] || tail -n 20 "$lab/log" >&2
	exit 1
}

echo "Building (the log is build/demo.log)…"
mkdir -p build
{ [ -f build/build.ninja ] || meson setup build; ninja -C build; } >build/demo.log 2>&1 ||
	{ tail -n 20 build/demo.log >&2 && die "the build failed"; }

cat >"$lab/weir.yaml" <<END
version: 1
control: {socket: $lab/weir.sock}
eal: {hugepages: never, memory: 96MiB}
workers: 1
ports:
  - {name: wire, pcap: {rx: [$PWD/tests/captures/http_ipv4.pcap], tx: $lab/unused.pcap}, pass: {to: inside}}
  - {name: inside, pcap: {tx: $lab/inside.pcap}}
  - {name: load, pcap: {rx: [$PWD/tests/captures/http_ipv4.pcap], infinite: true}}
programs:
  - {name: filter, object: $PWD/$progs/web_filter.bpf.o, attach: [{port: wire}]}
  - {name: old, object: $PWD/$progs/pass.bpf.o, attach: [{port: load}]}
END

start() {
	build/daemon/weird -c "$lab/weir.yaml" >"$lab/log" 2>&1 &
	weird_pid=$!
	for _ in $(seq 100); do
		weirctl status >/dev/null 2>&1 && return
		kill -0 "$weird_pid" 2>/dev/null || die "weird did not start"
		sleep 0.1
	done
	die "weird did not answer"
}

say "A capture of HTTP goes through a port of a live weird; web_filter drops TCP to port 80"
start
for _ in $(seq 50); do
	weirctl port stats wire | grep -q in_flight || break
	sleep 0.1
done
weirctl port stats wire
say "Its counters, read through the control socket"
weirctl map dump verdicts | head -n 3

say "A program that forgets a bounds check is refused, and the old one runs on"
if weirctl prog replace wire "$progs/broken.bpf.o" >"$lab/refused" 2>&1; then
	die "the broken program was accepted"
fi
sed -n '1p; /^  at/,/^      /p; /^hint/p' "$lab/refused"
weirctl prog show web_filter | grep attached || die "the old program is gone"

say "1,000 replacements while packets arrive: pass and drop take turns"
begin=$(date +%s%N)
for _ in $(seq 500); do
	weirctl prog replace load "$progs/drop.bpf.o" >/dev/null
	weirctl prog replace load "$progs/pass.bpf.o" >/dev/null
done
ms=$((($(date +%s%N) - begin) / 1000000))
kill "$weird_pid"
wait "$weird_pid" || die "weird did not end cleanly"
weird_pid=
field() { sed -n "s/.*ledger port=load.* $1=\([0-9]*\).*/\1/p" "$lab/log"; }
in=$(field rx) dropped=$(field drop) passed=$(field pass)
echo "in $in = judged by drop $dropped + judged by pass $passed; $ms ms for 1,000 replacements"
[ "${in:-0}" -eq $((dropped + passed)) ] || die "the ledger does not balance"
[ "${in:-0}" -gt 0 ] || die "no packet came in"
grep -q 'port=load.*nic_no_mbuf=0.*balance=exact' "$lab/log" || die "packets were lost"
echo "none lost: the ledger balances exactly, no buffer is missing"

say "Next: your own program over a capture, no daemon needed"
echo "  build/tools/weirctl run $progs/port_blocklist.bpf.o -r tests/captures/http_ipv4.pcap --map-dump"
