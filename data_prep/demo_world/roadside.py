"""All that stands still along a street: houses, gardens, posts, signs, people, parked vehicles."""

import numpy as np

from data_prep.demo_world import furniture, people, vehicles
from data_prep.demo_world import houses_trees as plants
from data_prep.demo_world.district import ACROSS_M, PARKING_M
from data_prep.demo_world.houses_trees import HouseKind, house, house_size, shop_front
from data_prep.demo_world.placing import PIECE_M, SIDES, SceneBuilder, facing_road
from data_prep.demo_world.solids import half_extents_m


def houses(scene: SceneBuilder, side: int) -> None:
    """A front of houses, which stand at the height of their feet."""
    rng, x_m = scene.rng, scene.start_m
    turn = facing_road(side)
    while x_m < scene.end_m:
        kind = scene.district.houses[int(rng.integers(len(scene.district.houses)))]
        size = house_size(rng, kind, storeys=scene.storeys)
        end_m = x_m + size.length_m
        if rng.random() < scene.built and not scene.road.is_crossing(x_m - 3.0, end_m + 3.0):
            solids = house(rng, kind, size)
            if kind in ("terrace", "block") and rng.random() < scene.district.shops:
                solids += shop_front(rng, size)
            foot_m = scene.front_m(side) + rng.uniform(0.0, 1.0 + 0.3 * scene.road.garden_m)
            lateral_m = side * (foot_m + size.depth_m / 2)
            middle_m = (x_m + end_m) / 2
            scene.put(solids, middle_m, lateral_m, turn=turn, foot_lateral_m=side * foot_m)
            scene.houses_m[side].append((x_m, end_m))
        gap_m = 0.02 if kind == "terrace" and rng.random() < 0.8 else rng.uniform(4.0, 11.0)
        x_m = end_m + gap_m


def far_houses(scene: SceneBuilder, side: int) -> None:
    """Houses and halls far behind the gaps that an open street has."""
    rng = scene.rng
    for start_m, end_m in scene.gaps_m[side]:
        for _ in range(int(rng.integers(0, 4)) if end_m - start_m > 8.0 else 0):
            kind: HouseKind = ("detached", "hall", "block", "barn")[int(rng.integers(4))]
            size = house_size(rng, kind, storeys=rng.uniform(1.5, 4.0))
            lateral_m = side * (scene.road.edge_m(side) + rng.uniform(80.0, 170.0))
            x_m = rng.uniform(start_m, end_m) + 60.0
            scene.put(house(rng, kind, size), x_m, lateral_m, turn=rng.uniform(0.0, 6.3))


def side_street(scene: SceneBuilder, x_m: float) -> None:
    """Houses and trees along it, a car that waits to turn in."""
    rng, road = scene.rng, scene.road
    lane_m = road.crossing_half_m / 2
    for side in SIDES:
        edge_m = road.edge_m(side)
        if rng.random() < 0.45:
            # Traffic keeps to the right: it comes from the side along -side.
            at_m = x_m - side * lane_m
            waiting_m = edge_m + 4.0 + rng.uniform(0.0, 3.0)
            scene.put(vehicles.car(rng), at_m, side * waiting_m, turn=-side * np.pi / 2)
        for flank in SIDES:
            turn = -flank * np.pi / 2
            away_m = scene.front_m(side) + 24.0
            while away_m < edge_m + 85.0:
                kind = scene.district.houses[int(rng.integers(len(scene.district.houses)))]
                size = house_size(rng, kind, storeys=scene.storeys)
                foot_m = road.crossing_half_m + road.sidewalk_m + rng.uniform(0.5, 4.0)
                if rng.random() < 0.8 * scene.built:
                    scene.put(
                        house(rng, kind, size),
                        x_m + flank * (foot_m + size.depth_m / 2),
                        side * (away_m + size.length_m / 2),
                        turn=turn,
                    )
                elif rng.random() < 0.6:
                    tree = plants.any_tree(rng, height_m=rng.uniform(6.0, 12.0), num_blobs=7)
                    scene.put(tree, x_m + flank * (foot_m + 3.0), side * away_m)
                away_m += size.length_m + rng.uniform(0.5, 8.0)


