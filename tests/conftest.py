"""How hard hypothesis looks: HYPOTHESIS_PROFILE=quick, (none), or thorough."""

import os

from hypothesis import HealthCheck, settings

# Two shared cores: how long an example takes says nothing.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("quick", settings.get_profile("default"), max_examples=10, stateful_step_count=20)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
