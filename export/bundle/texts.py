"""The texts of a bundle: how it is installed, started as a service, and used."""

import string
from collections.abc import Sequence

REQUIREMENTS_NAME = "requirements-pi.txt"
INSTALL_NAME = "install.sh"
SERVICE_NAME = "mtdepth.service"
SETTINGS_NAME = "mtdepth.env"
README_NAME = "README.md"

_REQUIREMENTS = string.Template("""\
# For 64-bit Raspberry Pi OS, bookworm (Python 3.11) or trixie (3.13), in a virtual environment with
# --system-site-packages. OpenCV and picamera2 come from apt: python3-opencv, python3-picamera2.
ai-edge-litert==$litert
simplejpeg>=1.8,<2
# By itself pip would bring numpy 2, which breaks the picamera2 and OpenCV of bookworm.
numpy<2; python_version < "3.13"
numpy>=2,<3; python_version >= "3.13"
""")

_INSTALL = string.Template("""\
#!/bin/sh
# Installs this folder's programs on a Raspberry Pi, or with --service starts them at every boot.
#
#     ./install.sh              packages, virtual environment, check of the models
#     ./install.sh --service    and: start now and at every boot (see $settings)
set -eu
cd "$$(dirname "$$0")"
folder=$$(pwd)

if [ "$$(uname -m)" != aarch64 ]; then
  echo "this is a $$(uname -m) system, and LiteRT exists for 64-bit ARM only:" \\
    "install the 64-bit Raspberry Pi OS (uname -m says aarch64)" >&2
  exit 1
fi
case "$${1:-}" in
  "" | --service) ;;
  *) echo "unknown option $$1; there is --service" >&2; exit 2 ;;
esac
python3 -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 14) else
  f"needs Python 3.11 to 3.14, found {v[0]}.{v[1]}: install Raspberry Pi OS bookworm or later")'

if ! python3 -c 'import venv, ensurepip, cv2, picamera2' 2>/dev/null; then
  sudo apt-get update
  sudo apt-get install -y python3-venv python3-opencv
  sudo apt-get install -y python3-picamera2 ||
    echo "there is no picamera2 here: a USB camera, a stream or files will do (--source)" >&2
fi
# The system's packages are seen: picamera2 and OpenCV cannot be had by pip on a Pi.
[ -x venv/bin/python ] || python3 -m venv --system-site-packages venv
venv/bin/python -m pip install --disable-pip-version-check -r $requirements
venv/bin/python -m export.verify $models

if [ "$${1:-}" = --service ]; then
  sed -e "s|@FOLDER@|$$folder|g" -e "s|@USER@|$$(id -un)|g" $service > .$service
  sudo install -m 644 .$service /etc/systemd/system/$service
  rm .$service
  sudo systemctl daemon-reload
  sudo systemctl enable $service
  sudo systemctl restart $service
  echo "running; see: journalctl -u mtdepth -f"
fi
""")

_SERVICE = string.Template("""\
# install.sh --service fills in folder and user.
[Unit]
Description=Depth and classes of a camera, as a web page
After=network.target
# A camera that is plugged in tomorrow is found tomorrow.
StartLimitIntervalSec=0

[Service]
User=@USER@
SupplementaryGroups=video
WorkingDirectory=@FOLDER@
Environment=PYTHONUNBUFFERED=1 MALLOC_ARENA_MAX=1
EnvironmentFile=@FOLDER@/$settings
ExecStart=@FOLDER@/venv/bin/python -m export.device $$MTDEPTH_OPTIONS
Restart=always
RestartSec=5

[Install]
WantedBy=multi-user.target
""")

_SETTINGS = string.Template("""\
# What the service runs; after a change: sudo systemctl restart mtdepth
# --host 127.0.0.1: seen on the Pi itself and through `ssh -L 8000:127.0.0.1:8000`.
# --host 0.0.0.0: seen by everybody in the network, without a password.
MTDEPTH_OPTIONS=--model $model $options
""")

_README = string.Template("""\
# mtdepth on a Raspberry Pi

Depth and what is where, from one camera. For 64-bit Raspberry Pi OS (bookworm or trixie) on a
Pi 3, 4 or 5. Models here:

$table

Five commands, the first on the machine where this was made:

    $carry && ssh -L 8000:127.0.0.1:8000 pi@raspberrypi.local
    $enter
    ./install.sh
    venv/bin/python -m export.device --model $model $options
    ./install.sh --service

The third asks for your password once (apt), and ends by asking each model about three pictures
whose answers it brought along: `all pairs are good`. The fourth shows the camera at
http://127.0.0.1:8000 of the machine that you came from, by the `-L` of the first; stop it by
Ctrl-C. The fifth starts the same at every boot, with the options in `$settings`.

- Another camera or source, outputs, options: `venv/bin/python -m export.device --help`.
- Two USB cameras, or one that is sometimes unplugged: `--source /dev/v4l/by-id/NAME` follows it.
- To record, add `--output FOLDER --write video` (or depth, obstacles, ...) to the options in
  `$settings`. Each start records to a folder of its own, `run_0001`, `run_0002`, ...: nothing is
  replaced. When the disk is nearly full recording stops, and goes on when there is room; the rest
  never stops. `overlay_unfinished.mkv` is what a pulled plug left of a video: it can be played but
  for its last half minute.
- Depth is in metres only for a camera whose focal length is known: `--focal_px`.
- Is a model damaged? `venv/bin/python -m export.verify --model $model`
- What does the service say? `journalctl -u mtdepth -f`
- Away with it: `sudo systemctl disable --now mtdepth`, then delete this folder and
  `/etc/systemd/system/$service`.
""")


def bundle_texts(
    models: Sequence[str], *, litert: str, folder: str, is_archive: bool, options: str, table: str
) -> dict[str, str]:
    """Every text of a bundle by its name.

    Models are paths in the bundle, of which the first runs; they were checked with that version of
    LiteRT. `options` are of `export.device`, the table of models is for the README.
    """
    archive = f"{folder}.tar.gz"
    words = {
        "litert": litert,
        "requirements": REQUIREMENTS_NAME,
        "service": SERVICE_NAME,
        "settings": SETTINGS_NAME,
        "models": " ".join(f"--model {model}" for model in models),
        "model": models[0],
        "options": options,
        "table": table,
        "carry": f"scp {archive if is_archive else f'-r {folder}'} pi@raspberrypi.local:",
        "enter": f"tar xzf {archive} && cd {folder}" if is_archive else f"cd {folder}",
    }
    templates = {
        REQUIREMENTS_NAME: _REQUIREMENTS,
        INSTALL_NAME: _INSTALL,
        SERVICE_NAME: _SERVICE,
        SETTINGS_NAME: _SETTINGS,
        README_NAME: _README,
    }
    return {name: template.substitute(words) for name, template in templates.items()}
