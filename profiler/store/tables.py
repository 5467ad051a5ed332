"""The tables, in SQLAlchemy Core; every rule that a row must keep is a constraint here."""

from __future__ import annotations

import json

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect


class AsciiText(TypeDecorator[str]):
    r"""Any Python text, stored with JSON's escapes.

    A model's name may hold NUL, which PostgreSQL refuses, or half a surrogate pair, which UTF-8
    can't say. Equal text stays equal, so it can be searched for.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Escape the text."""
        return None if value is None else json.dumps(value, ensure_ascii=True)[1:-1]

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Undo the escapes."""
        return None if value is None else str(json.loads(f'"{value}"'))


METADATA = MetaData()
# SQLite numbers rows by itself only in a column that is declared INTEGER.
_ROW_ID = BigInteger().with_variant(Integer, "sqlite")

SCHEMA = Table(
    "nasprof_schema",
    METADATA,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("created_at", Text, nullable=False),
)

MODEL = Table(
    "model",
    METADATA,
    Column("sha256", Text, primary_key=True),
    Column("label", AsciiText, nullable=False),
    Column("record", Text, nullable=False),
    Column("created_at", Text, nullable=False),
)

# A model with symbolic dimensions costs differently for each choice of them.
COST = Table(
    "cost",
    METADATA,
    Column("model_sha256", Text, primary_key=True),
    Column("dims", Text, primary_key=True),
    Column("record", Text, nullable=False),
    Column("created_at", Text, nullable=False),
)

ENVIRONMENT = Table(
    "environment",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("record", Text, nullable=False),
    Column("created_at", Text, nullable=False),
)

ATTEMPT = Table(
    "attempt",
    METADATA,
    Column("id", _ROW_ID, primary_key=True),
    Column("identity", Text, nullable=False, unique=True),
    Column("session", AsciiText, nullable=False),
    Column("number", Integer, nullable=False),
    # No foreign key: a file that is no model fails too, and that is an outcome to keep.
    Column("model_sha256", Text, nullable=False),
    Column("label", AsciiText, nullable=False),
    Column("target", Text, nullable=False),
    Column("target_key", AsciiText, nullable=False),
    Column("plan", Text, nullable=False),
    Column("plan_key", Text, nullable=False),
    Column("environment_key", Text, ForeignKey("environment.key"), nullable=False),
    Column("status", Text, nullable=False),
    Column("stage", Text),
    Column("kind", Text),
    Column("message", AsciiText),
    Column("inputs", Text),
    Column("record", Text, nullable=False),
    Column("samples", LargeBinary),
    Column("created_at", Text, nullable=False),
    CheckConstraint("status IN ('measurement', 'failure')", name="attempt_status"),
    CheckConstraint(
        "(status = 'measurement' AND samples IS NOT NULL AND inputs IS NOT NULL AND kind IS NULL)"
        " OR (status = 'failure' AND samples IS NULL AND kind IS NOT NULL AND stage IS NOT NULL"
        " AND message IS NOT NULL)",
        name="attempt_parts",
    ),
    Index("attempt_session", "session"),
    Index("attempt_model", "model_sha256", "plan_key", "environment_key"),
    sqlite_autoincrement=True,
)

CALIBRATION = Table(
    "calibration",
    METADATA,
    Column("id", _ROW_ID, primary_key=True),
    Column("environment_key", Text, ForeignKey("environment.key"), nullable=False),
    Column("threads", Integer, nullable=False),
    Column("record", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    sqlite_autoincrement=True,
)

SEARCH = Table(
    "search",
    METADATA,
    Column("id", _ROW_ID, primary_key=True),
    Column("name", AsciiText, nullable=False, unique=True),
    Column("record", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("owner", AsciiText),
    Column("heartbeat_s", Float),
    Column("created_at", Text, nullable=False),
    CheckConstraint("state IN ('running', 'done', 'interrupted')", name="search_state"),
    sqlite_autoincrement=True,
)

TRIAL = Table(
    "trial",
    METADATA,
    Column("search_id", _ROW_ID, ForeignKey("search.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("candidate_key", AsciiText, nullable=False),
    Column("state", Text, nullable=False),
    Column("accuracy", Float),
    Column("record", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    CheckConstraint("state IN ('proposed', 'done', 'failed')", name="trial_state"),
    # SQLite turns NaN into NULL; PostgreSQL keeps it and takes it for the largest number.
    CheckConstraint(
        "accuracy IS NULL OR (accuracy > -1e300 AND accuracy < 1e300)", name="trial_accuracy"
    ),
)

FINALIST = Table(
    "finalist",
    METADATA,
    Column("id", _ROW_ID, primary_key=True),
    Column("search_id", _ROW_ID, ForeignKey("search.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("session", AsciiText, nullable=False),
    Column("metrics", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    UniqueConstraint("search_id", "number", "session", name="finalist_once"),
    sqlite_autoincrement=True,
)
