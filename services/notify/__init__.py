"""Notify: the front desk. It asks people, takes their answers, and tells them what was decided.

Owns: questions with their terms, answers, evidence that a person was reached, messages, and a vault of contacts and of the
letters it wrote. It decides nothing about offers; it knows when an answer came in and whether the person was reached.

Emits: `question.asked`, `answer.received`, `question.closed`, `message.sent`, `message.failed`.

Hears: `worker.registered`, `worker.profile_corrected`, `worker.merged`, `worker.erased` (who belongs to which agency, who is
gone); `contact.changed` (sealed); `offer.made`, `offer.expired`, `offer.withdrawn`; `placement.confirmed`.
"""
