"""Sets down what stands at the kerb: posts, signs, rails, people, parked vehicles."""

import numpy as np

from data_prep.demo_world import objects_furniture as furniture
from data_prep.demo_world import objects_people as people
from data_prep.demo_world import objects_plants as plants
from data_prep.demo_world import objects_vehicles as vehicles
from data_prep.demo_world.district import ACROSS_M, PARKING_M
from data_prep.demo_world.plot import PIECE_M, SIDES, Plot, facing_road

_BRIDGE = 0.10  # ours: chance of a bridge overhead


def posts(plot: Plot, side: int) -> None:
    """Lamps, masts or bollards."""
    rng, road = plot.rng, plot.road
    step_m, lateral_m = rng.uniform(15.0, 30.0), road.edge_m(side) + 0.55
    has_lamps = rng.random() < plot.district.lamps
    has_masts = not has_lamps and rng.random() < 0.5
    has_bollards = road.kerb_m > 0.05 and rng.random() < 0.25
    if has_masts:
        lateral_m = road.edge_m(side) + max(road.sidewalk_m, 1.6) + 0.5
    state = rng.bit_generator.state
    for x_m in np.arange(plot.start_m + rng.uniform(0.0, 20.0), plot.end_m, step_m):
        if (has_lamps or has_masts) and not road.is_crossing(float(x_m), float(x_m)):
            # All lamps of a street are alike.
            alike = np.random.default_rng(int(state["state"]["state"]) % 2**32)
            post = furniture.lamp_post(alike) if has_lamps else furniture.mast(alike)
            plot.put(post, float(x_m), side * lateral_m, turn=facing_road(side))
        if has_bollards:
            for at_m in x_m + np.arange(3.0, min(step_m, 14.0), 1.8):
                if not road.is_crossing(float(at_m), float(at_m)):
                    plot.put(furniture.bollard(rng), float(at_m), side * (lateral_m - 0.1))


def signs(plot: Plot, side: int) -> None:
    """Signs and direction boards, most towards those who drive on their side."""
    rng, road = plot.rng, plot.road
    x_m = plot.start_m + rng.uniform(0.0, 25.0)
    while x_m < plot.end_m:
        if not road.is_crossing(x_m - 0.5, x_m + 0.5):
            kind = rng.random()
            if kind < 0.78:
                sign = furniture.sign_post(rng)
            elif kind < 0.90:
                sign = furniture.chevron(rng)
            else:
                sign = furniture.direction_board(rng)
            aside_m = 2.4 if kind >= 0.90 else 0.75
            # Most look at those who drive on their side.
            seen_by_ego = side < 0 or rng.random() < 0.3
            turn = (-np.pi / 2 if seen_by_ego else np.pi / 2) + rng.uniform(-0.15, 0.15)
            plot.put(sign, x_m, side * (road.edge_m(side) + aside_m), turn=turn)
        x_m += rng.uniform(*plot.district.signs_step_m)


def roadside(plot: Plot, side: int) -> None:
    """Delineators or guard rails."""
    rng, road, x_m = plot.rng, plot.road, plot.start_m
    if plot.district.roadside == "none":
        return
    lateral_m = side * (road.edge_m(side) + 0.8)
    if plot.district.roadside == "delineators" and rng.random() < 0.75:
        for at_m in np.arange(plot.start_m, plot.end_m, 25.0):
            if not road.is_crossing(float(at_m), float(at_m)):
                plot.put(furniture.delineator(rng), float(at_m), lateral_m)
        return
    while x_m < plot.end_m:
        if rng.random() < 0.97 and not road.is_crossing(x_m - 1.0, x_m + PIECE_M + 1.0):
            rail = furniture.guard_rail(rng, length_m=PIECE_M)
            plot.put(rail, x_m + PIECE_M / 2, lateral_m, turn=facing_road(side))
        x_m += PIECE_M


def people_and_clutter(plot: Plot, side: int) -> None:
    """People who stand, parked two-wheelers and clutter on the sidewalk."""
    rng, road = plot.rng, plot.road
    if road.sidewalk_m <= road.verge_m:
        return
    x_m = plot.start_m + rng.uniform(0.0, 30.0)
    near_m, far_m = road.edge_m(side) + road.verge_m, road.edge_m(side) + road.sidewalk_m
    while x_m < plot.end_m:
        if not road.is_crossing(x_m - 2.5, x_m + 4.0):
            kind, at_m = rng.random(), side * (far_m - 0.4)
            if kind < 0.40:
                someone = people.person(rng, is_walking=False)
                middle_m = side * rng.uniform(near_m + 0.4, far_m - 0.3)
                plot.put(someone, x_m, middle_m, turn=rng.uniform(0.0, 6.3))
            elif kind < 0.62:
                for number in range(int(rng.integers(1, 5))):
                    turn = np.pi / 2 + rng.normal(0.0, 0.12)
                    plot.put(people.bicycle(rng), x_m + 0.7 * number, at_m - side * 0.5, turn=turn)
            elif kind < 0.75:
                plot.put(people.motorcycle(rng), x_m, at_m, turn=rng.uniform(-0.4, 0.4))
            else:
                plot.put(furniture.clutter(rng), x_m, at_m, turn=facing_road(side))
        x_m += rng.uniform(*plot.district.people_step_m)


