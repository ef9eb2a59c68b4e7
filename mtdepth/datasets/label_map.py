"""The 19 Cityscapes classes: label id, train id, name and colour.

Source: Cordts et al. 2016 and the `labels.py` of the Cityscapes scripts; KITTI's semantic
benchmark uses the same label ids.
"""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

IGNORE_ID = 255


@dataclasses.dataclass(frozen=True)
class CityscapesClass:
    """One of the classes that are trained and scored.

    Attributes:
      label_id: The data set's own number, 7..33.
      train_id: 0..18, the channel of the network's scores.
      name: Cityscapes' English name.
      color_rgb: Cityscapes' colour.
    """

    label_id: int
    train_id: int
    name: str
    color_rgb: tuple[int, int, int]


CLASSES = (
    CityscapesClass(7, 0, "road", (128, 64, 128)),
    CityscapesClass(8, 1, "sidewalk", (244, 35, 232)),
    CityscapesClass(11, 2, "building", (70, 70, 70)),
    CityscapesClass(12, 3, "wall", (102, 102, 156)),
    CityscapesClass(13, 4, "fence", (190, 153, 153)),
    CityscapesClass(17, 5, "pole", (153, 153, 153)),
    CityscapesClass(19, 6, "traffic light", (250, 170, 30)),
    CityscapesClass(20, 7, "traffic sign", (220, 220, 0)),
    CityscapesClass(21, 8, "vegetation", (107, 142, 35)),
    CityscapesClass(22, 9, "terrain", (152, 251, 152)),
    CityscapesClass(23, 10, "sky", (70, 130, 180)),
    CityscapesClass(24, 11, "person", (220, 20, 60)),
    CityscapesClass(25, 12, "rider", (255, 0, 0)),
    CityscapesClass(26, 13, "car", (0, 0, 142)),
    CityscapesClass(27, 14, "truck", (0, 0, 70)),
    CityscapesClass(28, 15, "bus", (0, 60, 100)),
    CityscapesClass(31, 16, "train", (0, 80, 100)),
    CityscapesClass(32, 17, "motorcycle", (0, 0, 230)),
    CityscapesClass(33, 18, "bicycle", (119, 11, 32)),
)
NUM_CLASSES = len(CLASSES)
CLASS_NAMES = tuple(entry.name for entry in CLASSES)

# A robot stops before whatever cannot be driven on and is a thing at all.
FREE_CLASSES = ("road", "sidewalk", "terrain", "sky")
OBSTACLE_CLASSES = tuple(name for name in CLASS_NAMES if name not in FREE_CLASSES)
# ours: what a score of near obstacles counts by pixels. Houses and trees line a street; by their
# number of pixels they would hide what is missed in its middle. Lights and signs hang above it.
_BESIDE_THE_WAY = ("building", "traffic light", "traffic sign", "vegetation")
SCORED_OBSTACLES = tuple(name for name in OBSTACLE_CLASSES if name not in _BESIDE_THE_WAY)


PALETTE = np.zeros((256, 3), np.uint8)
"""`[256, 3]` uint8 RGB by train id; black where ignored."""
PALETTE[:NUM_CLASSES] = [entry.color_rgb for entry in CLASSES]
PALETTE.setflags(write=False)

_TRAIN_ID_OF_LABEL_ID = np.full(256, IGNORE_ID, np.uint8)
_TRAIN_ID_OF_LABEL_ID[[entry.label_id for entry in CLASSES]] = [e.train_id for e in CLASSES]
_TRAIN_ID_OF_LABEL_ID.setflags(write=False)


def label_id_to_train_id(label_id: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint8]:
    """Renumbers Cityscapes or KITTI label ids.

    Args:
      label_id: `[...]` integers; what is no scored class (void, -1, unknown) is ignored.

    Returns:
      `[...]` uint8, train ids 0..18 and 255.

    Raises:
      ValueError: If the array does not hold integers.
    """
    label_id = _checked(label_id, "label_id")
    is_known = (label_id >= 0) & (label_id < 256)
    # astype before the look-up: a negative index would count from the end.
    position = np.where(is_known, label_id, 0).astype(np.uint8)
    return _TRAIN_ID_OF_LABEL_ID[position]


def colorize(train_id: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint8]:
    """Paints train ids.

    Args:
      train_id: `[...]` integers, 0..18 or 255.

    Returns:
      `[..., 3]` RGB, black where ignored.

    Raises:
      ValueError: If a value is neither.
    """
    train_id = _checked(train_id, "train_id")
    is_legal = ((train_id >= 0) & (train_id < NUM_CLASSES)) | (train_id == IGNORE_ID)
    if not is_legal.all():
        wrong = np.unique(train_id[~is_legal])
        raise ValueError(f"train ids are 0..{NUM_CLASSES - 1} or {IGNORE_ID}, got {wrong[:10]}")
    return PALETTE[train_id]


def _checked(ids: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    ids = np.asarray(ids)
    if not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(f"{name} must hold integers, got {ids.dtype}")
    return ids
