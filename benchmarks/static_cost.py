"""Static cost against onnx-tool and torch's FlopCounterMode on the same exported files.

Usage, in two steps (onnx-tool is no dependency of this project; it only needs numpy and onnx):

    python -m pip install --no-deps --target /tmp/onnx-tool onnx-tool==1.0.1
    python benchmarks/static_cost.py --peer /tmp/onnx-tool [--folder FOLDER] [--rounds 5] [--all]

timm networks are exported once into the folder by torch's newer exporter (`--all`: by both, and
more of them); all tools then take turns on each file in one process, the best of the rounds
counts (wall time, and CPU time for a machine that others use too), and every disagreement is
listed with its reason. Memory is the peak of a process of its
own that counts the largest file.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import logging
import statistics
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from profiler.cost.count import count_file  # noqa: E402 - runs from a checkout
from profiler.cost.explain import explain  # noqa: E402 - runs from a checkout

# The first 32 are timed: the sizes that papers give figures for, 14 to 356 MB. The others are
# further families, mostly their smallest members.
NETWORKS = (  # noqa: SIM905 - a list of 80 literals reads worse
    "resnet18 resnet50 resnext50_32x4d seresnet50 densenet121 inception_v3 xception41 "
    "hrnet_w18_small mobilenetv2_100 mobilenetv3_large_100 efficientnet_b0 "
    "tf_efficientnetv2_s semnasnet_100 fbnetc_100 ghostnet_100 regnety_032 repvgg_a2 "
    "fastvit_t8 convnext_tiny vit_base_patch16_224 deit_small_patch16_224 "
    "swin_tiny_patch4_window7_224 maxvit_tiny_tf_224 xcit_tiny_12_p16_224 levit_256 "
    "poolformer_s12 coatnet_0_rw_224 mobilevit_s mixer_b16_224 eva02_tiny_patch14_224 "
    "davit_tiny nasnetalarge mobilenetv4_conv_small mnasnet_100 regnety_004 repvgg_a0 "
    "mobileone_s0 convnext_atto vit_tiny_patch16_224 deit3_small_patch16_224 levit_128s "
    "coatnet_nano_rw_224 mixer_s32_224 skresnet18 res2net50_14w_8s resnest14d dla34 "
    "inception_v4 mobilenetv1_100 tf_efficientnetv2_b0 fbnetv3_b spnasnet_100 ghostnetv2_100 "
    "lcnet_050 tinynet_e hardcorenas_a mixnet_s rexnet_100 regnetx_002 eca_nfnet_l0 repvit_m1 "
    "repghostnet_050 convnextv2_atto deit_tiny_patch16_224 swin_s3_tiny_224 "
    "efficientformer_l1 efficientformerv2_s0 caformer_s18 pvt_v2_b0 coat_tiny mobilevitv2_050 "
    "edgenext_xx_small resmlp_12_224 gmlp_s16_224 crossvit_tiny_240 tnt_s_patch16_224 "
    "visformer_tiny focalnet_tiny_srf sequencer2d_s cspresnet50 darknet53 selecsls42 "
    "ese_vovnet19b_dw inception_next_tiny hgnet_tiny tiny_vit_5m_224 efficientvit_b0 "
    "efficientvit_m0 mambaout_femto hiera_tiny_224 starnet_s1"
).split()
TIMED = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peer", type=Path, help="folder that onnx-tool was installed into")
    parser.add_argument("--folder", type=Path, default=Path("static-cost-models"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--all", action="store_true", help="every network, by both exporters")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    networks = NETWORKS if options.all else NETWORKS[:TIMED]
    files = [
        found
        for name in networks
        for exporter in (("dynamo", "script") if options.all else ("dynamo",))
        if (found := exported(name, exporter, options.folder)) is not None
    ]
    check_against_torch(files)
    if options.peer is not None:
        sys.path.insert(0, str(options.peer))
        timed = [file for file in files if "script" not in file.name][:TIMED]
        compare(timed, options.rounds)
        memory(max(timed, key=lambda file: file.stat().st_size), options.peer)
    cold(options.folder / "vit_base_patch16_224.dynamo.onnx")


def timm_network(name: str) -> tuple[Any, tuple[int, ...]]:
    """Make a timm network; the operators of torchvision are declared, as wheels may not match."""
    import torch

    with contextlib.suppress(RuntimeError):
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        timm_network.library = library  # type: ignore[attr-defined]
    import timm

    module = timm.create_model(name).eval()
    return module, (1, *module.default_cfg["input_size"])


def exported(name: str, exporter: str, folder: Path) -> Path | None:
    """Export a network once; its count by torch on the meta device is kept beside it."""
    path = folder / f"{name}.{exporter}.onnx"
    note = folder / f"{name}.{exporter}.json"
    if note.exists():
        return path if path.exists() else None
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from exporters.meta_trace import trace_module
    from profiler.cost.traced import count_trace

    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    facts: dict[str, Any] = {}
    try:
        with torch.device("meta"):
            meta, shape = timm_network(name)
            start = perf_counter()
            with FlopCounterMode(display=False) as counter, torch.no_grad():
                meta(torch.empty(shape))
            facts["meta_ms"] = (perf_counter() - start) * 1e3
            facts["macs"] = counter.get_total_flops() // 2
            own = count_trace(trace_module(meta, [torch.empty(shape)]))
            facts["constant_macs"] = own.constant_macs
            facts["own_macs"] = own.macs
        module, shape = timm_network(name)
        with contextlib.redirect_stdout(io.StringIO()):
            torch.onnx.export(
                module,
                (torch.randn(shape),),
                str(path),
                dynamo=exporter == "dynamo",
                verbose=False,
                **({"external_data": False} if exporter == "dynamo" else {}),
            )
    except Exception as error:  # noqa: BLE001 - not every network goes through every exporter
        facts["error"] = str(error).partition("\n")[0][:200]
        path.unlink(missing_ok=True)
    note.write_text(json.dumps(facts))
    return path if path.exists() else None


def facts_of(file: Path) -> dict[str, Any]:
    """What was noted when a file was exported."""
    facts: dict[str, Any] = json.loads(file.with_suffix(".json").read_text())
    return facts


def check_against_torch(files: list[Path]) -> None:
    """Print every file whose MACs are not torch's, and how many are.

    An exporter may carry out products of weights alone; then the rest is compared.
    """
    equal = folded = 0
    for file in files:
        facts, cost = facts_of(file), count_file(file)
        macs, constant = facts["macs"], facts.get("constant_macs", 0)
        if cost.macs == macs and cost.complete:
            equal += 1
        elif cost.macs - cost.constant_macs == macs - constant and cost.complete:
            folded += 1
            print(
                f"{file.stem}: {macs - cost.macs:,} of its {macs:,} MACs are on weights alone, ",
                end="",
            )
            print("and were carried out by the exporter")
        else:
            print(f"{file.stem}: {cost.macs} MACs, torch {macs}; {cost.uncounted} {cost.unknown}")
        if facts.get("own_macs", macs) != macs:
            print(f"{file.stem}: traced {facts['own_macs']} MACs, torch {macs}")
    networks = len({file.name.partition(".")[0] for file in files})
    print(
        f"MACs equal torch's meta-device count to the unit: {equal} of {len(files)} files", end=""
    )
    print(f" of {networks} networks; {folded} more without products of weights")


def peer(file: Path) -> int:
    """onnx-tool's figure."""
    import onnx_tool

    with contextlib.redirect_stdout(io.StringIO()):
        graph = onnx_tool.Model(str(file)).graph
        graph.shape_infer()
        graph.profile()
    return int(graph.macs[0])


