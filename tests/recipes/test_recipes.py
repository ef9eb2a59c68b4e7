"""Recipes: complete, validated, and unchanged by the way through a file."""

import ast
import json
import re
from pathlib import Path

import pytest

from mtdepth.files import UserError
from mtdepth.recipes import best
from mtdepth.recipes.base import TrainRecipe, overridden
from mtdepth.recipes.registry import (
    RECIPES,
    VIDEO_RECIPES,
    find_recipe,
    find_video_recipe,
    with_design,
)
from mtdepth.recipes.video import VideoRecipe
from mtdepth.specs.student import DESIGNS

RECIPE_FILES = Path(__file__).parents[2] / "mtdepth" / "recipes"


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipe_survives_json(name: str) -> None:
    recipe = RECIPES[name]
    assert TrainRecipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_the_papers_numbers_are_the_papers() -> None:
    recipe = find_recipe("multitask_kitti")
    assert recipe.input_size_px == (320, 1056)
    assert (recipe.near_m, recipe.far_m) == (4.0, 80.0)
    assert (recipe.depth_weight, recipe.segmentation_weight) == (0.25, 0.75)
    assert (recipe.batch_size, recipe.num_epochs, recipe.steps_per_epoch) == (8, 20, 1000)
    assert (recipe.learning_rate, recipe.epoch_decay) == (0.01, 0.9)
    assert recipe.encoder_weights == "imagenet"


@pytest.mark.parametrize("name", sorted(RECIPES | VIDEO_RECIPES))
def test_each_value_of_a_recipe_says_where_it_comes_from(name: str) -> None:
    (call,) = [
        node
        for node in ast.walk(ast.parse((RECIPE_FILES / f"{name}.py").read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("TrainRecipe", "VideoRecipe")
    ]
    lines = (RECIPE_FILES / f"{name}.py").read_text().splitlines()
    for keyword in call.keywords:
        line = lines[keyword.lineno - 1]
        assert keyword.arg == "name" or re.search(r"# (paper|ours)\b", line), line


def test_a_run_that_began_before_a_field_was_one_is_still_read() -> None:
    content = find_video_recipe("mininet_kitti").to_dict()
    del content["ssim_weight"]
    assert VideoRecipe.from_dict(content) == find_video_recipe("mininet_kitti")


NEWER_FIELDS = (
    *("ema_decay", "weight_decay", "near_weight", "scale_invariant_weight", "gradient_weight"),
    *("hard_share", "class_weights"),
)


@pytest.mark.parametrize("name", ["multitask_kitti", "small_data"])
def test_a_recipe_from_before_these_fields_trains_as_it_did(name: str) -> None:
    content = find_recipe(name).to_dict()
    for field in NEWER_FIELDS:
        del content[field]
    assert TrainRecipe.from_dict(content) == find_recipe(name)


def test_overrides_reach_nested_fields_and_keep_types() -> None:
    recipe = overridden(
        find_recipe("demo"),
        [
            "input_size_px=[64,96]",
            "augmentation.max_zoom=1.5",
            "near_m=2",
            "student.tasks=[depth]",  # as bash leaves '["depth"]' without its quotes
            "encoder_weights=/some/file.h5",
        ],
    )
    assert recipe.near_m == 2.0
    assert isinstance(recipe.near_m, float)
    assert recipe.input_size_px == (64, 96)
    assert recipe.augmentation.max_zoom == 1.5
    assert recipe.tasks == ("depth",)
    assert recipe.encoder_weights == "/some/file.h5"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("learning_rate", "key=value"),
        ("learnin_rate=0.1", "no recipe field"),
        ("augmentation.zoom=2", "no recipe field"),
        ("student.task=[depth]", r"did you mean student\.tasks\?"),
        ("augmentation.max_zom=2", r"did you mean augmentation\.max_zoom\?"),
        ("student.tasks=[sky]", r"tasks\[0\] must be one of depth, segmentation"),
        ("batch_size=true", "type int"),
        ("batch_size=8.5", "type int"),
        ("learning_rate=1e999", "type float"),
        ("near_m=" + "9" * 30, "type float"),
        ("batch_size=many", "type int"),
        ("input_size_px=[100,320]", "multiples of 32"),
        ("near_m=90", "near_m < far_m"),
        ("near_m=0.05", "near_m"),
        ("warmup_steps=-1", "warmup_steps must be at least 0"),
        ("epoch_decay=-0.9", r"epoch_decay must be in \(0, 1\]"),
        ("fit=squeeze", "one of stretch, crop"),
        ("ema_decay=1.0", r"ema_decay must be in \[0, 1\)"),
        ("weight_decay=-0.1", r"weight_decay must be in \[0, 1\)"),
        ("gradient_weight=-1", "gradient_weight must be at least 0"),
        ("hard_share=0", r"hard_share must be in \(0, 1\]"),
        ("class_weights=[1, 2]", "19 positive numbers"),
    ],
)
def test_a_wrong_override_is_refused_with_its_reason(override: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        overridden(find_recipe("demo"), [override])


def test_a_smaller_decoder_is_the_first_blocks() -> None:
    recipe = overridden(find_recipe("demo"), ["decoder=S"])
    assert recipe.spec.blocks == recipe.student.blocks[:2]


def test_an_unknown_recipe_is_named_beside_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"papers.*demo.*multitask_kitti"):
        find_recipe("papers")


def test_the_switches_that_best_names_leave_the_papers_loss_and_adam() -> None:
    switches = re.findall(r"`([\w.]+=[^`]+)`", best.__doc__ or "")
    off = [each for each in switches if not each.startswith("hard_share")]
    assert {"ema_decay=0", "class_weights=[]"} <= set(off)
    plain, paper = overridden(best.RECIPE, off), find_recipe("multitask_kitti")
    for field in (*NEWER_FIELDS, "depth_weight", "segmentation_weight", "depth_target"):
        assert getattr(plain, field) == getattr(paper, field), field
    for each in switches:
        assert overridden(best.RECIPE, [each]) != best.RECIPE, each


def test_the_class_weights_of_best_follow_the_root_of_enets_law() -> None:
    assert sum(best.CLASS_SHARES) == pytest.approx(1, abs=1e-4)
    # Roads are 28.662 % of the pixels: ln(1.30662)^-1/2; persons 0.769 %; riders 0.203 %.
    assert best.RECIPE.class_weights[11] == pytest.approx(6.05)
    assert best.RECIPE.class_weights[12] == pytest.approx(6.77)
    assert best.RECIPE.class_weights[0] == pytest.approx(1.93)


def test_small_data_starts_from_what_ships_unless_another_network_is_asked_for() -> None:
    recipe = find_recipe("small_data")
    assert recipe.start_from == "pretrained"
    assert recipe.student.blocks == DESIGNS["fast"].blocks
    assert with_design(recipe, None) is with_design(recipe, "fast") is recipe
    other = with_design(recipe, "paper")
    assert (other.start_from, other.student.blocks) == ("", DESIGNS["paper"].blocks)
    with pytest.raises(UserError, match=r"no design 'large'"):
        with_design(recipe, "large")


def test_terms_of_the_logarithm_are_refused_where_depth_itself_is_told() -> None:
    recipe = overridden(find_recipe("demo"), ["depth_law=linear"])
    assert recipe.codec.to_dict()["kind"] == "linear"
    with pytest.raises(UserError, match="they need depth_law log, got linear"):
        overridden(recipe, ["gradient_weight=0.1"])
