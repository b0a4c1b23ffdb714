"""PPO, the trainer, runs and evaluation."""
