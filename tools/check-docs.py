#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Keeps the documents true where that can be checked.

docs/reasons.md is printed from vm/include/weir/vm/reasons.def (`--write` does it), and every
relative link of a .md file must lead to a file. Prints offences, exits 1 if there are any.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
REASONS = ROOT / "docs/reasons.md"
TABLE = ROOT / "vm/include/weir/vm/reasons.def"
STRING = r'"(?:[^"\\]|\\.)*"'
ROW = re.compile(rf"WEIR_REASON\(\w+,\s*({STRING}),\s*((?:{STRING}\s*)+),\s*((?:{STRING}\s*)+)\)")
GROUP = re.compile(r"^/\* (?!SPDX)(.+?) \*/$")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEAD = """# Reasons for a refused program

A program that the verifier refuses gets a message in Linux's wording, a stable id from this table and a hint. The ids
stand in brackets at the end of weird's message, in the last column of `weirctl verify`, and in its `--json` output. An id
never changes its meaning. This page is printed by `tools/check-docs.py --write` from `vm/include/weir/vm/reasons.def`.
"""


def text(literals):
    """C's string literals side by side, as one text fit for a table's cell."""
    joined = "".join(s[1:-1] for s in re.findall(STRING, literals))
    return re.sub(r"\\(.)", r"\1", joined).replace("|", "\\|")


def reasons():
    source = TABLE.read_text()
    out, at = [HEAD], 0
    rows = list(ROW.finditer(source))
    for row in rows:
        for line in source[at : row.start()].splitlines():
            group = GROUP.match(line)
            if group:
                out.append(f"\n## {group[1]}\n\n| id | meaning | what to do |\n|---|---|---|\n")
        out.append(f"| `{text(row[1])}` | {text(row[2])} | {text(row[3])} |\n")
        at = row.end()
    if len(rows) != source.count("\nWEIR_REASON("):
        raise SystemExit(f"{TABLE.name}: {len(rows)} rows understood of "
                         f"{source.count(chr(10) + 'WEIR_REASON(')}")
    return "".join(out)


def dead_links():
    """Links from .md files to files that are not there, and to headings that are not there."""
    for page in sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")):
        for target in LINK.findall(re.sub(r"```.*?```", "", page.read_text(), flags=re.S)):
            path, _, heading = target.partition("#")
            if "://" in target:
                continue
            file = page if not path else page.parent / path
            if not file.exists():
                yield f"{page.relative_to(ROOT)}: link to {target}, which is not there"
            elif heading and heading not in headings(file):
                yield f"{page.relative_to(ROOT)}: link to {target}: no such heading"


def headings(page):
    for line in page.read_text().splitlines():
        if line.startswith("#"):
            words = re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower())
            yield words.strip().replace(" ", "-")


def main():
    if sys.argv[1:] == ["--write"]:
        REASONS.write_text(reasons())
    elif sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 2
    offences = list(dead_links())
    if REASONS.read_text() != reasons():
        offences.append("docs/reasons.md: not current, run tools/check-docs.py --write")
    print("\n".join(offences) if offences else "the documents are current")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
