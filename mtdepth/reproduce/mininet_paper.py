"""Tables of "MiniNet: An extremely lightweight convolutional neural network ..." (2020)."""

import dataclasses

from mtdepth.metrics.published import PUBLISHED
from mtdepth.reproduce.table import ERRORS, PARAMS, RMSE, Claim, Column, Row, Table, Training

PAPER = "MiniNet paper"
_SIZE, _OTHER_SIZE = (192, 640), (256, 512)  # paper, 4.1 and table 2


def _training(*overrides: str, size: str = "mininet") -> Training:
    return Training(model="mininet", size=size, overrides=overrides)


_ORIGINAL = _training()
_MEDIUM = _training("mininet.variant=medium")
_SMALL = _training("mininet.variant=small")
_NO_REUSE = _training("mininet.reuse=false")
_DENSE = _training("mininet.dense_decoder=true")
_AT_512 = _training(size="mininet_512")

_UP_TO_80M, _UP_TO_50M = (
    dataclasses.astuple(PUBLISHED[f"eigen_garg_{cap}_median"].errors) for cap in ("80m", "50m")
)
_KEYS = tuple(column.key for column in ERRORS)
_ERRORS_50M = tuple(
    Column(
        key=f"{column.key}_50m",
        heading=f"{column.heading}, 50 m",
        where="depth_50m",
        quantity=column.key,
    )
    for column in ERRORS
)

TABLE_1 = Table(
    name="1",
    title=f"Table 1, {PAPER}: Eigen's test frames up to 80 m and 50 m",
    columns=(*ERRORS, *_ERRORS_50M, PARAMS),
    rows=(
        Row(
            name="MiniNet",
            cut="F",
            training=_ORIGINAL,
            timed_size=_SIZE,
            paper={
                **dict(zip(_KEYS, _UP_TO_80M, strict=True)),
                **{f"{key}_50m": value for key, value in zip(_KEYS, _UP_TO_50M, strict=True)},
                "params_m": 0.217,
            },
        ),
    ),
)

# Name, training, size of the input, output; parameters M, GPU ms, CPU s, RMSE m, d1.
_TABLE_2 = (
    ("512x256", _AT_512, _OTHER_SIZE, "F", 0.217, 19.72, 0.216, 5.182, 0.827),
    ("512x256", _AT_512, _OTHER_SIZE, "H", 0.208, 16.37, 0.156, 5.187, 0.827),
    ("512x256", _AT_512, _OTHER_SIZE, "Q", 0.193, 15.01, 0.134, 5.213, 0.824),
    ("512x256", _AT_512, _OTHER_SIZE, "E", 0.179, 14.67, 0.125, 5.302, 0.819),
    ("640x192", _ORIGINAL, _SIZE, "F", 0.217, 18.57, 0.205, 5.264, 0.825),
    ("640x192", _ORIGINAL, _SIZE, "H", 0.208, 15.58, 0.143, 5.252, 0.823),
    ("640x192", _ORIGINAL, _SIZE, "Q", 0.193, 14.40, 0.120, 5.262, 0.821),
    ("640x192", _ORIGINAL, _SIZE, "E", 0.179, 14.00, 0.113, 5.337, 0.814),
    ("medium", _MEDIUM, _SIZE, "F", 0.110, 14.10, 0.126, 5.455, 0.799),
    ("medium", _MEDIUM, _SIZE, "E", 0.072, 9.898, 0.036, 5.540, 0.790),
    ("small", _SMALL, _SIZE, "F", 0.091, 13.59, 0.119, 5.581, 0.792),
    ("small", _SMALL, _SIZE, "E", 0.053, 9.136, 0.027, 5.645, 0.781),
)
TABLE_2 = Table(
    name="2",
    title=f"Table 2, {PAPER}: sizes and outputs",
    columns=(
        RMSE,
        Column(key="d1", heading="d1"),
        PARAMS,
        Column(key="gpu_ms", heading="ms GTX 1080 Ti, paper", digits=2, where="cost"),
        Column(key="cpu_ms", heading="ms Intel E5-1630, paper", digits=0, where="cost"),
        Column(key="ms", heading="ms here", digits=1, where="cost"),
    ),
    rows=tuple(
        Row(
            name=f"{name} {output}",
            cut=output,
            training=training,
            timed_size=size,
            paper={
                "params_m": params_m,
                "gpu_ms": gpu_ms,
                "cpu_ms": 1000 * cpu_s,
                "rmse": rmse,
                "d1": d1,
            },
        )
        for name, training, size, output, params_m, gpu_ms, cpu_s, rmse, d1 in _TABLE_2
    ),
    claims=(
        *(
            Claim(
                sentence=f"Output {output} costs nothing against F (640x192)",
                row=f"640x192 {output}",
                than="640x192 F",
                claimed="no higher",
            )
            for output in "HQE"
        ),
        Claim(sentence="The original beats the medium one", row="640x192 F", than="medium F"),
        Claim(sentence="The medium one beats the small one", row="medium F", than="small F"),
    ),
    notes=(
        "The outputs F, H, Q and E of one size are of one run.",
        "Parameters count all four heads, as the paper's do; its column is cut off after three "
        "decimals. Times here are one thread of this processor, float32 TFLite.",
    ),
)