def compare(files: list[Path], rounds: int) -> None:
    """Time both tools on each file in turns, and explain the difference of their figures."""
    ratios: list[float] = []
    cpu_ratios: list[float] = []
    total = [0.0, 0.0]
    print(
        f"{'file':34} {'nodes':>6} {'onnx-tool':>10} {'nasprof':>9} {'ratio':>6} {'CPU':>6}", end=""
    )
    print(f" {'onnx-tool MACs':>15} {'nasprof MACs':>13} {'diff':>7}  explained")
    for file in files:
        tools: tuple[Callable[[Path], Any], ...] = (peer, count_file)
        best = [float("inf"), float("inf")]
        cpu = [float("inf"), float("inf")]
        found: list[Any] = [None, None]
        for _ in range(rounds):
            for index, tool in enumerate(tools):
                # What one tool leaves behind is not to be collected on the other's time.
                gc.collect()
                start, cpu_start = perf_counter(), process_time()
                found[index] = tool(file)
                cpu[index] = min(cpu[index], (process_time() - cpu_start) * 1e3)
                best[index] = min(best[index], (perf_counter() - start) * 1e3)
        theirs, ours = found
        rows = explain(file, "onnx-tool")
        explained = sum(row.figure or 0 for row in rows) == theirs
        reasons = ", ".join(
            f"{row.op_type} {row.difference:+,}" for row in rows[:2] if row.difference
        )
        ratios.append(best[0] / best[1])
        cpu_ratios.append(cpu[0] / cpu[1])
        total = [total[0] + best[0], total[1] + best[1]]
        print(f"{file.stem:34} {len(ours.nodes):6} {best[0]:8.1f}ms {best[1]:7.1f}ms", end="")
        print(f" {ratios[-1]:5.1f}x {cpu_ratios[-1]:5.1f}x {theirs:15,} {ours.macs:13,}", end="")
        print(f" {theirs / ours.macs - 1:+7.1%}  {'yes' if explained else 'NO'}: {reasons}")
    print(f"over {len(files)} files: ", end="")
    for name, found_ratios in (("wall", ratios), ("CPU", cpu_ratios)):
        print(f"{name} median {statistics.median(found_ratios):.1f}x, ", end="")
        print(f"worst {min(found_ratios):.1f}x; ", end="")
    print(f"sum of wall times {total[0] / total[1]:.1f}x")
    meta = [facts_of(file)["meta_ms"] for file in files if "meta_ms" in facts_of(file)]
    print(
        f"torch FlopCounterMode on meta: median {statistics.median(meta):.0f} ms, not interleaved"
    )


