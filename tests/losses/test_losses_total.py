"""The sum over tasks and scales."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from mtdepth.geometry.depth_codec import LogDepthCodec
from mtdepth.losses import total as total_module
from mtdepth.losses.depth import (
    berhu_depth_loss,
    gradient_matching_loss,
    scale_invariant_loss,
)
from mtdepth.losses.segmentation import segmentation_loss

CODEC = LogDepthCodec(near_m=4.0, far_m=80.0)
SCALES = {1: 16, 2: 8, 3: 4, 4: 2}


def total_loss(*args: Any, **settings: Any) -> tuple[Any, dict[str, Any]]:
    """By the paper's weights, where a test has no others."""
    papers = {"depth_weight": 0.25, "segmentation_weight": 0.75, "rule": "nearest"}
    names = {"depth_weight": "depth", "segmentation_weight": "segmentation"}
    codec = settings.pop("codec")
    weights = {names.get(name, name): value for name, value in (papers | settings).items()}
    return total_module.total_loss(
        *args, codec=codec, weights=total_module.StudentLossWeights(**weights)
    )


def _labels() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    depth_m = rng.uniform(2, 90, (2, 32, 64, 1)).astype(np.float32)
    depth_m[rng.random(depth_m.shape) < 0.3] = 0
    train_id = rng.integers(0, 19, (2, 32, 64, 1)).astype(np.uint8)
    train_id[rng.random(train_id.shape) < 0.2] = 255
    return depth_m, train_id


