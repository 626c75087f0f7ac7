"""What this package takes from the rest of the book, in one place."""

from helpers import corpus, evaluate, mini
from helpers.call_cost import STAGES
from helpers.errors import BookError, one_sentence
from helpers.evaluate import difference, error_counts
from helpers.experiment_results import Rate
from helpers.notebook import setup
from helpers.paths import CACHE, RESULTS, ROOT
from helpers.provenance import provenance
from helpers.run_records import RunRecords
from helpers.sample_rate import Case, frontend_of, with_frontend
from helpers.telephone import TELEPHONE_RATE, Channel, call

__all__ = ["CACHE", "RESULTS", "ROOT", "STAGES", "TELEPHONE_RATE", "BookError", "Case", "Channel",
           "Rate", "RunRecords", "call", "corpus", "difference", "error_counts", "evaluate",
           "frontend_of", "mini", "one_sentence", "provenance", "setup", "with_frontend"]
