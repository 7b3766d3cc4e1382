"""Tests of the calls of other libraries."""
