"""An end that is slow to write meets whoever looks after running turns."""

from __future__ import annotations

import pytest

from tests.faults.drill import slow, wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

SLOW_END = """
    CREATE FUNCTION slow_end() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1.5); RETURN NEW; END $$;
    CREATE TRIGGER slow_end BEFORE UPDATE ON conversations_turn FOR EACH ROW
        WHEN (OLD.status = 'running' AND NEW.status = 'completed') EXECUTE FUNCTION slow_end();
"""
FAST_END = "DROP TRIGGER slow_end ON conversations_turn; DROP FUNCTION slow_end()"


def test_end_that_waits_beside_the_renewal_is_told(talker, steady):
    """Leases are renewed every second here: the renewal waits for the row, finds it final, and must leave its writer alone."""
    steady.sql(SLOW_END)
    try:
        turns = []
        for _each in range(8):
            talker.conversation = talker.post("conversations/", {"project": talker.person["project"]}, status=201)["id"]
            turns.append((f"conversation:{talker.conversation}", talker.say(slow(20, 40))))
        for _topic, posted in turns:
            assert talker.until_final(posted, 60)["status"] == "completed"
    finally:
        steady.sql(FAST_END)

    def told() -> bool:
        with steady.redis() as client:
            keys = [key for key in client.keys("*running*") if any(topic in key.decode() for topic, _posted in turns)]
            return not any(client.hlen(key) for key in keys)

    wait_until(told, 5, "every final status told")
