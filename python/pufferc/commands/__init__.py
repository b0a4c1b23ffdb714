"""The commands of `pufferc`: parsing and printing."""
