"""The compiled CUDA kernels (PTX) run on the host."""
