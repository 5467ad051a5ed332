"""One process drives a search at a time: claimed, kept by a heartbeat, given back."""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep

from profiler.core.errors import InputError
from profiler.store.store import Store

BEAT_S = 2.0
GRACE_S = 8.0
"""A search whose heart has not beaten for so long was killed and may be taken over."""


@contextmanager
def driving(store: Store, name: str) -> Iterator[Callable[[], None]]:
    """Drive a search while inside; gives a check that raises once another process took it over.

    Waits as long as it takes to see that the heart of a killed process does not beat.
    Raises: InputError when another process drives the search.
    """
    owner = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
    _claim(store, name, owner)
    ended, lost = threading.Event(), threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_S):
            if not store.beat_search(name, owner):
                lost.set()
                return

    def check() -> None:
        if lost.is_set():
            raise InputError(f"search {name!r} was taken over by another process")

    # A thread, because one trial can take longer than a killed search should have to wait.
    heart = threading.Thread(target=beat, name="search heartbeat", daemon=True)
    heart.start()
    try:
        yield check
    finally:
        ended.set()
        heart.join()
        store.release_search(name, owner)


def _claim(store: Store, name: str, owner: str) -> None:
    until = monotonic() + GRACE_S + BEAT_S
    while not store.claim_search(name, owner, GRACE_S):
        if monotonic() > until:
            raise InputError(
                f"search {name!r} is being run by another process; wait for it, or stop it first"
            )
        sleep(0.2)
