"""The periodic self-assessment: obligations, the controls that answer them, their tests, proofs and evidence, gaps.

What lives here: everything that follows from policies and recorded decisions. What does not: reading the records, and
how the report looks (mqk.cli).
"""

from mqk.analysis.assess.assessment import Answer, Assessment, Status, assess
from mqk.analysis.assess.document import to_json
from mqk.analysis.assess.evidence import Counter, Evidence, Firing, Source
from mqk.analysis.assess.gaps import Gap, Weight
from mqk.analysis.assess.review import Review

__all__ = [
    "Answer",
    "Assessment",
    "Counter",
    "Evidence",
    "Firing",
    "Gap",
    "Review",
    "Source",
    "Status",
    "Weight",
    "assess",
    "to_json",
]
