import pytest

from dicomweb.dicom.charset import codecs_of, decode


@pytest.mark.parametrize(
    ("names", "value", "expected"),
    [
        # PS3.5 Annex H, I, J, K: the Standard's own examples.
        ([""], b"Yamada^Tarou", "Yamada^Tarou"),
        (
            ["", "ISO 2022 IR 87"],
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
        ),
        (
            ["ISO 2022 IR 13", "ISO 2022 IR 87"],
            b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
        ),
        (
            ["", "ISO 2022 IR 149"],
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
            "Hong^Gildong=洪^吉洞=홍^길동",
        ),
        (["", "ISO 2022 IR 58"], b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=", "Zhang^XiaoDong=张^小东="),
        (["ISO_IR 192"], "Wang^XiaoDong=王^小東".encode(), "Wang^XiaoDong=王^小東"),
        (["GB18030"], "Wang^XiaoDong=王^小东".encode("gb18030"), "Wang^XiaoDong=王^小东"),
        (["ISO_IR 144"], "Люкceмбypг".encode("iso8859_5"), "Люкceмбypг"),
        (["ISO_IR 127"], "قباني^لنزار".encode("iso8859_6"), "قباني^لنزار"),
        (["ISO 2022 IR 100", "ISO 2022 IR 144"], b"Buc^J\xe9r\xf4me=\x1b-L\xbb\xee", "Buc^Jérôme=Лю"),
        (["ISO_IR 166"], "สมชาย".encode("tis_620"), "สมชาย"),
        (["ISO_IR 203"], "Œuvre €".encode("iso8859_15"), "Œuvre €"),
        (["GBK"], "王^小东".encode("gbk"), "王^小东"),
        (
            ["GB18030"],
            "丂\x1b王".encode("gb18030"),
            "丂\x1b王",
        ),  # a second byte may be in ASCII: no escapes are looked for
        # As files have it, against the Standard.
        (["ISO-IR 100"], b"J\xe9r\xf4me", "Jérôme"),
        (["ISO IR 144"], "Люк".encode("iso8859_5"), "Люк"),
        (["iso_ir 192"], "Jérôme".encode(), "Jérôme"),
        (["UTF-8"], "Jérôme".encode(), "Jérôme"),
    ],
)
def test_text_of_each_character_set(names: list[str], value: bytes, expected: str) -> None:
    assert decode(value, codecs_of(names, "iso8859_1"), b"\\^=") == expected


def test_files_without_a_character_set_have_the_default() -> None:
    assert decode(b"J\xe9r\xf4me", codecs_of([], "iso8859_1")) == "Jérôme"


def test_what_a_character_set_cannot_mean_is_replaced_and_never_an_error() -> None:
    assert decode(b"\xff\xfe\x1b$Bx\x1b", codecs_of(["ISO_IR 192"], "ascii"))
    assert decode(b"A\xff", codecs_of(["ISO_IR 192"], "ascii")) == "A�"
