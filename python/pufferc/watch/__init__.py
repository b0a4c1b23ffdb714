"""Players, interactive play, and recordings."""