def memory(file: Path, peer_folder: Path) -> None:
    """Peak memory of a process that counts one file, for each tool."""
    print(f"peak memory of a process on {file.name} ({file.stat().st_size >> 20} MiB):", end="")
    for name, code in (
        ("nasprof", "from profiler.cost.count import count_file; count_file(path)"),
        ("onnx-tool", "from static_cost import peer; peer(path)"),
    ):
        script = (
            "import sys; from pathlib import Path; path = Path(sys.argv[1]);"
            f"sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'benchmarks')!r}, {str(peer_folder)!r}];"
            # Not from getrusage, which remembers the process that this one was forked from.
            f"{code}; print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
        )
        run = subprocess.run(
            [sys.executable, "-c", script, str(file)], capture_output=True, text=True, check=True
        )
        print(f" {name} {int(run.stdout.split()[-1]) / 1024:.0f} MiB", end="")
    print()


def cold(file: Path) -> None:
    """Wall time of a fresh process that counts ViT-B, best of five."""
    if not file.exists():
        return
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from pathlib import Path;"
        "from profiler.cost.count import count_file; print(count_file(Path(sys.argv[1])).macs)"
    )
    times = []
    for _ in range(5):
        start = perf_counter()
        subprocess.run([sys.executable, "-c", script, str(file)], capture_output=True, check=True)
        times.append(perf_counter() - start)
    print(f"cold process on {file.name} ({file.stat().st_size >> 20} MiB): {min(times):.2f} s")


if __name__ == "__main__":
    main()
