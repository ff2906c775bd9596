"""OpenAI's chat completions as JSON: what is asked, answers whole or in chunks, and errors.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .answer import Turn

MODEL = "gpt-5-mini"
"""The name under which the model is served, one that tables of prices know; answers name its release, as providers do."""

RELEASE = f"{MODEL}-2025-08-07"
MOST_PROMPT_TOKENS = 8192


class RefusedError(Exception):
    """The request is not served: an HTTP status and OpenAI's error object."""

    def __init__(
        self, status: int, message: str, kind: str, code: str | None = None, *, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s
        self.document = {"error": {"message": message, "type": kind, "param": None, "code": code}}


@dataclass(frozen=True, slots=True)
class Request:
    turns: tuple[Turn, ...]
    stream: bool
    with_usage: bool
    most_tokens: int | None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens; ``cached`` are among those of the prompt."""

    prompt: int
    cached: int
    completion: int

    def document(self) -> dict[str, Any]:
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached},
            "completion_tokens_details": {"reasoning_tokens": 0},
        }


def read(body: bytes) -> Request:
    """Raises ``RefusedError`` that says what is wrong with the request."""
    try:
        document = json.loads(body)
        turns = tuple(Turn(str(message["role"]), _text(message["content"])) for message in document["messages"])
    except (ValueError, KeyError, TypeError) as error:
        raise _bad(f"not a request for a chat completion: {type(error).__name__}: {error}") from error
    if document.get("model") not in {MODEL, RELEASE}:
        message = f"The model {document.get('model')!r} does not exist."
        raise RefusedError(404, message, "invalid_request_error", "model_not_found")
    if not turns:
        raise _bad("messages is empty: at least one is needed")
    most = document.get("max_completion_tokens", document.get("max_tokens"))
    if most is not None and (not isinstance(most, int) or most < 1):
        raise _bad("max_completion_tokens is a whole number from 1 on")
    options = document.get("stream_options") or {}
    return Request(turns, document.get("stream") is True, options.get("include_usage") is True, most)


def completion(identity: str, created: int, text: str, reason: str, usage: Usage) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, "refusal": None}
    choices = [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}]
    return {**_head("chat.completion", identity, created), "choices": choices, "usage": usage.document()}


def chunk(identity: str, created: int, delta: dict[str, str], reason: str | None = None) -> dict[str, Any]:
    choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]
    return {**_head("chat.completion.chunk", identity, created), "choices": choices}


def usage_chunk(identity: str, created: int, usage: Usage) -> dict[str, Any]:
    """The last chunk of a stream whose reader asked for the usage: it has no choices."""
    return {**_head("chat.completion.chunk", identity, created), "choices": [], "usage": usage.document()}


def models() -> dict[str, Any]:
    return {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 1754524800, "owned_by": "shop"}]}


def rate_limited() -> RefusedError:
    message = f"Rate limit reached for {MODEL}. Please try again in 1s."
    return RefusedError(429, message, "requests", "rate_limit_exceeded", retry_after_s=1)


def overloaded() -> RefusedError:
    return RefusedError(503, "The model is overloaded. Please try again later.", "server_error")


def too_long(count: int) -> RefusedError:
    message = f"The prompt has {count} tokens; the model's maximum context length is {MOST_PROMPT_TOKENS}."
    return RefusedError(400, message, "invalid_request_error", "context_length_exceeded")


def _bad(message: str) -> RefusedError:
    return RefusedError(400, message, "invalid_request_error")


def _head(kind: str, identity: str, created: int) -> dict[str, Any]:
    return {"id": identity, "object": kind, "created": created, "model": RELEASE}


def _text(content: Any) -> str:
    """A content is a text, or a list of parts of which those with a text count."""
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part.get("type") == "text")
