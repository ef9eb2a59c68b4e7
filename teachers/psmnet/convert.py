r"""Converts the authors' PSMNet checkpoint into a file that needs no PyTorch.

Full example, a release of 2018:

    python -m teachers.psmnet.convert --checkpoint pretrained_model_KITTI2015.tar \
        --align_corners --output psmnet_kitti2015.npz

PyTorch must be installed here (pip install torch). The rule of upsampling stays with the weights:
--align_corners for the releases of 2018, --noalign_corners for the one of 2021.
"""

from pathlib import Path

from absl import flags, logging

from mtdepth import program
from mtdepth.files import UserError
from teachers.psmnet import checkpoint

FLAGS = flags.FLAGS
flags.DEFINE_string("checkpoint", None, "The authors' .tar or .pth.", required=True)
flags.DEFINE_string("output", None, "File to write, ending in .npz.", required=True)
flags.DEFINE_bool("align_corners", None, "Rule of upsampling it was trained with. Default: true.")
flags.DEFINE_integer("max_disparity", None, "Searched disparities, px. Default: 192.")


def main() -> None:
    """Reads, checks every tensor, writes."""
    source, output = Path(FLAGS.checkpoint), Path(FLAGS.output)
    if source.suffix == checkpoint.SUFFIX:
        raise UserError(f"{source} is converted already; --checkpoint names the authors' file")
    if output.suffix != checkpoint.SUFFIX:
        raise UserError(f"--output must end in {checkpoint.SUFFIX}, got {output}")
    converted = checkpoint.read_checkpoint(
        source, align_corners=FLAGS.align_corners, max_disparity_px=FLAGS.max_disparity
    )
    checkpoint.save(converted, output)
    logging.info(
        "Wrote %s: %d tensors of %s, align_corners=%s, max_disparity=%d, checksum %s.",
        output,
        len(converted.tensors),
        converted.origin,
        converted.align_corners,
        converted.max_disparity_px,
        converted.sha256[:16],
    )


if __name__ == "__main__":
    program.run(main)
