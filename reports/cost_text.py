"""Static cost for the terminal: totals, a breakdown, models side by side, other conventions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tabulate import tabulate

from profiler.core.cost import GraphCost, OpCost, added_up
from profiler.core.errors import InputError
from profiler.core.units import mib, ms, si
from profiler.cost.explain import Difference
from profiler.cost.polynomial import Polynomial
from profiler.cost.roofline import Roofline
from reports.quantities import short, shown

BREAKDOWNS = ("operator", "node", "module", "class", "precision")
SORTS = ("macs", "flops", "bytes", "order")


def cost_table(
    cost: GraphCost,
    by: str = "operator",
    sort: str = "macs",
    top: int | None = None,
    roof: Roofline | None = None,
) -> str:
    """The static cost of one model: totals first, then where they come from.

    Unit: MAC is one multiply and one add; FLOPs are 2 x MACs plus the other arithmetic.
    Raises: InputError for an unknown breakdown or order.
    """
    parts = [tabulate(_totals(cost, roof), tablefmt="plain", disable_numparse=True), ""]
    rows = ordered(breakdown(cost, by), sort)
    kept = rows if top is None else rows[:top]
    cells = [_cells(row, cost) for row in kept]
    head = (by, "nodes", "MACs", "share", "FLOPs", "read MiB", "written MiB", "FLOPs/byte")
    parts.append(tabulate(cells, head, colalign=("left", *("right",) * 7), disable_numparse=True))
    if len(kept) < len(rows):
        parts.append(f"{len(rows) - len(kept)} more rows; --top shows more")
    if roof is not None:
        parts += ["", _bounds(roof, top)]
    return "\n".join(parts + _left_out(cost))


def side_by_side(costs: Sequence[tuple[str, GraphCost]]) -> str:
    """Totals of several models, or of one at several sizes, one line each."""
    cells = [
        (short(label, 44), _figure(cost), si(cost.flops), si(_params(cost)),
         mib(cost.weight_bytes), _mib(cost.peak_activation_bytes), _ratio(cost.intensity),
         "" if cost.complete else "incomplete")
        for label, cost in costs
    ]  # fmt: skip
    head = ("model", _figure_name(costs[0][1]), "FLOPs", "parameters", "weights MiB",
            "peak act. MiB", "FLOPs/byte", "")  # fmt: skip
    return tabulate(cells, head, colalign=("left", *("right",) * 6, "left"), disable_numparse=True)


def difference_table(name: str, rows: Sequence[Difference]) -> str:
    """How another convention's figure comes about, operator type by operator type."""
    cells = [
        (shown(row.op_type, 40), str(row.nodes), _count(row.macs), _count(row.figure),
         _signed(row.difference), row.reason)
        for row in rows
    ]  # fmt: skip
    cells.append(
        ("total", str(sum(row.nodes for row in rows)), _count(_sum(r.macs for r in rows)),
         _count(_sum(r.figure for r in rows)), _signed(_sum(r.difference for r in rows)), "")
    )  # fmt: skip
    head = ("operator", "nodes", "nasprof MACs", name, "difference", "why")
    align = ("left", *("right",) * 4, "left")
    return tabulate(
        cells, head, colalign=align, disable_numparse=True, maxcolwidths=[None] * 5 + [60]
    )


def polynomial_lines(found: Mapping[str, Polynomial | None]) -> str:
    """Every metric as a polynomial of the symbolic dimensions, or that it is none."""
    lines = []
    for metric, polynomial in found.items():
        if polynomial is None:
            lines.append(f"{metric}: no polynomial of the symbolic dimensions")
            continue
        where = ""
        if polynomial.symbols and (polynomial.step > 1 or polynomial.first > 1):
            where = f"  (sizes from {polynomial.first} in steps of {polynomial.step})"
        lines.append(f"{metric} = {polynomial}{where}")
    return "\n".join(lines)


def breakdown(cost: GraphCost, by: str) -> tuple[OpCost, ...]:
    """The nodes added up by operator, module, class or precision, or each by itself.

    Raises: InputError for an unknown breakdown.
    """
    if by not in BREAKDOWNS:
        raise InputError(f"cannot break down by {by!r}; there are: {', '.join(BREAKDOWNS)}")
    if by == "operator":
        return cost.by_op
    if by == "class":
        return cost.by_class
    if by == "precision":
        return cost.by_precision
    if by == "module":
        return cost.by_module()
    return added_up((f"{node.op_type} {node.module or node.name}", node) for node in cost.nodes)