def borders(scene: SceneBuilder, side: int) -> None:
    """Walls, fences and hedges between sidewalk and garden."""
    rng, district, x_m = scene.rng, scene.district, scene.start_m
    likely = rng.uniform(*district.bordered)
    usual = district.borders[int(rng.integers(len(district.borders)))]
    height_m = rng.uniform(0.8, 1.8)
    lateral_m = side * (scene.road.edge_m(side) + scene.road.sidewalk_m + 0.6)
    while x_m < scene.end_m:
        length_m = PIECE_M * int(rng.integers(1, 6))
        kind = usual
        if rng.random() < 0.35:
            kind = district.borders[int(rng.integers(len(district.borders)))]
            height_m = rng.uniform(0.8, 1.8)
        if rng.random() < likely and not scene.road.is_crossing(x_m - 1, x_m + length_m + 1):
            for at_m in np.arange(x_m, x_m + length_m - 0.1, PIECE_M) + PIECE_M / 2:
                if kind == "hedge":
                    piece = plants.hedge(rng, length_m=PIECE_M, height_m=height_m)
                else:
                    piece = furniture.border(rng, kind, length_m=PIECE_M - 0.02, height_m=height_m)
                scene.put(piece, float(at_m), lateral_m)
        elif scene.road.garden_m > 2.0 and rng.random() < 0.5:
            bush = plants.bush(rng, radius_m=rng.uniform(0.5, 1.1))
            if not scene.road.is_crossing(x_m - 2, x_m + 2):
                scene.put(bush, x_m, lateral_m + side * 1.3)
        x_m += length_m + (rng.uniform(0.0, 3.5) if rng.random() < 0.4 else 0.0)


def street_trees(scene: SceneBuilder, side: int) -> None:
    """A row of trees of one kind, in the verge or at the sidewalk's outer edge."""
    rng, road, x_m = scene.rng, scene.road, scene.start_m
    likely, height_m = rng.uniform(*scene.district.street_trees), rng.uniform(6.0, 18.0)
    step_m = rng.uniform(7.0, 14.0)
    if road.verge_m > 1.0 and road.verge_m < road.sidewalk_m:
        lateral_m = road.edge_m(side) + road.verge_m / 2
    elif road.garden_m > 3.0:
        lateral_m = road.edge_m(side) + road.sidewalk_m + 2.0
    else:
        lateral_m = road.edge_m(side) + road.sidewalk_m - 0.5
        height_m *= 0.7
    while x_m < scene.end_m:
        if rng.random() < likely and not road.is_crossing(x_m - 2.0, x_m + 2.0):
            tree = plants.tree(rng, height_m=height_m * rng.uniform(0.75, 1.25))
            scene.put(tree, x_m, side * lateral_m, turn=rng.uniform(0.0, 6.3))
        x_m += step_m * rng.uniform(0.8, 1.2)


def garden_trees(scene: SceneBuilder, side: int) -> None:
    """Trees and bushes in gardens and open ground, none inside a house."""
    rng, road = scene.rng, scene.road
    per_10_m = rng.uniform(*scene.district.garden_trees)
    for _ in range(int(per_10_m * (scene.end_m - scene.start_m) / 10.0)):
        x_m = rng.uniform(scene.start_m, scene.end_m)
        is_built = scene.is_built(side, x_m, 3.5)
        nearest_m = road.edge_m(side) + road.sidewalk_m + 2.6
        farthest_m = scene.front_m(side) + (-2.4 if is_built else 24.0)
        if farthest_m < nearest_m or road.is_crossing(x_m - 3.5, x_m + 3.5):
            continue
        lateral_m = side * rng.uniform(nearest_m, farthest_m)
        if rng.random() < 0.25:
            scene.put(plants.bush(rng, radius_m=rng.uniform(0.6, 1.6)), x_m, lateral_m)
            continue
        height_m = rng.uniform(3.5, 7.0) if is_built else rng.uniform(5.0, 20.0)
        num_blobs = 12 if abs(lateral_m) < 16.0 else 8
        tree = plants.any_tree(rng, height_m=height_m, num_blobs=num_blobs)
        scene.put(tree, x_m, lateral_m, turn=rng.uniform(0.0, 6.3))


