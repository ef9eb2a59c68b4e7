"""The learning rate follows the recipe's numbers."""

import dataclasses

import pytest

from mtdepth.recipes.registry import find_recipe
from mtdepth.training.schedule import learning_rate


def test_the_papers_rate_falls_by_a_tenth_each_epoch() -> None:
    recipe = dataclasses.replace(find_recipe("multitask_kitti"), warmup_steps=0)
    assert learning_rate(recipe, 0) == pytest.approx(0.01)
    assert learning_rate(recipe, 999) == pytest.approx(0.01)
    assert learning_rate(recipe, 1000) == pytest.approx(0.009)
    # 0.01 * 0.9^19, the twentieth epoch
    assert learning_rate(recipe, 19_999) == pytest.approx(0.01 * 0.9**19)


def test_the_warm_up_rises_linearly() -> None:
    recipe = find_recipe("multitask_kitti")
    # 500 warm-up steps: step 49 is 50/501 of the way.
    assert learning_rate(recipe, 49) == pytest.approx(0.01 * 50 / 501)
    assert learning_rate(recipe, 500) == pytest.approx(0.01)


def test_the_cosine_is_half_way_in_the_middle_and_nearly_nothing_at_the_end() -> None:
    recipe = dataclasses.replace(find_recipe("small_data"), warmup_steps=0)
    middle = recipe.num_steps // 2
    assert learning_rate(recipe, middle) == pytest.approx(recipe.learning_rate / 2)
    assert learning_rate(recipe, recipe.num_steps - 1) < recipe.learning_rate * 1e-4