def ordered(rows: Sequence[OpCost], sort: str) -> list[OpCost]:
    """Rows with the largest first, or in the order of execution.

    Raises: InputError for an unknown order.
    """
    keys = {
        "macs": lambda row: (-row.macs, -row.flops, row.op_type),
        "flops": lambda row: (-row.flops, row.op_type),
        "bytes": lambda row: (-row.bytes_read - row.bytes_written, row.op_type),
    }
    if sort not in SORTS:
        raise InputError(f"cannot sort by {sort!r}; there are: {', '.join(SORTS)}")
    return list(rows) if sort == "order" else sorted(rows, key=keys[sort])


def _totals(cost: GraphCost, roof: Roofline | None) -> list[tuple[str, str]]:
    params = si(cost.params)
    if cost.module_params is not None and cost.module_params != cost.params:
        params += f" (torch module {si(cost.module_params)})"
    rows = [("MACs", f"{si(cost.macs)} ({cost.macs:,})")]
    if cost.convention != "nasprof":
        rows.append((f"{cost.convention} convention", _figure(cost)))
    if cost.constant_macs:
        rows.append(("of these on weights alone", f"{si(cost.constant_macs)}, done once at load"))
    rows += [
        ("FLOPs (2 x MACs + other)", si(cost.flops)),
        ("parameters", params),
        ("weights", f"{mib(cost.weight_bytes)} MiB"),
        ("peak activations", f"{_mib(cost.peak_activation_bytes)} MiB"),
        ("same, nodes working in place", f"{_mib(cost.peak_in_place_bytes)} MiB"),
        ("memory traffic", f"{mib(cost.bytes_read + cost.bytes_written)} MiB"),
        ("arithmetic intensity", f"{_ratio(cost.intensity)} FLOPs/byte"),
    ]
    if cost.dims:
        rows.append(("sizes", ", ".join(f"{shown(name, 40)}={size}" for name, size in cost.dims)))
    if cost.symbols:
        rows.append(("without a size", ", ".join(shown(name, 40) for name in cost.symbols)))
    if roof is not None:
        rows.append(("roofline, node by node", _time(roof.least_ns)))
        rows.append(("lower bound of latency", _time(roof.compute_ns)))
    return rows


def _cells(row: OpCost, cost: GraphCost) -> tuple[str, ...]:
    share = f"{row.macs / cost.macs:.1%}" if cost.macs else ""
    return (
        shown(row.op_type, 60), str(row.nodes), si(row.macs), share, si(row.flops),
        mib(row.bytes_read), mib(row.bytes_written), _ratio(row.intensity),
    )  # fmt: skip


def _bounds(roof: Roofline, top: int | None) -> str:
    slowest = sorted(roof.nodes, key=lambda node: -(node.least_ns or 0.0))[: top or 10]
    cells = [
        (node.op_type, short(node.name, 44), _time(node.least_ns), node.bound or "unknown",
         _ratio(node.intensity))
        for node in slowest
    ]  # fmt: skip
    head = ("operator", "node", "at least", "bound by", "FLOPs/byte")
    return tabulate(
        cells, head, colalign=("left", "left", "right", "left", "right"), disable_numparse=True
    )


def _left_out(cost: GraphCost) -> list[str]:
    lines = []
    if cost.uncounted:
        names = ", ".join(f"{shown(name, 40)} ({nodes})" for name, nodes in cost.uncounted)
        lines.append(f"not counted, no rule: {names}")
    if cost.unknown:
        names = ", ".join(short(name, 40) for name in cost.unknown[:8])
        lines.append(f"not counted, shape unknown: {len(cost.unknown)} nodes ({names})")
    return lines


def _params(cost: GraphCost) -> int:
    return cost.params if cost.module_params is None else cost.module_params


def _figure(cost: GraphCost) -> str:
    return _count(cost.macs if cost.convention == "nasprof" else cost.figure)


def _figure_name(cost: GraphCost) -> str:
    return "MACs" if cost.convention == "nasprof" else cost.convention


def _count(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}"


def _signed(value: int | None) -> str:
    return "unknown" if value is None else f"{value:+,}"


def _sum(values: Iterable[int | None]) -> int | None:
    found = list(values)
    return None if None in found else sum(value or 0 for value in found)


def _mib(value: int | None) -> str:
    return "unknown" if value is None else mib(value)


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _time(nanoseconds: float | None) -> str:
    return "unknown" if nanoseconds is None else f"{ms(nanoseconds)} ms"
