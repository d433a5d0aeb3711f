import os
import subprocess
import sys

import pytest

from apps.core import failpoints
from apps.core.failpoints import FailpointReached, Failpoints


def test_failpoint_raises_at_the_named_turn_only():
    points = Failpoints("mid_flush=raise@2")

    points.hit("mid_flush")
    points.hit("after_commit")
    with pytest.raises(FailpointReached):
        points.hit("mid_flush")
    points.hit("mid_flush")


def test_full_disk_looks_like_one():
    with pytest.raises(OSError, match="No space left"):
        Failpoints("disk_full=full").hit("disk_full")


@pytest.mark.parametrize("spec", ["nowhere=raise", "mid_flush=explode", "mid_flush"])
def test_unknown_failpoint_is_refused(spec):
    with pytest.raises(ValueError, match="not understood"):
        Failpoints(spec)


def run(**environment):
    code = "from apps.core import failpoints; failpoints.hit('after_commit'); print('alive')"
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_failpoint_kills_a_test_process():
    found = run(PARLANCE_FAILPOINTS="after_commit=kill", PARLANCE_TESTING="1")

    assert (found.returncode, found.stdout) == (-9, "")


def test_failpoints_are_empty_outside_tests():
    found = run(PARLANCE_FAILPOINTS="after_commit=kill", PARLANCE_TESTING="")

    assert (found.returncode, found.stdout) == (0, "alive\n")
    assert failpoints.hit is failpoints._nothing
