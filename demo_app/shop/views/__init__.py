"""What the shop answers, by what the visitor is doing: looking around, buying, reading."""
