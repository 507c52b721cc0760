"""docs/applications.md contains the results of running the applications."""

from __future__ import annotations

import json

from tools import applications


def test_applications_page_is_written_from_the_results():
    results = json.loads(applications.RESULTS.read_text())
    notes = json.loads(applications.NOTES.read_text())
    page = applications.PAGE.read_text()
    assert applications.table(results, notes) in page
    assert applications.details(results, notes) in page


def test_application_script_has_a_note_and_its_requirements():
    notes = json.loads(applications.NOTES.read_text())
    scripts = applications.scripts()
    assert sorted(notes) == [script.stem for script in scripts]
    assert all(applications.requirements(script) for script in scripts)
