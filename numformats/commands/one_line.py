"""A group of commands that refuses options it does not know in one line, as it does bad values."""

import sys
from pathlib import Path
from typing import Any

from typer.core import TyperGroup


class OneLine(TyperGroup):
    """What is wrong with the command line, and how to see what is right, in one line on stderr."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command and leave the program: 0, or 2 for bad input."""
        if not options.get("standalone_mode", True):
            return super().main(*args, **options)
        try:
            code = super().main(*args, **{**options, "standalone_mode": False})
        except Exception as error:
            if not hasattr(error, "format_message"):  # typer's own, under any name of its click
                raise
            name = options.get("prog_name") or Path(sys.argv[0]).name
            sys.exit(_refuse(error, name))
        sys.exit(code or 0)


def _refuse(error: Any, name: str) -> int:
    context, text = getattr(error, "ctx", None), " ".join(error.format_message().split())
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
    else:
        path = context.command_path if context is not None else name
        print(f"{path}: {text.rstrip('.')}; see {path} --help", file=sys.stderr)
    return int(error.exit_code)
