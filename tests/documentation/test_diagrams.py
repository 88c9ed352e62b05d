"""
A diagram is well-formed, fits the width of a phone, and contains every word of the text from which it was drawn.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from docs.diagrams import WIDTH, flow, sequence


def words(svg: str) -> set[str]:
    """Return the words of a diagram. Raises an error if the diagram is not well-formed."""
    tree = ElementTree.fromstring(svg)
    assert tree.attrib["width"] == str(WIDTH)
    texts = [text.text or "" for text in tree.iter("text")]
    assert texts
    return set(re.findall(r"[^\s:]+", " ".join(texts)))


def test_a_flow_diagram_contains_its_boxes_and_labels_and_exits() -> None:
    assert words(flow(["first & <second>", "> no: stop", "| then", "third"])) == {
        *("first", "&", "<second>", "no", "stop", "then", "third")
    }


def test_a_sequence_diagram_contains_its_participants_and_messages_and_notes() -> None:
    assert words(sequence(["A, B, C", "A -> C: greet", "B: waits"])) == {*"ABC", "greet", "waits"}
