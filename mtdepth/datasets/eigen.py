"""The sides of KITTI raw that papers train and test on since Eigen, Puhrsch and Fergus 2014."""

from mtdepth.datasets.frames import FrameId

# Every synchronised drive that KITTI publishes (raw_data_downloader.sh of its web page).
_DRIVE_NUMBERS = {
    "2011_09_26": """
        1 2 5 9 11 13 14 15 17 18 19 20 22 23 27 28 29 32 35 36 39 46 48 51 52 56 57 59 60 61 64 70
        79 84 86 87 91 93 95 96 101 104 106 113 117 119""",
    "2011_09_28": """
        1 2 16 21 34 35 37 38 39 43 45 47 53 54 57 65 66 68 70 71 75 77 78 80 82 86 87 89 90 94 95
        96 98 100 102 103 104 106 108 110 113 117 119 121 122 125 126 128 132 134 135 136 138 141
        143 145 146 149 153 154 155 156 160 161 162 165 166 167 168 171 174 177 179 183 184 185 186
        187 191 192 195 198 199 201 204 205 208 209 214 216 220 222 225""",
    "2011_09_29": "4 26 71 108",
    "2011_09_30": "16 18 20 27 28 33 34 72",
    "2011_10_03": "27 34 42 47 58",
}


def _drive(date: str, number: int) -> str:
    return f"{date}_drive_{number:04d}_sync"


KITTI_DRIVES: frozenset[str] = frozenset(
    _drive(date, int(number))
    for date, numbers in _DRIVE_NUMBERS.items()
    for number in numbers.split()
)
"""The 156 drives that exist. A drive of another number is somebody's own."""

CALIBRATION_DRIVES: frozenset[str] = frozenset(
    (
        "2011_09_26_drive_0119_sync",
        "2011_09_28_drive_0225_sync",
        "2011_09_29_drive_0108_sync",
        "2011_09_30_drive_0072_sync",
        "2011_10_03_drive_0058_sync",
    )
)
"""Recordings of checkerboards in a hall, without laser scans, one in each date."""


