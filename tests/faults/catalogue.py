"""The drills that this version can be put through, and those that wait for what they break.

Numbers are stable and those of the promises. A drill is a test named after it: ``test_d14_…``.
"""

from __future__ import annotations

#: Number → fault.
DRILLS = {
    1: "kill -9 of the streaming worker after 50 tokens",
    2: "kill -9 of all workers, started again",
    3: "SIGTERM while streams run",
    4: "kill -9 of a web process in the middle of a stream",
    5: "Redis restarts",
    6: "Redis is wiped and restarts",
    7: "Redis is full",
    8: "Redis swallows every packet",
    9: "PostgreSQL restarts",
    11: "all connections are taken",
    12: "a table is locked",
    13: "a disk is full: database, media, Redis",
    14: "provider: 429 with a short Retry-After",
    15: "provider: 429 with a long Retry-After",
    16: "provider: 500, 502, 503, 529, then good",
    17: "provider: refused connections",
    18: "provider: silence before the first token",
    19: "provider: silence after 50 tokens",
    21: "provider: garbage of every kind",
    22: "provider: closes after 50 tokens",
    23: "the reader goes away in the middle",
    24: "stop is pressed",
    25: "a storm of clients returns",
    26: "the same POST twenty times in parallel",
    27: "the same task delivered many times",
    28: "work longer than three leases",
    29: "a task that kills its worker",
    34: "kill -9 between commit and publish: of runs; of deliveries it comes with webhooks",
    35: "a bulk operation: workers killed half-way, Redis wiped",
    38: "the audit log is edited, cut and forged by a superuser",
}

#: Number → where it is done instead of here (all run in `make test`).
ELSEWHERE = {
    38: [
        "tests/accounts/test_audit.py::test_verify_names_the_first_bad_row",
        "tests/accounts/test_audit.py::test_cut_tail_is_missed_by_the_signed_head",
        "tests/accounts/test_audit.py::test_forged_head_is_noticed",
    ],
}

#: Number → (what it breaks and is not there yet, the addresses that will show that it is).
NOT_YET = {
    31: ("webhooks", r"/webhooks/"),
    32: ("webhooks", r"/webhooks/"),
    33: ("webhooks", r"/webhooks/"),
    36: ("backups", r"/backups/"),
    39: ("backups: an older one is restored after an erasure", r"/backups/"),
    40: ("retention policies", r"/retention-policies/"),
}

#: Numbers that were never given.
RESERVED = {10, 20, 30, 37}

LAST = 40
