r"""Trains a network further while it is rounded as an int8 file rounds it, and exports that file.

Full example, the smallest decoder of a run, the best of 300 steps by labels of other drives:

    python -m export.qat --workdir runs/multitask_kitti --decoder XS --steps 300 \
        --data runs/labels_train --val_data runs/labels_val --output runs/qat_xs

By default the float network teaches, so no label is needed: `--pictures FOLDER` will do, and a
MiniNet learns the same way. The folder then holds what `python -m export.tflite --precision int8`
writes, made by training and not by calibration, and `fine_tuning.json`, the scores along the way.
A killed run goes on by the same command. Score it beside the others by

    python -m mtdepth.evaluate --model runs/multitask_kitti --decoder XS \
        --model runs/int8_xs/model.tflite --model runs/qat_xs/model.tflite
"""

from absl import flags, logging

from export.fine_tune import options as shared
from mtdepth import program

shared.define_flags()
flags.adopt_module_key_flags(shared)


def main() -> int | None:
    """Tunes and exports."""
    chosen = shared.options()
    output = shared.output_folder(chosen, treatment="qat")
    # TensorFlow takes seconds to load, which a wrong flag should not cost.
    from export.fine_tune.job import Job
    from export.graph import ExportError

    job = Job(chosen, output)
    try:
        tuned = job.quantise(job.graph)
        report = job.export(tuned, output, precision="int8", treatment="qat")
    except ExportError as error:
        logging.error("no file was written to %s: %s", output, error)
        return 1
    job.write_record({"quantise": tuned}, {"int8": report})
    return None


if __name__ == "__main__":
    program.run(main)
