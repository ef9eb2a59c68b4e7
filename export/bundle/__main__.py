r"""Packs exported models and all that a Raspberry Pi needs to run them.

Full example, one file with four sizes, as an archive of about a megabyte:

    python -m export.bundle --model runs/export_all_int8/model.tflite --output mtdepth-pi.tar.gz

The bundle holds the models with their contracts and golden pairs, the modules of this project that
the device programs import, `install.sh`, a systemd unit, the few packages that pip is to install,
and a README of five commands. It needs 64-bit Raspberry Pi OS, bookworm or trixie. `--output` may
also name a folder, which must not exist.
"""

from importlib.metadata import version
from pathlib import Path

from absl import flags, logging

from mtdepth import program
from mtdepth.pretrained.names import exported_file

_MODELS = flags.DEFINE_multi_string("model", [], "model.tflite; may be repeated. The first runs.")
_OUTPUT = flags.DEFINE_string("output", "mtdepth-pi.tar.gz", "Archive *.tar.gz, or a new folder.")
_OPTIONS = flags.DEFINE_string(
    "options",
    "--source picamera2 --display web --host 127.0.0.1 --port 8000",
    "Of export.device, for the service and the README.",
)

# Where a device enters; a program that this project lacks yet is left out.
PROGRAMS = ("export.device.__main__", "export.verify", "export.benchmark.__main__")


def main() -> int | None:
    """Packs."""
    from export.bundle import texts
    from export.bundle.contents import (
        TABLE_HEAD,
        checked_models,
        folder_name,
        is_archive,
        write_bundle,
    )
    from export.bundle.modules import BundleError, closure, data_files, module_file

    root = Path(__file__).parents[2]
    output = Path(_OUTPUT.value)
    try:
        models = checked_models([exported_file(model, precision="int8") for model in _MODELS.value])
        modules = closure(root, [name for name in PROGRAMS if module_file(root, name)])
    except BundleError as error:
        logging.error("nothing was written to %s: %s", output, error)
        return 1
    sources = [*modules.values(), *data_files(modules)]
    copied = {str(path.relative_to(root)): path for path in sources}
    for model in models:
        copied |= {f"models/{model.name}/{path.name}": path for path in model.files}
    table = "\n".join([TABLE_HEAD, *(model.row() for model in models)])
    write_bundle(
        output,
        copied=copied,
        texts=texts.bundle_texts(
            [model.path for model in models],
            litert=version("ai-edge-litert"),
            folder=folder_name(output),
            is_archive=is_archive(output),
            options=_OPTIONS.value,
            table=table,
        ),
        scripts=frozenset({texts.INSTALL_NAME}),
    )
    logging.info("wrote %s: %d model(s), %d modules", output, len(models), len(modules))
    logging.info("on the Pi: see %s in it", texts.README_NAME)
    return None


if __name__ == "__main__":
    program.run(main)
