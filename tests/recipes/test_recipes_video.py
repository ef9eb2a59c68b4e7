"""Recipes of MiniNet: complete, validated, and unchanged by the way through a file."""

import json

import pytest

from mtdepth.recipes.base import overridden
from mtdepth.recipes.registry import VIDEO_RECIPES, find_video_recipe
from mtdepth.recipes.video import VideoRecipe


@pytest.mark.parametrize("name", sorted(VIDEO_RECIPES))
def test_a_recipe_survives_json_and_says_whose_it_is(name: str) -> None:
    content = json.loads(json.dumps(VIDEO_RECIPES[name].to_dict()))
    assert content["network"] == "mininet"
    assert VideoRecipe.from_dict(content) == VIDEO_RECIPES[name]


def test_the_papers_numbers_are_the_papers() -> None:
    recipe = find_video_recipe("mininet_kitti")
    assert recipe.input_size_px == (192, 640)
    assert (recipe.batch_size, recipe.num_epochs, recipe.steps_per_epoch) == (6, 40, 0)
    assert (recipe.learning_rate, recipe.halve_every_epochs) == (1e-4, 30)
    assert (recipe.smoothness_weight, recipe.smoothness_sharpness) == (0.001, 10.0)
    assert (recipe.pose_encoder, recipe.pose_weights) == ("resnet18", "imagenet")
    assert recipe.auto_mask is False
    jitter = recipe.augmentation
    assert (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue) == (
        0.2,
        0.2,
        0.2,
        0.1,
    )


def test_overrides_reach_the_network() -> None:
    recipe = overridden(
        find_video_recipe("mininet_small_data"),
        ["mininet.variant=medium", "output=E", "learning_rate=1e-3", "auto_mask=true"],
    )
    assert (recipe.mininet.variant, recipe.output) == ("medium", "E")
    assert (recipe.learning_rate, recipe.auto_mask) == (1e-3, True)


def test_a_pass_is_an_epoch_only_where_no_length_is_given() -> None:
    open_ended = find_video_recipe("mininet_kitti")
    assert open_ended.resolved(steps_per_pass=6635).num_steps == 40 * 6635
    fixed = find_video_recipe("mininet_small_data")
    assert fixed.resolved(steps_per_pass=7) == fixed


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("input_size_px=[100,320]", "multiples of 32"),
        ("output=L", "one of F, H, Q, E"),
        ("mininet.variant=tiny", "original, medium, small"),
        ("mininet.layers=3", "no recipe field"),
        ("pose_encoder=vgg", "one of resnet18, light"),
        ("batch_size=0", "batch_size must be at least 1"),
        ("clip_norm=-1", "clip_norm must be at least 0"),
        ("learning_rate=0", "learning_rate"),
        ("smoothness_scale_decay=2", "smoothness_scale_decay"),
        ("jitter_probability=1.5", "jitter_probability"),
        ("augmentation.max_zoom=1.2", "max_zoom must be 1"),
    ],
)
def test_a_wrong_override_is_refused_with_its_reason(override: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        overridden(find_video_recipe("mininet_kitti"), [override])


def test_a_students_recipe_is_refused() -> None:
    with pytest.raises(ValueError, match="network must be 'mininet'"):
        VideoRecipe.from_dict({"network": "student", "name": "demo"})


def test_an_unknown_recipe_is_named_beside_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"papers.*mininet_kitti.*mininet_small_data"):
        find_video_recipe("papers")
