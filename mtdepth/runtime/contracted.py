"""What every exported file has in common once it is open: all that its contract says."""

import abc
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtdepth.contract import Contract, Fit
from mtdepth.geometry.camera import Intrinsics
from mtdepth.geometry.depth_codec import DepthCodec
from mtdepth.runtime.pipeline import NetworkOutput


class ContractedBackend(abc.ABC):
    """A network of an exported file.

    `infer` is `run`, the network alone, followed by `decode`, its numbers to metres and classes.

    Args:
      path: The file.
      contract: Of it.
      training_camera: As the contract says.
    """

    def __init__(
        self, path: Path, contract: Contract, *, training_camera: Intrinsics | None
    ) -> None:
        self.path = path
        self.contract = contract
        self._training_camera = training_camera

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.contract.input_size

    @property
    def fit(self) -> Fit:
        """How a picture is brought to `input_size`."""
        return self.contract.fit

    @property
    def codec(self) -> DepthCodec:
        """Its depth law."""
        return self.contract.codec

    @property
    def training_camera(self) -> Intrinsics | None:
        """At `input_size`; None where unknown."""
        return self._training_camera

    @property
    def is_metric(self) -> bool:
        """Whether its depth has a unit."""
        return self.contract.is_metric

    @property
    def tasks(self) -> tuple[str, ...]:
        """`("depth",)` or `("depth", "segmentation")`."""
        return ("depth",) if self.contract.classes is None else ("depth", "segmentation")

    def infer(self, image: npt.NDArray[np.uint8]) -> NetworkOutput:
        """Runs the network on a fitted RGB picture `[height, width, 3]`."""
        return self.decode(self.run(image))

    @abc.abstractmethod
    def run(self, image: npt.NDArray[np.uint8]) -> Any:
        """The network alone: its output tensors as they are, by their names in the contract."""

    @abc.abstractmethod
    def decode(self, raw: Any) -> NetworkOutput:
        """Metres and class ids from the output tensors."""

    def check_image(self, image: npt.NDArray[np.uint8]) -> None:
        """Refuses a picture that was not fitted.

        Raises:
          ValueError: If its shape or type is not the contract's.
        """
        shape = self.contract.input.shape[1:]
        if image.shape != shape or image.dtype != np.uint8:
            raise ValueError(
                f"{self.path.name} takes {shape} uint8, "
                f"got {image.shape} of {image.dtype}; use fit_image"
            )
