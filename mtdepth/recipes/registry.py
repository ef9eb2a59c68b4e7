"""The recipes by name."""

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
