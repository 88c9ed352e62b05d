"""
The code that each fault replaces exists, so ``make mutants`` can insert the fault. There are faults for each room
(subpackage) that runs in production.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.model.faults import FAULTS as FAULTS_OF_THE_MODEL
from tests.mutants.fault import PACKAGE, Fault, Stale
from tests.mutants.faults import FAULTS

TESTS = Path(__file__).parent.parent


@pytest.mark.parametrize("fault", [pytest.param(one, id=one.name) for one in (*FAULTS, *FAULTS_OF_THE_MODEL)])
def test_each_fault_replaces_code_that_exists(fault: Fault) -> None:
    """
    If this test fails, the code has changed. Then adapt the fault's ``old`` and ``new``. If the changed code can no
    longer contain the fault, delete the fault.
    """
    compile(fault.source(), fault.file, "exec")


def test_a_fault_replaces_differently_formatted_code_that_occurs_exactly_once() -> None:
    fault = Fault(name="f", file="f.py", scope="C.f", old="a = 1\nreturn a", new="return 2", harm="")
    source = "def f(): a = 1; return a\nclass C:\n  def f(self):\n    a = (\n      1)  # one\n    return a\n"
    assert (
        fault.applied_to(source)
        == "def f():\n    a = 1\n    return a\n\nclass C:\n\n    def f(self):\n        return 2"
    )
    for stale in ("class C:\n def f(self): return 1", f"{source}    a = 1\n    return a\n", "def f(): pass"):
        with pytest.raises(Stale):
            fault.applied_to(stale)


def test_each_subpackage_that_runs_in_production_has_a_mutant() -> None:
    rooms = {folder.name for folder in PACKAGE.glob("*/") if (folder / "__init__.py").exists()}
    of_faults = {fault.file.partition("/")[0] for fault in FAULTS if "/" in fault.file}
    assert rooms - of_faults == {"migrations", "sandbox", "testing"}, "each room that runs in production has faults"


def test_each_fault_has_a_unique_name_and_tests() -> None:
    names = Counter(fault.name for fault in (*FAULTS, *FAULTS_OF_THE_MODEL))
    assert names.most_common(1)[0][1] == 1
    for fault in FAULTS:
        files = [TESTS / test.partition("::")[0] for test in (*fault.tests, *fault.real)]
        assert files, fault.name
        assert all(file.exists() for file in files), fault.name
