"""Opens an exported file's contract: the right one of the right file, or an error that says so."""

from pathlib import Path

from mtdepth.contract import Contract
from mtdepth.files import DataError, sha256_of
from mtdepth.geometry.camera import Intrinsics


def checked_contract(path: Path, side_car: Path, *, export_command: str) -> Contract:
    """The contract of an exported file.

    Args:
      path: The file.
      side_car: Its contract's.
      export_command: That makes both, for messages.

    Raises:
      FileNotFoundError: If either is missing.
      DataError: If the contract is damaged or of another file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; make it by `{export_command}`")
    if not side_car.is_file():
        raise FileNotFoundError(
            f"{side_car}: the contract of {path.name} is missing, and without it the output has "
            f"no unit; copy it from where the model came from, or make both by `{export_command}`"
        )
    contract = Contract.load(side_car)
    if contract.artefact != path.name:
        raise DataError(side_car, f"is the contract of {contract.artefact!r}, not of {path.name!r}")
    if (digest := sha256_of(path)) != contract.sha256:
        raise DataError(
            path,
            f"its SHA-256 {digest[:12]}... is not {side_car.name}'s {contract.sha256[:12]}...: "
            f"damaged, or from another export; copy both again, or make both by `{export_command}`",
        )
    return contract


def training_camera(contract: Contract, side_car: Path) -> Intrinsics | None:
    """The camera of a contract.

    Raises:
      DataError: If its numbers are none of a camera.
    """
    if contract.training_camera is None:
        return None
    try:
        return Intrinsics.from_dict(dict(contract.training_camera))
    except ValueError as error:
        raise DataError(side_car, f"field 'training_camera': {error}") from error
