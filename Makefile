# `make test` and `make demo` need Python 3.11 and nothing else; they do all their own set-up.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# Of so many files few are ever imported, and those are compiled then: half of the time.
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
READY := .venv/.ready
READY_DEV := .venv/.ready-dev
# A process for every processor, up to four (each may take 2 GB); a test file stays in one of them.
PARALLEL := -n logical --maxprocesses 4 --dist loadfile
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
APT = $(SUDO) apt-get update -q && $(SUDO) apt-get install -qy --no-install-recommends
.DEFAULT_GOAL := help
.PHONY: help setup test test-slow test-all test-web test-arm64 fuzz kills disks bench lint format demo notebooks clean

help:  ## what there is
	@grep -E '^[a-z0-9-]+:.*## ' Makefile | awk -F ':.*## ' '{printf "make %-10s %s\n", $$1, $$2}'

setup: $(READY)  ## install what users need into .venv (the tests install what they need)

# Installed once, and again only when a requirements file changes.
$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if v in {(3, 11), (3, 12)} \
	  else f"mtdepth needs Python 3.11 (or 3.12), found {sys.version.split()[0]}; set PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(PIP) -r requirements.txt
	@# A bare server lacks the libraries that opencv-python's windows need.
	@$(BIN)/python -c 'import cv2' 2>/dev/null || { \
	  pin=$$(sed -n 's/^opencv-python==//p' requirements.txt); \
	  echo "opencv-python cannot be imported here (no window libraries):" \
	    "installing opencv-python-headless $$pin in its place"; \
	  $(BIN)/python -m pip uninstall --quiet --yes opencv-python opencv-python-headless; \
	  $(PIP) opencv-python-headless==$$pin && $(BIN)/python -c 'import cv2'; }
	@# The command `mtdepth`, which works from any folder.
	$(PIP) --no-deps --editable .
	@touch $@

$(READY_DEV): $(READY) requirements-dev.txt
	$(PIP) -r requirements-dev.txt
	@touch $@

lint: $(READY_DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

test: lint  ## lint, type-check, and the tests of every day
	$(BIN)/pytest $(PARALLEL)

test-slow: $(READY_DEV)  ## the slow tests alone
	$(BIN)/pytest $(PARALLEL) -m slow

test-all: lint  ## everything
	$(BIN)/pytest $(PARALLEL) -m ''

test-web: $(READY_DEV)  ## the page in Chromium, RTSP from a real server (Debian; installs both)
	@command -v chromium >/dev/null || { $(APT) chromium; }
	@/usr/bin/python3 -c 'import gi; gi.require_version("GstRtspServer", "1.0")' 2>/dev/null || { \
	  $(APT) python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base \
	    gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly; }
	$(BIN)/pytest tests/web -m web

test-arm64: $(READY_DEV)  ## the Pi bundle on emulated 64-bit ARM (apt, pip; 0.6 GB in ~/.cache/mtdepth)
	$(BIN)/python tests/arm64/check.py

FUZZ ?= --inputs 100000
fuzz: $(READY_DEV)  ## damaged files for every reader; FUZZ="--inputs 1000000 --seed 1" tries others
	PYTHONPATH=.:tests $(BIN)/python -m fuzz.run $(FUZZ)

ONE_THREAD := TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 OMP_NUM_THREADS=1 \
  TF_CPP_MIN_LOG_LEVEL=3 MPLBACKEND=Agg
kills: $(READY_DEV)  ## labels, training, exports, evaluation, each killed 50 times, end as undisturbed ones
	PYTHONPATH=.:tests $(ONE_THREAD) $(BIN)/python tests/kills/check.py $(KILLS)

disks: $(READY_DEV)  ## the same on small disks of all sizes, then with room (mounts them: root)
	PYTHONPATH=.:tests $(ONE_THREAD) $(BIN)/python tests/kills/check.py --disks 25 $(KILLS)

bench: $(READY_DEV)  ## speed figures of the README; half an hour on a quiet machine
	PYTHONPATH=.:tests $(BIN)/python tests/benchmarks/demo_world_speed.py
	PYTHONPATH=.:tests $(BIN)/python tests/benchmarks/psmnet_speed.py
	PYTHONPATH=.:tests $(BIN)/python tests/benchmarks/deeplab_speed.py
	PYTHONPATH=.:tests $(BIN)/python tests/benchmarks/video_step.py
	PYTHONPATH=.:tests $(BIN)/python tests/benchmarks/latency.py

format: $(READY_DEV)  ## put the code into its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The main job end to end on a synthetic street. Each line is one that a user would type; those
# without arguments find the demo data by themselves, whatever the user's own root is.
demo: export MTDEPTH_KITTI_ROOT =
demo: $(READY)  ## first pictures at once; then recordings -> labels -> fine-tuning -> scores -> TFLite
	$(BIN)/python -m data_prep.make_demo_world --output demo/clip --drives 2 --frames 24 --seed 1 \
	  --width 416 --height 128
	@# As it is shipped: it has never seen these streets.
	$(BIN)/python -m export.device --model pretrained --video 10 \
	  --source $$(ls -d demo/clip/*/*/image_02/data | head -1) --focal_px 241.7 --output demo/first_look
	@echo; echo "look at:  demo/first_look/overlay.mp4 (the network that comes with mtdepth)"; echo
	$(BIN)/python -m data_prep.make_demo_world --output demo/kitti --drives 48 --frames 5 \
	  --width 416 --height 128
	$(BIN)/python -m data_prep.generate_teachers
	$(BIN)/python -m data_prep.generate_teachers --split demo/kitti/splits/val.txt \
	  --output demo/labels_val --bias demo/labels_train/bias_table.json
	$(BIN)/python -m mtdepth.train --decoder L
	$(BIN)/python -m export.tflite --precision float32 --output demo/export/float32
	$(BIN)/python -m export.tflite --precision int8 --output demo/export/int8
	$(BIN)/python -m export.device --model demo/export/int8/model.tflite --video 10 \
	  --source $$(ls -d demo/clip/*/*/image_02/data | head -1) --focal_px 241.7 --output demo/device
	$(BIN)/python -m mtdepth.evaluate --pictures demo/report --attach demo/device/overlay.mp4 \
	  --model demo/run --model pretrained --model demo/export/float32/model.tflite \
	  --model demo/export/int8/model.tflite
	@echo; cat demo/report/table.txt
	@echo; echo "look at:  demo/report/index.html (results), demo/device/overlay.mp4 (a drive),"
	@echo "          demo/kitti/contact_sheet.png (the streets)"

notebooks: $(READY_DEV)  ## runs them anew on what `make demo` left, outputs kept
	$(BIN)/jupyter execute --inplace notebooks/*.ipynb

clean:  ## delete what `make demo` made
	rm -rf demo fuzz
