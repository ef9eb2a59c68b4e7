"""A run that starts from another run's student."""

from pathlib import Path

import numpy as np
import pytest
from fakes.recipes import tiny_recipe
from fakes.workdir import build_workdir

from mtdepth.files import DataError, UserError
from mtdepth.geometry.camera import Intrinsics
from mtdepth.geometry.depth_codec import LinearDepthCodec, LogDepthCodec
from mtdepth.models.student import build_training_graph
from mtdepth.recipes.base import TrainRecipe, overridden
from mtdepth.trained import load_training_graph
from mtdepth.training.start import carry_depth_over, start_weights

RECIPE = tiny_recipe()


def camera_of(intrinsics: Intrinsics, *, longer: float) -> Intrinsics:
    return Intrinsics.from_dict(
        intrinsics.to_dict()
        | {"fx_px": intrinsics.fx_px * longer, "fy_px": intrinsics.fy_px * longer}
    )


def test_depth_is_carried_over_to_another_law_and_camera(tmp_path: Path) -> None:
    workdir = build_workdir(tmp_path / "run")
    recipe = overridden(
        workdir.recipe(), ["near_m=3.0", "far_m=60.0", f"start_from={tmp_path}/run"]
    )
    graph = build_training_graph(recipe.spec, input_size=recipe.input_size_px)
    start_weights(graph, recipe, camera_of(workdir.training_camera(), longer=1.5))

    image = np.random.default_rng(0).uniform(-1, 1, (1, *recipe.input_size_px, 3)).astype("float32")
    before = load_training_graph(workdir)(image, training=False)
    after = graph(image, training=False)
    for name, code in before.items():
        if not name.startswith("depth_code"):
            np.testing.assert_array_equal(np.asarray(after[name]), np.asarray(code))
            continue
        # Not through decode, which clips at the far limit.
        old, new = workdir.recipe().codec, recipe.codec
        old_log = (np.asarray(code, np.float64) - old.offset) / old.slope
        new_log = (np.asarray(after[name], np.float64) - new.offset) / new.slope
        # Codes reach 80 and are float32: 80 * 2^-23 * a few, over a slope of about 20.
        np.testing.assert_allclose(new_log, old_log + np.log(1.5), atol=1e-5)


def test_the_same_law_and_camera_change_nothing() -> None:
    graph = build_training_graph(RECIPE.spec, input_size=RECIPE.input_size_px)
    before, codec = graph.get_weights(), LogDepthCodec(near_m=4.0, far_m=80.0)
    carry_depth_over(graph, old=codec, new=codec, scale=1.0)
    for old, new in zip(before, graph.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)


def test_metres_are_carried_over_as_metres_and_not_into_logarithms() -> None:
    graph = build_training_graph(RECIPE.spec, input_size=RECIPE.input_size_px)
    head = next(layer for layer in graph.layers if layer.name.startswith("depth_code_"))
    kernel, bias = head.get_weights()
    linear, log = (kind(near_m=4.0, far_m=80.0) for kind in (LinearDepthCodec, LogDepthCodec))
    carry_depth_over(graph, old=linear, new=linear, scale=1.5)
    for found, before in zip(head.get_weights(), (kernel, bias), strict=True):
        np.testing.assert_allclose(found, 1.5 * before, rtol=1e-6)
    with pytest.raises(UserError, match="another depth_law"):
        carry_depth_over(graph, old=log, new=linear, scale=1.0)


def test_a_run_of_another_network_is_named(tmp_path: Path) -> None:
    workdir = build_workdir(tmp_path / "run")
    content = overridden(workdir.recipe(), [f"start_from={tmp_path}/run"]).to_dict()
    content["student"]["blocks"][0]["width"] += 8
    wider = TrainRecipe.from_dict(content)
    graph = build_training_graph(wider.spec, input_size=wider.input_size_px)
    with pytest.raises(DataError, match="of another network"):
        start_weights(graph, wider, workdir.training_camera())


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("nothing", FileNotFoundError, "no such workdir or weight file"),
        ("broken.weights.h5", DataError, "not the weights of this recipe's network"),
        ("", FileNotFoundError, "is no workdir"),
    ],
)
def test_a_wrong_start_is_named(
    tmp_path: Path, name: str, error: type[Exception], words: str
) -> None:
    (tmp_path / "broken.weights.h5").write_bytes(b"x")
    recipe = overridden(RECIPE, [f"start_from={tmp_path / name}"])
    graph = build_training_graph(recipe.spec, input_size=recipe.input_size_px)
    camera = Intrinsics(fx_px=60, fy_px=60, cx_px=48, cy_px=32, width_px=96, height_px=64)
    with pytest.raises(error, match=words):
        start_weights(graph, recipe, camera)
