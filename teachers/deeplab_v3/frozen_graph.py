"""The published Cityscapes graphs: TensorFlow 1, weights frozen in, from picture to train ids.

They come as `frozen_inference_graph.pb` inside archives such as
`deeplabv3_mnv2_cityscapes_train_2018_02_05.tar.gz`. What follows is read in the exporting program
of that project and tried on graphs that the tests build alike; no published file has been run.

- `ImageTensor`: uint8 `[1, h, w, 3]`, RGB. The graph subtracts the mean and pads to its own size
  (1025x2049 for Cityscapes) at the right and at the bottom, so a smaller picture costs as much as
  a large one and a larger one does not fit.
- `SemanticPredictions`: integers `[1, h, w]`, Cityscapes train ids 0..18, the argmax of the
  scores, cut to the picture.
- The scores before that argmax have no name that all exports share; they are found as the
  argmax's input: logits of one scale, or mean probabilities where the graph itself averages. An
  export that enlarges classes instead of scores gives classes alone.
"""

import dataclasses
import hashlib
import importlib.metadata
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.label_map import NUM_CLASSES
from mtdepth.files import DAMAGE, DataError, UserError, check_regular

Floats = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]

INPUT_NAME = "ImageTensor"
OUTPUT_NAME = "SemanticPredictions"
GRAPH_FILE = "frozen_inference_graph.pb"

ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar")
SUFFIXES = (".pb", *ARCHIVE_SUFFIXES)

MAX_GRAPH_BYTES = 2**29  # ours: the largest published one, Xception-71, has a third of it
# What a network of this kind computes with, of any exporter. A graph is a program: an operator that
# is none of these could read or write files, wait, or run code.
OPERATORS = """
Abs Add AddN AddV2 All Any ArgMax AvgPool BatchNormWithGlobalNormalization BatchToSpaceND BiasAdd
BroadcastTo Cast Ceil Concat ConcatV2 Const Conv2D Conv2DBackpropInput Cos CropAndResize
DepthToSpace DepthwiseConv2dNative Div Elu Equal Exp ExpandDims FakeQuantWithMinMaxArgs
FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel Fill Floor FloorDiv FloorMod
FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 Gather GatherNd GatherV2 Greater GreaterEqual
Identity IdentityN LeakyRelu Less LessEqual Log LogSoftmax LogicalAnd LogicalNot LogicalOr MatMul
Max MaxPool Maximum Mean Merge Min Minimum MirrorPad Mod Mul Neg NoOp NotEqual OneHot OnesLike Pack
Pad PadV2 Placeholder PlaceholderWithDefault Pow Prod QuantizeAndDequantizeV2
QuantizeAndDequantizeV3 Range Rank RealDiv Reciprocal Relu Relu6 Reshape ResizeArea ResizeBicubic
ResizeBilinear ResizeNearestNeighbor ReverseV2 Round Rsqrt ScatterNd Select SelectV2 Selu Shape
Sigmoid Sign Sin Size Slice Softmax Softplus SpaceToBatchND SpaceToDepth Split SplitV Sqrt Square
SquaredDifference Squeeze StopGradient StridedSlice Sub Sum Switch Tanh Tile TopKV2 Transpose
TruncateDiv Unpack Where ZerosLike
"""

ARE_LOGITS = {"ResizeBilinear": True, "Mean": False, "Softmax": False}
"""What an argmax's input can be made by, and whether it still needs the softmax."""


class FrozenGraph:
    """A published graph, ready to run; it takes one picture at a time.

    Args:
      path: The `.pb`, or the archive that it came in.

    Attributes:
      version: The graph's SHA-256, the same for the file and for its archive, and TensorFlow's.

    Raises:
      FileNotFoundError: If the file is missing.
      DataError: If it holds no graph, one of other operators, or not one of the 19 classes.
    """

    def __init__(self, path: Path) -> None:
        content = read_graph_bytes(path)
        self._path = path
        self.version = (
            f"DeepLab frozen graph, sha256 {hashlib.sha256(content).hexdigest()}, "
            f"tensorflow {importlib.metadata.version('tensorflow')}"
        )
        graph = _import(path, content)
        image = _tensor(path, graph, INPUT_NAME)
        classes = _tensor(path, graph, OUTPUT_NAME)
        self._classes_of = graph.prune(image, classes)
        self._scores = _find_scores(graph.graph, classes)
        if self._scores is not None:
            _check_num_classes(path, self._scores.tensor.shape[-1])
            self._scores_of = graph.prune(image, [self._scores.tensor, self._scores.extent])

    @property
    def has_scores(self) -> bool:
        """Whether more than the winning class can be had."""
        return self._scores is not None

    def train_ids(self, image: Image) -> Image:
        """The graph's own answer.

        Args:
          image: `[height, width, 3]` RGB.

        Returns:
          `[height, width]`, 0..18.

        Raises:
          UserError: If the picture is larger than the graph takes.
          DataError: If the graph answers with another class.
        """
        classes = np.asarray(self._run(self._classes_of, image))[0]
        if classes.max() >= NUM_CLASSES or classes.min() < 0:
            raise DataError(self._path, f"answers class {classes.max()}; Cityscapes' are 0..18")
        return classes.astype(np.uint8)

    def probabilities(self, image: Image) -> Floats:
        """The probability of each class.

        Args:
          image: `[height, width, 3]` RGB.

        Returns:
          `[height, width, 19]`, sums to 1; 1 for the winner where the graph gives no scores.

        Raises:
          UserError: If the picture is larger than the graph takes.
          DataError: If the graph does not have 19 classes.
        """
        import tensorflow as tf

        if self._scores is None:
            return np.eye(NUM_CLASSES, dtype=np.float32)[self.train_ids(image)]
        scores, extent = self._run(self._scores_of, image)
        _check_num_classes(self._path, scores.shape[-1])
        height, width = (int(side) for side in np.asarray(extent))
        if height > scores.shape[1] or width > scores.shape[2]:
            raise UserError(
                f"{self._path}: a picture of {image.shape[0]}x{image.shape[1]} is larger than the "
                f"{scores.shape[1]}x{scores.shape[2]} that this graph takes; give smaller --scales"
            )
        scores = scores[:, :height, :width]
        if (height, width) != image.shape[:2]:
            # The graph changed the picture's size; corners stay corners, as in its own resizing.
            scores = tf.compat.v1.image.resize_bilinear(scores, image.shape[:2], align_corners=True)
        return np.asarray(tf.nn.softmax(scores) if self._scores.are_logits else scores)[0]

    def _run(self, function: Callable[[Any], Any], image: Image) -> Any:
        import tensorflow as tf

        try:
            return function(tf.constant(image[None]))
        except tf.errors.InvalidArgumentError as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(
                f"{self._path}: the graph cannot take a picture of "
                f"{image.shape[0]}x{image.shape[1]}; is it larger than the graph's own size? "
                f"({reason})"
            ) from error


