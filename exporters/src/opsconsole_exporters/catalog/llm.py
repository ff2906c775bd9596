"""Calls of language models: OpenTelemetry's GenAI conventions where they reach, our own names for what they leave out.

Still *development* there: cost, outcome and the application's prompt cache have no name yet.
https://github.com/open-telemetry/semantic-conventions-genai
"""

from __future__ import annotations

from .metric import Kind, Metric

# The bounds that the conventions prescribe.  An alert threshold belongs on one of them: 2.56 s, 20.48 s.
DURATION_BUCKETS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKEN_BUCKETS = tuple(float(4**power) for power in range(14))

_STREAM = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_response_model")
_OURS = ("provider", "model")

LLM_DURATION = Metric(
    "gen_ai_client_operation_duration_seconds",
    Kind.HISTOGRAM,
    (*_STREAM, "error_type"),
    "Seconds from the request to the last byte; error_type is empty when the call went well.",
    DURATION_BUCKETS,
    unit="seconds",
)

LLM_FIRST_CHUNK = Metric(
    "gen_ai_client_operation_time_to_first_chunk_seconds",
    Kind.HISTOGRAM,
    _STREAM,
    "Seconds from the request to the first chunk of a stream that carries content.",
    DURATION_BUCKETS,
    unit="seconds",
)

LLM_NEXT_CHUNK = Metric(
    "gen_ai_client_operation_time_per_output_chunk_seconds",
    Kind.HISTOGRAM,
    _STREAM,
    "Seconds between two chunks of a stream that carry content.",
    DURATION_BUCKETS,
    unit="seconds",
)

LLM_TOKEN_USAGE = Metric(
    "gen_ai_client_token_usage",
    Kind.HISTOGRAM,
    (*_STREAM, "gen_ai_token_type"),
    "Tokens of one call, input (cached ones included) and output (reasoning included).",
    TOKEN_BUCKETS,
    unit="tokens",
)

LLM_REQUESTS = Metric(
    "opsconsole_llm_requests_total",
    Kind.COUNTER,
    (*_OURS, "operation", "outcome"),
    "Calls that ended, by outcome; each attempt of a client that tries again is a call.",
)

LLM_TOKENS = Metric(
    "opsconsole_llm_tokens_total",
    Kind.COUNTER,
    (*_OURS, "token_class", "usage_source"),
    "Tokens by class, none counted twice; usage_source is estimated where the provider has reported none.",
    unit="tokens",
)

LLM_COST = Metric(
    "opsconsole_llm_cost_usd_total",
    Kind.COUNTER,
    (*_OURS, "token_class"),
    "What the tokens cost by the table of prices.",
    unit="dollars",
)

LLM_UNPRICED = Metric(
    "opsconsole_llm_unpriced_requests_total",
    Kind.COUNTER,
    _OURS,
    "Calls that used tokens of a model or a class without a price, so that the cost is too low.",
)

LLM_PRICES_DATE = Metric(
    "opsconsole_llm_price_table_timestamp_seconds",
    Kind.GAUGE,
    (),
    "Unix time of the day on which the table of prices was right.",
    unit="seconds",
    merge="livemax",
)

LLM_EARLY_END = Metric(
    "opsconsole_llm_streams_ended_early_total",
    Kind.COUNTER,
    (*_OURS, "ended_by"),
    "Streams that stopped before the model had finished: by the client that went away, or by the provider.",
)

LLM_GENERATION_SECONDS = Metric(
    "opsconsole_llm_generation_seconds_total",
    Kind.COUNTER,
    _OURS,
    "Seconds between the first and the last chunk of streams.",
    unit="seconds",
)

LLM_GENERATION_TOKENS = Metric(
    "opsconsole_llm_generation_tokens_total",
    Kind.COUNTER,
    _OURS,
    "Output tokens of the same streams: over their seconds, the speed of generation.",
    unit="tokens",
)

PROMPT_CACHE_REQUESTS = Metric(
    "opsconsole_prompt_cache_requests_total",
    Kind.COUNTER,
    ("cache", "result"),
    "Questions to the application's cache of answers: hit, miss, bypass, error.",
)

PROMPT_CACHE_SAVED = Metric(
    "opsconsole_prompt_cache_saved_usd_total",
    Kind.COUNTER,
    ("cache", *_OURS),
    "What the calls would have cost that hits have spared.",
    unit="dollars",
)

_MODEL = (
    "Name of the model without the date of its release: the first 50 that a process meets, `other` for those after them, "
    "`unknown` without a name."
)
_PROVIDER = (
    "Provider by the host that was asked, as the conventions name it, `openai` or `anthropic` by the form of the request "
    "for a host that is not known; or what the code gives to `Call`."
)
_OPERATION = (
    "What was asked for, as the conventions name it: `chat`, `embeddings`, ...; or what the code gives to `Call`."
)

LABELS = {
    "gen_ai_operation_name": _OPERATION,
    "gen_ai_provider_name": _PROVIDER,
    "gen_ai_request_model": _MODEL,
    "gen_ai_response_model": f"The model that answered; empty if none did.  {_MODEL}",
    "error_type": "One of the outcomes, or empty when the call went well.",
    "gen_ai_token_type": "`input` or `output`.",
    "provider": _PROVIDER,
    "model": _MODEL,
    "operation": _OPERATION,
    "outcome": (
        "`ok`, `rate_limited`, `timeout`, `content_filter`, `context_length`, `auth`, `bad_request`, `server_error`, "
        "`connection`, `invalid_response` or `cancelled`."
    ),
    "token_class": "`input`, `cache_read`, `cache_write`, `output` or `reasoning`.",
    "usage_source": "`reported` or `estimated`.",
    "ended_by": "`client` or `provider`.",
    "cache": "Name that the code gives to `PromptCache`: as many as it makes.",
    "result": "`hit`, `miss`, `bypass` or `error`.",
}

METRICS = (
    LLM_DURATION,
    LLM_FIRST_CHUNK,
    LLM_NEXT_CHUNK,
    LLM_TOKEN_USAGE,
    LLM_REQUESTS,
    LLM_TOKENS,
    LLM_COST,
    LLM_UNPRICED,
    LLM_PRICES_DATE,
    LLM_EARLY_END,
    LLM_GENERATION_SECONDS,
    LLM_GENERATION_TOKENS,
    PROMPT_CACHE_REQUESTS,
    PROMPT_CACHE_SAVED,
)