def thicket(scene: SceneBuilder, side: int) -> None:
    """Overgrown stretches behind the verge."""
    rng, road, x_m = scene.rng, scene.road, scene.start_m
    share = rng.uniform(*scene.district.thicket)
    while x_m < scene.end_m:
        length_m = rng.uniform(7.0, 11.0)
        middle_m = x_m + length_m / 2
        if (
            rng.random() < share
            and not road.is_crossing(x_m - 2.0, x_m + length_m + 2.0)
            and not scene.is_built(side, middle_m, 7.0)
        ):
            height_m = rng.uniform(2.0, 9.0)
            lateral_m = road.edge_m(side) + road.sidewalk_m + 1.2 + 0.7 * height_m
            growth = plants.thicket(rng, length_m=length_m, height_m=height_m)
            scene.put(growth, middle_m, side * lateral_m, turn=facing_road(side))
        x_m += length_m


def background(scene: SceneBuilder, side: int) -> None:
    """Trees behind the houses and woods that close the view."""
    rng, x_m = scene.rng, scene.start_m
    is_open = rng.random() < 0.25
    while x_m < scene.end_m + 60.0:
        if not scene.road.is_crossing(x_m - 8.0, x_m + 8.0):
            if rng.random() < 0.85:
                lateral_m = side * (scene.front_m(side) + rng.uniform(10.0, 45.0))
                tree = plants.any_tree(rng, height_m=rng.uniform(8.0, 22.0), num_blobs=6)
                scene.put(tree, x_m, lateral_m)
            if not is_open or rng.random() < 0.25:
                far_m = side * (scene.front_m(side) + rng.uniform(22.0, 70.0))
                wood = plants.far_wood(rng, length_m=18.0, height_m=rng.uniform(8.0, 20.0))
                scene.put(wood, x_m, far_m)
        x_m += rng.uniform(9.0, 16.0)


def far_end(scene: SceneBuilder) -> None:
    """Houses and woods on both sides of the road's far end."""
    rng, lateral_m = scene.rng, -95.0
    while lateral_m < 95.0:
        x_m = scene.end_m + rng.uniform(15.0, 45.0)
        if abs(lateral_m) > scene.front_m(1 if lateral_m > 0 else -1) + 10.0:
            height_m = rng.uniform(8.0, 15.0)
            wood = plants.far_wood(rng, length_m=16.0, height_m=height_m)
            scene.put(wood, x_m, lateral_m, turn=np.pi / 2)
        lateral_m += rng.uniform(9.0, 16.0)


_BRIDGE = 0.10  # ours: chance of a bridge overhead


def posts(scene: SceneBuilder, side: int) -> None:
    """Lamps, masts or bollards."""
    rng, road = scene.rng, scene.road
    step_m, lateral_m = rng.uniform(15.0, 30.0), road.edge_m(side) + 0.55
    has_lamps = rng.random() < scene.district.lamps
    has_masts = not has_lamps and rng.random() < 0.5
    has_bollards = road.kerb_m > 0.05 and rng.random() < 0.25
    if has_masts:
        lateral_m = road.edge_m(side) + max(road.sidewalk_m, 1.6) + 0.5
    state = rng.bit_generator.state
    for x_m in np.arange(scene.start_m + rng.uniform(0.0, 20.0), scene.end_m, step_m):
        if (has_lamps or has_masts) and not road.is_crossing(float(x_m), float(x_m)):
            # All lamps of a street are alike.
            alike = np.random.default_rng(int(state["state"]["state"]) % 2**32)
            post = furniture.lamp_post(alike) if has_lamps else furniture.mast(alike)
            scene.put(post, float(x_m), side * lateral_m, turn=facing_road(side))
        if has_bollards:
            for at_m in x_m + np.arange(3.0, min(step_m, 14.0), 1.8):
                if not road.is_crossing(float(at_m), float(at_m)):
                    scene.put(furniture.bollard(rng), float(at_m), side * (lateral_m - 0.1))


