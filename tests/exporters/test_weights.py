from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from exporters.weights import load_weights
from profiler.core.errors import InputError


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def trained() -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = net().state_dict()
    return {key: torch.rand_like(v) if v.is_floating_point() else v for key, v in state.items()}


def test_both_kinds_of_file_load(tmp_path: Path) -> None:
    state = trained()
    save_file(state, tmp_path / "w.safetensors")
    torch.save(state, tmp_path / "w.pt")
    for name in ("w.safetensors", "w.pt"):
        module = net()
        load_weights(module, tmp_path / name)
        assert all(torch.equal(module.state_dict()[key], value) for key, value in state.items())


def test_what_training_scripts_wrap_around_is_taken_off(tmp_path: Path) -> None:
    state = trained()
    wrapped = {"epoch": 3, "state_dict": {f"module.{key}": value for key, value in state.items()}}
    torch.save(wrapped, tmp_path / "w.pt")
    module = net()
    load_weights(module, tmp_path / "w.pt")
    assert torch.equal(module.state_dict()["0.weight"], state["0.weight"])


def test_counters_that_old_files_lack_are_not_missed(tmp_path: Path) -> None:
    state = {k: v for k, v in trained().items() if "num_batches" not in k}
    save_file(state, tmp_path / "w.safetensors")
    load_weights(net(), tmp_path / "w.safetensors")


def test_every_key_that_does_not_fit_is_named(tmp_path: Path) -> None:
    state = trained()
    state["0.bias"] = torch.zeros(3)
    state["head.weight"] = state.pop("0.weight")
    torch.save(state, tmp_path / "w.pt")
    module = net()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    with pytest.raises(InputError) as caught:
        load_weights(module, tmp_path / "w.pt")
    for part in ("1 missing (0.weight)", "1 unexpected (head.weight)", "0.bias [3] instead of [2]"):
        assert part in str(caught.value)
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())


class Payload:
    """Touches a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.canary}",)


@pytest.mark.parametrize("forced", [False, True])
def test_code_in_a_file_is_not_run(
    tmp_path: Path, forced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if forced:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    canary = tmp_path / "canary"
    torch.save({"0.weight": Payload(canary)}, tmp_path / "w.pt")
    with pytest.raises(
        InputError, match=r"w\.pt holds more than tensors, and nothing of it was run"
    ):
        load_weights(net(), tmp_path / "w.pt")
    assert not canary.exists()


def test_a_whole_module_is_refused(tmp_path: Path) -> None:
    torch.save(net(), tmp_path / "w.pt")
    with pytest.raises(InputError, match="save the module's"):
        load_weights(net(), tmp_path / "w.pt")


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
@pytest.mark.parametrize("content", [b"", b"text", b"\x80\x02K\x01.", b"\xff" * 64])
def test_other_files_are_refused_in_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_weights(net(), tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_weights(net(), tmp_path / "none.pt")
    with pytest.raises(InputError, match="is a directory"):
        load_weights(net(), tmp_path)
