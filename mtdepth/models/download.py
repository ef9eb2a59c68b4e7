"""Weight files from the network, once, and only the very file that was meant."""

from pathlib import Path

import keras

from mtdepth.files import DataError, sha256_of


def downloaded(name: str, url: str, *, sha256: str, what: str, way_around: str) -> Path:
    """Fetches a file into Keras's cache, or finds it there.

    Args:
      name: Of the file in the cache.
      url: Where it is published.
      sha256: Its digest.
      what: What could not be had, for the message.
      way_around: What the user can do without it, for the message.

    Raises:
      ConnectionError: If it cannot be fetched.
      DataError: If it is another file than the one meant.
    """
    try:
        path = Path(keras.utils.get_file(name, url, cache_subdir="models"))
    except Exception as error:  # Keras raises no narrower one
        raise ConnectionError(
            f"{what} could not be downloaded from {url} ({error}); {way_around}"
        ) from error
    if (digest := sha256_of(path)) != sha256:
        raise DataError(
            path,
            f"SHA-256 is {digest}, that of {url} is {sha256}; delete the file and start again, or "
            f"{way_around}",
        )
    return path
