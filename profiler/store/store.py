"""The store: everything that was measured, and every search, in one SQLite file or PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import platformdirs
from sqlalchemy import Connection, Engine, select, update

from profiler.core.cost import GraphCost
from profiler.core.environment import Environment
from profiler.core.errors import StoreError
from profiler.core.outcome import Attempt, Failure, Measurement, Outcome
from profiler.core.target import BenchPlan, Target
from profiler.core.tensor import TensorSpec
from profiler.store import attempts, models, searches
from profiler.store.attempts import newest_complete
from profiler.store.connect import connect, explained, shown, store_url, undamaged, writing
from profiler.store.models import Dims
from profiler.store.records import (
    Calibration,
    FinalistRecord,
    HistoryEntry,
    ModelRecord,
    OutcomeRecord,
    SearchRecord,
    SearchState,
    TrialRecord,
)
from profiler.store.schema import prepare
from profiler.store.tables import ATTEMPT, ENVIRONMENT, SCHEMA


def default_url() -> str:
    """The store of the person who runs nasprof: a file in the user's data folder."""
    return str(Path(platformdirs.user_data_dir("nasprof", appauthor=False)) / "store.db")


def open_store(url: str, *, read_only: bool = False) -> Store:
    """Open a store by its path or SQLAlchemy URL, and create it where there is none.

    A file that may only be read opens too; ask `check_writable` before measuring.
    Raises: StoreError when it is missing (`read_only`), foreign, damaged or too new.
    """
    parsed = store_url(url)
    if url == default_url() and not read_only:
        _make_folder(Path(url).parent)
    name = shown(parsed)
    engine = connect(parsed, read_only=read_only)
    local = parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:")
    file = Path(str(parsed.database)) if local else None
    try:
        with explained(name):
            prepare(engine, name, read_only=read_only, file=file)
    except StoreError:
        engine.dispose()
        raise
    return Store(engine, name)


