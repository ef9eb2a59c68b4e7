r"""Makes the smallest weights of the 1x1 convolutions zero, trains the rest, exports the result.

Full example, half of the weights of the large decoder, as float32, int8 and quantisation-aware:

    python -m export.prune --workdir runs/multitask_kitti --decoder L --sparsity 0.5 --qat \
        --data runs/labels_train --val_data runs/labels_val --output runs/pruned

The folder then holds `float32/`, `int8/` and with `--qat` also `qat/`, each as
`python -m export.tflite` writes it, and `fine_tuning.json` with the share of zeros of every layer.

Zeros make a file smaller once it is compressed, for sending it to a fleet. They make it no faster:
see the README.
"""

from absl import flags, logging

from export.fine_tune import options as shared
from mtdepth import program

_SPARSITY = flags.DEFINE_float(
    "sparsity", 0.5, "Share of zeros in each pruned layer.", lower_bound=0.05, upper_bound=0.95
)
_QAT = flags.DEFINE_bool(
    "qat", False, "Whether to train further, rounded as in int8, with the zeros kept."
)

shared.define_flags()
flags.adopt_module_key_flags(shared)


def main() -> int | None:
    """Prunes, tunes and exports."""
    chosen = shared.options()
    output = shared.output_folder(chosen, treatment="pruned")
    # TensorFlow takes seconds to load, which a wrong flag should not cost.
    from export.fine_tune.job import Job
    from export.fine_tune.pruned import masks_of, sparsity_of
    from export.graph import ExportError

    job = Job(chosen, output)
    stages, files = {}, {}
    try:
        stages["prune"] = pruned = job.prune(sparsity=_SPARSITY.value)
        for name, share in sparsity_of(pruned.graph).items():
            logging.info("zeros in %s: %.1f %%", name, 100 * share)
        for precision in ("float32", "int8"):
            files[precision] = job.export(
                pruned, output / precision, precision=precision, treatment="pruned"
            )
        if _QAT.value:
            stages["quantise"] = tuned = job.quantise(pruned.graph, masks=masks_of(pruned.graph))
            files["qat"] = job.export(
                tuned, output / "qat", precision="int8", treatment="pruned_qat"
            )
    except ExportError as error:
        logging.error("%s: %s", output, error)
        return 1
    job.write_record(stages, files)
    return None


if __name__ == "__main__":
    program.run(main)
