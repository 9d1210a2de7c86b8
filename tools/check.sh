#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Sets up what is missing, builds, and runs every test. A line a suite with counts and time; a
# failure prints how to run it again. Last line: N passed, N failed, N skipped.
#   --quick        gcc only, a slice of e2e, no bench-smoke, sanitizers, fuzzing: <= 3 minutes
#   --yes          install packages without asking      --no-install  never install
#   --only SUITE   one suite (lint build-gcc build-clang unit e2e sanitizer fuzz products)
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tools/deps.sh
. tools/deps.sh

yes=0 never=0 quick=0 only=
while [ $# -gt 0 ]; do
	case $1 in
	--quick) quick=1 ;;
	--yes) yes=1 ;;
	--no-install) never=1 ;;
	--only) only=${2:?--only needs a suite} && shift ;;
	*) echo "check.sh: unknown option $1; see its first lines" >&2 && exit 2 ;;
	esac
	shift
done
case $only in
'' | lint | build-gcc | build-clang | unit | e2e | sanitizer | fuzz | products) ;;
*) echo "check.sh: no suite is called $only; see its first lines" >&2 && exit 2 ;;
esac
[ -z "$only" ] || quick=0
[ -n "${CI:-}" ] && yes=1
deps_install $yes $never "${deps_build[@]}" "${deps_check[@]}" || exit 1

passed=0 failed=0 skipped=0
log_dir=build/check-logs
mkdir -p "$log_dir"
jobs=$(nproc)

report() { # NAME SECONDS P F S RERUN
	passed=$((passed + $3)) failed=$((failed + $4)) skipped=$((skipped + $5))
	printf '%-12s %5d passed %3d failed %3d skipped %5d s\n' "$1" "$3" "$4" "$5" "$2"
	[ "$4" -eq 0 ] || printf '  log: %s/%s.log\n  again: %s\n' "$log_dir" "$1" "$6"
}

# One step that passes or fails as a whole.
step() { # NAME RERUN COMMAND…
	local name=$1 rerun=$2 start=$SECONDS
	shift 2
	if "$@" >"$log_dir/$name.log" 2>&1; then
		report "$name" $((SECONDS - start)) 1 0 0 ''
	else
		tail -n 20 "$log_dir/$name.log"
		report "$name" $((SECONDS - start)) 0 1 0 "${rerun:-$*}"
		return 1
	fi
}

# A suite that wrote JUnit files: its cases are counted, failures and skips shown.
cases() { # NAME SECONDS STATUS RERUN JUNIT…
	local name=$1 seconds=$2 status=$3 rerun=$4 sums p f s
	shift 4
	sums=$(python3 tools/junit-count.py "$@") || sums='0 1 0'
	read -r p f s <<<"$(head -n 1 <<<"$sums")"
	[ "$status" -eq 0 ] || [ "$f" -gt 0 ] || f=1
	tail -n +2 <<<"$sums" | sed '/^$/d; s/^/  /'
	report "$name" "$seconds" "$p" "$f" "$s" "$rerun"
}

setup() { # DIR CC TARGET MESON-OPTION…
	local dir=$1 cc=$2 target=$3
	shift 3
	if [ -f "$dir/build.ninja" ]; then
		meson configure "$dir" "$@" || return 1
	else
		CC=$cc meson setup "$dir" "$@" || return 1
	fi
	ninja -C "$dir" "$target"
}

wanted() { [ -z "$only" ] || [ "$only" = "$1" ]; }

meson_suites() { # NAME DIR WRAPPER-ARGS…
	local name=$1 dir=$2 start=$SECONDS status
	shift 2
	rm -f "$dir/meson-logs/testlog.junit.xml" # a former run's must not be counted
	meson test -C "$dir" --num-processes "$jobs" --print-errorlogs "$@" >"$log_dir/$name.log" 2>&1
	status=$?
	cases "$name" $((SECONDS - start)) $status "meson test -C $dir --print-errorlogs $*" \
		"$dir/meson-logs/testlog.junit.xml"
}

e2e() { # NAME DIR PYTEST-ARGS…
	local name=$1 dir=$2 start=$SECONDS status
	shift 2
	rm -f "$log_dir/$name.xml"
	WEIR_BUILD=$PWD/$dir timeout 1500 /usr/bin/python3 -m pytest -q -p no:cacheprovider tests/e2e \
		--junitxml="$log_dir/$name.xml" "$@" >"$log_dir/$name.log" 2>&1
	status=$?
	cases "$name" $((SECONDS - start)) $status \
		"${WEIR_LIB:+WEIR_LIB=$WEIR_LIB }WEIR_BUILD=$PWD/$dir /usr/bin/python3 -m pytest tests/e2e $*" "$log_dir/$name.xml"
}

# Each fuzzer is a case.
fuzz_all() {
	local target p=0 f=0 start=$SECONDS
	for target in build-fuzz/tests/fuzz/*_fuzz; do
		if "$target" -max_total_time="${WEIR_FUZZ_SECONDS:-15}" -rss_limit_mb=2048 \
			-timeout=10 -artifact_prefix=build-fuzz/ >"$log_dir/fuzz.log" 2>&1; then
			p=$((p + 1))
		else
			f=$((f + 1))
			tail -n 20 "$log_dir/fuzz.log"
			echo "  again: $target -max_total_time=15 -rss_limit_mb=2048"
		fi
	done
	report fuzz $((SECONDS - start)) $p $f 0 'tools/check.sh --only fuzz'
}

if wanted lint; then
	step layers "" python3 tools/lint-layers.py
	step format "" tools/lint-format.sh
	step shellcheck "" tools/lint-shell.sh
fi
wanted build-gcc || wanted unit || wanted e2e || wanted products || wanted sanitizer &&
	{ step build-gcc "tools/check.sh --only build-gcc" setup build gcc all -Dwerror=true || exit 1; }
wanted products && step products "" tests/check-products.sh build
if [ $quick -eq 0 ]; then
	wanted unit && meson_suites unit build --no-suite e2e
	wanted e2e && e2e e2e build
else
	meson_suites unit build --no-suite e2e --no-suite bench-smoke
	e2e e2e build -m sanitizer
	echo "left out by --quick: bench-smoke, three quarters of e2e, build-clang, sanitizer, fuzz"
fi
if [ $quick -eq 0 ]; then
	wanted build-clang && step build-clang "tools/check.sh --only build-clang" \
		setup build-clang clang-19 all -Dwerror=true
	if wanted sanitizer; then
		export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1
		if step build-asan "tools/check.sh --only sanitizer" setup build-asan gcc all \
			-Db_sanitize=address,undefined -Db_lundef=false; then
			meson_suites sanitizer build-asan --no-suite e2e --no-suite bench-smoke \
				--timeout-multiplier 8
			# Python cannot load a sanitizer's library: its client is the plain build's.
			export WEIR_LIB=$PWD/build/api/libweir.so
			e2e e2e-asan build-asan -m sanitizer
			unset WEIR_LIB
		fi
		unset ASAN_OPTIONS UBSAN_OPTIONS
	fi
	if wanted fuzz; then
		step build-fuzz "tools/check.sh --only fuzz" setup build-fuzz clang-19 fuzzers -Dfuzz=true -Dtests=true \
			-Db_sanitize=address,undefined -Db_lundef=false &&
			fuzz_all
	fi
fi
printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped
[ $failed -eq 0 ]
