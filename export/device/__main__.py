"""Starts `export.device.program`; `python -m export.device --help` says what it does."""

import sys


def main() -> int:
    """The program, without OpenSSL.

    Python's hash functions load that library, 4 MB, where they can; a Raspberry Pi has better use
    for them, and one SHA-256 of a model file is soon made without. So everything else is imported
    after it was hidden.
    """
    sys.modules.setdefault("_hashlib", None)  # type: ignore[arg-type]
    from export.device.program import main as run_program

    return run_program()


if __name__ == "__main__":
    sys.exit(main())