def parked_cars(plot: Plot, side: int) -> None:
    """Cars one behind the other in the parking strip, some turned round."""
    rng, road, x_m = plot.rng, plot.road, plot.start_m
    strip_m = road.parking_left_m if side > 0 else road.parking_right_m
    if strip_m < PARKING_M:
        return
    lateral_m = side * (road.edge_m(side) - strip_m / 2)
    likely = rng.uniform(*plot.district.parked)
    while x_m < plot.end_m:
        is_truck = rng.random() < 0.03 and strip_m < ACROSS_M
        vehicle = vehicles.truck(rng) if is_truck else vehicles.car(rng)
        is_across = strip_m > ACROSS_M
        half_m = 1.05 if is_across else vehicles.half_length_m(vehicle)
        if rng.random() < likely and not road.is_crossing(x_m - 3.0, x_m + 2 * half_m + 3.0):
            is_turned = (side > 0) != (rng.random() < 0.12)
            turn = np.pi * is_turned + rng.normal(0.0, 0.02) + is_across * np.pi / 2
            jitter_m = float(rng.normal(0.0, 0.06))
            plot.put(vehicle, x_m + half_m, lateral_m + jitter_m, turn=turn)
        x_m += 2 * half_m + rng.uniform(0.5, 1.6)


def median(plot: Plot) -> None:
    """Trees, bushes, a guard rail, or a tramway's masts between the directions."""
    rng, road = plot.rng, plot.road
    if road.median_m < 1.4:
        return
    if plot.district.roadside == "guard rail":
        for x_m in np.arange(plot.start_m, plot.end_m, PIECE_M):
            if not road.is_crossing(float(x_m) - 4.0, float(x_m) + 8.0):
                rail = furniture.guard_rail(rng, length_m=PIECE_M)
                plot.put(rail, float(x_m) + PIECE_M / 2, 0.0, turn=np.pi)
        return
    has_trees = not road.has_track and rng.random() < 0.7
    height_m = rng.uniform(5.0, 12.0)
    for x_m in np.arange(plot.start_m, plot.end_m, rng.uniform(9.0, 16.0)):
        if road.is_crossing(float(x_m) - 5.0, float(x_m) + 5.0):
            continue
        if road.has_track and road.median_m > 4.0:
            plot.put(furniture.mast(rng), float(x_m), road.median_m / 2 - 0.45)
        elif has_trees:
            tree = plants.tree(rng, height_m=height_m * rng.uniform(0.8, 1.2))
            plot.put(tree, float(x_m), 0.0)
        elif not road.has_track:
            plot.put(plants.bush(rng, radius_m=0.35 * min(road.median_m, 3.0)), float(x_m), 0.0)


def junction(plot: Plot, x_m: float) -> None:
    """Traffic lights or give-way signs, towards both directions."""
    rng, road = plot.rng, plot.road
    has_signals = rng.random() < plot.district.signals
    reach_m = road.crossing_half_m + 0.8
    for side in SIDES:
        before_m = x_m + side * reach_m
        kerb_m = side * (road.edge_m(side) + 0.5)
        turn = side * np.pi / 2
        if has_signals:
            arm_m = road.lane_m + 1.0 if rng.random() < 0.4 else 0.0
            plot.put(furniture.traffic_light(rng, arm_m=arm_m), before_m, kerb_m, turn=turn)
            if road.median_m > 1.0:
                aside_m = side * (road.median_m / 2 - 0.4)
                plot.put(furniture.traffic_light(rng), before_m + 2.6 * side, aside_m,
                          turn=turn)  # fmt: skip
            # The one beyond the junction, on the other side.
            plot.put(furniture.traffic_light(rng), x_m - side * reach_m, kerb_m, turn=turn)
        elif rng.random() < 0.6:
            plot.put(furniture.sign_post(rng), before_m, kerb_m, turn=turn)


def overhead(plot: Plot) -> None:
    """Perhaps a bridge across."""
    rng, road = plot.rng, plot.road
    if plot.district.name not in ("avenue", "country", "arterial"):
        return
    x_m = rng.uniform(plot.start_m + 90.0, plot.end_m)
    if rng.random() < _BRIDGE and not road.is_crossing(x_m - 25.0, x_m + 25.0):
        span_m = max(road.left_edge_m, -road.right_edge_m) + road.sidewalk_m
        plot.put(furniture.bridge(half_span_m=span_m, clearance_m=rng.uniform(4.7, 6.0)), x_m, 0.0)
