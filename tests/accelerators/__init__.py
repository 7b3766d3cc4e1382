"""Tests of the named accelerators."""
