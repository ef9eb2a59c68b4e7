"""Sets down houses along a street and its side streets."""

import numpy as np

from data_prep.demo_world import objects_plants as plants
from data_prep.demo_world import objects_vehicles as vehicles
from data_prep.demo_world.objects_buildings import HouseKind, house, house_size, shop_front
from data_prep.demo_world.plot import SIDES, Plot, facing_road


def houses(plot: Plot, side: int) -> None:
    """A front of houses, which stand at the height of their feet."""
    rng, x_m = plot.rng, plot.start_m
    turn = facing_road(side)
    while x_m < plot.end_m:
        kind = plot.district.houses[int(rng.integers(len(plot.district.houses)))]
        size = house_size(rng, kind, storeys=plot.storeys)
        end_m = x_m + size.length_m
        if rng.random() < plot.built and not plot.road.is_crossing(x_m - 3.0, end_m + 3.0):
            solids = house(rng, kind, size)
            if kind in ("terrace", "block") and rng.random() < plot.district.shops:
                solids += shop_front(rng, size)
            foot_m = plot.front_m(side) + rng.uniform(0.0, 1.0 + 0.3 * plot.road.garden_m)
            lateral_m = side * (foot_m + size.depth_m / 2)
            middle_m = (x_m + end_m) / 2
            plot.put(solids, middle_m, lateral_m, turn=turn, foot_lateral_m=side * foot_m)
            plot.houses_m[side].append((x_m, end_m))
        gap_m = 0.02 if kind == "terrace" and rng.random() < 0.8 else rng.uniform(4.0, 11.0)
        x_m = end_m + gap_m


def far_houses(plot: Plot, side: int) -> None:
    """Houses and halls far behind the gaps that an open street has."""
    rng = plot.rng
    for start_m, end_m in plot.gaps_m[side]:
        for _ in range(int(rng.integers(0, 4)) if end_m - start_m > 8.0 else 0):
            kind: HouseKind = ("detached", "hall", "block", "barn")[int(rng.integers(4))]
            size = house_size(rng, kind, storeys=rng.uniform(1.5, 4.0))
            lateral_m = side * (plot.road.edge_m(side) + rng.uniform(80.0, 170.0))
            x_m = rng.uniform(start_m, end_m) + 60.0
            plot.put(house(rng, kind, size), x_m, lateral_m, turn=rng.uniform(0.0, 6.3))


def side_street(plot: Plot, x_m: float) -> None:
    """Houses and trees along it, a car that waits to turn in."""
    rng, road = plot.rng, plot.road
    lane_m = road.crossing_half_m / 2
    for side in SIDES:
        edge_m = road.edge_m(side)
        if rng.random() < 0.45:
            # Traffic keeps to the right: it comes from the side along -side.
            at_m = x_m - side * lane_m
            waiting_m = edge_m + 4.0 + rng.uniform(0.0, 3.0)
            plot.put(vehicles.car(rng), at_m, side * waiting_m, turn=-side * np.pi / 2)
        for flank in SIDES:
            turn = -flank * np.pi / 2
            away_m = plot.front_m(side) + 24.0
            while away_m < edge_m + 85.0:
                kind = plot.district.houses[int(rng.integers(len(plot.district.houses)))]
                size = house_size(rng, kind, storeys=plot.storeys)
                foot_m = road.crossing_half_m + road.sidewalk_m + rng.uniform(0.5, 4.0)
                if rng.random() < 0.8 * plot.built:
                    plot.put(
                        house(rng, kind, size),
                        x_m + flank * (foot_m + size.depth_m / 2),
                        side * (away_m + size.length_m / 2),
                        turn=turn,
                    )
                elif rng.random() < 0.6:
                    tree = plants.any_tree(rng, height_m=rng.uniform(6.0, 12.0), num_blobs=7)
                    plot.put(tree, x_m + flank * (foot_m + 3.0), side * away_m)
                away_m += size.length_m + rng.uniform(0.5, 8.0)
