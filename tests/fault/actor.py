"""A runtime that misbehaves on command; installed into a throw-away environment by the tests."""

import os
import signal
import struct
import subprocess
import sys
import time

import numpy as np

from profiler.core.outcome import Placement
from profiler.core.tensor import TensorSpec
from profiler.runtimes._runtime import RuntimeInfo


def act(mode):
    descriptor = int(sys.argv[3])
    if mode.startswith("signal-"):
        os.kill(os.getpid(), int(mode.removeprefix("signal-")))
    elif mode == "hang-idle":
        time.sleep(1000)
    elif mode == "hang-busy":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            pass
    elif mode == "grandchild":
        subprocess.Popen(["sleep", "1000"])
    elif mode == "noise":
        os.write(1, b"noise\n" * 1_000_000)
    elif mode == "exit-0":
        os._exit(0)
    elif mode == "exit-7":
        os._exit(7)
    elif mode == "half-frame":
        os.write(descriptor, struct.pack(">I", 1000) + b'{"res')
        os._exit(0)
    elif mode == "huge-frame":
        os.write(descriptor, struct.pack(">I", 2**31))
        time.sleep(1000)
    elif mode == "garbage":
        os.write(descriptor, struct.pack(">I", 5) + b"\xff\xfe\x00ab")
        time.sleep(1000)
    elif mode == "bomb":
        np.ones(2**33, dtype=np.uint8)
    elif mode == "raise":
        raise ValueError("the actor's own words")


class Session:
    inputs = (TensorSpec("x", "float32", (1, 4)),)
    effective = ()

    def __init__(self, options):
        self._options = options
        self._calls = 0

    @property
    def placement(self):
        return (Placement("cpu", "fp32", 1),)

    def bind(self, feeds):
        self._feeds = feeds

        def run():
            self._calls += 1
            if self._calls == 1:
                act(self._options.get("first_run", ""))
            time.sleep(0.002)

        return run

    def outputs(self):
        return {"y": self._feeds["x"] + float(self._options.get("add", 0))}


class Actor:
    def probe(self):
        return RuntimeInfo(True, "1", "cpu")

    def load(self, model, target):
        options = dict(target.options)
        act(options.get("load", ""))
        return Session(options)


PLUGIN = Actor()
