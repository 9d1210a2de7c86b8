#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Measures weir beside its peers and prints the rows: tests/bench/run.sh [BUILD] [OPTION…]
#   --rounds N     interleaved rounds, 5 if not said
#   --programs     only "one program, ns per run"      --datapath  only "data path, Mpps"
#   --dump-code D  writes the compiled programs' machine code to D
#   --json         one JSON object on stdout
#   --smoke        one short round, nothing judged: does it still work?
# Exit code 0: no row missed its goal (a noisy one cannot); 1: one did, or something failed; 77: one
# CPU is too few.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$here/../../build
case ${1:---} in --*) ;; *) build=$1 && shift ;; esac

programs=1 datapath=1 json=0 common=() program_args=()
while [ $# -gt 0 ]; do
	case $1 in
	--rounds) common+=("$1" "${2:?--rounds needs a number}") && shift ;;
	--programs) datapath=0 ;;
	--datapath) programs=0 ;;
	--dump-code) program_args+=("$1" "${2:?--dump-code needs a directory}") && shift ;;
	--json) json=1 && common+=("$1") ;;
	--smoke) common+=("$1") ;;
	*) echo "run.sh: unknown option $1; see its first lines" >&2 && exit 2 ;;
	esac
	shift
done
[ -x "$build/tests/bench/bench-programs" ] ||
	{ echo "run.sh: $build/tests/bench/bench-programs is not there: ninja -C $build" >&2 && exit 1; }

[ "$(nproc)" -ge 2 ] || { echo "run.sh: one CPU; two are needed" >&2 && exit 77; }

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
status=0
printf '[]' >"$dir/programs"
printf '{}' >"$dir/datapath"
# Straight to the terminal, or to a file each for the JSON of both.
out() { if [ $json -eq 1 ]; then cat >"$dir/$1"; else cat; fi; }
set -o pipefail
if [ $programs -eq 1 ]; then
	"$here/make-frames.py" "$dir/frames.pcap"
	"$build/tests/bench/bench-programs" --frames "$dir/frames.pcap" --objects "$build/tests/bench" \
		"${program_args[@]}" "${common[@]}" | out programs || status=1
fi
if [ $datapath -eq 1 ]; then
	"$here/datapath.py" "$build" "${common[@]}" | out datapath || status=1
fi
[ $json -eq 0 ] ||
	printf '{"programs": %s,\n"datapath": %s}\n' "$(cat "$dir/programs")" "$(cat "$dir/datapath")"
exit $status