def signs(scene: SceneBuilder, side: int) -> None:
    """Signs and direction boards, most towards those who drive on their side."""
    rng, road = scene.rng, scene.road
    x_m = scene.start_m + rng.uniform(0.0, 25.0)
    while x_m < scene.end_m:
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
            scene.put(sign, x_m, side * (road.edge_m(side) + aside_m), turn=turn)
        x_m += rng.uniform(*scene.district.signs_step_m)


def roadside(scene: SceneBuilder, side: int) -> None:
    """Delineators or guard rails."""
    rng, road, x_m = scene.rng, scene.road, scene.start_m
    if scene.district.roadside == "none":
        return
    lateral_m = side * (road.edge_m(side) + 0.8)
    if scene.district.roadside == "delineators" and rng.random() < 0.75:
        for at_m in np.arange(scene.start_m, scene.end_m, 25.0):
            if not road.is_crossing(float(at_m), float(at_m)):
                scene.put(furniture.delineator(rng), float(at_m), lateral_m)
        return
    while x_m < scene.end_m:
        if rng.random() < 0.97 and not road.is_crossing(x_m - 1.0, x_m + PIECE_M + 1.0):
            rail = furniture.guard_rail(rng, length_m=PIECE_M)
            scene.put(rail, x_m + PIECE_M / 2, lateral_m, turn=facing_road(side))
        x_m += PIECE_M


def people_and_clutter(scene: SceneBuilder, side: int) -> None:
    """People who stand, parked two-wheelers and clutter on the sidewalk."""
    rng, road = scene.rng, scene.road
    if road.sidewalk_m <= road.verge_m:
        return
    x_m = scene.start_m + rng.uniform(0.0, 30.0)
    near_m, far_m = road.edge_m(side) + road.verge_m, road.edge_m(side) + road.sidewalk_m
    while x_m < scene.end_m:
        if not road.is_crossing(x_m - 2.5, x_m + 4.0):
            kind, at_m = rng.random(), side * (far_m - 0.4)
            if kind < 0.40:
                someone = people.person(rng, is_walking=False)
                middle_m = side * rng.uniform(near_m + 0.4, far_m - 0.3)
                scene.put(someone, x_m, middle_m, turn=rng.uniform(0.0, 6.3))
            elif kind < 0.62:
                for number in range(int(rng.integers(1, 5))):
                    turn = np.pi / 2 + rng.normal(0.0, 0.12)
                    scene.put(people.bicycle(rng), x_m + 0.7 * number, at_m - side * 0.5, turn=turn)
            elif kind < 0.75:
                scene.put(people.motorcycle(rng), x_m, at_m, turn=rng.uniform(-0.4, 0.4))
            else:
                scene.put(furniture.clutter(rng), x_m, at_m, turn=facing_road(side))
        x_m += rng.uniform(*scene.district.people_step_m)


def parked_cars(scene: SceneBuilder, side: int) -> None:
    """Cars one behind the other in the parking strip, some turned round."""
    rng, road, x_m = scene.rng, scene.road, scene.start_m
    strip_m = road.parking_left_m if side > 0 else road.parking_right_m
    if strip_m < PARKING_M:
        return
    lateral_m = side * (road.edge_m(side) - strip_m / 2)
    likely = rng.uniform(*scene.district.parked)
    while x_m < scene.end_m:
        is_truck = rng.random() < 0.03 and strip_m < ACROSS_M
        vehicle = vehicles.truck(rng) if is_truck else vehicles.car(rng)
        is_across = strip_m > ACROSS_M
        half_m = 1.05 if is_across else half_extents_m(vehicle)[0]
        if rng.random() < likely and not road.is_crossing(x_m - 3.0, x_m + 2 * half_m + 3.0):
            is_turned = (side > 0) != (rng.random() < 0.12)
            turn = np.pi * is_turned + rng.normal(0.0, 0.02) + is_across * np.pi / 2
            jitter_m = float(rng.normal(0.0, 0.06))
            scene.put(vehicle, x_m + half_m, lateral_m + jitter_m, turn=turn)
        x_m += 2 * half_m + rng.uniform(0.5, 1.6)


