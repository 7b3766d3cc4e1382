"""Tests of ``samplers compare`` and ``samplers report``."""
