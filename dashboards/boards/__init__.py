"""The boards, a file for each."""
