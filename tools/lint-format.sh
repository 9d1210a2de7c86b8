#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Does clang-format agree with every C file?  --fix: make it so.
set -o pipefail
cd "$(dirname "$0")/.." || exit 1
mode=(--dry-run -Werror)
[ "${1:-}" != --fix ] || mode=(-i)
git ls-files '*.c' '*.h' | xargs clang-format "${mode[@]}"
