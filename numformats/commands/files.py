"""``numformats quantize``: the tensors of a file in another format."""

from typing import Annotated

import typer


def quantize(file: Annotated[str, typer.Argument()]) -> None:
    """TODO"""
