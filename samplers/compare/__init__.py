"""The main job: the same network trained by every sampler in every format, side by side."""
