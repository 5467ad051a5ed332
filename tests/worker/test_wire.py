import json
import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.worker.wire import Decoder, FrameError, send


def frame(message):
    body = json.dumps(message).encode()
    return struct.pack(">I", len(body)) + body


@given(
    st.lists(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=9)), max_size=4),
    st.integers(1, 7),
)
def test_messages_survive_any_cut_of_the_stream(messages, step):
    stream = b"".join(frame(message) for message in messages)
    decoder, found = Decoder(), []
    for start in range(0, len(stream), step):
        found += decoder.feed(stream[start : start + step])
    assert found == messages
    assert decoder.pending_bytes == 0


@given(st.binary(max_size=60))
def test_random_bytes_are_messages_or_a_frame_error(data):
    decoder = Decoder()
    try:
        found = decoder.feed(data)
    except FrameError:
        return
    assert all(isinstance(message, dict) for message in found)


def test_a_declared_length_over_the_limit_is_refused_before_the_body_comes():
    with pytest.raises(FrameError, match="over the limit"):
        Decoder().feed(struct.pack(">I", 2**31))


def test_send_writes_what_the_decoder_reads():
    read_end, write_end = os.pipe()
    send(write_end, {"a": [1, 2.5, "ü"]})
    os.close(write_end)
    assert Decoder().feed(os.read(read_end, 1000)) == [{"a": [1, 2.5, "ü"]}]
    os.close(read_end)
