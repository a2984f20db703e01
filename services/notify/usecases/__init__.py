"""What the front desk can do, each as one function over a batch. Doors own the transaction."""

from .answers import (
    answer_at_desk,
    answer_by_link,
    end_terms,
    find_question,
    prefer,
    question_of_link,
    receive,
    remind,
    visit,
)
from .common import DELIVER, REMINDER, TERM, WINDOW, reach
from .messages import claim, details, give_up_hand, open_window, print_list, settle
from .people import drop_contacts, keep_contacts, know_people
from .questions import follow_offers, tell_placed

__all__ = [
    "DELIVER",
    "REMINDER",
    "TERM",
    "WINDOW",
    "answer_at_desk",
    "answer_by_link",
    "claim",
    "details",
    "drop_contacts",
    "end_terms",
    "find_question",
    "follow_offers",
    "give_up_hand",
    "keep_contacts",
    "know_people",
    "open_window",
    "prefer",
    "print_list",
    "question_of_link",
    "reach",
    "receive",
    "remind",
    "settle",
    "tell_placed",
    "visit",
]
