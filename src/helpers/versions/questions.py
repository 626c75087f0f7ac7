"""Every probe, in the order of the table: what is built, fed and trained, then whole runs."""

from helpers.versions import about_code, about_data, about_model, about_training
from helpers.versions.probe import PROBES as _REGISTERED

_ORDER = [entry.__name__ for entry in (about_model, about_data, about_training, about_code)]
PROBES = dict(sorted(_REGISTERED.items(), key=lambda entry: _ORDER.index(entry[1].ask.__module__)))
