"""The recipes by name."""

from mtdepth.recipes import demo, multitask_kitti, small_data
from mtdepth.recipes.base import TrainRecipe

RECIPES: dict[str, TrainRecipe] = {
    recipe.name: recipe for recipe in (multitask_kitti.RECIPE, small_data.RECIPE, demo.RECIPE)
}


def find_recipe(name: str) -> TrainRecipe:
    """Returns a recipe by name.

    Raises:
      ValueError: If there is none, naming those there are.
    """
    if name not in RECIPES:
        raise ValueError(f"no recipe {name!r}; there are {', '.join(sorted(RECIPES))}")
    return RECIPES[name]
