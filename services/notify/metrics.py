"""What the front desk measures."""

from shared.metrics import counter

QUESTIONS = counter("jembatan_notify_questions_total", "Questions asked, and closed at their term with evidence.", ("what",))
ANSWERS = counter("jembatan_notify_answers_total", "Answers received, by matter, what they say and where.", ("matter", "says", "channel"))
TASKS = counter("jembatan_notify_tasks_total", "Tasks for agencies: people to reach whose question passed its term without evidence.")
MESSAGES = counter("jembatan_notify_messages_total", "Messages by template and what became of them.", ("template", "state"))
