"""The use cases: plain functions that views, consumers, commands and the API call."""
