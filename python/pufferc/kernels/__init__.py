"""The training kernels: C, plain torch, and CUDA."""
