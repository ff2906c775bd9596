"""Views: parse, call one operation, render."""
