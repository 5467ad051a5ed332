"""Each published format on a tiny file of its layout, and refused when it is hostile."""

from __future__ import annotations

import base64
import bz2
import json
import pickle  # noqa: TID251  the tests write the files that people download
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nasprof.spaces.fbnet import PLUGIN as FBNET
from nasprof.spaces.nasbench101 import PLUGIN as NASBENCH101
from nasprof.spaces.nasbench201 import PLUGIN as NASBENCH201
from nasprof.spaces.nasbench_macro import PLUGIN as MACRO
from nasprof.spaces.nasbench_mr import PLUGIN as NASBENCH_MR
from nasprof.spaces.ofa_mobilenetv3 import PLUGIN as OFA
from nasprof.spaces.transnas_macro import PLUGIN as TRANSNAS_MACRO
from nasprof.spaces.transnas_micro import PLUGIN as TRANSNAS_MICRO
from nasprof.tables._library import find_table, list_tables, tables_of
from nasprof.tables._reader import import_table
from nasprof.tables._table import Table
from profiler.core.errors import InputError
from profiler.core.plugins import load, names

ARCHS = [NASBENCH201.describe(NASBENCH201.at(index)) for index in range(3)]


def brought(kind: str, files: list[Path], folder: Path) -> dict[str, Table]:
    return {t.notes["nasprof.space"]: t for t in import_table(kind, files, folder / "tables")}


def ncp_file(folder: Path, setting: str, metric: str) -> Path:
    path = folder / setting / "trainval.pkl"
    path.parent.mkdir()
    start = [64, 64, 2, 2, 64, 2, 2, 2, 64, 64, 2, 2, 2, 2, 64, 64, 64]
    start += [2, 2, 2, 2, 2, 64, 64, 64, 64, 64]
    small = [8 if value == 64 else 1 for value in start]
    rows = [
        {"embedding": np.array(start, dtype=np.float32), "flops": 1.96, "params": 4.13, metric: 7},
        {"embedding": small, "flops": 0.01, "params": 0.02, metric: np.float64(5.5)},
    ]
    path.write_bytes(pickle.dumps(rows))
    return path


def test_ncp(tmp_path: Path) -> None:
    files = [ncp_file(tmp_path, "seg", "mIoU"), ncp_file(tmp_path, "video", "top1")]
    table = brought("ncp", files, tmp_path)["nasbench-mr"]
    assert len(table) == 2
    rows = table.candidates(NASBENCH_MR)
    start = NASBENCH_MR.parse("64 64 2 2 64 2 2 2 64 64 2 2 2 2 64 64 64 2 2 2 2 2 64 64 64 64 64")
    assert table.numbers("seg.mIoU")[rows[start]] == 7
    assert table.column("gflops").unit == "1e9"
    assert table.column("video.top1").unit == "%"


def result(accuracy: float) -> dict[str, Any]:
    return {
        "name": "infer.tiny",
        "net_state_dict": None,
        "eval_names": ["ori-test", "x-valid"],
        "eval_acc1es": {
            "ori-test@10": 1.0,
            "ori-test@199": accuracy,
            "x-valid@9": 2.0,
            "x-valid@199": accuracy - 1,
        },
        "train_times": {0: 3.0, 1: 4.0},
        "flop": 15.6,
        "params": 0.13,
        "latency": [0.01, 0.03],
    }


def arch_results(index: int, accuracies: list[float]) -> dict[str, Any]:
    return {
        "arch_index": index,
        "arch_str": ARCHS[index],
        "dataset_seed": {"cifar10": [777, 888][: len(accuracies)]},
        "all_results": {
            ("cifar10", seed): result(accuracy)
            for seed, accuracy in zip((777, 888), accuracies, strict=False)
        },
        "clear_net_done": True,
    }


