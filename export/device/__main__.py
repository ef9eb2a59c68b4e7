"""Starts `export.device.program`; `python -m export.device --help` says what it does."""

import sys

from export.device.program import main

if __name__ == "__main__":
    sys.exit(main())
