"""Pure decisions of the vendor service: values in, new values and facts out, or a refusal with its rule and article."""

from . import budget, contracts, findings, people, rules, vendors
from .budget import Line, Movement, Quarter
from .contracts import Change, Contract, Reduction
from .findings import Finding
from .people import AcceptedOffer, Agreement, Case, Known, Signed, Verdict
from .rules import RULES, refusal
from .vendors import Paper, Reason, Vendor

__all__ = [
    "RULES",
    "AcceptedOffer",
    "Agreement",
    "Case",
    "Change",
    "Contract",
    "Finding",
    "Known",
    "Line",
    "Movement",
    "Paper",
    "Quarter",
    "Reason",
    "Reduction",
    "Signed",
    "Vendor",
    "Verdict",
    "budget",
    "contracts",
    "findings",
    "people",
    "refusal",
    "rules",
    "vendors",
]
