"""The number formats that PSMNet's convolutions may compute in."""

from typing import Literal

Precision = Literal["float32", "bfloat16", "float16"]
