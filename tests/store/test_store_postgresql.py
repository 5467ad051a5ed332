"""What is PostgreSQL's own: roles, refusals, other people's tables, two clients at once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from store_values import ENVIRONMENT, failure

from profiler.core.errors import StoreError
from profiler.store.connect import shown, store_url
from profiler.store.store import open_store


def test_reading_only_is_kept_by_the_server(postgresql_url: str) -> None:
    with pytest.raises(StoreError, match="empty"):
        open_store(postgresql_url, read_only=True)
    with open_store(postgresql_url) as store:
        store.check_writable()
        store.put_environment(ENVIRONMENT)
    with open_store(postgresql_url, read_only=True) as store:
        assert store.environments() == [ENVIRONMENT]
        with pytest.raises(StoreError, match="read-only"):
            store.check_writable()
        with pytest.raises(StoreError, match="read-only"):
            store.put_failure(failure(), 0)


def test_other_tables_in_the_database_do_not_disturb(
    postgresql_url: str, postgresql_socket: Path
) -> None:
    psycopg = pytest.importorskip("psycopg")
    name = store_url(postgresql_url).database
    place = f"host={postgresql_socket} user=nasprof dbname={name}"
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute("CREATE TABLE people (name TEXT)")
    open_store(postgresql_url).close()
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute("INSERT INTO nasprof_schema VALUES (999, 'later')")
    with pytest.raises(StoreError, match="999"):
        open_store(postgresql_url)


def test_a_foreign_table_with_our_name_is_refused(
    postgresql_url: str, postgresql_socket: Path
) -> None:
    psycopg = pytest.importorskip("psycopg")
    name = store_url(postgresql_url).database
    place = f"host={postgresql_socket} user=nasprof dbname={name}"
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute("CREATE TABLE model (name TEXT)")
    with pytest.raises(StoreError, match="something else"):
        open_store(postgresql_url)


def test_two_clients_may_make_the_store_at_once(postgresql_url: str) -> None:
    problems: list[Exception] = []

    def work(session: str) -> None:
        try:
            with open_store(postgresql_url) as store:
                store.put_environment(ENVIRONMENT)
                for number in range(20):
                    store.put_failure(failure(session), number)
        except Exception as error:  # noqa: BLE001 - handed to the test's own thread
            problems.append(error)

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    with open_store(postgresql_url) as store:
        assert len(store.outcomes()) == 60


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StoreError) as caught:
        open_store(f"postgresql://me:secret@/db?host={tmp_path}")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_password_is_not_shown() -> None:
    assert "secret" not in shown(store_url("postgresql://me:secret@host/db"))
