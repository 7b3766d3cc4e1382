"""What every layer has beside torch's."""

from __future__ import annotations

from numformats.torch.interop.microxcaling.specs import MxSpecs, Specs, apply_mx_specs


class Specified:
    """A specification and a name."""

    mx_specs: MxSpecs | None
    name: str | None

    def specify(self, mx_specs: Specs | None, name: str | None) -> None:
        """The end of the constructor of a layer.

        Raises:
            ValueError: an unknown key of ``mx_specs``.
        """
        self.apply_mx_specs(mx_specs)
        self.name = name

    def apply_mx_specs(self, mx_specs: Specs | None) -> None:
        """Round as ``mx_specs`` says from now on; None: torch's own layer."""
        self.mx_specs = None if mx_specs is None else apply_mx_specs(mx_specs)

    def append_name(self, postfix: str) -> None:
        """Add ``postfix`` to the name."""
        self.name = (self.name or "") + postfix
