"""Models with every kind of relation, for what is said of queries."""