_ATE = "5-frame ATE m, sequence"
TABLE_3 = Table(
    name="3",
    title=f"Table 3, {PAPER}: ego-motion",
    columns=(
        Column(key="ate_09", heading=f"{_ATE} 09", where="odometry_09"),
        Column(key="ate_10", heading=f"{_ATE} 10", where="odometry_10"),
    ),
    rows=(
        Row(
            name="MiniNet",
            cut="F",
            paper={"ate_09": 0.020, "ate_10": 0.017},
            training=Training(model="mininet", size="mininet", data="odometry"),
        ),
    ),
    notes=(
        "Mean over snippets as Monodepth2 scores them, four accumulated pairs each; the paper's "
        "deviations over snippets are 0.010.",
    ),
)

TABLE_4 = Table(
    name="4",
    title=f"Table 4, {PAPER}: Make3D, no fine-tuning",
    columns=tuple(
        Column(key=key, heading=heading, where="make3d")
        for key, heading in (
            ("abs_rel", "Abs Rel"),
            ("sq_rel", "Sq Rel m"),
            ("rmse", "RMSE m"),
            ("rmse_log10", "RMSE log10"),
        )
    ),
    rows=(
        Row(
            name="MiniNet",
            cut="F",
            training=_ORIGINAL,
            paper={"abs_rel": 0.398, "sq_rel": 5.167, "rmse": 8.534, "rmse_log10": 0.192},
        ),
    ),
    notes=("The run of table 1.",),
)

_WITHOUT_REUSE = (0.131, 1.004, 5.070, 0.208, 0.845, 0.945, 0.976)
_WITHOUT_LIGHT = (0.134, 1.012, 5.110, 0.210, 0.840, 0.947, 0.977)
TABLE_5 = Table(
    name="5",
    title=f"Table 5, {PAPER}: ablation",
    columns=(
        *ERRORS,
        PARAMS,
        Column(key="pi_s", heading="s Raspberry Pi 3, paper", where="cost"),
        Column(key="pi_mb", heading="MB Raspberry Pi 3, paper", digits=0, where="cost"),
        Column(key="ms", heading="ms here", digits=1, where="cost"),
        Column(key="memory_mb", heading="MB here", digits=0, where="cost"),
    ),
    rows=tuple(
        Row(
            name=name,
            cut="F",
            training=training,
            timed_size=_SIZE,
            paper={
                **dict(zip(_KEYS, errors, strict=True)),
                "params_m": params_m,
                "pi_s": pi_s,
                "pi_mb": pi_mb,
            },
        )
        for name, training, errors, params_m, pi_s, pi_mb in (
            ("w/o reuse", _NO_REUSE, _WITHOUT_REUSE, 0.656, 5.321, 178),
            ("w/o lightweight decoder", _DENSE, _WITHOUT_LIGHT, 0.667, 9.078, 157),
            ("MiniNet", _ORIGINAL, _UP_TO_80M, 0.217, 5.351, 159),
        )
    ),
    claims=(
        Claim(
            sentence="Reuse costs nothing",
            row="MiniNet",
            than="w/o reuse",
            column="abs_rel",
            claimed="no higher",
        ),
        Claim(
            sentence="The light decoder costs nothing",
            row="MiniNet",
            than="w/o lightweight decoder",
            column="abs_rel",
            claimed="no higher",
        ),
    ),
    notes=("MiniNet is the run of tables 1 and 2 (640x192).",),
)

TABLES = (TABLE_1, TABLE_2, TABLE_3, TABLE_4, TABLE_5)
