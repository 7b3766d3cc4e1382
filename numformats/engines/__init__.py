"""Dot-product engines: how a matrix unit adds up."""
