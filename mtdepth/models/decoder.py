"""Pixel-shuffle decoder blocks, with an optional branch per task."""

from types import ModuleType
from typing import Any

from mtdepth.models import layers
from mtdepth.models.specs import BlockSpec, StudentSpec, Task


def build_block(
    nn: ModuleType,
    features: Any,
    taps: dict[str, Any],
    spec: StudentSpec,
    *,
    number: int,
) -> dict[Task, Any]:
    """Builds decoder block `number` (1 is the coarsest).

    Concatenate the skip at the lower resolution, shuffle up by 2, then N bottlenecks, of which the
    last `spec.num_individual` (at most N) are built once per task.

    Args:
      nn: `keras` or `tf_keras`.
      features: `[B, h, w, C]` of the block before, or the encoder's deepest.
      taps: The encoder's bottlenecks by name.
      spec: The network.
      number: 1 to `len(spec.blocks)`.

    Returns:
      `[B, 2*h, 2*w, width]` per task, one tensor for all where nothing is individual. The depth
      task's feeds the next block.
    """
    block = spec.blocks[number - 1]
    prefix = f"decoder_{number}_"
    if block.skip is not None:
        joined = [features, taps[block.skip]]
        features = nn.layers.Concatenate(name=f"{prefix}concat")(joined)
    features = layers.pixel_shuffle(nn, features, name=f"{prefix}shuffle")
    num_shared = block.num_bottlenecks - min(spec.num_individual, block.num_bottlenecks)
    for position in range(1, num_shared + 1):
        features = _bottleneck(nn, features, block, spec, f"{prefix}bottleneck_{position}_")
    branches: dict[Task, Any] = {}
    for task in spec.tasks:
        branch = features
        for position in range(num_shared + 1, block.num_bottlenecks + 1):
            name = f"{prefix}{task}_bottleneck_{position}_"
            branch = _bottleneck(nn, branch, block, spec, name)
        branches[task] = branch
    return branches


def _bottleneck(
    nn: ModuleType, features: Any, block: BlockSpec, spec: StudentSpec, prefix: str
) -> Any:
    return layers.bottleneck(
        nn,
        features,
        num_channels=block.width,
        expansion=block.expansion,
        stride=1,
        momentum=spec.batch_norm_momentum,
        prefix=prefix,
        activation=spec.decoder_activation,
    )
