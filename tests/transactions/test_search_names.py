"""Names stored in every character set of the Standard, searched in their own script (PS3.3 C.12.1.1.2, PS3.5 Annex H-K)."""

import pytest

from dicomweb.archive import Archive
from tests.builders import a_file
from tests.transactions.test_search import find, uids
from tests.transactions.test_store import store

NAMES = [
    ("ISO_IR 100", "Buc^Jérôme", ["buc^jérôme", "*jero*", "BUC*"]),
    ("ISO_IR 101", "Wałęsa^Łukasz", ["Wałęsa*", "*łukasz"]),
    ("ISO_IR 126", "Διονυσιος", ["διον*", "*νυσ*"]),
    ("ISO_IR 144", "Люксембург^Роза", ["люксембург*", "*роза"]),
    ("ISO_IR 127", "قباني^لنزار", ["قباني*", "*لنز*"]),
    ("ISO_IR 138", "שרון^דבורה", ["שרון*", "*דבורה"]),
    ("ISO_IR 166", "สมชาย^ใจดี", ["สมชาย*", "*ใจดี"]),
    (
        ["", "ISO 2022 IR 87"],
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
        ["山田*", "*太郎", "やまだ*", "yamada^tarou", "=山田^太郎"],
    ),
    (["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう", ["ﾔﾏﾀﾞ*", "ヤマダ*", "*太郎*"]),
    (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동", ["홍*", "*길동", "洪^吉洞"]),
    ("GB18030", "Wang^XiaoDong=王^小东", ["王*", "*小东"]),
    ("GBK", "Wang^XiaoDong=王^小东", ["王^小东"]),
    ("ISO_IR 192", "Wang^XiaoDong=王^小東", ["*小東*", "wang*"]),
]


@pytest.mark.filterwarnings("ignore")  # of pydicom, about encoding
@pytest.mark.parametrize(("character_set", "name", "queries"), NAMES, ids=lambda value: str(value)[:24])
def test_a_name_is_found_in_its_own_script(archive: Archive, character_set: str, name: str, queries: list[str]) -> None:
    store(archive, a_file(SpecificCharacterSet=character_set, PatientName=name))
    store(
        archive,
        a_file(StudyInstanceUID="1.9", SeriesInstanceUID="1.9.1", SOPInstanceUID="1.9.1.1", PatientName="Other^Person"),
    )
    for query in queries:
        assert uids(find(archive, "study", f"PatientName={query}")) == ["1.2.3"], query
    (row,) = find(archive, "study", "StudyInstanceUID=1.2.3").rows
    assert "=".join(row["00100010"]["Value"][0].values()) == name


def test_chinese_by_code_extensions(archive: Archive) -> None:
    # Written by hand: pydicom does not encode ISO 2022 IR 58 as PS3.5 Annex K does.
    written = b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab"
    file = a_file(SpecificCharacterSet=["", "ISO 2022 IR 58"], PatientName="X" * len(written))
    store(archive, file.replace(b"X" * len(written), written))
    assert uids(find(archive, "study", "PatientName=张^小东")) == ["1.2.3"]
    assert uids(find(archive, "study", "PatientName=*小东*")) == ["1.2.3"]
