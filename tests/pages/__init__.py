"""Tests of README and documentation: what a page shows is what happens."""
