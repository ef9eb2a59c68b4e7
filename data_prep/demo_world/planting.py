"""Sets down all that stands still along a street."""

from data_prep.demo_world import planting_green as green
from data_prep.demo_world import planting_houses as houses
from data_prep.demo_world import planting_kerb as kerb
from data_prep.demo_world.plot import SIDES, Plot


def plant(plot: Plot) -> None:
    """Fills a plot; houses come first, since trees keep out of them."""
    for side in SIDES:
        houses.houses(plot, side)
        green.borders(plot, side)
        green.street_trees(plot, side)
        green.garden_trees(plot, side)
        green.thicket(plot, side)
        green.background(plot, side)
        houses.far_houses(plot, side)
        kerb.posts(plot, side)
        kerb.signs(plot, side)
        kerb.roadside(plot, side)
        kerb.people_and_clutter(plot, side)
        kerb.parked_cars(plot, side)
    kerb.median(plot)
    for x_m in plot.road.crossings_x_m:
        kerb.junction(plot, x_m)
        houses.side_street(plot, x_m)
    kerb.overhead(plot)
    green.far_end(plot)
