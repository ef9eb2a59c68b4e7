"""Assembles MiniNet's training graph and cuts inference graphs out of it.

MiniNet (Liu et al. 2020) is a network for depth from one picture that learns from video alone. Its
encoder is one small module through which the features run four times, each time coming out at half
the size; its decoder is five blocks of depthwise separable convolutions.
"""

from types import ModuleType
from typing import Any

from mtdepth.models import mininet_layers
from mtdepth.models.mininet_layers import LayerMaker, RecurrentModule
from mtdepth.models.mininet_spec import (
    MODULES,
    NUM_PASSES,
    OUTPUT_STRIDE,
    MiniNetSpec,
    checked_output,
)
from mtdepth.models.student import INPUT_NAME, checked_input_size, copy_weights, namespace

OUTPUT_NAME = "depth_code"


def build_training_graph(
    spec: MiniNetSpec,
    *,
    input_size: tuple[int, int],
    nn: ModuleType | None = None,
    batch_size: int | None = None,
) -> Any:
    """Builds the network with all four heads.

    Args:
      spec: The network.
      input_size: Height and width in pixels, multiples of 32.
      nn: `keras` (also for None) or `tf_keras`.
      batch_size: A fixed one, or None for any.

    Returns:
      A model named `mininet`. Input `image`: `[B, H, W, 3]` float32, RGB through
      `mtdepth.models.input_law.MININET_INPUT`. Outputs, a dict: `depth_code_F` `[B, H, W, 1]`,
      `depth_code_H`, `_Q`, `_E` at 1/2, 1/4 and 1/8 of the size: logits of the disparity, float32.

    Raises:
      ValueError: If a side is not a positive multiple of 32; names the nearest legal size.
    """
    height_px, width_px = checked_input_size(input_size)
    nn = namespace(nn)
    image = nn.Input(shape=(height_px, width_px, 3), batch_size=batch_size, name=INPUT_NAME)
    make = LayerMaker(nn, spec)
    features, *skips = reversed(build_encoder(nn, image, spec))
    heads: dict[str, Any] = {}
    stride = 2 ** (NUM_PASSES + 1)
    for skip in (*skips, None):  # nothing to concatenate at the picture's own size
        stride //= 2
        features = _upsample_block(make, features, skip, prefix=f"up_{stride}")
        for size, output_stride in OUTPUT_STRIDE.items():
            if output_stride == stride:
                name = f"{OUTPUT_NAME}_{size}"
                heads[name] = mininet_layers.head(make, features, name=name)
    return nn.Model(image, dict(reversed(heads.items())), name="mininet")


def build_encoder(nn: ModuleType, image: Any, spec: MiniNetSpec) -> list[Any]:
    """The stem and the module's passes on an image tensor: features at 1/2, 1/4, 1/8, 1/16, 1/32.

    All have 64 channels.
    """
    make = LayerMaker(nn, spec)
    stem = make.stem(name="stem")(make.pad(name="stem_pad")(image))
    taps = [make.relu(name="stem_relu")(stem)]
    blocks = MODULES[spec.variant]
    if spec.reuse:
        modules = [RecurrentModule(make, blocks, prefix="module")] * NUM_PASSES
    else:
        modules = [
            RecurrentModule(make, blocks, prefix=f"module_{number}")
            for number in range(1, NUM_PASSES + 1)
        ]
    for module in modules:
        taps.append(module(taps[-1]))
    return taps


def detach(
    training_graph: Any,
    spec: MiniNetSpec,  # noqa: ARG001  (the student's needs it; one call for both)
    *,
    output: str,
    nn: ModuleType | None = None,
) -> Any:
    """Cuts the inference network of an output size out of a training graph.

    It shares the training graph's layers, so nothing is copied or trained. Blocks above the output
    and the other heads are left out.

    Args:
      training_graph: Of `build_training_graph`.
      spec: What it was built from.
      output: `"F"`, `"H"`, `"Q"` or `"E"`: the input's size, 1/2, 1/4 or 1/8 of it.
      nn: The namespace that the graph was built with.

    Returns:
      A model with the same input and a dict of one output: `depth_code` `[B, h, w, 1]`.

    Raises:
      ValueError: If there is no such output size.
    """
    nn = namespace(nn)
    size = checked_output(output)
    code = training_graph.get_layer(f"{OUTPUT_NAME}_{size}").output
    return nn.Model(training_graph.inputs[0], {OUTPUT_NAME: code}, name=f"mininet_{size.lower()}")


def resized(
    training_graph: Any,
    spec: MiniNetSpec,
    *,
    input_size: tuple[int, int],
    nn: ModuleType | None = None,
    batch_size: int | None = None,
) -> Any:
    """The same weights, copied into a training graph of another input size or namespace.

    Raises:
      ValueError: If the graph was not built from `spec`, or the size is not legal.
    """
    graph = build_training_graph(spec, input_size=input_size, nn=nn, batch_size=batch_size)
    copy_weights(source=training_graph, target=graph)
    return graph


def _upsample_block(make: LayerMaker, features: Any, skip: Any, *, prefix: str) -> Any:
    features = mininet_layers.separable(make, features, prefix=f"{prefix}_low")
    features = mininet_layers.nearest_twice(make, features, prefix=prefix)
    if skip is not None:
        features = make.nn.layers.Concatenate(name=f"{prefix}_concat")([features, skip])
    return mininet_layers.separable(make, features, prefix=f"{prefix}_high")