def _outputs(tasks: tuple[str, ...] = ("depth", "segmentation")) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    outputs = {}
    for number, factor in SCALES.items():
        size = (2, 32 // factor, 64 // factor)
        outputs[f"depth_code_{number}"] = rng.normal(40, 20, (*size, 1)).astype(np.float32)
        if "segmentation" in tasks:
            scores = rng.normal(size=(*size, 19)).astype(np.float32)
            outputs[f"class_scores_{number}"] = scores
    return outputs


def test_total_is_the_weighted_sum_of_each_tasks_own_loss_at_each_scale() -> None:
    depth_m, train_id = _labels()
    outputs = _outputs()
    total, parts = total_loss(outputs, depth_m, train_id, codec=CODEC)
    expected = 0.0
    for number, factor in SCALES.items():
        first = factor // 2
        depth_loss = float(
            berhu_depth_loss(
                depth_m[:, first::factor, first::factor], outputs[f"depth_code_{number}"], CODEC
            )
        )
        class_loss = float(
            segmentation_loss(
                train_id[:, first::factor, first::factor], outputs[f"class_scores_{number}"]
            )
        )
        assert float(parts[f"depth_{number}"]) == pytest.approx(depth_loss, rel=1e-6)
        assert float(parts[f"segmentation_{number}"]) == pytest.approx(class_loss, rel=1e-6)
        expected += 0.25 * depth_loss + 0.75 * class_loss  # the paper's weights
    assert float(total) == pytest.approx(expected, rel=1e-6)
    assert len(parts) == 8


def test_weights_and_rule_are_arguments() -> None:
    depth_m, train_id = _labels()
    outputs = _outputs()
    total, parts = total_loss(
        outputs,
        depth_m,
        train_id,
        codec=CODEC,
        depth_weight=1.0,
        segmentation_weight=0.0,
        rule="valid_mean",
    )
    _, nearest = total_loss(outputs, depth_m, train_id, codec=CODEC)
    depth_parts = [float(value) for name, value in parts.items() if name.startswith("depth")]
    assert float(total) == pytest.approx(sum(depth_parts), rel=1e-6)
    assert float(parts["depth_1"]) != float(nearest["depth_1"])
    assert float(parts["segmentation_1"]) == float(nearest["segmentation_1"])


def test_depth_network_needs_no_class_labels_and_ignores_them() -> None:
    depth_m, train_id = _labels()
    outputs = _outputs(("depth",))
    total, parts = total_loss(outputs, depth_m, None, codec=CODEC)
    with_ids, _ = total_loss(outputs, depth_m, train_id, codec=CODEC)
    assert list(parts) == ["depth_1", "depth_2", "depth_3", "depth_4"]
    assert float(total) == float(with_ids)


def test_detached_network_has_parts_without_numbers() -> None:
    depth_m, train_id = _labels()
    outputs = _outputs()
    detached = {
        "depth_code": outputs["depth_code_3"],
        "class_scores": outputs["class_scores_3"],
    }
    _, parts = total_loss(detached, depth_m, train_id, codec=CODEC)
    _, all_parts = total_loss(outputs, depth_m, train_id, codec=CODEC)
    assert float(parts["depth"]) == float(all_parts["depth_3"])
    assert float(parts["segmentation"]) == float(all_parts["segmentation_3"])


def test_missing_class_labels_are_an_error_not_an_untrained_head() -> None:
    depth_m, _ = _labels()
    with pytest.raises(ValueError, match="'class_scores_1' needs train_id"):
        total_loss(_outputs(), depth_m, None, codec=CODEC)


def test_labels_of_another_size_are_refused() -> None:
    depth_m, train_id = _labels()
    with pytest.raises(ValueError, match=r"labels of 24x64 .* 'depth_code_1' of 2x4"):
        total_loss(_outputs(), depth_m[:, :24], train_id[:, :24], codec=CODEC)
    with pytest.raises(ValueError, match="no loss belongs to output 'disparity'"):
        total_loss({"disparity": depth_m}, depth_m, train_id, codec=CODEC)


def test_a_batch_without_any_label_gives_exactly_zero_gradients() -> None:
    depth_m, train_id = _labels()
    outputs = {name: tf.constant(value) for name, value in _outputs().items()}
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        total, _ = total_loss(
            outputs, np.zeros_like(depth_m), np.full_like(train_id, 255), codec=CODEC
        )
    assert float(total) == 0
    for name, gradient in tape.gradient(total, outputs).items():
        np.testing.assert_array_equal(gradient, np.zeros(gradient.shape), err_msg=name)


def test_traced_loss_with_an_open_batch_equals_the_eager_one() -> None:
    depth_m, train_id = _labels()
    outputs = _outputs()
    signature = [
        {
            name: tf.TensorSpec((None, *value.shape[1:]), tf.float32)
            for name, value in outputs.items()
        },
        tf.TensorSpec((None, 32, 64, 1), tf.float32),
        tf.TensorSpec((None, 32, 64, 1), tf.uint8),
    ]
    traced = tf.function(
        lambda outputs, depth_m, train_id: total_loss(
            outputs, depth_m, train_id, codec=CODEC, rule="valid_mean"
        )[0],
        input_signature=signature,
    )
    eager, _ = total_loss(outputs, depth_m, train_id, codec=CODEC, rule="valid_mean")
    assert float(traced(outputs, depth_m, train_id)) == pytest.approx(float(eager), rel=1e-6)


def test_terms_of_ours_are_added_to_their_task_at_every_scale() -> None:
    depth_m, train_id = _labels()
    outputs = _outputs()
    classes = tuple(range(1, 20))
    settings = {
        "near": 2.0,
        "scale_invariant": 0.5,
        "gradient": 0.25,
        "hard_share": 0.5,
        "class_weights": classes,
    }
    total, parts = total_loss(outputs, depth_m, train_id, codec=CODEC, **settings)
    expected = 0.0
    for number, factor in SCALES.items():
        depth = depth_m[:, factor // 2 :: factor, factor // 2 :: factor]
        ids = train_id[:, factor // 2 :: factor, factor // 2 :: factor]
        code = outputs[f"depth_code_{number}"]
        berhu = float(berhu_depth_loss(depth, code, CODEC, near_weight=2.0))
        invariant = float(scale_invariant_loss(depth, code, CODEC))
        gradient = float(gradient_matching_loss(depth, code, CODEC))
        segmentation = float(
            segmentation_loss(
                ids, outputs[f"class_scores_{number}"], hard_share=0.5, class_weights=classes
            )
        )
        names = ("depth", "scale_invariant", "gradient", "segmentation")
        found = [float(parts[f"{name}_{number}"]) for name in names]
        assert found == pytest.approx([berhu, invariant, gradient, segmentation], rel=1e-5)
        expected += 0.25 * (berhu + 0.5 * invariant + 0.25 * gradient) + 0.75 * segmentation
    assert float(total) == pytest.approx(expected, rel=1e-5)
