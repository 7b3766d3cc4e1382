"""Injected faults: how many of them the samplers' tests see."""
