"""The once-for-all MobileNetV3 space at 1.2 times the width."""

from __future__ import annotations

from nasprof.spaces.ofa_mobilenetv3 import OfaMobileNetV3

PLUGIN = OfaMobileNetV3(
    name="ofa-mobilenetv3-w12",
    width=1.2,
    title="Once-for-all MobileNetV3, width 1.2: kernels, expansions, depths, resolution",
)
