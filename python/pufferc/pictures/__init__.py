"""Pictures of games and the window that shows them."""
