"""Pages that run a game and a policy in a browser, for `pufferc web`."""
