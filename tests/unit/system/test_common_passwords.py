"""The shipped list, and how it does against one that was made from leaks."""

import gzip
from pathlib import Path

import django
import pytest
from tools.common_passwords import MIN_LENGTH, PAGE, render

from gatepost.system.common_passwords import load_common_passwords
from gatepost.tenancy.accounts.password import judge


def test_the_file_is_what_its_tool_makes():
    assert PAGE.read_text(encoding="utf-8") == render()


def test_there_are_some_thousands_of_long_ones_and_all_are_refused():
    long = [each for each in load_common_passwords() if len(each) >= MIN_LENGTH]

    assert len(long) > 4000
    assert [each for each in long if judge(each, own_words=(), common=load_common_passwords()) is None] == []


def test_most_of_the_long_passwords_that_leaks_made_common_are_refused():
    # Django's list: the 20,000 most common passwords of many leaks. Most of the rest was one person's once.
    path = Path(django.__file__).parent / "contrib" / "auth" / "common-passwords.txt.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        leaked = [line.strip() for line in file if len(line.strip()) >= MIN_LENGTH]

    refused = [each for each in leaked if judge(each, own_words=(), common=load_common_passwords())]

    assert len(leaked) > 150
    assert len(refused) > 0.6 * len(leaked)


@pytest.mark.parametrize("phrase", ["correct horse battery staple", "seven-purple-anvils", "tin-lantern-oboe-47"])
def test_phrases_of_several_words_are_taken(phrase):
    assert judge(phrase, own_words=(), common=load_common_passwords()) is None
