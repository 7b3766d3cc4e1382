"""Tests of the dot-product engines."""
