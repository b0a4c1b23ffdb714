"""Real roads for the game drive: a text format, converters to it, and a builder of map files."""
