import itertools
import pathlib

import pytest

import carillon_process
from carillon_process import Program, Server
from talking import Client

numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server():
    """One server for all stories of a file that do not look at totals."""
    running = Server()
    yield running
    try:
        running.stop()
    finally:
        running.kill()


@pytest.fixture
def start():
    """Starts servers of one's own; each is stopped gracefully at the end unless it has ended already."""
    running = []

    def start_one(*arguments, **options):
        running.append(Server(*arguments, **options))
        return running[-1]

    yield start_one
    try:
        for one in running:
            if one.process.poll() is None:
                one.stop()
    finally:
        for one in running:
            one.kill()


@pytest.fixture
def launch():
    """Starts other words of the program (`sub` and its like); none outlives the test."""
    running = []

    def launch_one(*arguments, **options):
        running.append(Program(*arguments, **options))
        return running[-1]

    yield launch_one
    for one in running:
        one.kill()


@pytest.fixture
def connect(server):
    """Native clients of the file's server (or of another); all closed at the end."""
    clients = []

    def connect_one(to=None, **options):
        clients.append(Client(to or server, **options))
        return clients[-1]

    yield connect_one
    for client in clients:
        client.close()


@pytest.fixture
def room():
    return f"room:{next(numbers)}"


@pytest.fixture
def repo():
    return f"repo:alice/app{next(numbers)}"


def pytest_configure(config):
    if not pathlib.Path(carillon_process.PROGRAM).exists():
        raise pytest.UsageError(f"{carillon_process.PROGRAM} is not built; ./dev build makes it")
