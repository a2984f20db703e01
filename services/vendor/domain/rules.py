"""The rules this service refuses by: slug -> name of the rule and the law it stands on, with its evidence mark.

Figures (the wage floor, the price of a lawful seat) come from the region's rule pack and bring their own article.
"""

from dataclasses import dataclass

from shared.errors import Refused


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule in words, its article, and the mark: P text read, S press or firm article, A our own house rule, M from memory."""

    name: str
    article: str
    mark: str


HOUSE = "house rule"

RULES: dict[str, Rule] = {
    # selection
    "vendor-known": Rule("one file per vendor and region", HOUSE, "A"),
    "unknown-document": Rule("only documents the rule pack names", "PP 35/2021 Pasal 20", "S"),
    "separation-of-duties": Rule("two persons for two acts", "Perpres 16/2018 Pasal 7", "M"),
    "vendor-not-qualified": Rule("contracts only with qualified vendors", "PP 35/2021 Pasal 20; Perpres 16/2018 Pasal 44", "M"),
    "vendor-debarred": Rule("no contract with a vendor on the blacklist", "Perpres 16/2018 Pasal 78; Peraturan LKPP 4/2021", "M"),
    "not-debarred": Rule("only a debarment can be lifted", "Peraturan LKPP 4/2021", "M"),
    "licence-missing": Rule("a licence for each job that needs one", "PP 35/2021 Pasal 20", "S"),
    # budget
    "line-known": Rule("one line per account and year", HOUSE, "A"),
    "already-approved": Rule("a line is approved once", HOUSE, "A"),
    "line-not-approved": Rule("no commitment before the budget line is approved", "Perpres 16/2018 Pasal 52 ayat (2)", "M"),
    "line-missing": Rule("one approved line for each year of the contract", "Perpres 16/2018 Pasal 52 ayat (2)", "M"),
    "over-the-line": Rule("no commitment above what the line has left", "UU 1/2004 Pasal 3 ayat (3)", "M"),
    "over-ceiling": Rule("fund releases stay below the ceiling", "PP 12/2019 Pasal 136", "M"),
    "quarter-released": Rule("one fund release per quarter", HOUSE, "A"),
    "spd-missing": Rule("no signature without the quarter's fund release (SPD)", "PP 12/2019 Pasal 136", "M"),
    "revision-below-commitments": Rule("a ceiling stays above what is committed", "UU 1/2004 Pasal 3 ayat (3)", "M"),
    "revision-below-releases": Rule("a ceiling stays above what was released", "PP 12/2019 Pasal 136", "M"),
    # contracts
    "contract-known": Rule("one contract per number", HOUSE, "A"),
    "contract-not-draft": Rule("a contract is signed once", HOUSE, "A"),
    "contract-over": Rule("the period of a new contract lies ahead", HOUSE, "A"),
    "contract-not-running": Rule("only a running contract can be changed", HOUSE, "A"),
    "end-outside-contract": Rule("a contract ends within its period", HOUSE, "A"),
    "no-transfer-clause": Rule(
        "rights pass on when the vendor changes and the work remains", "PP 35/2021 Pasal 19; MK 27/PUU-IX/2011", "S"
    ),
    "wage-below-floor": Rule("the wage is at least the floor of each month", "UU 13/2003 Pasal 88E", "S"),
    "price-below-cost": Rule("the price covers wage, contributions, THR and compensation", "UU 24/2011 Pasal 15; PP 35/2021 Pasal 16", "S"),
    "no-legal-basis": Rule("only jobs whose outsourcing has a recorded basis", "UU 20/2023 Pasal 66", "S"),
    "unknown-agency": Rule("agencies of the rule pack only", HOUSE, "A"),
    "unknown-kecamatan": Rule("kecamatan of the rule pack only", HOUSE, "A"),
    "unknown-lot": Rule("the lot belongs to the contract", HOUSE, "A"),
    "reduction-too-large": Rule("no more seats can go than there are", HOUSE, "A"),
    # people
    "no-accepted-offer": Rule("a work agreement needs an accepted offer of the vendor's own contract", HOUSE, "A"),
    "offer-withdrawn": Rule("a withdrawn offer cannot be signed", HOUSE, "A"),
    "worker-gone": Rule("who left or was appointed is not hired", HOUSE, "A"),
    "already-signed": Rule("one work agreement per accepted offer", HOUSE, "A"),
    "number-used": Rule("one number per work agreement of a vendor", HOUSE, "A"),
    "wage-below-offer": Rule("the wage is at least the one offered", "PP 36/2021 Pasal 23; UU 13/2003 Pasal 88E", "M"),
    "start-differs": Rule("work starts on the day offered", HOUSE, "A"),
    "terms-differ": Rule("the terms are those the person accepted", HOUSE, "A"),
    "ends-too-early": Rule("a fixed-term agreement lasts at least as long as the contract", "PP 35/2021 Pasal 19", "M"),
    "end-missing": Rule("a fixed-term agreement names its end", "PP 35/2021 Pasal 13", "M"),
    "end-not-allowed": Rule("a permanent agreement has no end", "UU 13/2003 Pasal 60", "M"),
    "ground-not-allowed": Rule("a vendor refuses a person only on the grounds of the rule pack", "PP 35/2021 Pasal 19", "S"),
    "case-decided": Rule("a case is decided once", HOUSE, "A"),
    "double-person": Rule("a roster names a person once", HOUSE, "A"),
}


def refusal(slug: str, detail: str = "", *, article: str = "", field: str = "") -> Refused:
    """The refusal with its rule and article, to be raised."""
    rule = RULES[slug]
    return Refused(slug, detail, rule=rule.name, article=article or rule.article, field=field)
