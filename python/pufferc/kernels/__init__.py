"""The training kernels, their plain versions in torch, and their GPU versions."""