class Store:
    """Value objects in and out; each call is one transaction, and a returned put is on the disk.

    Putting the same thing twice is one row, and a stored row is never changed: a put returns False
    when there was such a row. Every method raises StoreError for what the database refuses.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine = engine
        self.name = name

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def journal(self) -> str | None:
        """SQLite's journal mode, `wal` or `delete`; None for a database server."""
        if self.engine.dialect.name != "sqlite":
            return None
        with self._read() as connection:
            return str(connection.exec_driver_sql("PRAGMA journal_mode").scalar())

    def check_writable(self) -> None:
        """Try a write and take it back.

        Raises: StoreError when the store can't be written.
        """
        with (
            explained(self.name),
            writing(self.engine) as connection,
            connection.begin() as transaction,
        ):
            # Only a page that really changes fails in a folder that can't take the journal.
            connection.execute(update(SCHEMA).values(created_at=SCHEMA.c.created_at + "?"))
            transaction.rollback()

    # Models, costs and environments

    def put_model(self, model: ModelRecord, cost: GraphCost | None = None, dims: Dims = ()) -> bool:
        """Store a model once, and its cost once for each choice of symbolic dimensions."""
        with self._write() as connection:
            if cost is not None:
                models.put_cost(connection, model.sha256, dims, cost)
            return models.put_model(connection, model)

    def model(self, sha256: str) -> ModelRecord | None:
        """A model by its hash."""
        with self._read() as connection:
            return models.model(connection, sha256)

    def models(self) -> list[ModelRecord]:
        """All models, by label."""
        with self._read() as connection:
            return models.models(connection)

    def cost(self, sha256: str, dims: Dims = ()) -> GraphCost | None:
        """What one inference of a model costs with these symbolic dimensions."""
        with self._read() as connection:
            return models.cost(connection, sha256, dims)

    def put_environment(self, environment: Environment) -> bool:
        """Store a machine's state; the attempts measured on it come after."""
        with self._write() as connection:
            return models.put_environment(connection, environment)

    def environment(self, key: str) -> Environment | None:
        """An environment by its key."""
        with self._read() as connection:
            return models.environment(connection, key)

    def environments(self) -> list[Environment]:
        """All environments, oldest first."""
        with self._read() as connection:
            return models.environments(connection)

    def put_calibration(self, calibration: Calibration) -> None:
        """Store what a machine can do at best; earlier calibrations stay."""
        with self._write() as connection:
            models.put_calibration(connection, calibration)

    def calibration(self, environment_key: str, threads: int) -> Calibration | None:
        """The newest calibration of a machine at a number of threads."""
        with self._read() as connection:
            return models.newest_calibration(connection, environment_key, threads)

    # Attempts and outcomes

    def put_attempt(
        self,
        session: str,
        number: int,
        model_sha256: str,
        label: str,
        target: Target,
        plan: BenchPlan,
        environment_key: str,
        inputs: Sequence[TensorSpec],
        attempt: Attempt,
    ) -> bool:
        """Store what one worker process measured; `number` counts the attempts of its group.

        Raises: StoreError when the environment was not put before.
        """
        identity = attempts.Identity(session, number, model_sha256, target, plan, environment_key)
        return self._put_attempt(attempts.attempt_row(identity, label, inputs, attempt))

    def put_failure(self, failure: Failure, number: int) -> bool:
        """Store why an attempt gave no number.

        Raises: StoreError when the environment was not put before.
        """
        return self._put_attempt(attempts.failure_row(failure, number))

    def measurement(
        self, session: str, model_sha256: str, target: Target, plan: BenchPlan | None = None
    ) -> Measurement | None:
        """What a session has measured so far of a model on a target, complete or not."""
        with self._read() as connection:
            return attempts.group_measurement(connection, session, model_sha256, target, plan)

    def find_measurement(
        self,
        model_sha256: str,
        target: Target,
        plan: BenchPlan,
        environment_key: str,
        attempts: int,
    ) -> Measurement | None:
        """The newest measurement of exactly this with at least so many attempts."""
        with self._read() as connection:
            return newest_complete(
                connection, model_sha256, target, plan, environment_key, attempts
            )

    def outcomes(
        self,
        *,
        sessions: Sequence[str] | None = None,
        models: Sequence[str] | None = None,
        targets: Sequence[str] | None = None,
        environments: Sequence[str] | None = None,
        limit: int | None = None,
        complete: bool = True,
    ) -> list[Outcome]:
        """Outcomes newest first; `models` are hashes, `targets` and `environments` are keys.

        With `complete` a measurement that lacks some of its plan's processes, as a kill leaves it,
        is left out.
        """
        found = self.records(
            sessions=sessions,
            models=models,
            targets=targets,
            environments=environments,
            limit=limit,
            complete=complete,
        )
        return [record.outcome for record in found]

    def records(
        self,
        *,
        sessions: Sequence[str] | None = None,
        models: Sequence[str] | None = None,
        targets: Sequence[str] | None = None,
        environments: Sequence[str] | None = None,
        limit: int | None = None,
        complete: bool = True,
    ) -> list[OutcomeRecord]:
        """As `outcomes`, with the time label of each."""
        wanted = attempts.Filter(
            sessions=_tuple(sessions),
            models=_tuple(models),
            targets=_tuple(targets),
            environments=_tuple(environments),
        )
        with self._read() as connection:
            return attempts.outcome_records(connection, wanted, limit, complete)

    def history(self, limit: int = 20) -> list[HistoryEntry]:
        """Bench sessions and searches, newest first; what a search measured is inside its entry."""
        with self._read() as connection:
            searched = searches.own_sessions(connection)
            entries = attempts.sessions(connection, limit, searched)
            entries += searches.history(connection, limit)
        return sorted(entries, key=lambda entry: entry.created_at, reverse=True)[:limit]

    # Searches

    def create_search(self, search: SearchRecord) -> None:
        """Store a new search.

        Raises: InputError when the name is taken.
        """
        with self._write() as connection:
            searches.create(connection, search)

    def load_search(self, name: str) -> SearchRecord | None:
        """A search by its name."""
        with self._read() as connection:
            return searches.load(connection, name)

    def searches(self, limit: int | None = None) -> list[SearchRecord]:
        """All searches, newest first."""
        with self._read() as connection:
            return searches.every(connection, limit)

    def set_search_state(self, name: str, state: SearchState) -> None:
        """Say how a search stands."""
        with self._write() as connection:
            searches.set_state(connection, name, state)

    def claim_search(self, name: str, owner: str, grace_s: float = 60.0) -> bool:
        """Make one process the only driver of a search; False while another's heart beats."""
        with self._write() as connection:
            return searches.claim(connection, name, owner, grace_s)

    def beat_search(self, name: str, owner: str) -> bool:
        """Renew the heartbeat; False when another process took the search over meanwhile."""
        with self._write() as connection:
            return searches.beat(connection, name, owner)

    def release_search(self, name: str, owner: str) -> None:
        """Give the search back for anyone to resume."""
        with self._write() as connection:
            searches.release(connection, name, owner)

    def put_trial(self, search: str, trial: TrialRecord) -> bool:
        """Store a trial; one that is proposed may be put again, a finished one never changes.

        Raises: ValueError when the accuracy is NaN or infinite.
        """
        with self._write() as connection:
            return searches.put_trial(connection, search, trial)

    def trials(self, search: str) -> list[TrialRecord]:
        """The trials of a search by number."""
        with self._read() as connection:
            return searches.trials(connection, search)

    def put_finalist(self, search: str, finalist: FinalistRecord) -> bool:
        """Store a second measurement of a trial."""
        with self._write() as connection:
            return searches.put_finalist(connection, search, finalist)

    def finalists(self, search: str) -> list[FinalistRecord]:
        """The second measurements of a search, in the order they were made."""
        with self._read() as connection:
            return searches.finalists(connection, search)

    def _put_attempt(self, row: Mapping[str, object]) -> bool:
        size = sum(len(part) for part in row.values() if isinstance(part, (str, bytes)))
        with self._write(size) as connection:
            query = select(ENVIRONMENT.c.key).where(ENVIRONMENT.c.key == row["environment_key"])
            if connection.execute(query).scalar() is None:
                raise StoreError(
                    f"environment {row['environment_key']} is not in the store {self.name}; "
                    "put it before its attempts"
                )
            return models.put_row(connection, ATTEMPT, dict(row))

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with undamaged(self.name), explained(self.name), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def _write(self, size_bytes: int = 0) -> Iterator[Connection]:
        with (
            explained(self.name, size_bytes),
            writing(self.engine) as connection,
            connection.begin(),
        ):
            yield connection


def _tuple(values: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the folder {folder} for the store can't be made: {error}") from error
