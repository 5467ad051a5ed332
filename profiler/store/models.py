"""Models, their costs, and environments: rows that are put once and found by their hash."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Table, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from profiler.core.cost import GraphCost
from profiler.core.environment import Environment
from profiler.core.plain import dump, parse
from profiler.store.records import Calibration, ModelRecord
from profiler.store.schema import now_label
from profiler.store.tables import CALIBRATION, COST, ENVIRONMENT, MODEL

Dims = tuple[tuple[str, int], ...]


def put_row(connection: Connection, table: Table, row: dict[str, Any]) -> bool:
    """Insert a row unless its key is there already; True when it is new."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(table).values(**row).on_conflict_do_nothing()
    # SQLAlchemy asks PostgreSQL for the new id and would then forget the count of rows.
    counted = statement.execution_options(preserve_rowcount=True)
    return connection.execute(counted).rowcount == 1


def put_model(connection: Connection, model: ModelRecord) -> bool:
    """Store a model once."""
    row = {"sha256": model.sha256, "label": model.label, "record": dump(model)}
    return put_row(connection, MODEL, row | {"created_at": now_label()})


def put_cost(connection: Connection, sha256: str, dims: Dims, cost: GraphCost) -> bool:
    """Store a model's cost once for each choice of symbolic dimensions."""
    row = {"model_sha256": sha256, "dims": _dims_key(dims), "record": dump(cost)}
    return put_row(connection, COST, row | {"created_at": now_label()})


def put_environment(connection: Connection, environment: Environment) -> bool:
    """Store an environment once."""
    row = {"key": environment.key, "record": dump(environment), "created_at": now_label()}
    return put_row(connection, ENVIRONMENT, row)


def put_calibration(connection: Connection, calibration: Calibration) -> None:
    """Store what a machine can do at best; earlier calibrations stay."""
    row = {
        "environment_key": calibration.environment_key,
        "threads": calibration.threads,
        "record": dump(calibration),
        "created_at": now_label(),
    }
    connection.execute(insert(CALIBRATION).values(**row))


def newest_calibration(
    connection: Connection, environment_key: str, threads: int
) -> Calibration | None:
    """The newest calibration of a machine at a number of threads."""
    query = (
        select(CALIBRATION.c.record, CALIBRATION.c.created_at)
        .where(CALIBRATION.c.environment_key == environment_key)
        .where(CALIBRATION.c.threads == threads)
        .order_by(CALIBRATION.c.id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return replace(parse(Calibration, row.record), created_at=row.created_at)


def model(connection: Connection, sha256: str) -> ModelRecord | None:
    """A model by its hash."""
    text = connection.execute(select(MODEL.c.record).where(MODEL.c.sha256 == sha256)).scalar()
    return None if text is None else parse(ModelRecord, text)


def models(connection: Connection) -> list[ModelRecord]:
    """All models, by label."""
    query = select(MODEL.c.record).order_by(MODEL.c.label, MODEL.c.sha256)
    return [parse(ModelRecord, text) for text in connection.execute(query).scalars()]


def cost(connection: Connection, sha256: str, dims: Dims) -> GraphCost | None:
    """The cost of a model with these symbolic dimensions."""
    query = select(COST.c.record).where(COST.c.model_sha256 == sha256)
    text = connection.execute(query.where(COST.c.dims == _dims_key(dims))).scalar()
    return None if text is None else parse(GraphCost, text)


def environment(connection: Connection, key: str) -> Environment | None:
    """An environment by its key."""
    text = connection.execute(select(ENVIRONMENT.c.record).where(ENVIRONMENT.c.key == key)).scalar()
    return None if text is None else parse(Environment, text)


def environments(connection: Connection) -> list[Environment]:
    """All environments, oldest first."""
    query = select(ENVIRONMENT.c.record).order_by(ENVIRONMENT.c.created_at, ENVIRONMENT.c.key)
    return [parse(Environment, text) for text in connection.execute(query).scalars()]


def _dims_key(dims: Dims) -> str:
    return json.dumps(sorted(dims), ensure_ascii=True)
