"""Functions that change labels: ``label_replace`` and ``label_join``."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from opsconsole.series.labels import METRIC_NAME, Labels
from opsconsole.series.regex import compile_re2

from .. import literal
from ..error import PromQLError
from ..plan import Call
from ..vector import Vector, merged
from .function import text

if TYPE_CHECKING:
    from ..evaluate import Evaluation

_GO_GROUP = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})")


def replace(evaluation: Evaluation, node: Call) -> Vector:
    vector = evaluation.vector(node.args[0])
    target, replacement, source, pattern = (text(arg) for arg in node.args[1:])
    replacement = literal.printable(replacement)
    try:
        regex = compile_re2(f"(?s:{pattern})")
    except ValueError:
        message = f"invalid regular expression in label_replace(): {pattern}"
        raise PromQLError(message, node.args[4].position) from None
    _check(target, "destination", node)

    def relabelled(labels: Labels) -> Labels | None:
        match = regex.fullmatch(labels.get(source))
        if match is None:
            return None
        value = _GO_GROUP.sub(partial(_expanded, match), replacement)
        return Labels.of({**dict(labels), target: value})

    changed = [relabelled(labels) for labels in vector.labels]
    named = np.array([new is not None and target == METRIC_NAME for new in changed], dtype=bool)
    labels = [old if new is None else new for old, new in zip(vector.labels, changed, strict=True)]
    return merged(vector.labelled(labels, named))


def _expanded(match: re.Match[str], reference: re.Match[str]) -> str:
    """What ``$1``, ``${1}`` or ``${name}`` stands for; nothing where there is no such group, and ``$$`` is a dollar."""
    name = reference[1] or reference[2]
    if name is None:
        return "$"
    try:
        return match[int(name) if name.isdecimal() else name] or ""
    except IndexError:
        return ""


def join(evaluation: Evaluation, node: Call) -> Vector:
    vector = evaluation.vector(node.args[0])
    target, separator, *sources = (text(arg) for arg in node.args[1:])
    separator = literal.printable(separator)
    for source in sources:
        _check(source, "source", node)
    _check(target, "destination", node)
    labels = [
        Labels.of({**dict(each), target: separator.join(each.get(source) for source in sources)})
        for each in vector.labels
    ]
    return merged(vector.labelled(labels, np.full(len(labels), target == METRIC_NAME)))


def _check(name: str, role: str, node: Call) -> None:
    if not literal.is_label_name(name):
        shown = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        raise PromQLError(f"invalid {role} label name in {node.function}(): {shown}", node.position)
