"""Tests of simulate()."""
