"""Tests of numformats.torch."""
