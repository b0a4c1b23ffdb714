"""Self-play: players at a table, matches between them, and ratings."""
