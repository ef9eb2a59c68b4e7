"""The SavedModel loads, keeps to operators of an old TensorFlow, and says what Keras says."""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from fakes.artefact import SIZE, images, inference_network, origin, random_network
from fakes.conditioned import pictures
from tensorflow.core.protobuf import saved_model_pb2

from export.artefact import Part
from export.board import convert_tftrt
from export.board.convert_tftrt import ConvertError
from export.graph import ExportError
from export.tftrt.target import check_loadable, export_saved_model
from mtdepth.contract import Contract
from mtdepth.files import sha256_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tftrt")
    (made / "variables").mkdir()  # of an earlier export
    (made / "variables" / "old").touch()
    export_saved_model(
        {"XS": Part(inference_network(random_network("XS")), origin())},
        made,
        class_output="ids",
        parity_images=images(2),
    )
    return made


def test_the_saved_model_says_what_keras_says(folder: Path) -> None:
    module = tf.saved_model.load(str(folder))
    image = pictures(1, size=SIZE, seed=77)[0][None]
    found = module.signatures["serving_default"](image=tf.constant(image))
    outputs = random_network("XS")(image.astype(np.float32) / 127.5 - 1)
    code = np.asarray(outputs["depth_code"], np.float64)
    depth_m = 2.0 * np.exp(np.minimum(code, 60.0) / 60.0 * np.log(60.0 / 2.0))
    np.testing.assert_allclose(found["depth_m"].numpy(), depth_m, rtol=1e-4)
    ids = np.asarray(outputs["class_scores"]).argmax(-1)
    np.testing.assert_array_equal(found["train_id"].numpy(), ids)


def test_the_contract_is_of_the_graph(folder: Path) -> None:
    names = {entry.name for entry in folder.iterdir()}
    assert {"saved_model.json", "parity.json", "golden.npz", "convert_tftrt.py"} <= names
    assert not (folder / "variables" / "old").exists()
    contract = Contract.load(folder / "saved_model.json")
    assert contract.artefact == "saved_model.pb"
    assert contract.sha256 == sha256_of(folder / "saved_model.pb")
    assert (contract.input.dtype, contract.input.shape) == ("uint8", (1, *SIZE, 3))
    assert [output.name for output in contract.outputs] == ["depth_m", "train_id"]


def changed(folder: Path, target: Path, change: Any) -> Path:
    model = saved_model_pb2.SavedModel()
    model.ParseFromString((folder / "saved_model.pb").read_bytes())
    change(model.meta_graphs[0].graph_def)
    target.write_bytes(model.SerializeToString())
    return target


def test_what_an_old_tensorflow_may_not_load_is_refused(folder: Path, tmp_path: Path) -> None:
    check_loadable(folder / "saved_model.pb")
    path = changed(
        folder, tmp_path / "a.pb", lambda graph: graph.library.function[0].node_def.add(op="NewOp")
    )
    with pytest.raises(ExportError, match=r"TensorFlow 2\.7 was not seen to load: NewOp"):
        check_loadable(path)
    path = changed(
        folder, tmp_path / "b.pb", lambda graph: setattr(graph.versions, "min_consumer", 2000)
    )
    with pytest.raises(ExportError, match=r"reader of version 2000; TensorFlow 2\.7 is 808"):
        check_loadable(path)


def test_a_tensorflow_without_tensorrt_is_told_so_at_once(tmp_path: Path) -> None:
    # Before any file is looked at.
    options = convert_tftrt.parse(["--folder", "nowhere", "--output", str(tmp_path / "out")])
    with pytest.raises(ConvertError, match="has no TensorRT inside: run this on the board"):
        convert_tftrt.run(options)
    assert not (tmp_path / "out").exists()


class FakeConverter:
    """TF-TRT's, whose engines are the graph itself."""

    def __init__(self, input_saved_model_dir: str, conversion_params: Any) -> None:
        assert conversion_params == {"precision_mode": "FP16", "max_workspace_size_bytes": 1 << 20}
        self._folder, self.done = input_saved_model_dir, ["made"]

    def convert(self) -> None:
        self.done.append("converted")

    def build(self, input_fn: Any) -> None:
        ((image,),) = input_fn()
        assert (tuple(image.shape), image.dtype) == ((1, *SIZE, 3), tf.uint8)
        self.done.append("built")

    def save(self, output: str) -> None:
        assert self.done == ["made", "converted", "built"]
        shutil.copytree(self._folder, output)


def test_the_converted_network_is_compared_and_gets_a_contract(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trt = argparse.Namespace(TrtGraphConverterV2=FakeConverter, TrtConversionParams=dict)
    monkeypatch.setattr(convert_tftrt, "load_tensorrt", lambda: trt)
    output = tmp_path / "converted"
    options = convert_tftrt.parse(
        ["--folder", str(folder), "--output", str(output), "--workspace_mib", "1"]
    )
    assert convert_tftrt.run(options) == 0
    contract = Contract.load(output / "saved_model.json")
    assert contract.precision == "float16"
    assert contract.sha256 == sha256_of(output / "saved_model.pb")
    monkeypatch.setattr(convert_tftrt, "deviation", lambda *_: float("nan"))
    options.output = tmp_path / "other"
    with pytest.raises(ConvertError, match="depth is nan % off: do not use"):
        convert_tftrt.run(options)
    content = json.loads((folder / "saved_model.json").read_text())
    wrong = tmp_path / "wrong"
    shutil.copytree(folder, wrong)
    (wrong / "saved_model.json").write_text(json.dumps({**content, "sha256": "0" * 64}))
    with pytest.raises(ConvertError, match="of another SavedModel"):
        convert_tftrt.read_contract(wrong)
    (wrong / "saved_model.json").write_text(json.dumps({**content, "fit": float("inf")}))
    with pytest.raises(ConvertError, match="Infinity is no number"):
        convert_tftrt.read_contract(wrong)
    for damaged in (json.dumps({**content, "artefact": 3}), "[" * 100_000):
        (wrong / "saved_model.json").write_text(damaged)
        with pytest.raises(ConvertError, match="copy the whole folder"):
            convert_tftrt.read_contract(wrong)


def test_both_ways_of_telling_the_precision_are_known() -> None:
    def new(input_saved_model_dir: str, precision_mode: str, max_workspace_size_bytes: int) -> Any:
        return input_saved_model_dir, precision_mode, max_workspace_size_bytes

    trt = argparse.Namespace(TrtGraphConverterV2=new)
    found = convert_tftrt.open_converter(trt, Path("a"), "FP32", 2)
    assert found == ("a", "FP32", 2 << 20)
