"""A runtime that misbehaves on command; installed into a throw-away environment by the tests."""

import ctypes
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request

import numpy as np

from profiler.core.outcome import Placement
from profiler.core.tensor import TensorSpec
from profiler.runtimes._runtime import RuntimeInfo

KEPT = []


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
    elif mode == "terminate":
        ctypes.CDLL("libstdc++.so.6")._ZSt9terminatev()
    elif mode.startswith("fill-"):
        KEPT.append(np.ones(int(mode.removeprefix("fill-")), dtype=np.uint8))
        time.sleep(1000)
    elif mode == "hold":
        KEPT.append(np.ones(100 * 2**20, dtype=np.uint8))
    elif mode == "lose-device":
        raise RuntimeError("CUDA failure 719: unspecified launch failure")
    elif mode == "clock-back":
        setattr(time, "time", iter(range(10**9, 0, -1)).__next__)  # noqa: B010
    elif mode == "one-core":
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    elif mode == "connect":
        socket.create_connection(("127.0.0.1", 9), timeout=1)
    elif mode == "resolve":
        urllib.request.urlopen("https://example.invalid/")
    elif mode == "install":
        subprocess.run([sys.executable, "-m", "pip", "install", "six"], check=False)
    elif mode == "install-by-shell":
        os.system("pip install six")
    elif mode == "raise":
        raise ValueError("the actor's own words")


class Session:
    inputs = (TensorSpec("x", "float32", (1, 4)),)
    effective = ()

    def __init__(self, options, device):
        self._device = device
        self._options = options
        self._calls = 0
        self._seen = None

    @property
    def placement(self):
        written = self._options.get("placement", f"{self._device}:fp32:1").split(",")
        parts = [part.split(":") for part in written]
        return tuple(Placement(device, name, int(count)) for device, name, count in parts)

    def bind(self, feeds):
        self._feeds = feeds

        def run():
            self._calls += 1
            if self._calls == 1:
                act(self._options.get("first_run", ""))
            fed = self._feeds["x"].tobytes()
            if self._options.get("cache") and fed == self._seen:
                return
            self._seen = fed
            slope, jump = (float(self._options.get(n, 0)) for n in ("slope", "jump"))
            time.sleep(0.002 * (1 + slope * self._calls + jump * (self._calls // 20 % 2)))

        return run

    def outputs(self):
        found = self._feeds["x"] + np.float32(self._options.get("add", 0))
        cut, kind = self._options.get("cut"), self._options.get("kind", "float32")
        return {"y": (found[:, : int(cut)] if cut else found).astype(kind)}


class Actor:
    def probe(self):
        return RuntimeInfo(True, "1", "cpu")

    def load(self, model, target):
        options = dict(target.options)
        act(options.get("load", ""))
        return Session(options, target.device)


PLUGIN = Actor()
