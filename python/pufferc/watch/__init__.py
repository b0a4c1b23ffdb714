"""Players of games, play by hand, and films."""
