"""Guessing delimited text: each text with the options and the columns that it should come to."""

from typing import Any

import pytest

from chalicelib.errors import ConfigError
from chalicelib.records.proposals.proposal import Sample, Sure
from chalicelib.records.proposals.propose import propose
from tests.records.guessing import guessed, loaded, options, said, samples, types

STRAY = "ACCEPT_STRAY_QUOTES_ASSUMING_NO_DELIMITERS_IN_FIELDS"
HEADER = {"skip_header_lines": 1}
S, L, D, B, T = "string", "long", "double", "boolean", "timestamp"

TEXTS: dict[str, tuple[str, dict[str, Any], dict[str, str]]] = {
    # delimiters
    "comma": ("id,name\n1,a\n2,b\n", HEADER, {"id": L, "name": S}),
    "tab": ("id\tname\n1\ta b, c\n2\tb c\n", HEADER | {"delimiter": "\t"}, {"id": L, "name": S}),
    "pipe": ("id|name\n1|a,b\n2|b\n", HEADER | {"delimiter": "|"}, {"id": L, "name": S}),
    "semicolon": ("id;name\n1;a\n2;b\n", HEADER | {"delimiter": ";"}, {"id": L, "name": S}),
    "semicolon, decimal commas": ("x;y\n1,5;2,5\n3,5;4,5\n", HEADER | {"delimiter": ";"}, {"x": S, "y": S}),
    "ctrl-A": ("1\x01a\x012.5\n2\x01b\x013.5\n", {"delimiter": "\x01"}, {"c0": L, "c1": S, "c2": D}),
    "unit separator": ("id\x1fn\n1\x1fa\n2\x1fb\n", HEADER | {"delimiter": "\x1f"}, {"id": L, "n": S}),
    "space": ("1 2.5 3\n4 5.5 6\n7 8.5 9\n", {"delimiter": " "}, {"c0": L, "c1": D, "c2": L}),
    "colon": (
        "root:x:0:0:root\nbin:x:1:1:bin\nsys:x:3:3:sys\n",
        {"delimiter": ":"},
        {"c0": S, "c1": S, "c2": L, "c3": L, "c4": S},
    ),
    "two pipes": ("a||b||c\n1||x y||3\n4||z||6\n", HEADER | {"delimiter": "||"}, {"a": L, "b": S, "c": L}),
    "two colons": ("1::1193::5\n1::661::3\n2::914::3\n", {"delimiter": "::"}, {"c0": L, "c1": L, "c2": L}),
    "pipe and tilde": ("1|~|a|~|x\n2|~|b|~|y\n", {"delimiter": "|~|"}, {"c0": L, "c1": S, "c2": S}),
    "tilde": ("id~name~x\n1~a~2\n2~b~3\n", HEADER | {"delimiter": "~"}, {"id": L, "name": S, "x": L}),
    "caret": ("id^name^x\n1^a^2\n2^b^3\n", HEADER | {"delimiter": "^"}, {"id": L, "name": S, "x": L}),
    "broken bar": ("id¦name\n1¦a\n2¦b\n", HEADER | {"delimiter": "¦"}, {"id": L, "name": S}),
    "commas within tabs": (
        "id\tplace\n1\tParis, France\n2\tRome, Italy\n3\tBonn, Germany\n",
        HEADER | {"delimiter": "\t"},
        {"id": L, "place": S},
    ),
    "an empty column": ("a,b,c\n1,,x\n2,,y\n", HEADER, {"a": L, "b": S, "c": S}),
    "times have colons": ("08:00:00,1\n09:30:00,2\n", {}, {"c0": "time", "c1": L}),
    "one column of dates": ("d\n31/12/2024\n01/02/2024\n", HEADER, {"d": "date %d/%m/%Y"}),
    "one column of numbers": ("n\n1\n2\n3\n", HEADER, {"n": L}),
    "one column of uuids (embulk #540)": (
        "id\nac97447f-146c-4d6c-914e-c283bb165804\nfad3bfe5-88eb-48b0-ace0-12e85946e1d7\n",
        HEADER,
        {"id": S},
    ),
    "one column of mail addresses": ("email\na@example.com\nb.c@example.org\n", HEADER, {"email": S}),
    "one column of words": ("hello there\ngood bye\nnever mind it\n", {}, {"c0": S}),
    # quotes and escapes
    "quoted": ('id,name\n1,"a, b"\n2,"c ""d"" e"\n', HEADER, {"id": L, "name": S}),
    "quoted line ends": ('id,name\n1,"a\nb"\n2,"c\r\nd"\n3,e\n', HEADER, {"id": L, "name": S}),
    "a header with line ends": ('id,"the\nname"\n1,a\n2,b\n', {"skip_header_lines": 2}, {"id": L, "the\nname": S}),
    "single quotes": ("'1','a, b'\n'2','c, d'\n'3','e'\n", {"quote": "'"}, {"c0": L, "c1": S}),
    "apostrophes are none": ("id,say\n1,'tis\n2,don't\n3,it's\n", HEADER, {"id": L, "say": S}),
    "backslash": (
        'id,name\n1,"a \\"b\\" c"\n2,"d, \\"e\\""\n',
        HEADER | {"escape": "\\"},
        {"id": L, "name": S},
    ),
    "windows paths": ('id,p\n1,"C:\\a\\"\n2,"C:\\b\\"\n', HEADER, {"id": L, "p": S}),
    "quotes that never close": (
        'id,size,n\n1,"5,2\n2,"7,3\n3,"9,4\n4,"8,5\n',
        HEADER | {"quote": None},
        {"id": L, "size": S, "n": L},
    ),
    "inches": ('id,size\n1,5"\n2,7"\n3,9"\n', HEADER, {"id": L, "size": S}),
    "stray quotes": (
        'id,t\n1,"say "yes" to me"\n2,"no "what" ever"\n',
        HEADER | {"quotes_in_quoted_fields": STRAY},
        {"id": L, "t": S},
    ),
    "all quoted (embulk #162)": (
        '"ID","名前","住所"\n"1","あ","北海道"\n"2","い","東京"\n',
        HEADER,
        {"ID": L, "名前": S, "住所": S},
    ),
    # headers
    "all text (embulk #284)": (
        "magic,description\n0XDEADBEEF,word-fill pattern\n0xCAFEBABE,java byte code\n0xDEAD10CC,dead lock\n"
        "0xDEADFEED,crash report\n",
        HEADER,
        {"magic": S, "description": S},
    ),
    "all text, values repeat": (
        "a,b,c,d\na,h,i,j\na,e,c,x\nz,e,n,m\n",
        {},
        {"c0": S, "c1": S, "c2": S, "c3": S},
    ),
    "no header": ("1,a,2024-01-02\n2,b,2024-01-03\n", {}, {"c0": L, "c1": S, "c2": "date"}),
    "one line (embulk #533, #534)": (
        "1,32864,2015-01-27 19:23:49,20150127,embulk\n",
        {},
        {"c0": L, "c1": L, "c2": T, "c3": L, "c4": S},
    ),
    "a header named null (embulk #998)": (
        "null,account,time,purchase,comment\n1,32864,2015-01-27 19:23:49,20150127,embulk\n"
        '2,14824,2015-01-27 19:01:23,20150127,embulk jruby\n3,27559,2015-01-28 02:20:02,20150128,"Embulk ""csv"" it"\n'
        "4,11270,2015-01-29 11:54:36,20150129,NULL\n",
        HEADER | {"null_string": ["", "NULL"]},
        {"null": L, "account": L, "time": T, "purchase": L, "comment": S},
    ),
    "null in the first line (embulk #1365)": (
        '"-1"\t"hoge"\t""\t\\N\t"2020-06-27 00:00:00"\n"8"\t""\t"1"\t"1"\t""\n"8"\t""\t"1"\t"0"\t""\n',
        {"delimiter": "\t", "null_string": ["", "\\N"]},
        {"c0": L, "c1": S, "c2": L, "c3": L, "c4": T},
    ),
    "a date in the first column (E33)": ("20150127,a,1\n20150128,b,2\n", {}, {"c0": L, "c1": S, "c2": L}),
    "years as names": ("country,2019,2020\nFR,1,2\nDE,3,4\n", HEADER, {"country": S, "2019": L, "2020": L}),
    "an index without a name": (",a,b\n0,1,x\n1,2,y\n", HEADER, {"c0": L, "a": L, "b": S}),
    "a header shorter by one, as R writes it": (
        "a b\n1 1.5 2\n2 2.5 3\n3 3.5 4\n",
        {"skip_header_lines": 1, "delimiter": " "},
        {"c0": L, "a": D, "b": L},
    ),
    "names twice": ("a,a,b\n1,2,3\n4,5,6\n", HEADER, {"a": L, "a_2": L, "b": L}),
    "names with spaces": ("Order No,Unit Price\n1,2.5\n2,3.5\n", HEADER, {"Order No": L, "Unit Price": D}),
    "booleans are no names": ("true,1\nfalse,2\n", {}, {"c0": B, "c1": L}),
    "codes under lower-case names": (
        "code,city\nAB,Berlin\nCD,Paris\nEF,Madrid\n",
        HEADER,
        {"code": S, "city": S},
    ),
    # preambles and comments
    "preamble": (
        "Report of sales\nmade on Monday\n\nid,name,x\n1,a,2\n2,b,3\n3,c,4\n",
        {"skip_header_lines": 4},
        {"id": L, "name": S, "x": L},
    ),
    "comments": (
        "# made by us\nid,name\n1,a\n# a note, with comma, more\n2,b\n3,c\n",
        {"comment_line_marker": "#", "skip_header_lines": 2},
        {"id": L, "name": S},
    ),
    "comments with slashes": (
        "// made by us\nid,name\n1,a\n2,b\n3,c\n",
        {"comment_line_marker": "//", "skip_header_lines": 2},
        {"id": L, "name": S},
    ),
    "a header that begins with #": ("#id,name\n1,a\n2,b\n", HEADER, {"#id": L, "name": S}),
    "empty lines": ("\n\nid,name\n\n1,a\n\n2,b\n", {"skip_header_lines": 4}, {"id": L, "name": S}),
    # NULL
    "NA among numbers": ("id,v\n1,2.5\n2,NA\n3,4.5\n", HEADER | {"null_string": ["", "NA"]}, {"id": L, "v": D}),
    "N/A and - among numbers": (
        "id,v,w\n1,2,-\n2,N/A,4\n3,4,5\n",
        HEADER | {"null_string": ["", "-", "N/A"]},
        {"id": L, "v": L, "w": L},
    ),
    "NULL among dates": (
        "id,d\n1,2024-01-02\n2,NULL\n",
        HEADER | {"null_string": ["", "NULL"]},
        {"id": L, "d": "date"},
    ),
    "\\N": ("1\t\\N\ta\n2\tx\t\\N\n", {"delimiter": "\t", "null_string": ["", "\\N"]}, {"c0": L, "c1": S, "c2": S}),
    "NA as a country": ("id,country\n1,NA\n2,DE\n3,FR\n", HEADER, {"id": L, "country": S}),
    "- as a text": ("id,mark\n1,-\n2,+\n", HEADER, {"id": L, "mark": S}),
    "NaN is a double": ("id,v\n1,2.5\n2,NaN\n", HEADER, {"id": L, "v": D}),
    "empty is NULL anyway": ("id,v,d\n1,,2024-01-02\n2,3,\n", HEADER, {"id": L, "v": L, "d": "date"}),
    # spaces
    "spaces around values": (
        "id, ok, name\n1, true, a\n2, false, b\n",
        HEADER | {"trim_if_not_quoted": True},
        {"id": L, "ok": B, "name": S},
    ),
    "spaces before quotes": (
        'id, name, x\n1, "a, b", 2\n2, "c, d", 3\n',
        HEADER | {"delimiter": ", "},
        {"id": L, "name": S, "x": L},
    ),
    # types
    "numbers": (
        "a,b,c,d,e\n1,1.5,007,+5,99999999999999999999\n-2,1e5,010,+6,1\n",
        HEADER,
        {"a": L, "b": D, "c": S, "d": S, "e": S},
    ),
    "codes stay text": (
        "zip,phone,Postal_Code,n\n94105,4155550100,12345,1\n10001,2125550100,12346,2\n",
        HEADER,
        {"zip": S, "phone": S, "Postal_Code": S, "n": L},
    ),
    "booleans": (
        "a,b,c,d\ntrue,yes,Y,1\nFalse,No,N,0\n",
        HEADER,
        {"a": B, "b": B, "c": B, "d": L},
    ),
    "a single yes is a text": ("id,a\n1,yes\n2,yes\n", HEADER, {"id": L, "a": S}),
    "json": ('id,j\n1,"{""a"": 1}"\n2,[]\n', HEADER, {"id": L, "j": "json"}),
    "braces that are no json": ("id,j\n1,{a}\n2,{b}\n", HEADER, {"id": L, "j": S}),
    "days by name and value": (
        "date,n\n20150127,20150127\n20150128,20150128\n",
        HEADER,
        {"date": "date %Y%m%d", "n": L},
    ),
    "a number is no day": ("date,n\n20151399,1\n20150128,2\n", HEADER, {"date": L, "n": L}),
    "mixed numbers": ("a\n1\n2.5\n", HEADER, {"a": D}),
    "numbers and text": ("id,a\n1,1\n2,x\n", HEADER, {"id": L, "a": S}),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_comes_to_its_options_and_columns_and_loads_by_them(name: str) -> None:
    text, expected, columns = TEXTS[name]
    proposal = guessed(text)
    assert options(proposal) == expected
    assert types(proposal) == columns
    assert proposal.parser["type"] == "csv"
    assert loaded(text, proposal).rejects == []


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", [name for name in TEXTS if '"' not in TEXTS[name][0]])
def test_line_ends_change_nothing(name: str, end: str) -> None:
    text, expected, columns = TEXTS[name]
    proposal = guessed(text.replace("\n", end))
    assert (options(proposal), types(proposal)) == (expected, columns)
    assert said(proposal.evidence, "newline").value == {"\n": "LF", "\r\n": "CRLF", "\r": "CR"}[end]


MOMENTS = {
    "2024-01-02": "date",
    "2024-01-02 03:04:05": T,
    "2024-01-02T03:04:05Z": T,
    "2024-01-02 03:04:05.123+09:00": T,
    "2024/01/22": "date %Y/%m/%d",
    "2024/01/22 03:04": f"{T} %Y/%m/%d %H:%M",
    "12/31/2024": "date %m/%d/%Y",
    "31/12/2024": "date %d/%m/%Y",
    "31.12.2024": "date %d.%m.%Y",
    "31-12-2024 23:59:58": f"{T} %d-%m-%Y %H:%M:%S",
    "31/12/24": "date %d/%m/%y",
    "12/31/2024 11:59 PM": f"{T} %m/%d/%Y %I:%M %p",
    "31-Dec-2024": "date %d-%b-%Y",
    "31 December 2024": "date %d %B %Y",
    "Dec 31, 2024": "date %b %d, %Y",
    "Tue, 31 Dec 2024 10:20:30 +0000": f"{T} %a, %d %b %Y %H:%M:%S %z",
    "31/Dec/2024:10:20:30 +0900": f"{T} %d/%b/%Y:%H:%M:%S %z",
    "20241231T102030": f"{T} %Y%m%dT%H%M%S",
    "10:20:30": "time",
    "2024-13-01": S,
    "31/31/2024": S,
    "1.2.3": S,
}


@pytest.mark.parametrize("text", MOMENTS)
def test_moments_have_their_format(text: str) -> None:
    data = f'id,when\n1,"{text}"\n2,"{text}"\n'
    proposal = guessed(data)
    assert types(proposal)["when"] == MOMENTS[text]
    assert loaded(data, proposal).rejects == []


def test_day_and_month_are_told_by_the_rows_of_all_objects() -> None:
    open_, closed = "id,d\n1,03/04/2024\n2,05/06/2024\n", "id,d\n3,13/04/2024\n"
    assumed = guessed(open_)
    assert types(assumed)["d"] == "date %m/%d/%Y"
    assert said(assumed.evidence, "d").sure is Sure.LOW
    assert "%d/%m/%Y" in said(assumed.evidence, "d").why
    decided = guessed(open_, closed)
    assert types(decided)["d"] == "date %d/%m/%Y"
    assert said(decided.evidence, "d").sure is Sure.HIGH


def test_a_column_that_is_decided_decides_for_one_that_is_open() -> None:
    proposal = guessed("a,b\n03/04/2024,13/04/2024\n05/06/2024,06/06/2024\n")
    assert types(proposal) == {"a": "date %d/%m/%Y", "b": "date %d/%m/%Y"}
    assert said(proposal.evidence, "a").sure is Sure.MEDIUM


def test_several_formats_in_one_column_are_text_and_said() -> None:
    proposal = guessed("id,d\n1,2024-01-02\n2,31/12/2024\n3,2024-02-03\n")
    assert types(proposal)["d"] == S
    assert "several formats" in said(proposal.evidence, "d").why


def test_an_epoch_is_a_hint_only() -> None:
    proposal = guessed("created_at,n\n1700000000,1\n1700000100,2\n")
    assert types(proposal)["created_at"] == L
    assert "epoch_s" in said(proposal.evidence, "created_at").why
    assert "epoch_ms" in said(guessed("ts,n\n1700000000000,1\n").evidence, "ts").why


def test_a_word_for_null_that_is_a_text_elsewhere_is_said() -> None:
    proposal = guessed("v,country\n1,NA\nNA,DE\n3,FR\n")
    assert options(proposal)["null_string"] == ["", "NA"]
    found = said(proposal.evidence, "null_string")
    assert found.sure is Sure.LOW
    assert "country" in found.why


def test_types_come_from_all_objects() -> None:
    assert types(guessed("a,b\n1,x\n2,y\n", "a,b\n1.5,z\n")) == {"a": D, "b": S}
    assert types(guessed("a,b\n1,x\n2,y\n", "a,b\nnone at all,z\n")) == {"a": S, "b": S}


def test_the_same_first_line_in_several_objects_is_a_header() -> None:
    one, other = "red,blue\ncar,sky\nbus,sea\n", "red,blue\nvan,ink\n"
    proposal = guessed(one, other)
    assert types(proposal) == {"red": S, "blue": S}
    assert said(proposal.evidence, "header").sure is Sure.HIGH


def test_objects_that_disagree_are_said() -> None:
    proposal = guessed("id,name\n1,a\n2,b\n", "id,title\n3,c\n", "id;name\n4;d\n5;e\n")
    found = [each for each in proposal.evidence if each.what == "disagreement"]
    assert any("title" in each.why for each in found)
    assert any("';'" in each.why for each in found)


def test_all_strings_has_no_types() -> None:
    proposal = guessed("id,d,b\n1,2024-01-02,true\n", all_strings=True)
    assert types(proposal) == {"id": S, "d": S, "b": S}
    json = guessed('{"a": 1, "b": {"c": 2}}\n', all_strings=True)
    assert types(json) == {"a": S, "b": S}


def test_what_was_given_is_kept_and_decides_for_the_rest() -> None:
    text = "a;b,c;d\n1;2,3;4\n5;6,7;8\n"
    by_comma = guessed(text, type="csv", delimiter=",")
    assert list(types(by_comma)) == ["a;b", "c;d"]
    assert options(by_comma) == {"delimiter": ",", "skip_header_lines": 1}
    columns = [{"name": "x", "type": "string"}, {"name": "y", "type": "string"}, {"name": "z", "type": "string"}]
    kept = guessed(text, type="csv", columns=columns)
    assert kept.parser == {"type": "csv", "delimiter": ";", "skip_header_lines": 1, "columns": columns}
    unskipped = guessed("id,name\n1,a\n2,b\n", type="csv", skip_header_lines=0)
    assert types(unskipped) == {"c0": S, "c1": S}
    nulls = guessed("id,v\n1,x\n2,3\n", type="csv", null_string="x", max_bad_rows=0)
    assert types(nulls) == {"id": L, "v": L}
    assert nulls.parser["max_bad_rows"] == 0
    assert nulls.parser["null_string"] == "x"


def test_tsv_that_was_given_is_by_tabs() -> None:
    proposal = guessed("a,b\tc\n1,2\t3\n", type="tsv")
    assert proposal.parser["type"] == "tsv"
    assert list(types(proposal)) == ["a,b", "c"]


CHARSETS = {
    "cp932": "番号,名前,都市\n1,田中太郎,東京都\n2,鈴木花子,大阪府\n3,カタカナ,ひらがな\n",
    "EUC-JP": "番号,名前,都市\n1,田中太郎,東京都\n2,鈴木花子,大阪府\n3,カタカナ,ひらがな\n",
    "ISO-2022-JP": "番号,名前\n1,田中太郎\n2,鈴木花子\n",
    "GB18030": "编号,姓名,城市\n1,王小明,北京\n2,李红,上海\n3,张伟,广州市天河区\n",
    "Big5": "編號,姓名,城市\n1,王小明,臺北\n2,李紅,高雄\n3,張偉,臺中市西區\n",
    "cp949": "번호,이름,도시\n1,김철수,서울\n2,이영희,부산\n3,박민수,대구광역시\n",
    "cp1251": "номер,имя,город\n1,Иван,Москва\n2,Ольга,Казань\n3,Пётр,Тверь\n",
    "cp1252": "id,name,city\n1,José,München\n2,François,Zürich\n3,Bjørn,São Paulo\n4,x,“quoted” – dash\n",
    "cp1250": "id,jméno,město\n1,Jiří,Plzeň\n2,Žaneta,Ústí nad Labem\n3,Łukasz,Kraków\n",
    "UTF-8": "id,name\n1,José\n2,北京\n",
    "UTF-16": "id,name\n1,José\n2,b\n",
    "UTF-16LE": "id,name\n1,Jose\n2,b\n",
    "UTF-16BE": "id,name\n1,Jose\n2,b\n",
    "UTF-32": "id,name\n1,José\n2,b\n",
}


@pytest.mark.parametrize("charset", CHARSETS)
def test_a_charset_is_found_and_its_names_and_rows_are_read(charset: str) -> None:
    text = CHARSETS[charset]
    data = text.encode(charset)
    proposal = guessed(data)
    assert proposal.parser.get("charset", "UTF-8") == charset
    names, *rows = [line.split(",") for line in text.splitlines()]
    assert list(types(proposal)) == names
    found = loaded(data, proposal)
    assert [list(map(str, row)) for row in found.tuples] == rows


def test_a_byte_order_mark_is_no_part_of_a_name() -> None:
    data = b"\xef\xbb\xbfid,name\n1,a\n"
    proposal = guessed(data)
    assert list(types(proposal)) == ["id", "name"]
    assert said(proposal.evidence, "charset").sure is Sure.HIGH
    assert loaded(data, proposal).tuples == [(1, "a")]


def test_few_bytes_beyond_ascii_tell_little_and_that_is_said() -> None:
    proposal = guessed("id,name\n1,café\n".encode("cp1252"))
    assert proposal.parser["charset"] == "cp1252"
    assert said(proposal.evidence, "charset").sure is Sure.LOW


def test_a_few_broken_bytes_do_not_make_utf_8_something_else() -> None:
    data = "id,name\n" + "".join(f"{number},名前と住所\n" for number in range(50))
    proposal = guessed(data.encode() + b"51,\xff\n")
    assert "charset" not in proposal.parser
    assert "1 are not" in said(proposal.evidence, "charset").why


def test_a_cut_end_is_no_row() -> None:
    text = "id,name,d\n1,a,2024-01-02\n2,b,2024-01-03\n3,c,2024-"
    proposal = propose(samples(text, whole=False))
    assert types(proposal) == {"id": L, "name": S, "d": "date"}
    inside = propose(samples('id,name\n1,a\n2,"b\nc', whole=False))
    assert types(inside) == {"id": L, "name": S}
    character = propose([Sample("a", "id,name\n1,é\n2,é".encode()[:-1], whole=False)])
    assert "charset" not in character.parser


def test_the_middle_of_an_object_counts_for_types() -> None:
    start = "id,v\n" + "".join(f"{number},{number}\n" for number in range(100))
    middle = '5"\nx,y,z\n' + "".join(f"{number},{number}.5\n" for number in range(100))
    both = [Sample("a", start.encode(), whole=False), Sample("a", middle.encode(), whole=False, start=False)]
    assert types(propose(both[:1])) == {"id": L, "v": L}
    assert types(propose(both)) == {"id": L, "v": D}


def test_short_rows_that_are_many_are_allowed_and_a_single_one_is_a_bad_row() -> None:
    many = "a,b,c\n1,2,3\n4,5\n6,7\n8,9,10\n"
    proposal = guessed(many)
    assert options(proposal)["allow_optional_columns"] is True
    assert loaded(many, proposal).rejects == []
    single = "a,b,c\n1,2,3\n4,5\n8,9,10\n"
    assert "allow_optional_columns" not in options(guessed(single))
    assert "1 do not" in said(guessed(single).evidence, "proof").why


@pytest.mark.parametrize("data", [b"", b"\n\n\r\n", b"\x00\x00", b"\x89PNG\r\n\x1a\n" + bytes(range(32)) * 20])
def test_what_holds_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(ConfigError):
        guessed(data)


def test_nothing_to_sample_is_refused() -> None:
    with pytest.raises(ConfigError, match="empty"):
        propose([])
    with pytest.raises(ConfigError, match="charset"):
        guessed("a,b\n1,2\n", type="csv", charset="nonsense")
    with pytest.raises(ConfigError, match="delimitr"):
        guessed("a,b\n1,2\n", type="csv", delimitr=",")


@pytest.mark.parametrize(("mark", "kind"), [(b"PAR1", "parquet"), (b"Obj\x01", "avro"), (b"ORC", "orc")])
def test_formats_that_know_their_columns_are_told_by_their_mark(mark: bytes, kind: str) -> None:
    assert guessed(mark + b"\x00" * 50).parser == {"type": kind}
    assert guessed(mark + b"\x00" * 50, type=kind, max_bad_rows=3).parser == {"type": kind, "max_bad_rows": 3}
    with pytest.raises(ConfigError, match="several formats"):
        guessed(mark + b"\x00" * 50, b"a,b\n1,2\n")


def test_fixed_width_is_found_only_where_it_is_clear() -> None:
    lines = ["id  name        amount", "1   Anne          12.5", "22  Bob            1.5", "333 Christopher  100.5"]
    text = "\n".join([*lines, "4   Dora           0.5", "5   Emil           7.5"]) + "\n"
    proposal = guessed(text)
    assert proposal.parser["type"] == "fixed_width"
    assert types(proposal) == {"id": L, "name": S, "amount": D}
    assert loaded(text, proposal).tuples[2] == (333, "Christopher", 100.5)
    assert guessed("a b c\n1 2 3\n4 5 6\n7 8 9\n1 2 3\n").parser["type"] == "csv"
