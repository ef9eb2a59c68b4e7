"""Figures: what they show, which way up, and that they are written whole."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mtdepth.datasets.label_map import PALETTE
from mtdepth.metrics.depth import distance_sums
from mtdepth.pictures import read_rgb
from mtdepth.reporting import (
    FAR_M,
    NEAR_M,
    Comparison,
    class_iou_figure,
    comparison_sheet,
    depth_figure,
    error_by_distance_figure,
    error_to_rgb,
    nearest_points,
    overlay,
    save_figure,
    trade_off_figure,
)
from mtdepth.runtime.colors import depth_colors


def rendered(figure: Figure) -> npt.NDArray[np.uint8]:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def luminance(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    return rgb.astype(np.float64) @ [0.2126, 0.7152, 0.0722]


def comparison(title: str = "frame 7") -> Comparison:
    depth_m = np.broadcast_to(np.linspace(60, 5, 40)[:, None], (40, 120)).copy()
    ids = np.full((40, 120), 10, np.uint8)
    ids[25:] = 0
    image = np.full((40, 120, 3), 90, np.uint8)
    return Comparison(
        title=title,
        image=image,
        truth_m=np.where(np.indices((40, 120)).sum(0) % 7 == 0, depth_m, 0),
        predicted_m=depth_m * 1.1,
        truth_train_id=ids,
        predicted_train_id=ids,
    )


def test_near_is_brighter_than_far_and_unmeasured_is_black() -> None:
    depth_m = np.array([[2.0, 5.0, 10.0, 20.0, 40.0, 79.0, 0.0]])
    rgb = depth_colors(depth_m, near_m=NEAR_M, far_m=FAR_M)
    brightness = luminance(rgb)[0]
    assert (np.diff(brightness[1:6]) < 0).all()
    assert brightness[0] == brightness.max()
    assert rgb[0, -1].tolist() == [0, 0, 0]
    assert brightness[5] > 0  # far is not mistaken for unmeasured


def test_too_near_is_blue_too_far_is_red_and_right_is_white() -> None:
    truth = np.array([[10.0, 10.0, 10.0, 0.0, 10.0]])
    rgb = error_to_rgb(np.array([[6.0, 14.0, 10.0, 10.0, 0.0]]), truth).astype(int)
    near, far, right, unmeasured, unpredicted = rgb[0]
    assert near[2] > near[0] + 50
    assert far[0] > far[2] + 50
    assert right.min() > 230
    assert unmeasured.tolist() == unpredicted.tolist() == [0, 0, 0]


def test_an_enlarged_point_keeps_its_place_and_the_nearer_covers_the_farther() -> None:
    depth = np.zeros((7, 9))
    depth[2, 1], depth[2, 4] = 30.0, 5.0
    shown = depth.ravel()[nearest_points(depth, radius_px=2)]
    assert shown[2, 1] == 30.0  # a measured pixel keeps its own
    assert shown[2, 2] == 5.0  # reached by both
    assert shown[0, 0] == 30.0
    assert shown[4, 6] == 5.0
    assert shown[5, 4] == shown[2, 7] == 0  # three pixels away
    np.testing.assert_array_equal(depth.ravel()[nearest_points(depth, radius_px=0)], depth)


def test_an_overlay_shows_the_class_colour_and_leaves_ignored_pixels_alone() -> None:
    image = np.full((1, 2, 3), 100, np.uint8)
    blended = overlay(image, np.array([[13, 255]], np.uint8), opacity=0.5)
    # car is (0, 0, 142): halfway from 100
    assert blended.tolist() == [[[50, 50, 121], [100, 100, 100]]]


def test_a_sheet_stands_upright_with_its_panels_side_by_side() -> None:
    rgb = rendered(comparison_sheet([comparison()], truth_name="LiDAR"))
    height, width = rgb.shape[:2]
    prediction = rgb[: height // 3, 2 * width // 3 + 20 : -20]
    # The fake road is near at the bottom of the picture: its lower part is brighter.
    column = luminance(prediction)[:, prediction.shape[1] // 2]
    inside = np.flatnonzero(column < 250)
    quarter = len(inside) // 4
    assert column[inside[-quarter:]].mean() > column[inside[:quarter]].mean() + 40
    sky = overlay(np.full((1, 1, 3), 90, np.uint8), np.full((1, 1), 10, np.uint8))[0, 0]
    road = overlay(np.full((1, 1, 3), 90, np.uint8), np.zeros((1, 1), np.uint8))[0, 0]
    rows_of = [np.flatnonzero((rgb == color).all(-1).any(1)) for color in (sky, road)]
    assert rows_of[0].mean() < rows_of[1].mean()
    legend = [(rgb == PALETTE[each]).all(-1).sum() for each in (0, 10, 13)]
    assert legend[0] > 0
    assert legend[1] > 0
    assert legend[2] == 0  # a class that does not occur is not in the legend


def test_a_depth_only_sheet_needs_no_classes() -> None:
    row = comparison()
    plain = Comparison(title="x", image=row.image, truth_m=row.truth_m, predicted_m=row.predicted_m)
    with_classes, without = (
        comparison_sheet(rows, truth_name="LiDAR") for rows in ([row, row], [plain])
    )
    assert text_of(without).count("error") == 1
    assert not any("classes" in text for text in text_of(without))
    assert text_of(with_classes).count("predicted classes") == 2


def test_the_colour_bar_is_in_metres() -> None:
    for figure in (
        comparison_sheet([comparison()], truth_name="LiDAR"),
        depth_figure(comparison().predicted_m, title="x"),
    ):
        figure.draw_without_rendering()
        texts = text_of(figure)
        assert "depth (m)" in texts
        assert {"4", "10", "80"} <= set(texts)


def test_the_distance_figure_draws_means_at_the_middle_of_their_bins() -> None:
    truth = np.array([5.0, 15.0, 16.0])
    rows = distance_sums(truth, truth + np.array([1, 2, 4]), max_depth_m=30).rows()
    figure = error_by_distance_figure({"model": rows}, title="protocol x")
    line = figure.axes[0].lines[0]
    assert line.get_xdata().tolist() == [5.0, 15.0]  # the empty bin has no point
    assert line.get_ydata().tolist() == [1.0, 3.0]
    assert figure.get_suptitle() == "protocol x"


def test_the_class_figure_draws_each_predictors_iou() -> None:
    iou = np.full(19, np.nan)
    iou[0] = 0.75
    figure = class_iou_figure({"model": iou, "baseline": iou / 2}, title="x")
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    assert heights[0] == 0.75
    assert heights[19] == 0.375
    assert heights[1] == 0


def test_the_trade_off_figure_puts_each_network_where_its_cost_and_error_are() -> None:
    costs = {"ms": {"L": 30.0, "S": 10.0}, "kB": {"L": 400.0, "S": 200.0}}
    figure = trade_off_figure(
        {"L": 0.1, "S": 0.2}, costs, score_name="Abs Rel", reference=("baseline", 0.3)
    )
    for axes, by_name in zip(figure.axes, costs.values(), strict=True):
        large, small, line = axes.lines
        assert large.get_xydata().tolist() == [[by_name["L"], 0.1]]
        assert small.get_xydata().tolist() == [[by_name["S"], 0.2]]
        assert line.get_ydata() == [0.3, 0.3]
        assert [text.get_text() for text in axes.texts] == ["L", "S", "baseline"]
    assert "Abs Rel" in figure.axes[0].get_ylabel()


def test_a_figure_is_written_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "depth.png"
    save_figure(path, depth_figure(comparison().predicted_m, title="x"))
    assert read_rgb(path).shape[1] == pytest.approx(11 * 110, abs=2)
    assert list(path.parent.iterdir()) == [path]


def text_of(figure: Figure) -> list[str]:
    return [
        text.get_text() for text in figure.findobj(match=lambda each: hasattr(each, "get_text"))
    ]
