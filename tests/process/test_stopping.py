import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from qtrl.process import stopping
from qtrl.process.stopping import SHUTDOWN_SIGNALS, Interruption, Stop


def send(number):
    """Send a signal to this process and wait until its handler has run."""
    os.kill(os.getpid(), number)
    time.sleep(0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_is_met_at_the_next_look_and_gives_the_status_of_a_shell(number):
    stop = Stop()
    with stop.listening():
        stop.check()
        send(number)
        with pytest.raises(Interruption) as raised:
            stop.check()
    assert raised.value.code == 128 + number
    assert str(raised.value) == signal.Signals(number).name


def test_handlers_come_back_and_no_thread_stays():
    before = [signal.getsignal(number) for number in SHUTDOWN_SIGNALS]
    threads = threading.active_count()
    stop = Stop()
    with stop.listening():
        send(signal.SIGTERM)
        assert threading.active_count() == threads + 1
    assert [signal.getsignal(number) for number in SHUTDOWN_SIGNALS] == before
    assert threading.active_count() == threads


def test_a_terminal_that_closes_does_not_end_what_nohup_keeps():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop = Stop()
    try:
        with stop.listening():
            stop.take_over()
            send(signal.SIGHUP)
            stop.check()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_outside_the_main_thread_nothing_is_taken():
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def work():
        with Stop().listening():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def test_several_ranks_look_together_every_so_often(monkeypatch):
    told = []

    def from_all_ranks(number):
        told.append(number)
        return [0, signal.SIGTERM]

    monkeypatch.setattr(stopping, "from_all_ranks", from_all_ranks)
    stop = Stop(world_size=2)
    for _ in range(stopping.CHECKS_PER_EXCHANGE - 1):
        stop.check()
        stop.check_alone()
    assert told == []
    with pytest.raises(Interruption, match="SIGTERM"):
        stop.check()
    assert told == [0]


def test_lightnings_signal_of_slurm_is_met_too_and_its_handler_called_afterwards(monkeypatch):
    called = []
    monkeypatch.setattr(stopping, "GRACE_SECONDS", 60.0)
    before = signal.signal(signal.SIGUSR1, lambda number, frame: called.append(number))
    stop = Stop()
    try:
        with stop.listening():
            stop.take_over()
            send(signal.SIGUSR1)
            assert called == []
            with pytest.raises(Interruption) as raised:
                stop.check()
            stop.requeue(raised.value.number)
        assert called == [signal.SIGUSR1]
        stop.requeue(signal.SIGTERM)
        assert called == [signal.SIGUSR1]
    finally:
        signal.signal(signal.SIGUSR1, before)


BEGIN = """
import os, signal, threading, time
from qtrl.process import stopping
stop = stopping.Stop()
send = lambda number: os.kill(os.getpid(), number)
"""


def run(body):
    command = [sys.executable, "-c", BEGIN + textwrap.dedent(body)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


STUCK = """
import ctypes
lock = ctypes.create_string_buffer(64)
def stuck():
    for _ in range(2):
        ctypes.CDLL(None).pthread_mutex_lock(lock)  # never returns to Python
"""


def test_a_run_stuck_in_a_library_is_ended_too():
    done = run(
        STUCK
        + """
stopping.GRACE_SECONDS = 0.2
with stop.listening():
    threading.Timer(0.1, lambda: send(signal.SIGTERM)).start()
    stuck()
"""
    )
    assert done.returncode == 143
    assert "in stuck" in done.stderr


def test_a_second_signal_ends_one_at_once():
    done = run(
        STUCK
        + """
with stop.listening():
    for seconds, number in ((0.1, signal.SIGTERM), (0.3, signal.SIGINT)):
        threading.Timer(seconds, send, (number,)).start()
    stuck()
"""
    )
    assert (done.returncode, done.stderr) == (130, "")


def test_a_second_signal_ends_the_process_at_once():
    done = run("""
        with stop.listening():
            send(signal.SIGTERM)
            try:
                send(signal.SIGINT)
                time.sleep(30)
            finally:
                print("never")
    """)
    assert (done.returncode, done.stdout) == (130, "")


def test_a_terminal_that_closes_may_say_so_twice():
    done = run("""
        with stop.listening():
            for _ in range(3):  # the kernel, the shell, and ssh
                send(signal.SIGHUP)
                time.sleep(0.1)
            try:
                stop.check()
            finally:
                print("saved")
    """)
    assert (done.returncode, done.stdout) == (129, "saved\n")


def test_a_run_that_does_not_get_to_stop_is_ended_and_shows_where_it_was():
    done = run("""
        stopping.GRACE_SECONDS = 0.2
        def busy():
            time.sleep(30)
        with stop.listening():
            send(signal.SIGTERM)
            busy()
    """)
    assert done.returncode == 143
    assert "in busy" in done.stderr
    assert "qtrl: not stopped after 0.2 s; the last checkpoint is kept" in done.stderr
