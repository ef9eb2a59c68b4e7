"""The learning rate follows the recipe's numbers."""

import dataclasses

import pytest
from fakes.video_networks import tiny_video_recipe

from mtdepth.recipes.base import overridden
from mtdepth.recipes.registry import find_recipe


def test_the_papers_rate_falls_by_a_tenth_each_epoch() -> None:
    recipe = dataclasses.replace(find_recipe("multitask_kitti"), warmup_steps=0)
    assert recipe.rate(0) == pytest.approx(0.01)
    assert recipe.rate(999) == pytest.approx(0.01)
    assert recipe.rate(1000) == pytest.approx(0.009)
    # 0.01 * 0.9^19, the twentieth epoch
    assert recipe.rate(19_999) == pytest.approx(0.01 * 0.9**19)


def test_the_warm_up_rises_linearly() -> None:
    recipe = find_recipe("multitask_kitti")
    # 500 warm-up steps: step 49 is 50/501 of the way.
    assert recipe.rate(49) == pytest.approx(0.01 * 50 / 501)
    assert recipe.rate(500) == pytest.approx(0.01)


def test_the_cosine_is_half_way_in_the_middle_and_nearly_nothing_at_the_end() -> None:
    recipe = dataclasses.replace(find_recipe("small_data"), warmup_steps=0)
    middle = recipe.num_steps // 2
    assert recipe.rate(middle) == pytest.approx(recipe.learning_rate / 2)
    assert recipe.rate(recipe.num_steps - 1) < recipe.learning_rate * 1e-4


def test_a_recipe_of_video_halves_the_rate_as_often_as_it_says() -> None:
    recipe = overridden(tiny_video_recipe(), ["halve_every_epochs=2", "num_epochs=5"])
    rates = [recipe.rate(3 * epoch) / recipe.learning_rate for epoch in range(5)]
    assert rates == [1, 1, 0.5, 0.5, 0.25]
