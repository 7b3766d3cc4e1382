"""The calls of other quantization libraries on numformats, under their own names.

``interop.qtorch`` stands for ``qtorch``, ``interop.microxcaling`` for ``mx``; see
``docs/migrating.md`` for what differs in bits.
"""