def read_graph_bytes(path: Path) -> bytes:
    """Reads the graph of a `.pb`, or of the archive that holds one.

    Raises:
      FileNotFoundError: If the file is missing.
      DataError: If the archive is damaged, or does not hold exactly one graph.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; a frozen graph is a .pb or its .tar.gz")
    check_regular(path, max_bytes=MAX_GRAPH_BYTES)
    if not path.name.endswith(ARCHIVE_SUFFIXES):
        return path.read_bytes()
    try:
        with tarfile.open(path) as archive:
            return _member(path, archive)
    except (tarfile.TarError, *DAMAGE) as error:
        raise DataError(path, f"not a readable archive ({error}); download it again") from error


def _member(path: Path, archive: tarfile.TarFile) -> bytes:
    graphs = []
    for entry in archive:
        # Before the next entry is looked for, which unpacks this one.
        if entry.offset_data + entry.size > MAX_GRAPH_BYTES:
            raise DataError(path, f"unpacks to more than {MAX_GRAPH_BYTES} bytes: no frozen graph")
        if entry.isfile() and entry.name.endswith(".pb"):
            graphs.append(entry)
    named = [entry for entry in graphs if Path(entry.name).name == GRAPH_FILE]
    chosen = named or graphs
    if len(chosen) != 1:
        found = ", ".join(entry.name for entry in chosen) or "none"
        raise DataError(path, f"must hold one {GRAPH_FILE} (or one .pb); found {found}")
    file = archive.extractfile(chosen[0])
    return b"" if file is None else file.read()


def _import(path: Path, content: bytes) -> Any:
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    try:
        definition = tf.compat.v1.GraphDef.FromString(content)
    except DecodeError as error:
        raise DataError(path, "not a TensorFlow graph, or cut short; download it again") from error
    if not definition.node:
        raise DataError(path, "not a frozen graph: no node in it")
    nodes = [*definition.node, *(n for f in definition.library.function for n in f.node_def)]
    if others := sorted({node.op for node in nodes}.difference(OPERATORS.split())):
        raise DataError(
            path,
            f"has operators that no network of this kind computes with, {', '.join(others[:5])}: "
            "not run; take a graph from where the authors publish theirs",
        )
    try:
        return tf.compat.v1.wrap_function(
            lambda: tf.compat.v1.import_graph_def(definition, name=""), []
        )
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise DataError(path, f"TensorFlow cannot import this graph: {error}") from error


def _tensor(path: Path, graph: Any, name: str) -> Any:
    try:
        return graph.graph.get_tensor_by_name(f"{name}:0")
    except KeyError as error:
        inputs = [op.name for op in graph.graph.get_operations() if op.type == "Placeholder"]
        raise DataError(
            path,
            f"no node {name}, which every DeepLab export has; its placeholders are "
            f"{', '.join(inputs[:5]) or 'none'}: not a DeepLab graph",
        ) from error


@dataclasses.dataclass(frozen=True)
class _Scores:
    """Tensors from which probabilities come.

    Attributes:
      tensor: `[1, >= height, >= width, classes]`.
      extent: Height and width of the part of it that shows the picture.
      are_logits: Whether they still need the softmax.
    """

    tensor: Any
    extent: Any
    are_logits: bool


def _find_scores(graph: Any, classes: Any) -> _Scores | None:
    """Finds the tensor whose argmax the classes are, going from the output backwards."""
    op, cut = classes.op, None
    while op.type != "ArgMax":
        # Behind the cut nothing may change the size, or the scores would not be those cut.
        if (cut is not None and "Resize" in op.type) or not op.inputs:
            return None
        if op.type in ("Slice", "StridedSlice"):  # exports of 2018; later ones
            cut = op
        op = op.inputs[0].op
    tensor = op.inputs[0]
    if cut is None or tensor.op.type not in ARE_LOGITS:
        return None
    with graph.as_default():
        # How far a slice goes, batch first: its size, or its end; both begin at zero.
        extent = cut.inputs[2][1:3]
    return _Scores(tensor, extent, are_logits=ARE_LOGITS[tensor.op.type])


def _check_num_classes(path: Path, num_classes: int | None) -> None:
    if num_classes is not None and num_classes != NUM_CLASSES:
        raise DataError(
            path,
            f"has {num_classes} classes; the {NUM_CLASSES} of Cityscapes are needed: take a graph "
            "trained on Cityscapes",
        )
