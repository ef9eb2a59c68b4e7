"""The recipes by name."""

import dataclasses
from collections.abc import Mapping
from typing import TypeVar

from mtdepth.files import UserError
from mtdepth.recipes import (
    best,
    demo,
    mininet_kitti,
    mininet_small_data,
    multitask_kitti,
    small_data,
)
from mtdepth.recipes.base import TrainRecipe
from mtdepth.recipes.video import VideoRecipe
from mtdepth.specs.student import designed

RECIPES: dict[str, TrainRecipe] = {
    recipe.name: recipe
    for recipe in (multitask_kitti.RECIPE, small_data.RECIPE, demo.RECIPE, best.RECIPE)
}
VIDEO_RECIPES: dict[str, VideoRecipe] = {
    recipe.name: recipe for recipe in (mininet_kitti.RECIPE, mininet_small_data.RECIPE)
}

Named = TypeVar("Named")


def find_recipe(name: str) -> TrainRecipe:
    """Returns a recipe of the student by name.

    Raises:
      UserError: If there is none, naming those there are.
    """
    return _find(name, RECIPES)


def with_design(recipe: TrainRecipe, design: str | None) -> TrainRecipe:
    """The recipe with the decoder of a named design; None leaves it.

    A recipe's own start is of its own network: where the design is another it begins from nothing.

    Raises:
      UserError: If there is no such design.
    """
    student = designed(recipe.student, design) if design else recipe.student
    if student == recipe.student:
        return recipe
    return dataclasses.replace(recipe, student=student, start_from="")


def find_video_recipe(name: str) -> VideoRecipe:
    """Returns a recipe of MiniNet by name.

    Raises:
      UserError: If there is none, naming those there are.
    """
    return _find(name, VIDEO_RECIPES)


def _find(name: str, recipes: Mapping[str, Named]) -> Named:
    if name not in recipes:
        raise UserError(f"no recipe {name!r}; there are {', '.join(sorted(recipes))}")
    return recipes[name]