@pytest.mark.parametrize("zipped", [True, False])
def test_nasbench201(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "NAS-Bench-201-v1_1-096897.pth"
    data = {
        "meta_archs": ARCHS,
        "arch2infos": {
            1: {"less": arch_results(1, [50.0]), "full": arch_results(1, [90.0, 92.0])},
            0: {"less": arch_results(0, [40.0]), "full": arch_results(0, [80.0])},
        },
        "evaluated_indexes": [0, 1],
    }
    torch.save(data, path, _use_new_zipfile_serialization=zipped)
    table = brought("nasbench201", [path], tmp_path)["nasbench201"]
    assert table.values("index") == [0, 1]
    assert table.numbers("cifar10.ori-test.200").tolist() == [80, 91]
    assert table.numbers("cifar10.x-valid.12").tolist() == [39, 49]
    assert table.numbers("cifar10.train_time.200").tolist() == [7, 7]
    assert table.numbers("cifar10.latency")[0] == pytest.approx(0.02)
    assert table.column("cifar10.latency").unit == "s"
    assert table.candidates(NASBENCH201)[NASBENCH201.at(1)] == 1


def test_natsbench_file_and_folder(tmp_path: Path) -> None:
    entries = {
        0: {"12": arch_results(0, [40.0]), "200": arch_results(0, [80.0])},
        2: {"12": arch_results(2, [45.0]), "200": arch_results(2, [85.0, 86.0])},
    }
    whole = tmp_path / "NATS-tss-v1_0-3ffb9.pickle.pbz2"
    meta = {"meta_archs": ARCHS, "arch2infos": entries, "evaluated_indexes": {0, 2}}
    whole.write_bytes(bz2.compress(pickle.dumps(meta, protocol=4)))
    folder = tmp_path / "NATS-tss-v1_0-3ffb9-simple"
    folder.mkdir()
    del meta["arch2infos"]
    (folder / "meta.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(meta)))
    for index, entry in entries.items():
        file = folder / f"{index:06d}.pickle.pbz2"
        file.write_bytes(bz2.compress(pickle.dumps(entry)))
    for source in (whole, folder):
        table = brought("natsbench", [source], tmp_path)["nasbench201"]
        assert table.values("index") == [0, 2]
        assert table.numbers("cifar10.ori-test.200").tolist() == [80, 85.5]
        assert set(table.candidates(NASBENCH201)) == {NASBENCH201.at(0), NASBENCH201.at(2)}


def crc32c(data: bytes) -> int:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    value = 0xFFFFFFFF
    for byte in data:
        value = table[(value ^ byte) & 255] ^ value >> 8
    return value ^ 0xFFFFFFFF


def masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def evaluation(seconds: float, train: float, valid: float, test: float) -> bytes:
    doubles = [108.0, seconds, train, valid, test]
    body = b"".join(
        bytes([number << 3 | 1]) + struct.pack("<d", value)
        for number, value in enumerate(doubles, start=1)
    )
    body += b"\x32\x04path"
    return b"\x0a" + bytes([len(body)]) + body


def record(key: str, epochs: int, matrix: str, ops: str, valid: float, params: int) -> bytes:
    message = b"".join(evaluation(*values) for values in ((0, 0, 0, 0), (5, 0.5, 0.5, 0.5)))
    message += evaluation(10, 1.0, valid, valid - 0.01)
    varint = b""
    while params >= 128:
        varint += bytes([params & 127 | 128])
        params >>= 7
    message += b"\x10" + varint + bytes([params]) + b"\x19" + struct.pack("<d", 20.0)
    encoded = base64.encodebytes(message).decode().replace("\n", "")
    data = json.dumps([key, epochs, matrix, ops, encoded]).encode()
    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)


def test_the_checksum_of_the_tests_is_the_standard_one() -> None:
    # The check value of CRC-32C in RFC 3720, appendix B.4: 32 bytes of zeros.
    assert crc32c(bytes(32)) == 0x8A9136AA


def test_nasbench101(tmp_path: Path) -> None:
    path = tmp_path / "nasbench_only108.tfrecord"
    inception = "0111010000000100000010000100000000100000010000000"
    ops = "input,conv1x1-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,maxpool3x3,output"
    small = ("010001000", "input,maxpool3x3,output")
    path.write_bytes(
        record("aa", 108, inception, ops, 0.94, 2_694_282)
        + record("aa", 108, inception, ops, 0.96, 2_694_282)
        + record("aa", 4, inception, ops, 0.70, 2_694_282)
        + record("bb", 108, *small, 0.5, 300)
    )
    table = brought("nasbench101", [path], tmp_path)["nasbench101"]
    assert table.values("params") == [2_694_282, 300]
    assert table.numbers("valid_108").tolist() == pytest.approx([95, 50])
    assert table.numbers("test_108").tolist() == pytest.approx([94, 49])
    assert table.values("valid_4")[1] is None
    assert table.column("train_time_108").unit == "s"
    rows = table.candidates(NASBENCH101)
    cell = NASBENCH101.parse(table.values("arch")[0])
    assert rows[cell] == 0
    assert NASBENCH101.module_hash(cell) == "28cfc7874f6d200472e1a9dcd8650aa0"


def transnas_task(scale: float) -> dict[str, Any]:
    return {
        "model_info": {"inference_time": 0.02, "encoder_params": 1000, "model_FLOPs": 5},
        "metrics": {
            "train_top1": [1.0, 2.0],
            "valid_top1": [30 * scale, 20 * scale],
            "test_loss": [3.0, 4.0],
            "valid_neg_loss": [-3.0, -2.0],
            "time_elapsed": ["00:01", "00:02"],
        },
        "total_epochs": 2,
    }


def test_transnas(tmp_path: Path) -> None:
    path = tmp_path / "transnas-bench_v10141024.pth"
    data = {
        "metrics_dict": {},
        "info_names": [],
        "task_list": ["class_scene"],
        "data": {
            "macro": {"64-1234-basic": {"class_scene": transnas_task(1)}},
            "micro": {
                "64-41414-1_02_333": {"class_scene": transnas_task(2)},
                "64-41414-0_00_000": {"class_scene": transnas_task(0)},
            },
        },
    }
    torch.save(data, path, _use_new_zipfile_serialization=False)
    tables = brought("transnas", [path], tmp_path)
    micro, macro = tables["transnas-micro"], tables["transnas-macro"]
    assert macro.candidates(TRANSNAS_MACRO) == {TRANSNAS_MACRO.parse("64-1234-basic"): 0}
    assert micro.candidates(TRANSNAS_MICRO)[TRANSNAS_MICRO.parse("1_02_333")] == 0
    assert micro.numbers("class_scene.valid_top1.best").tolist() == [60, 0]
    assert micro.numbers("class_scene.valid_top1.final").tolist() == [40, 0]
    assert macro.numbers("class_scene.test_loss.best")[0] == 3
    assert macro.numbers("class_scene.valid_neg_loss.best")[0] == -2
    assert macro.column("class_scene.inference_time").unit == "s"


def hwnas_data() -> dict[str, Any]:
    keys = FBNET.layer_keys((8,) * 22)
    return {
        "nasbench201": {
            "cifar10": {
                "config": [{"name": "infer.tiny", "arch_str": arch} for arch in ARCHS],
                "pixel3_latency": np.array([3.6, 17.2, 5.0]),
                "edgegpu_energy": [24.2, 25.0, 26.0],
                "eyeriss_arithmetic_intensity": [1.0, 1.0, 1.0],
            }
        },
        "fbnet": {"pixel3_latency": dict.fromkeys(keys, 0.5)},
    }


def test_hwnas(tmp_path: Path) -> None:
    path = tmp_path / "HW-NAS-Bench-v1_0.pickle"
    path.write_bytes(pickle.dumps(hwnas_data()))
    tables = brought("hwnas", [path], tmp_path)
    cells = tables["nasbench201"]
    assert cells.numbers("cifar10.pixel3.latency").tolist() == [3.6, 17.2, 5.0]
    assert cells.column("cifar10.edgegpu.energy").unit == "mJ"
    assert cells.candidates(NASBENCH201)[NASBENCH201.at(2)] == 2
    assert len(tables["fbnet"]) == len(set(FBNET.layer_keys((8,) * 22)))


def test_help_by_space(tmp_path: Path) -> None:
    cells, blocks, nets = (tmp_path / name for name in ("cells", "blocks", "nets"))
    for folder in (cells, blocks, nets):
        folder.mkdir()
    torch.save([float(index) for index in range(15_625)], cells / "pixel3.pt")
    torch.save(torch.arange(15_625.0), cells / "1080ti_32.pt")
    table = brought("help", sorted(cells.iterdir()), tmp_path)["nasbench201"]
    assert table.numbers("1080ti_32")[857] == table.numbers("pixel3")[857] == 857
    assert table.column("pixel3").unit == "ms"

    torch.save({"arch": [{"op_idx_list": [8] * 22}, {"op_idx_list": [1] * 22}]},
               blocks / "metainfo.pt")  # fmt: skip
    torch.save([1.0, 2.0], blocks / "fpga.pt")
    table = brought("help", sorted(blocks.iterdir()), tmp_path)["fbnet"]
    assert table.candidates(FBNET)[(1,) * 22] == 1

    arch = {"ks": [3] * 20, "e": [4] * 20, "d": [2] * 5, "r": [224], "wid": None}
    torch.save({"arch": [arch]}, nets / "ofa_archs.pt")
    torch.save([9.5], nets / "v100_1.pt")
    table = brought("help", sorted(nets.iterdir()), tmp_path)["ofa-mobilenetv3"]
    genes = OFA.parse("r224-33.44-33.44-33.44-33.44-33.44")
    assert table.candidates(OFA) == {genes: 0}


def test_nasbench_macro(tmp_path: Path) -> None:
    path = tmp_path / "nas-bench-macro_cifar10.json"
    row = {"test_acc": [92, 93, 94], "mean_acc": 93.0, "std": 0.8, "params": 10, "flops": 20}
    path.write_text(json.dumps({"00000000": row, "12021021": {**row, "mean_acc": 91.5}}))
    table = brought("nasbench-macro", [path], tmp_path)["nasbench-macro"]
    assert table.candidates(MACRO)[MACRO.parse("12021021")] == 1
    assert table.numbers("test").tolist() == [93, 91.5]


def test_hwnas360(tmp_path: Path) -> None:
    path = tmp_path / "runtime.npz"
    np.savez(
        path,
        combo=np.array(["pi5/onnx/cifar100", "pi5/litert/cifar100"]),
        latency_ms=np.array([[1.0, 2.0, 1.0], [3.0, 4.0, 3.0]]),
        energy_mj=np.ones((2, 3)),
        representative=np.array([0, 1, 0]),
    )
    table = brought("hwnas360", [path], tmp_path)["nasbench201"]
    assert table.numbers("pi5-litert-cifar100.latency").tolist() == [3, 4, 3]
    assert table.values("representative") == [0, 1, 0]


class Hostile:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (f"open({str(self.target)!r}, 'w').close()",)


def save_zip(value: Any, path: Path) -> None:
    torch.save(value, path)


def save_old(value: Any, path: Path) -> None:
    torch.save(value, path, _use_new_zipfile_serialization=False)


def save_pickle(value: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(value))


def save_bz2(value: Any, path: Path) -> None:
    path.write_bytes(bz2.compress(pickle.dumps(value)))


def save_npz(value: Any, path: Path) -> None:
    np.savez(path, combo=np.array([value], dtype=object))


@pytest.mark.parametrize(
    ("kind", "file", "save"),
    [
        ("ncp", "trainval.pkl", save_pickle),
        ("nasbench201", "NAS-Bench-201.pth", save_zip),
        ("nasbench201", "NAS-Bench-201.pth", save_old),
        ("natsbench", "NATS-tss.pickle.pbz2", save_bz2),
        ("transnas", "transnas-bench.pth", save_zip),
        ("transnas", "transnas-bench.pth", save_old),
        ("hwnas", "HW-NAS-Bench.pickle", save_pickle),
        ("help", "pixel3.pt", save_zip),
        ("help", "pixel3.pt", save_old),
        ("hwnas360", "runtime.npz", save_npz),
    ],
)
def test_hostile_files_are_refused_with_the_class_named(
    kind: str, file: str, save: Callable[[Any, Path], None], tmp_path: Path
) -> None:
    target = tmp_path / "ran"
    save({"data": Hostile(target)}, tmp_path / file)
    # numpy refuses any object in a .npz before it looks at its class.
    match = r"(?i)object" if kind == "hwnas360" else r"asks for (builtins|__builtin__)\.exec"
    with pytest.raises(InputError, match=match):
        import_table(kind, [tmp_path / file], tmp_path)
    assert not target.exists()
    assert not list(tmp_path.glob("*.parquet"))


@pytest.mark.parametrize("kind", names("nasprof.tables"))
def test_files_of_another_kind_are_refused(kind: str, tmp_path: Path) -> None:
    reader = load("nasprof.tables", kind)
    assert reader.name == kind
    assert reader.title
    for name, content in (
        ("empty", b""),
        ("text.json", b"[1, 2]"),
        ("list.pkl", pickle.dumps([1, 2])),
        ("dict.pkl", pickle.dumps({"data": 5, "meta_archs": 5})),
        ("list.pbz2", bz2.compress(pickle.dumps([1]))),
        ("half.pbz2", bz2.compress(pickle.dumps([1] * 1000))[:-8]),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(InputError):
            import_table(kind, [path], tmp_path / "out")
    with pytest.raises(InputError, match="is not there"):
        import_table(kind, [tmp_path / "gone"], tmp_path / "out")
    with pytest.raises(InputError, match="give the files"):
        import_table(kind, [], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_imported_tables_are_listed_and_found(tmp_path: Path) -> None:
    path = tmp_path / "HW-NAS-Bench-v1_0.pickle"
    path.write_bytes(pickle.dumps(hwnas_data()))
    brought("hwnas", [path], tmp_path)
    folder = tmp_path / "tables"
    infos = {info.name: info for info in list_tables(folder)}
    assert set(infos) == {"hwnas.nasbench201", "hwnas.fbnet"}
    info = infos["hwnas.nasbench201"]
    assert (info.rows, info.space) == (3, "nasbench201")
    assert info.source.startswith("HW-NAS-Bench-v1_0.pickle (sha256 ")
    units = {column.name: column.unit for column in info.columns}
    assert units["cifar10.pixel3.latency"] == "ms"
    assert len(find_table("hwnas.nasbench201", folder)) == 3
    assert [t.path.name for t in tables_of("fbnet", folder)] == ["hwnas.fbnet.parquet"]
    assert list_tables(tmp_path / "nowhere") == ()
    with pytest.raises(InputError, match=r"hwnas\.fbnet, hwnas\.nasbench201"):
        find_table("hwnas", folder)
