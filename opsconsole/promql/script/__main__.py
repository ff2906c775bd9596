"""``python -m opsconsole.promql.script DIR``: runs every ``*.test`` below a folder and prints what failed."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from .runner import Verdict, run_file


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        sys.stderr.write("usage: python -m opsconsole.promql.script DIR, where DIR holds *.test files\n")
        return 2
    verdicts: Counter[Verdict] = Counter()
    skipped: Counter[str] = Counter()
    for path in sorted(Path(arguments[0]).rglob("*.test")):
        for case in run_file(path):
            verdicts[case.verdict] += 1
            if case.verdict is Verdict.SKIPPED:
                skipped[case.reason] += 1
            elif case.verdict is Verdict.FAILED:
                sys.stdout.write(f"{case.file}:{case.line}: {case.query}\n    {case.reason}\n")
    for reason, number in skipped.most_common():
        sys.stdout.write(f"skipped {number}: {reason}\n")
    sys.stdout.write(
        f"{verdicts[Verdict.PASSED]} passed, {verdicts[Verdict.FAILED]} failed, {verdicts[Verdict.SKIPPED]} skipped\n"
    )
    return 1 if verdicts[Verdict.FAILED] else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
