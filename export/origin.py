"""What an exported file says of the network behind it: codec, camera, scale, recipe, scores."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from absl import logging

from mtdepth.contract import Contract, Fit, Precision, TensorContract, Treatment
from mtdepth.datasets.label_map import CLASS_NAMES
from mtdepth.files import DataError, read_record, sha256_of, visible_files
from mtdepth.geometry.camera import Intrinsics
from mtdepth.geometry.depth_codec import DepthCodec
from mtdepth.trained import TrainedNetwork
from mtdepth.versions import package_versions

# Of `mtdepth.evaluate`'s rows, the one of the network itself.
_ROW = "model"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What an exported file says of the network behind it.

    Attributes:
      network: `student` or `mininet`.
      decoder: L, M, S or XS; F, H, Q or E.
      codec: The depth codec that it was trained with.
      fit: How pictures were fitted in training.
      training_camera: At the exported input size; None where unknown.
      scale_source: Where the metres come from.
      recipe: The whole recipe, as JSON.
      keras_scores: Its results before the export, if it has any.
      treatment: What its weights went through after the training.
    """

    network: str
    decoder: str
    codec: DepthCodec
    fit: Fit
    training_camera: Intrinsics | None
    scale_source: str
    recipe: dict[str, Any]
    keras_scores: dict[str, Any] | None
    treatment: Treatment = "none"

    def contract(
        self,
        path: Path,
        *,
        precision: Precision,
        signature: str,
        image: TensorContract,
        outputs: Sequence[TensorContract],
    ) -> Contract:
        """The contract of a file of any format with these tensors; depth becomes the first."""
        has_classes = any(output.kind in ("class_scores", "train_id") for output in outputs)
        return Contract(
            artefact=path.name,
            sha256=sha256_of(path),
            precision=precision,
            treatment=self.treatment,
            network=self.network,
            decoder=self.decoder,
            signature=signature,
            input=image,
            outputs=tuple(sorted(outputs, key=lambda out: not out.kind.startswith("depth"))),
            codec=self.codec,
            valid_depth_m=(self.codec.near_m, self.codec.far_m),
            fit=self.fit,
            training_camera=self.training_camera,
            scale_source=self.scale_source,
            class_names=CLASS_NAMES if has_classes else (),
            recipe=self.recipe,
            keras_scores=self.keras_scores,
            versions=package_versions(),
        )


def camera_at(camera: Intrinsics, *, input_size: tuple[int, int]) -> Intrinsics:
    """The training camera of a network that is exported at another size than it was trained at.

    The focal length stays what it was *in pixels*: a convolution knows things by their size in
    pixels, so fed with larger pictures of the same camera it takes them for nearer. A predictor
    that is given the camera then finds the larger focal length and rescales depth back.
    """
    height_px, width_px = input_size
    return replace(
        camera.resized(width_px=width_px, height_px=height_px),
        fx_px=camera.fx_px,
        fy_px=camera.fy_px,
    )


def origin_of(trained: TrainedNetwork) -> Origin:
    """The origin of a workdir's network; warns where its input size is not the trained one."""
    trained_size = tuple(trained.recipe["input_size_px"])
    is_trained_size = trained.input_size == trained_size
    if not is_trained_size:
        logging.warning(
            "the network was trained at %dx%d (height x width): at another size its scores are "
            "others, and depth is in metres only where the camera is given (--focal_px)",
            *trained_size,
        )
    camera = trained.training_camera
    return Origin(
        network=trained.family,
        decoder=trained.size,
        codec=trained.codec,
        fit=trained.fit,
        training_camera=camera and camera_at(camera, input_size=trained.input_size),
        scale_source=trained.scale_source,
        recipe=trained.recipe,
        keras_scores=keras_scores(trained) if is_trained_size else None,
    )


def keras_scores(trained: TrainedNetwork) -> dict[str, Any] | None:
    """What `python -m mtdepth.evaluate` wrote about exactly these weights at this decoder size.

    For each results file its split, number of frames, depth errors by protocol and class scores;
    None where these weights were not scored. Results of earlier weights are left out.
    """
    sha256 = sha256_of(trained.file)
    found = {}
    for path in visible_files(trained.workdir.results_path, "*.json"):
        results = read_record(path)
        try:
            model = results.get("model", {})
            identity = (model.get("kind"), model.get("decoder"), model.get("sha256"))
            if identity == ("keras", trained.size, sha256):
                found[path.stem] = _summary(results)
        except (AttributeError, LookupError, TypeError) as error:
            why = f"not results of `python -m mtdepth.evaluate` ({error!r}); evaluate again"
            raise DataError(path, why) from error
    return found or None


def _summary(results: dict[str, Any]) -> dict[str, Any]:
    depth = {
        protocol: scores["rows"][_ROW]["per_image_mean"]
        for protocol, scores in results["depth"].items()
        if _ROW in scores["rows"]
    }
    classes = results["segmentation"]["rows"].get(_ROW, {})
    return {
        "split": results["split"],
        "num_frames": len(results["frames"]),
        "depth": depth,
        "segmentation": {
            name: classes[name] for name in ("mean_iou", "pixel_accuracy") if name in classes
        },
    }
