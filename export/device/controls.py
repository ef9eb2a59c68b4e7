"""What a viewer may change while the program runs."""

import dataclasses
import threading
from dataclasses import dataclass
from typing import Any

from mtdepth.files import UserError
from mtdepth.runtime.colors import PALETTES
from mtdepth.runtime.seen import Look

AUTO = "auto"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is wished for now.

    `size` is the network's, or `auto` where a governor chooses; None: as it is. Obstacles nearer
    than `threshold_m`, in the model's unit, are warned of.
    """

    is_paused: bool = False
    look: Look = dataclasses.field(default_factory=Look)
    size: str | None = None
    threshold_m: float = 5.0


class Controls:
    """Settings that any thread may change and any may wait for.

    `sizes` may be asked for, with `auto` where there is a governor.
    """

    def __init__(self, settings: Settings, *, sizes: tuple[str, ...]) -> None:
        self._settings = settings
        self.sizes = sizes
        self._changed = threading.Condition()
        self._is_stopped = False

    @property
    def settings(self) -> Settings:
        """As they are now."""
        with self._changed:
            return self._settings

    def change(self, wishes: dict[str, Any]) -> Settings:
        """Takes what a viewer sent, any of `paused`, `palette`, `size`, `threshold`, or nothing.

        Raises:
          UserError: If a wish is unknown or illegal; nothing is changed then.
        """
        with self._changed:
            settings = self._settings
            for name, value in wishes.items():
                settings = self._with(settings, name, value)
            self._settings = settings
            self._changed.notify_all()
            return settings

    def wait_while_paused(self) -> bool:
        """Returns when nothing is paused, or at the end: whether it had to wait."""
        with self._changed:
            was_paused = self._settings.is_paused
            self._changed.wait_for(lambda: self._is_stopped or not self._settings.is_paused)
            return was_paused

    def stop(self) -> None:
        """Wakes whoever waits."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def _with(self, settings: Settings, name: str, value: Any) -> Settings:
        if name == "paused" and isinstance(value, bool):
            return dataclasses.replace(settings, is_paused=value)
        if name == "palette" and value in PALETTES:
            look = dataclasses.replace(settings.look, palette=value)
            return dataclasses.replace(settings, look=look)
        if name == "size" and value in self.sizes:
            return dataclasses.replace(settings, size=value)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if name == "threshold" and is_number and 0 < value < 1e6:
            return dataclasses.replace(settings, threshold_m=float(value))
        raise UserError(
            f"{name!r} cannot be set to {value!r}; known are paused (true, false), palette "
            f"({', '.join(PALETTES)}), size ({', '.join(self.sizes)}), threshold (a number)"
        )
