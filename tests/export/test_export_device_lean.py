"""What is given back of a program's memory, and what is not."""

import subprocess
import sys
from pathlib import Path

import pytest

from export.device.lean import code_ranges, give_back_code

ROOT = Path(__file__).parents[2]

SMAPS = """\
1000-3000 r-xp 00000000 08:01 11                         /usr/lib/libcode.so
Rss:                   8 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
3000-4000 rw-p 00002000 08:01 11                         /usr/lib/libcode.so
Anonymous:             0 kB
5000-6000 r-xp 00000000 08:01 12                         /usr/lib/libpatched.so
Anonymous:             4 kB
7000-8000 r--p 00000000 08:01 13                         /usr/lib/libconst.so
Anonymous:             0 kB
9000-a000 r-xp 00000000 00:00 0                          [vdso]
Anonymous:             0 kB
b000-c000 r-xp 00000000 00:00 0
Anonymous:             0 kB
d000-e000 r-xp 00000000 08:01 14                         /a folder/lib b.so
Anonymous:             0 kB
"""


def test_only_unchanged_code_of_files_is_given_back() -> None:
    assert code_ranges(SMAPS) == [(0x1000, 0x2000), (0xD000, 0x1000)]


def test_a_system_that_says_nothing_keeps_everything(tmp_path: Path) -> None:
    assert give_back_code(tmp_path / "smaps") == 0
    (tmp_path / "smaps").write_text("")
    assert give_back_code(tmp_path / "smaps") == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own account")
def test_a_process_holds_less_and_goes_on() -> None:
    code = (
        "import cv2, numpy as np\n"
        "from pathlib import Path\n"
        "from export.device.lean import give_back_code\n"
        "def held_kb():\n"
        "    text = Path('/proc/self/status').read_text()\n"
        "    return int(text.split('RssFile:')[1].split()[0])\n"
        "picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)\n"
        "expected = cv2.resize(picture, (8, 8)).sum()\n"
        "before_kb = held_kb()\n"
        "assert give_back_code() > 0\n"
        "after_kb = held_kb()\n"
        "assert cv2.resize(picture, (8, 8)).sum() == expected\n"
        "assert after_kb < before_kb - 4096, (before_kb, after_kb)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
