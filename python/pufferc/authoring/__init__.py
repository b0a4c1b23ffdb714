"""Making a game: new, build and check."""
