"""Some pictures of a video, kept beside a network that learned from it, for its exports.

A label store stays where it is; a film may be gone. int8 needs pictures to take its ranges from,
and every export some to be compared on.
"""

from pathlib import Path

from mtdepth.contract import Fit
from mtdepth.data.triplets import TripletSet
from mtdepth.data.video_batches import FrameReader
from mtdepth.datasets.splits import evenly_spaced
from mtdepth.pictures import write_png

NUM_SAMPLES = 40  # as many as an int8 export needs: calibration, and others to be compared on


def write_samples(folder: Path, triplets: TripletSet, *, fit: Fit) -> None:
    """Writes targets spread over the video as the network sees them, unless they are there.

    Args:
      folder: For `000.png` and on.
      triplets: What is learned from.
      fit: How a picture becomes the network's input.

    Raises:
      FileNotFoundError: If a picture has vanished since the triplets were chosen.
      DataError: If one was damaged since.
    """
    reader = FrameReader(size_px=triplets.size_px, fit=fit, cache_bytes=0)
    for number, triplet in enumerate(evenly_spaced(triplets.triplets, number=NUM_SAMPLES)):
        path = folder / f"{number:03d}.png"
        if not path.is_file():
            write_png(path, reader.read(triplet.shot, triplet.numbers[1]))
