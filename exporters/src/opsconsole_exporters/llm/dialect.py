"""What the requests and answers of the providers' HTTP interfaces say: OpenAI's three, those like it, and Anthropic's.

Pure functions over JSON.  A text is measured and forgotten; none is kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from opsconsole_exporters.llm.outcome import Outcome, of_message
from opsconsole_exporters.llm.usage import Usage, reported

# A request larger than this (pictures, mostly) is not parsed; its call is counted under an unknown model.
LARGEST_REQUEST = 16 << 20


class Dialect(StrEnum):
    CHAT = "chat"
    TEXT = "text_completion"
    RESPONSES = "responses"
    EMBEDDINGS = "embeddings"
    MESSAGES = "messages"

    @property
    def operation(self) -> str:
        """``gen_ai.operation.name``."""
        return "chat" if self in {Dialect.RESPONSES, Dialect.MESSAGES} else self.value


_PATHS = (
    ("/chat/completions", Dialect.CHAT),
    ("/completions", Dialect.TEXT),
    ("/responses", Dialect.RESPONSES),
    ("/embeddings", Dialect.EMBEDDINGS),
    ("/messages", Dialect.MESSAGES),
)

# ``gen_ai.provider.name`` by the end of a host's name.
_HOSTS = (
    ("openai.azure.com", "azure.ai.openai"),
    ("openai.com", "openai"),
    ("anthropic.com", "anthropic"),
    ("mistral.ai", "mistral_ai"),
    ("groq.com", "groq"),
    ("deepseek.com", "deepseek"),
    ("x.ai", "x_ai"),
    ("perplexity.ai", "perplexity"),
    ("cohere.com", "cohere"),
    ("googleapis.com", "gcp.gemini"),
)


@dataclass(frozen=True, slots=True)
class Request:
    """What a request tells.  ``document`` is its JSON, for ``text_bytes`` alone."""

    dialect: Dialect
    provider: str
    model: str
    stream: bool
    document: Mapping[str, Any]

    def text_bytes(self) -> int:
        """Bytes of the text that the model has been given, for an estimate."""
        wanted = ("messages", "input", "prompt", "system", "instructions", "tools")
        return sum(_text_bytes(self.document[key]) for key in wanted if key in self.document)


@dataclass(frozen=True, slots=True)
class Piece:
    """What an answer, or one event of a stream, tells.  ``text_bytes`` is how much of content it carries.

    ``finished``: the model has said that it is done.  ``outcome``: unless all is well.
    """

    text_bytes: int = 0
    model: str = ""
    response_id: str = ""
    usage: Usage | None = None
    finish_reason: str = ""
    finished: bool = False
    outcome: Outcome | None = None


def request(method: str, host: str, path: str, headers: Mapping[str, str], body: bytes) -> Request | None:
    """The call of a language model that an HTTP request is, or None when it is something else."""
    dialect = next((dialect for end, dialect in _PATHS if path.rstrip("/").endswith(end)), None)
    if method != "POST" or dialect is None:
        return None
    # Other services have messages too.
    if dialect is Dialect.MESSAGES and "anthropic-version" not in headers:
        return None
    known = next((name for end, name in _HOSTS if host == end or host.endswith(f".{end}")), None)
    document = _document(body)
    model = document.get("model")
    if not isinstance(model, str):
        if known is None:
            return None
        model = ""
    provider = known or ("anthropic" if dialect is Dialect.MESSAGES else "openai")
    return Request(dialect, provider, model, document.get("stream") is True, document)


def answer(dialect: Dialect, document: Mapping[str, Any]) -> Piece:
    """Read a whole answer, or one event of a stream (OpenAI's ``[DONE]`` is not JSON: see ``event``)."""
    if dialect is Dialect.MESSAGES:
        return _messages(document)
    if dialect is Dialect.RESPONSES:
        return _responses(document)
    error = _error(document)
    choices = [choice for choice in _list(document.get("choices")) if isinstance(choice, Mapping)]
    reason = next((r for choice in choices if isinstance(r := choice.get("finish_reason"), str)), "")
    return Piece(
        sum(_choice_bytes(choice) for choice in choices),
        _string(document, "model"),
        _string(document, "id"),
        reported(document.get("usage")),
        reason,
        bool(reason) or error is not None or "data" in document,
        error or (Outcome.CONTENT_FILTER if reason == "content_filter" else None),
    )


def event(dialect: Dialect, data: bytes) -> Piece | None:
    """Read the data of one event; None when it says nothing, or is no JSON."""
    if data == b"[DONE]":
        return Piece(finished=True)
    document = _document(data)
    return answer(dialect, document) if document else None


def error_message(document: Mapping[str, Any] | None) -> str:
    """Code, type and text of a provider's error, to be searched for known words and forgotten."""
    error = (document or {}).get("error")
    if isinstance(error, str):
        return error
    if not isinstance(error, Mapping):
        return ""
    return " ".join(str(error.get(key) or "") for key in ("code", "type", "message"))


def _responses(document: Mapping[str, Any]) -> Piece:
    kind = _string(document, "type")
    response = document.get("response") if kind.startswith("response.") else document
    response = response if isinstance(response, Mapping) else {}
    status = _string(response, "status")
    reason = _string(_map(response.get("incomplete_details")), "reason") or (status if status == "completed" else "")
    outcome = _error(document) or _error(response)
    if reason == "content_filter":
        outcome = Outcome.CONTENT_FILTER
    elif status == "failed" or kind in {"response.failed", "error"}:
        outcome = outcome or of_message(str(document.get("code")), Outcome.SERVER_ERROR)
    elif status == "cancelled":
        outcome = Outcome.CANCELLED
    delta = document.get("delta") if kind.endswith(".delta") else None
    return Piece(
        _text_bytes(delta) if kind else _text_bytes(response.get("output")),
        _string(response, "model"),
        _string(response, "id"),
        reported(response.get("usage")),
        reason,
        status in {"completed", "incomplete", "failed", "cancelled"} or kind == "error",
        outcome,
    )


def _messages(document: Mapping[str, Any]) -> Piece:
    kind = _string(document, "type")
    message = _map(document.get("message")) if kind == "message_start" else document
    delta = _map(document.get("delta"))
    reason = _string(delta, "stop_reason") or _string(message, "stop_reason")
    error = _error(document)
    text = delta if kind == "content_block_delta" else (document.get("content") if kind == "message" else None)
    return Piece(
        _text_bytes(text),
        _string(message, "model"),
        _string(message, "id"),
        reported(message.get("usage"), cached_apart=True),
        reason,
        bool(reason) or kind in {"message_stop", "error"},
        error or (Outcome.CONTENT_FILTER if reason == "refusal" else None),
    )


def _error(document: Mapping[str, Any]) -> Outcome | None:
    return of_message(error_message(document), Outcome.SERVER_ERROR) if document.get("error") else None


def _choice_bytes(choice: Mapping[str, Any]) -> int:
    content = choice.get("delta") or choice.get("message") or {"text": choice.get("text")}
    return sum(_text_bytes(value) for key, value in _map(content).items() if key != "role")


def _text_bytes(value: object) -> int:
    return sum(len(text.encode(errors="replace")) for text in _texts(value))


def _texts(value: object, depth: int = 8) -> Iterator[str]:
    """Every text inside ``value`` but pictures and what only names a thing."""
    if isinstance(value, str):
        if not value.startswith("data:"):
            yield value
    elif isinstance(value, Mapping) and depth:
        for key, inner in value.items():
            if key not in {"role", "type", "id", "tool_call_id", "index", "signature"}:
                yield from _texts(inner, depth - 1)
    elif isinstance(value, list) and depth:
        for inner in value:
            yield from _texts(inner, depth - 1)


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body) if len(body) <= LARGEST_REQUEST else {}
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _string(document: Mapping[str, Any], key: str) -> str:
    return value if isinstance(value := document.get(key), str) else ""
