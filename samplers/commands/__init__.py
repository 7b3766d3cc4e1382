"""The commands of ``samplers``, one file each."""
