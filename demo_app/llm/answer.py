"""The model: of the facts in its prompt it says those that share the most telling words with the question.

Facts are the lines of a prompt that begin with ``- ``.  A word tells more the fewer facts have it (inverse document frequency).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

MOST_FACTS = 3
_WORTH_SAYING = 0.5  # of the best fact's score

_STOP_WORDS = re.compile(
    r"a|an|and|are|as|at|be|by|can|do|does|for|from|ha[sd]|have|how|i|in|is|its?|me|my|of|on|or|that|the|there|this|to"
    r"|was|what|when|where|which|who|will|with|would|your?"
)
# What people ask for, and the words in which it is written down; stems, all of them.
_KIN = {
    "big": ("cm", "litr", "wid", "long", "ml"),
    "siz": ("cm", "litr", "wid", "long", "ml"),
    "clean": ("wash", "rins", "wip", "brush", "dishwasher"),
    "car": ("wash", "rins", "wip", "brush", "oil"),
    "cost": ("pric",),
    "much": ("pric",),
    "deliver": ("sent", "shipp"),
    "arriv": ("sent", "shipp"),
    "alternative": ("similar",),
    "cheap": ("similar", "pric"),
}


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the conversation: ``role`` is system, user or assistant."""

    role: str
    content: str


def answer(turns: Sequence[Turn]) -> str:
    """Answer the last user's question from the facts of the other turns; say so if they do not answer it."""
    question = next((turn.content for turn in reversed(turns) if turn.role == "user"), "")
    facts = [
        line.removeprefix("- ").strip()
        for turn in turns
        if turn.role != "user"
        for line in turn.content.splitlines()
        if line.startswith("- ")
    ]
    if not facts:
        return "I have been given no facts to answer from."
    scores = _scores(question, facts)
    best = max(scores)
    if not best:
        return f"What I have been given does not say. What I do know: {_sentence(facts[0])}"
    worth = sorted(range(len(facts)), key=lambda i: -scores[i])[:MOST_FACTS]
    return " ".join(_sentence(facts[i]) for i in sorted(worth) if scores[i] >= _WORTH_SAYING * best)


def _scores(question: str, facts: Sequence[str]) -> list[float]:
    asked = _words(question)
    asked |= {kin for word in asked for kin in _KIN.get(word, ())}
    words = [_words(fact) for fact in facts]
    spread = Counter(word for fact in words for word in fact)
    # Sorted, because the order of a set, and with it the last digit of a sum, differs from process to process.
    return [sum(math.log(1 + len(facts) / spread[word]) for word in sorted(asked & fact)) for fact in words]


def _words(text: str) -> set[str]:
    return {_stem(word) for word in re.findall(r"[a-z]+", text.lower()) if not _STOP_WORDS.fullmatch(word)}


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word


def _sentence(fact: str) -> str:
    said = fact[:1].upper() + fact[1:]
    return said if said.endswith((".", "!", "?")) else f"{said}."