# A drive, then the numbers of its frames, all of the left camera, in the published order, so that
# rows line up with other people's prediction arrays.
_TEST_TABLE = """
2011_09_26_drive_0002_sync
  69 54 42 57 30 27 12 75 36 33 15 72 3 39 9 51 60 21 0 24 45 18 48 6 63
2011_09_26_drive_0009_sync
  0 16 32 48 64 80 96 112 128 144 160 176 196 212 228 244 260 276 292 308 324 340 356 372 388
2011_09_26_drive_0013_sync
  90 50 110 115 60 105 125 20 140 85 70 80 65 95 130 100 10 30 0 135 40 5 120 45 35
2011_09_26_drive_0020_sync
  3 69 57 12 72 18 63 0 84 15 66 6 48 60 9 33 21 75 27 45 78 36 51 54 42
2011_09_26_drive_0023_sync
  18 90 126 378 36 288 198 450 144 72 252 180 432 396 54 468 306 108 162 342 270 414 216 360
  324
2011_09_26_drive_0027_sync
  77 35 91 112 7 175 42 98 133 161 14 126 168 70 84 140 49 0 182 147 56 63 21 119 28
2011_09_26_drive_0029_sync
  380 394 324 0 268 366 296 14 28 182 168 196 140 84 56 112 352 126 70 310 154 98 408 42 338
2011_09_26_drive_0036_sync
  0 128 192 32 352 608 224 576 672 64 448 704 640 512 768 160 416 480 800 288 544 96 384 256
  320
2011_09_26_drive_0046_sync
  0 5 10 15 20 25 30 35 40 45 50 55 60 65 70 75 80 85 90 95 100 105 110 115 120
2011_09_26_drive_0048_sync
  0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21
2011_09_26_drive_0052_sync
  46 14 36 28 26 50 40 8 16 44 18 32 42 10 20 48 52 6 30 12 38 0 2 4 22
2011_09_26_drive_0056_sync
  11 33 242 253 286 154 99 220 22 77 187 143 66 176 110 275 264 198 55 88 121 209 165 231 44
2011_09_26_drive_0059_sync
  56 0 344 358 316 238 98 112 28 14 330 154 42 302 182 288 140 274 224 372 196 126 84 210 70
2011_09_26_drive_0064_sync
  528 308 44 352 66 0 506 176 22 242 462 418 110 440 396 154 374 88 286 550 264 220 330 484 198
2011_09_26_drive_0084_sync
  283 361 270 127 205 218 153 335 192 348 101 49 179 140 374 322 309 244 62 257 88 114 75 296
  231
2011_09_26_drive_0086_sync
  7 196 439 169 115 34 304 331 277 520 682 628 88 601 574 223 655 358 412 142 385 61 493 466
  250
2011_09_26_drive_0093_sync
  0 16 32 48 64 80 96 112 128 144 160 176 192 208 224 240 256 305 321 337 353 369 385 401 417
2011_09_26_drive_0096_sync
  0 19 38 57 76 95 114 133 152 171 190 209 228 247 266 285 304 323 342 361 380 399 418 437 456
2011_09_26_drive_0101_sync
  692 930 760 896 284 148 522 794 624 726 216 318 488 590 454 862 386 352 420 658 828 556 114
  182 80
2011_09_26_drive_0106_sync
  15 35 43 51 59 67 75 83 91 99 107 115 123 131 139 147 155 163 171 179 187 195 203 211 219
2011_09_26_drive_0117_sync
  312 494 104 130 156 182 598 416 364 26 78 572 468 260 624 234 442 390 546 286 0 338 208 650
  52
2011_09_28_drive_0002_sync
  24 21 36 0 51 18 33 90 45 54 12 39 9 3 30 78 60 48 84 81 6 57 72 87 63
2011_09_29_drive_0071_sync
  252 540 1054 36 360 807 879 288 771 0 216 951 324 432 504 576 108 180 72 612 915 735 144 396
  468
2011_09_30_drive_0016_sync
  132 11 154 22 242 198 176 231 275 220 88 143 55 33 187 110 44 77 66 0 165 264 253 209 121
2011_09_30_drive_0018_sync
  107 2247 1391 535 1819 1177 428 1926 749 1284 2140 1605 1498 642 2740 2419 856 2526 1712 1070
  0 2033 214 963 2633
2011_09_30_drive_0027_sync
  533 1040 82 205 835 451 164 794 328 615 917 369 287 123 876 410 492 958 656 0 753 574 1081 41
  246
2011_10_03_drive_0027_sync
  2906 2544 362 4535 734 1096 4173 543 1277 4354 1458 1820 3449 3268 915 2363 2725 181 1639
  3992 3087 2001 3811 3630 0
2011_10_03_drive_0047_sync
  96 800 320 576 0 480 640 32 384 160 704 736 672 64 288 352 512 544 608 128 224 416 192 448
  768
"""


def eigen_test_frames() -> list[FrameId]:
    """Returns the 697 test frames of Eigen et al. 2014, in the published order."""
    frames = []
    drive = ""
    for word in _TEST_TABLE.split():
        if word.isdigit():
            frames.append(FrameId(drive, int(word), "l"))
        else:
            drive = word
    return frames


# Of the test frames; all that are among the last five of their drive.
_LATE_TEST_FRAMES = frozenset(
    FrameId(_drive(date, drive), index)
    for date, drive, indices in (
        ("2011_09_26", 2, (72, 75)),
        ("2011_09_26", 13, (140,)),
        ("2011_09_26", 20, (84,)),
        ("2011_09_26", 36, (800,)),
        ("2011_09_26", 46, (120,)),
        ("2011_09_26", 48, (17, 18, 19, 20, 21)),
        ("2011_09_26", 59, (372,)),
        ("2011_09_29", 71, (1054,)),
        ("2011_09_30", 16, (275,)),
    )
    for index in indices
)


def eigen_improved_frames() -> list[FrameId]:
    """Returns the 652 of them that have annotated depth, in the same order.

    KITTI's annotated maps add up eleven sweeps, so the first and last five frames of a drive have
    none. It is the list `eigen_benchmark` of Godard et al. 2019.
    """
    return [
        frame
        for frame in eigen_test_frames()
        if frame.index >= 5 and frame not in _LATE_TEST_FRAMES
    ]


EIGEN_TEST_DRIVES: frozenset[str] = frozenset(frame.drive for frame in eigen_test_frames())
"""The 28 drives whose other frames look like the test frames, so none of them may be trained on."""