def median(scene: SceneBuilder) -> None:
    """Trees, bushes, a guard rail, or a tramway's masts between the directions."""
    rng, road = scene.rng, scene.road
    if road.median_m < 1.4:
        return
    if scene.district.roadside == "guard rail":
        for x_m in np.arange(scene.start_m, scene.end_m, PIECE_M):
            if not road.is_crossing(float(x_m) - 4.0, float(x_m) + 8.0):
                rail = furniture.guard_rail(rng, length_m=PIECE_M)
                scene.put(rail, float(x_m) + PIECE_M / 2, 0.0, turn=np.pi)
        return
    has_trees = not road.has_track and rng.random() < 0.7
    height_m = rng.uniform(5.0, 12.0)
    for x_m in np.arange(scene.start_m, scene.end_m, rng.uniform(9.0, 16.0)):
        if road.is_crossing(float(x_m) - 5.0, float(x_m) + 5.0):
            continue
        if road.has_track and road.median_m > 4.0:
            scene.put(furniture.mast(rng), float(x_m), road.median_m / 2 - 0.45)
        elif has_trees:
            tree = plants.tree(rng, height_m=height_m * rng.uniform(0.8, 1.2))
            scene.put(tree, float(x_m), 0.0)
        elif not road.has_track:
            scene.put(plants.bush(rng, radius_m=0.35 * min(road.median_m, 3.0)), float(x_m), 0.0)


def junction(scene: SceneBuilder, x_m: float) -> None:
    """Traffic lights or give-way signs, towards both directions."""
    rng, road = scene.rng, scene.road
    has_signals = rng.random() < scene.district.signals
    reach_m = road.crossing_half_m + 0.8
    for side in SIDES:
        before_m = x_m + side * reach_m
        kerb_m = side * (road.edge_m(side) + 0.5)
        turn = side * np.pi / 2
        if has_signals:
            arm_m = road.lane_m + 1.0 if rng.random() < 0.4 else 0.0
            scene.put(furniture.traffic_light(rng, arm_m=arm_m), before_m, kerb_m, turn=turn)
            if road.median_m > 1.0:
                aside_m = side * (road.median_m / 2 - 0.4)
                scene.put(furniture.traffic_light(rng), before_m + 2.6 * side, aside_m,
                          turn=turn)  # fmt: skip
            # The one beyond the junction, on the other side.
            scene.put(furniture.traffic_light(rng), x_m - side * reach_m, kerb_m, turn=turn)
        elif rng.random() < 0.6:
            scene.put(furniture.sign_post(rng), before_m, kerb_m, turn=turn)


def overhead(scene: SceneBuilder) -> None:
    """Perhaps a bridge across."""
    rng, road = scene.rng, scene.road
    if scene.district.name not in ("avenue", "country", "arterial"):
        return
    x_m = rng.uniform(scene.start_m + 90.0, scene.end_m)
    if rng.random() < _BRIDGE and not road.is_crossing(x_m - 25.0, x_m + 25.0):
        span_m = max(road.left_edge_m, -road.right_edge_m) + road.sidewalk_m
        scene.put(furniture.bridge(half_span_m=span_m, clearance_m=rng.uniform(4.7, 6.0)), x_m, 0.0)


def plant(scene: SceneBuilder) -> None:
    """Fills a scene; houses come first, since trees keep out of them."""
    for side in SIDES:
        houses(scene, side)
        borders(scene, side)
        street_trees(scene, side)
        garden_trees(scene, side)
        thicket(scene, side)
        background(scene, side)
        far_houses(scene, side)
        posts(scene, side)
        signs(scene, side)
        roadside(scene, side)
        people_and_clutter(scene, side)
        parked_cars(scene, side)
    median(scene)
    for x_m in scene.road.crossings_x_m:
        junction(scene, x_m)
        side_street(scene, x_m)
    overhead(scene)
    far_end(scene)
