"""Calls of language models: duration, time to first chunk, tokens, cost and outcome.

``instrument()`` observes every call that goes through httpx.  For another client, or a model in the same process, wrap the
call by hand::

    with Call("chat", provider="openai", model="gpt-5-mini") as call:
        answer = client.ask(question)
        call.used(Usage(input=answer.tokens_in, output=answer.tokens_out))
"""

from opsconsole_exporters.llm.call import Call
from opsconsole_exporters.llm.outcome import Outcome
from opsconsole_exporters.llm.promptcache import PromptCache
from opsconsole_exporters.llm.transport import instrument_httpx
from opsconsole_exporters.llm.usage import Usage

__all__ = ["Call", "Outcome", "PromptCache", "Usage", "instrument_httpx"]
