"""The commands of ``numformats``, one a file."""
