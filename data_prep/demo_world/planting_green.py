"""Sets down gardens: borders, trees, thickets, and the woods that close the view."""

import numpy as np

from data_prep.demo_world import objects_furniture as furniture
from data_prep.demo_world import objects_plants as plants
from data_prep.demo_world.plot import PIECE_M, Plot, facing_road


def borders(plot: Plot, side: int) -> None:
    """Walls, fences and hedges between sidewalk and garden."""
    rng, district, x_m = plot.rng, plot.district, plot.start_m
    likely = rng.uniform(*district.bordered)
    usual = district.borders[int(rng.integers(len(district.borders)))]
    height_m = rng.uniform(0.8, 1.8)
    lateral_m = side * (plot.road.edge_m(side) + plot.road.sidewalk_m + 0.6)
    while x_m < plot.end_m:
        length_m = PIECE_M * int(rng.integers(1, 6))
        kind = usual
        if rng.random() < 0.35:
            kind = district.borders[int(rng.integers(len(district.borders)))]
            height_m = rng.uniform(0.8, 1.8)
        if rng.random() < likely and not plot.road.is_crossing(x_m - 1, x_m + length_m + 1):
            for at_m in np.arange(x_m, x_m + length_m - 0.1, PIECE_M) + PIECE_M / 2:
                if kind == "hedge":
                    piece = plants.hedge(rng, length_m=PIECE_M, height_m=height_m)
                else:
                    piece = furniture.border(rng, kind, length_m=PIECE_M - 0.02, height_m=height_m)
                plot.put(piece, float(at_m), lateral_m)
        elif plot.road.garden_m > 2.0 and rng.random() < 0.5:
            bush = plants.bush(rng, radius_m=rng.uniform(0.5, 1.1))
            if not plot.road.is_crossing(x_m - 2, x_m + 2):
                plot.put(bush, x_m, lateral_m + side * 1.3)
        x_m += length_m + (rng.uniform(0.0, 3.5) if rng.random() < 0.4 else 0.0)


def street_trees(plot: Plot, side: int) -> None:
    """A row of trees of one kind, in the verge or at the sidewalk's outer edge."""
    rng, road, x_m = plot.rng, plot.road, plot.start_m
    likely, height_m = rng.uniform(*plot.district.street_trees), rng.uniform(6.0, 14.0)
    step_m = rng.uniform(7.0, 14.0)
    if road.verge_m > 1.0 and road.verge_m < road.sidewalk_m:
        lateral_m = road.edge_m(side) + road.verge_m / 2
    elif road.garden_m > 3.0:
        lateral_m = road.edge_m(side) + road.sidewalk_m + 2.0
    else:
        lateral_m = road.edge_m(side) + road.sidewalk_m - 0.5
        height_m *= 0.7
    while x_m < plot.end_m:
        if rng.random() < likely and not road.is_crossing(x_m - 2.0, x_m + 2.0):
            tree = plants.tree(rng, height_m=height_m * rng.uniform(0.75, 1.25))
            plot.put(tree, x_m, side * lateral_m, turn=rng.uniform(0.0, 6.3))
        x_m += step_m * rng.uniform(0.8, 1.2)


def garden_trees(plot: Plot, side: int) -> None:
    """Trees and bushes in gardens and open ground, none inside a house."""
    rng, road = plot.rng, plot.road
    per_10_m = rng.uniform(*plot.district.garden_trees)
    for _ in range(int(per_10_m * (plot.end_m - plot.start_m) / 10.0)):
        x_m = rng.uniform(plot.start_m, plot.end_m)
        is_built = plot.is_built(side, x_m, 3.5)
        nearest_m = road.edge_m(side) + road.sidewalk_m + 2.6
        farthest_m = plot.front_m(side) + (-2.4 if is_built else 24.0)
        if farthest_m < nearest_m or road.is_crossing(x_m - 3.5, x_m + 3.5):
            continue
        lateral_m = side * rng.uniform(nearest_m, farthest_m)
        if rng.random() < 0.25:
            plot.put(plants.bush(rng, radius_m=rng.uniform(0.6, 1.6)), x_m, lateral_m)
            continue
        height_m = rng.uniform(3.5, 7.0) if is_built else rng.uniform(5.0, 15.0)
        num_blobs = 12 if abs(lateral_m) < 16.0 else 8
        tree = plants.any_tree(rng, height_m=height_m, num_blobs=num_blobs)
        plot.put(tree, x_m, lateral_m, turn=rng.uniform(0.0, 6.3))


def thicket(plot: Plot, side: int) -> None:
    """Overgrown stretches behind the verge."""
    rng, road, x_m = plot.rng, plot.road, plot.start_m
    share = rng.uniform(*plot.district.thicket)
    while x_m < plot.end_m:
        length_m = rng.uniform(7.0, 11.0)
        middle_m = x_m + length_m / 2
        if (
            rng.random() < share
            and not road.is_crossing(x_m - 2.0, x_m + length_m + 2.0)
            and not plot.is_built(side, middle_m, 7.0)
        ):
            height_m = rng.uniform(2.0, 6.5)
            lateral_m = road.edge_m(side) + road.sidewalk_m + 1.2 + 0.7 * height_m
            growth = plants.thicket(rng, length_m=length_m, height_m=height_m)
            plot.put(growth, middle_m, side * lateral_m, turn=facing_road(side))
        x_m += length_m


def background(plot: Plot, side: int) -> None:
    """Trees behind the houses and woods that close the view."""
    rng, x_m = plot.rng, plot.start_m
    is_open = rng.random() < 0.35
    while x_m < plot.end_m + 60.0:
        if not plot.road.is_crossing(x_m - 8.0, x_m + 8.0):
            if rng.random() < 0.85:
                lateral_m = side * (plot.front_m(side) + rng.uniform(22.0, 60.0))
                tree = plants.any_tree(rng, height_m=rng.uniform(8.0, 18.0), num_blobs=6)
                plot.put(tree, x_m, lateral_m)
            if not is_open or rng.random() < 0.25:
                far_m = side * (plot.front_m(side) + rng.uniform(38.0, 90.0))
                wood = plants.far_wood(rng, length_m=18.0, height_m=rng.uniform(8.0, 16.0))
                plot.put(wood, x_m, far_m)
        x_m += rng.uniform(12.0, 20.0)


def far_end(plot: Plot) -> None:
    """Houses and woods on both sides of the road's far end."""
    rng, lateral_m = plot.rng, -95.0
    while lateral_m < 95.0:
        x_m = plot.end_m + rng.uniform(15.0, 45.0)
        if abs(lateral_m) > plot.front_m(1 if lateral_m > 0 else -1) + 10.0:
            height_m = rng.uniform(8.0, 15.0)
            wood = plants.far_wood(rng, length_m=16.0, height_m=height_m)
            plot.put(wood, x_m, lateral_m, turn=np.pi / 2)
        lateral_m += rng.uniform(9.0, 16.0)
