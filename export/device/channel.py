"""How results pass from one thread to the next without one waiting for a slower one behind it."""

import threading
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class ClosedError(Exception):
    """Nothing more will come out of this channel."""


class Channel(Generic[Item]):
    """A queue of `capacity` between two threads.

    With `newest_wins` a full one drops its oldest item (live sources, which must not fall behind);
    else the sender waits (files, of which no frame may be lost). `num_dropped` counts.
    """

    def __init__(self, capacity: int, *, newest_wins: bool) -> None:
        if capacity < 1:
            raise ValueError(f"a channel holds at least 1 item, got capacity {capacity}")
        self._items: deque[Item] = deque()
        self._capacity = capacity
        self._newest_wins = newest_wins
        self._is_closed = False
        self._changed = threading.Condition()
        self.num_dropped = 0

    def put(self, item: Item) -> bool:
        """Hands an item over; returns whether the channel still takes any."""
        with self._changed:
            if not self._newest_wins:
                self._changed.wait_for(lambda: self._is_closed or len(self._items) < self._capacity)
            if self._is_closed:
                return False
            if len(self._items) == self._capacity:
                self._items.popleft()
                self.num_dropped += 1
            self._items.append(item)
            self._changed.notify_all()
            return True

    def get(self) -> Item:
        """Waits for the next item; ClosedError if there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._items)
            if not self._items:
                raise ClosedError
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def close(self, *, is_emptied: bool = False) -> None:
        """Takes no more items; what it holds can still be taken unless `is_emptied`."""
        with self._changed:
            self._is_closed = True
            if is_emptied:
                self._items.clear()
            self._changed.notify_all()


class Latest(Generic[Item]):
    """The newest item, for any number of readers who come when they like."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._number = 0
        self._item: Item | None = None
        self._is_closed = False

    def publish(self, item: Item) -> None:
        """Replaces the item."""
        with self._changed:
            self._item = item
            self._number += 1
            self._changed.notify_all()

    def peek(self) -> Item | None:
        """The newest item, None before the first."""
        with self._changed:
            return self._item

    def newer_than(self, number: int, *, timeout_s: float) -> tuple[int, Item] | None:
        """Waits for an item after the one of that number (0: any); gives its number and the item.

        None when the time is up; ClosedError if there will be none.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._number > number or self._is_closed, timeout=timeout_s
            )
            if self._number > number and self._item is not None:
                return self._number, self._item
            if self._is_closed:
                raise ClosedError
            return None

    def close(self) -> None:
        """Wakes every reader; what is there can still be read."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
