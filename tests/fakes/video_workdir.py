"""A workdir of a MiniNet that learned from video, with random weights."""

import dataclasses
import shutil
from pathlib import Path

import keras
from fakes.once import built_once
from fakes.video_networks import tiny_video_recipe

from mtdepth.contract import NO_SCALE
from mtdepth.geometry.camera import Intrinsics
from mtdepth.specs.mininet import MiniNetSpec
from mtdepth.training.video_networks import build_networks
from mtdepth.workdir import Workdir

CAMERA = Intrinsics(fx_px=50, fy_px=48, cx_px=31, cy_px=15, width_px=64, height_px=32)


def build_video_workdir(path: Path) -> Workdir:
    """A finished run of the small variant at 32x64 with the light pose network."""
    shutil.copytree(built_once("video-workdir", _build), path, dirs_exist_ok=True)
    return Workdir(path)


def _build(path: Path) -> None:
    recipe = dataclasses.replace(tiny_video_recipe(), mininet=MiniNetSpec(variant="small"))
    workdir = Workdir(path)
    run = {
        "labels": None,
        "labels_digest": "0",
        "val_labels": None,
        "val_labels_digest": None,
        "kitti_root": None,
        "num_frames": 3,
        "scale_source": NO_SCALE,
        "training_camera": CAMERA.to_dict(),
        "versions": {},
    }
    workdir.begin(recipe, run)
    keras.utils.set_random_seed(3)
    networks = build_networks(recipe)
    for checkpoint in ("best", "last"):
        networks.depth_net.save_weights(workdir.weights_path(checkpoint))  # type: ignore[arg-type]
        networks.pose_net.save_weights(workdir.pose_weights_path(checkpoint))  # type: ignore[arg-type]
