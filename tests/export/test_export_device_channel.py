"""Channels between threads: what is dropped, what is waited for, and how they end."""

import threading

import pytest
from fakes.device import LONG_S

from export.device.channel import Channel, ClosedError, Latest


def test_the_newest_item_wins_and_the_dropped_ones_are_counted() -> None:
    channel: Channel[int] = Channel(2, newest_wins=True)
    for number in range(5):
        assert channel.put(number)
    assert channel.num_dropped == 3
    assert [channel.get(), channel.get()] == [3, 4]


def test_a_full_channel_of_files_lets_the_sender_wait_and_loses_nothing() -> None:
    channel: Channel[int] = Channel(2, newest_wins=False)

    def send() -> None:
        for number in range(50):
            channel.put(number)
        channel.close()

    thread = threading.Thread(target=send)
    thread.start()
    found = []
    for _ in range(50):
        found.append(channel.get())
        assert len(channel._items) <= 2
    with pytest.raises(ClosedError):
        channel.get()
    thread.join(LONG_S)
    assert found == list(range(50))
    assert channel.num_dropped == 0


def test_a_closed_channel_gives_what_it_holds_unless_emptied() -> None:
    kept: Channel[int] = Channel(2, newest_wins=False)
    kept.put(1)
    kept.close()
    assert not kept.put(2)
    assert kept.get() == 1
    with pytest.raises(ClosedError):
        kept.get()
    emptied: Channel[int] = Channel(2, newest_wins=False)
    emptied.put(1)
    emptied.close(is_emptied=True)
    with pytest.raises(ClosedError):
        emptied.get()


def test_closing_wakes_a_sender_that_waits() -> None:
    channel: Channel[int] = Channel(1, newest_wins=False)
    channel.put(1)
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(channel.put(2)))
    thread.start()
    channel.close()
    thread.join(LONG_S)
    assert answers == [False]


def test_a_channel_holds_at_least_one_item() -> None:
    with pytest.raises(ValueError, match="at least 1 item, got capacity 0"):
        Channel(0, newest_wins=True)


def test_every_reader_gets_the_latest_item_once() -> None:
    latest: Latest[str] = Latest()
    assert latest.peek() is None
    assert latest.newer_than(0, timeout_s=0) is None
    latest.publish("a")
    latest.publish("b")
    assert latest.newer_than(0, timeout_s=LONG_S) == (2, "b")
    assert latest.newer_than(2, timeout_s=0) is None
    latest.close()
    assert latest.newer_than(0, timeout_s=0) == (2, "b")
    with pytest.raises(ClosedError):
        latest.newer_than(2, timeout_s=LONG_S)
