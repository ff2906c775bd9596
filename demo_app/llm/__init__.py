"""A provider of language models on this machine: OpenAI's HTTP interface, a provider's pace and a provider's bad moments.

Its one model is extractive: it answers a question with the facts of its prompt that are nearest to it, the same every time.
"""
