"""Bytes with their SHA-256 before them, so that damage is seen."""

from __future__ import annotations

from samplers.shard import digest

HEAD = b"numformats checkpoint, SHA-256 "
HEAD_BYTES = len(HEAD) + 64 + 1
UNSEALED = b"PK\x03\x04"
"""What torch writes begins so; files from before there was a seal have nothing else."""


def sealed(content: bytes) -> bytes:
    """``content`` behind a line with its checksum."""
    return HEAD + digest(content).encode() + b"\n" + content


def unsealed(data: bytes) -> bytes:
    """What `sealed` was given; a file of torch without a seal is given back as it is.

    Raises:
        ValueError: other bytes than those that were written.
    """
    if data.startswith(UNSEALED):
        return data
    content = data[HEAD_BYTES:]
    if data[:HEAD_BYTES] != sealed(content)[:HEAD_BYTES]:
        raise ValueError("its bytes are not those that were written (SHA-256 differs)")
    return content
