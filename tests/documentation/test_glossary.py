"""
The glossary defines each term in one sentence. Documentation or code uses each term. The documentation uses none
of the synonyms that this file lists.
"""

from __future__ import annotations

import re

import pytest

from tests.documentation.blocks import ROOT

GLOSSARY = (ROOT / "docs/glossary.rst").read_text()
TERMS = dict(re.findall(r"^   ([a-z][a-z' -]+)\n((?:      .+\n)+)", GLOSSARY, re.MULTILINE))
PAGES = {path.name: path.read_text() for path in (ROOT / "docs").glob("*.rst") if path.name != "glossary.rst"}
CODE = "\n".join(path.read_text() for path in (ROOT / "event_bus_kafka").rglob("*.py"))
SYNONYMS = r"poison|DLQ|dead[- ]letter queues?|jobs?|subscribers?|publishers?|event handlers?|thread pools?|mailbox"


@pytest.mark.parametrize("term", TERMS)
def test_each_glossary_term_is_defined_in_one_sentence_and_occurs_in_documentation_or_code(term: str) -> None:
    definition = " ".join(TERMS[term].split())
    assert definition.endswith(".")
    assert ". " not in definition.replace("e.g. ", "")
    word = re.compile(rf"\b{re.escape(term.rstrip('y'))}", re.IGNORECASE)
    assert any(word.search(text) for text in [CODE, *PAGES.values()])


@pytest.mark.parametrize("page", sorted(PAGES))
def test_no_documentation_page_uses_a_synonym_of_a_glossary_term(page: str) -> None:
    prose = re.sub(r"``.+?``", "", PAGES[page])
    assert re.findall(rf"\b(?:{SYNONYMS})\b", prose, re.IGNORECASE) == []
