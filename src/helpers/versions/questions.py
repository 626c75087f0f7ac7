"""Every probe, in the order of the table."""

from helpers.versions import about_code, about_data, about_model, about_training  # noqa: F401
from helpers.versions.probe import PROBES as PROBES
