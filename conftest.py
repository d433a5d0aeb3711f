"""What pytest takes from the topmost conftest alone, and what holds for every property test; all else is in tests/conftest.py."""

import hypothesis

pytest_plugins = ["tests.emptying"]

# Seconds are measured where they are the subject; elsewhere a busy machine is no fault of what is tested.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")
