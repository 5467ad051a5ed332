r"""Figures of other tools against nasprof's conventions of their names, on timm networks.

Usage, in two steps (the tools are no dependencies of this project):

    python -m pip install --no-deps --target /tmp/peers fvcore iopath portalocker yacs \
        termcolor thop
    python benchmarks/conventions.py --peers /tmp/peers [NETWORK ...]

Every network is counted by fvcore, thop and torch's FlopCounterMode (meta device), and by nasprof
in their conventions; all differences should be 0.
"""

from __future__ import annotations

import argparse
import copy
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from static_cost import timm_network
from tabulate import tabulate

from exporters.meta_trace import trace_module
from profiler.cost.traced import count_trace

NETWORKS = (  # noqa: SIM905 - a list of many literals reads worse
    "resnet18 mobilenetv3_large_100 efficientnet_b0 ghostnet_100 convnext_tiny densenet121 "
    "swin_tiny_patch4_window7_224 vit_tiny_patch16_224 deit_tiny_patch16_224 mixer_s32_224 "
    "poolformer_s12 levit_128s xcit_tiny_12_p16_224 regnety_032"
).split()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--peers", type=Path, required=True, help="folder of the installed tools")
    options = parser.parse_args()
    # Last, so that nothing in it hides what this environment has.
    sys.path.append(str(options.peers))
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    rows = [compare(name) for name in options.networks]
    print(tabulate(rows, headers="keys", intfmt=","))
    wrong = sum(any(row[f"{tool} diff"] for tool in ("fvcore", "thop", "torch")) for row in rows)
    print(f"{len(rows) - wrong} of {len(rows)} networks equal to the unit in every convention")


def compare(name: str) -> dict[str, Any]:
    """One network: each tool's figure, and nasprof's in its convention less that."""
    module, shape = timm_network(name)
    x = torch.randn(shape)
    trace = trace_module(module, [x])
    figures = {
        "fvcore": (fvcore(module, x), "fvcore-fused"),
        "thop": (thop(module, x), "thop"),
        "torch": (flop_counter(name, x), "torch"),
    }
    row: dict[str, Any] = {"network": name}
    for tool, (figure, convention) in figures.items():
        row[tool] = figure
        row[f"{tool} diff"] = (count_trace(trace, convention).figure or 0) - figure
    return row


def fvcore(module: Any, x: torch.Tensor) -> int:
    from fvcore.nn import FlopCountAnalysis

    analysis = FlopCountAnalysis(copy.deepcopy(module), x)
    analysis.unsupported_ops_warnings(False)
    analysis.uncalled_modules_warnings(False)
    return int(analysis.total())


def thop(module: Any, x: torch.Tensor) -> int:
    from thop import profile

    return int(profile(copy.deepcopy(module), (x,), verbose=False)[0])


def flop_counter(name: str, x: torch.Tensor) -> int:
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        module, _ = timm_network(name)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(x.to("meta"))
    return counter.get_total_flops()


if __name__ == "__main__":
    main()
