"""Pools: how a cluster is divided, and what the flags stand for."""

import functools
import os
import socket
import sys

import pytest
from absl import flags

from data_prep.jobs.pools import LocalPool, define_pool_flags, pool_from_flags, workers_of


def test_a_pool_without_workers_is_refused() -> None:
    with pytest.raises(ValueError, match="--num_processes is at least 1, got 0"):
        LocalPool(0)


@pytest.mark.parametrize(
    ("nodes", "wanted", "is_neural", "expected"),
    [
        # Classical: one a processor of the cluster, or as many as wanted, all of which fit.
        ([{"CPU": 8}, {"CPU": 4}], None, False, (12, {"num_cpus": 1.0, "num_gpus": 0})),
        ([{"CPU": 2}], 8, False, (8, {"num_cpus": 0.25, "num_gpus": 0})),
        ([{"CPU": 2, "GPU": 1}], None, False, (2, {"num_cpus": 1.0, "num_gpus": 0})),
        # A network: one a GPU, two share one where more are wanted.
        ([{"CPU": 8, "GPU": 2}, {"CPU": 32}], None, True, (2, {"num_cpus": 0, "num_gpus": 1.0})),
        ([{"CPU": 8, "GPU": 2}], 4, True, (4, {"num_cpus": 0, "num_gpus": 0.5})),
        # A network without a GPU: one a machine, as large as the smallest; the head has none.
        ([{}, {"CPU": 8}, {"CPU": 16}], None, True, (2, {"num_cpus": 8, "num_gpus": 0})),
        ([{"CPU": 3}], 2, True, (2, {"num_cpus": 1, "num_gpus": 0})),
    ],
)
def test_a_cluster_is_divided_so_that_every_worker_finds_a_place(
    nodes: list[dict[str, float]], wanted: int | None, is_neural: bool, expected: object
) -> None:
    assert workers_of(nodes, num_workers=wanted, is_neural=is_neural) == expected


@pytest.fixture
def flag_values(monkeypatch: pytest.MonkeyPatch) -> flags.FlagValues:
    """Flags of their own, so that no other test sees them."""
    values = flags.FlagValues()
    monkeypatch.setattr(flags, "FLAGS", values)
    with monkeypatch.context() as patched:
        for name in ("string", "integer", "enum"):
            define = functools.partial(getattr(flags, f"DEFINE_{name}"), flag_values=values)
            patched.setattr(flags, f"DEFINE_{name}", define)
        define_pool_flags()
    return values


def test_a_network_has_one_process_and_matching_one_a_processor(
    flag_values: flags.FlagValues, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    flag_values(["program"])
    assert pool_from_flags(is_neural=False) == LocalPool(6)
    assert pool_from_flags(is_neural=True) == LocalPool(1)
    flag_values.num_processes = 3
    assert pool_from_flags(is_neural=True) == LocalPool(3)


def test_an_address_without_ray_is_refused(flag_values: flags.FlagValues) -> None:
    flag_values(["program", "--ray_address", "auto"])
    with pytest.raises(ValueError, match="--ray_address belongs to --engine ray, not to local"):
        pool_from_flags(is_neural=False)


def test_an_absent_ray_is_one_sentence_at_the_start(
    flag_values: flags.FlagValues, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    flag_values(["program", "--engine", "ray"])
    with pytest.raises(ImportError, match=r"--engine ray needs Ray.*pip install '\.\[ray\]'"):
        pool_from_flags(is_neural=False)


def test_an_address_where_no_cluster_is_ends_at_once(flag_values: flags.FlagValues) -> None:
    with socket.socket() as bound:  # not listening
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        flag_values(["program", "--engine", "ray", "--ray_address", address])
        with pytest.raises(ConnectionError, match=rf"no Ray cluster at --ray_address {address}"):
            pool_from_flags(is_neural=False)
