"""The presets, one file of data a vendor: adding a preset is an entry of ``PRESETS`` in one."""

from numformats.accelerators.presets import (
    amd,
    analog_devices,
    arm,
    aws,
    blackwell,
    cerebras,
    fpga,
    google,
    graphcore,
    ibm,
    intel,
    microsoft,
    nvidia,
    tenstorrent,
    tesla,
)

VENDORS = (
    nvidia, blackwell, amd, google, intel, arm, aws, graphcore, cerebras, tesla, ibm, tenstorrent,
    microsoft, analog_devices, fpga,
)  # fmt: skip
