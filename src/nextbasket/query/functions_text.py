"""The portable functions over text, bytes, patterns, JSON and addresses."""

from nextbasket.query.signature import SAME, Form

# What Athena's trim() takes away; engines by themselves take away the space only.
_BLANKS = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2008\u2009\u200a"
_BLANKS += "\u2028\u2029\u205f\u3000"

# In upper case ß becomes SS in Spark and ẞ in DuckDB; a character for private use stands for it meanwhile.
_UPPER = "replace(upper(replace(text, 'ß', '\ue000')), '\ue000', 'ß')"

_HOST = r"^[^:/?#]+://(?:[^/?#@]*@)?(\[[^]]*\]|[^/?#:]*)"
_PORT = r"^[^:/?#]+://(?:[^/?#@]*@)?(?:\[[^]]*\]|[^/?#:]*):([0-9]+)"
_PATH = r"^(?:[^:/?#]+:)?(?://[^/?#]*)?([^?#]*)"
_PROTOCOL = r"^([A-Za-z][A-Za-z0-9+.-]*):"
_QUERY = r"^[^?#]*\?([^#]*)"
_FRAGMENT = r"^[^#]*#(.*)$"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _escaped(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _url(name: str, pattern: str, note: str = "") -> Form:
    return Form(
        f"{name}(url)",
        "varchar",
        f"url_decode(regexp_extract(url, {_quoted(pattern)}, 1))",
        f"url_decode(replace(regexp_extract(url, {_escaped(pattern)}, 1), '+', '%2B'))",
        note,
    )


def _raw_url(name: str, pattern: str) -> Form:
    return Form(
        f"{name}(url)",
        "varchar",
        f"regexp_extract(url, {_quoted(pattern)}, 1)",
        f"regexp_extract(url, {_escaped(pattern)}, 1)",
    )


def _pad(name: str) -> str:
    return f"{name}(text, size, CASE WHEN fill = '' THEN raise_error('Padding must not be empty') ELSE fill END)"


TEXT: tuple[Form, ...] = (
    Form("lower(text)", "varchar", SAME, "lower(replace(text, 'İ', 'i'))"),
    Form("upper(text)", "varchar", _UPPER, _UPPER, "a letter becomes one letter: ß stays"),
    Form("length(text)", "bigint", note="characters, not bytes"),
    Form(
        "trim(text)",
        "varchar",
        f"trim(text, {_quoted(_BLANKS)})",
        f"trim(BOTH {_escaped(_BLANKS)} FROM text)",
        "every kind of white space",
    ),
    Form("trim(text, characters)", "varchar", "trim(text, characters)", "trim(BOTH characters FROM text)"),
    Form("ltrim(text)", "varchar", f"ltrim(text, {_quoted(_BLANKS)})", f"trim(LEADING {_escaped(_BLANKS)} FROM text)"),
    Form("ltrim(text, characters)", "varchar", "ltrim(text, characters)", "trim(LEADING characters FROM text)"),
    Form("rtrim(text)", "varchar", f"rtrim(text, {_quoted(_BLANKS)})", f"trim(TRAILING {_escaped(_BLANKS)} FROM text)"),
    Form("rtrim(text, characters)", "varchar", "rtrim(text, characters)", "trim(TRAILING characters FROM text)"),
    Form(
        "substr(text, start)",
        "varchar",
        "athena_substr(text, start)",
        "CASE WHEN start = 0 OR abs(start) > char_length(text) THEN substr(text, 1, 0) ELSE substr(text, start) END",
        "counts from 1, or from the end; '' outside the text",
    ),
    Form(
        "substr(text, start, length)",
        "varchar",
        "athena_substr(text, start, length)",
        "CASE WHEN start = 0 OR length <= 0 OR abs(start) > char_length(text) THEN substr(text, 1, 0) "
        "ELSE substr(text, start, length) END",
    ),
    Form("substring(text, start)", "varchar", note="the same as substr()"),
    Form("substring(text, start, length)", "varchar"),
    Form("replace(text, search)", "varchar", "replace(text, search, '')", "replace(text, search, '')"),
    Form("replace(text, search, replacement)", "varchar"),
    Form("reverse(text)", "=1", note="also of an array"),
    Form("concat(text, …)", "=1", note="NULL as soon as one is NULL; also of arrays"),
    Form("concat_ws(separator, text, …)", "varchar", note="leaves NULLs out"),
    Form("strpos(text, search)", "bigint", "strpos(text, search)", "CAST(instr(text, search) AS BIGINT)"),
    Form("position(search IN text)", "bigint", note="the same as strpos()"),
    Form("starts_with(text, start)", "boolean", "starts_with(text, start)", "startswith(text, start)"),
    Form("lpad(text, size, fill)", "varchar", "lpad(text, CAST(size AS INTEGER), fill)", _pad("lpad")),
    Form("rpad(text, size, fill)", "varchar", "rpad(text, CAST(size AS INTEGER), fill)", _pad("rpad")),
    Form("translate(text, search, replacement)", "varchar"),
    Form(
        "chr(code)",
        "varchar",
        "chr(CAST(code AS INTEGER))",
        "decode(unhex(lpad(hex(code), 8, '0')), 'UTF-32')",
    ),
    Form("codepoint(character)", "integer", "unicode(character)", "ascii(character)"),
    Form(
        "split(text, delimiter)",
        "array(varchar)",
        "string_split(text, delimiter)",
        r"split(text, concat('\\Q', delimiter, '\\E'), -1)",
    ),
    Form(
        "split_part(text, delimiter, index)",
        "varchar",
        "athena_split_part(text, delimiter, index)",
        r"CASE WHEN index < 1 THEN raise_error('Index must be greater than zero') "
        r"ELSE get(split(text, concat('\\Q', delimiter, '\\E'), -1), CAST(index AS INT) - 1) END",
        "NULL beyond the last part",
    ),
    Form("regexp_like(text, pattern)", "boolean", "regexp_matches(text, pattern)", "text RLIKE pattern"),
    Form(
        "regexp_extract(text, pattern)",
        "varchar",
        "CASE WHEN regexp_matches(text, pattern) THEN regexp_extract(text, pattern, 0) END",
        "CASE WHEN text RLIKE pattern THEN regexp_extract(text, pattern, 0) END",
        "NULL where nothing matches",
    ),
    Form(
        "regexp_extract(text, pattern, group)",
        "varchar",
        "CASE WHEN regexp_matches(text, pattern) THEN regexp_extract(text, pattern, group_) END",
        "CASE WHEN text RLIKE pattern THEN regexp_extract(text, pattern, group_) END",
    ),
    Form(
        "regexp_extract_all(text, pattern)",
        "array(varchar)",
        "regexp_extract_all(text, pattern, 0)",
        "regexp_extract_all(text, pattern, 0)",
    ),
    Form(
        "regexp_extract_all(text, pattern, group)",
        "array(varchar)",
        "regexp_extract_all(text, pattern, group_)",
        "regexp_extract_all(text, pattern, group_)",
    ),
    Form(
        "regexp_replace(text, pattern)",
        "varchar",
        "regexp_replace(text, pattern, '', 'g')",
        "regexp_replace(text, pattern, '')",
    ),
    Form(
        "regexp_replace(text, pattern, replacement)",
        "varchar",
        "regexp_replace(text, pattern, replacement, 'g')",
        "regexp_replace(text, pattern, replacement)",
        "every match; $1 is the first group",
    ),
    Form(
        "regexp_count(text, pattern)",
        "bigint",
        "len(regexp_extract_all(text, pattern, 0))",
        "CAST(regexp_count(text, pattern) AS BIGINT)",
    ),
    Form(
        "regexp_split(text, pattern)",
        "array(varchar)",
        "string_split_regex(text, pattern)",
        "split(text, pattern, -1)",
    ),
    Form("to_utf8(text)", "varbinary", "encode(text)", "encode(text, 'UTF-8')"),
    Form("from_utf8(bytes)", "varchar", "decode(bytes)", "decode(bytes, 'UTF-8')"),
    Form("to_hex(bytes)", "varchar", "hex(bytes)", "hex(bytes)"),
    Form("from_hex(text)", "varbinary", "unhex(text)", "unhex(text)"),
    Form("to_base64(bytes)", "varchar", "to_base64(bytes)", "base64(bytes)"),
    Form("from_base64(text)", "varbinary", "from_base64(text)", "unbase64(text)"),
    Form("md5(bytes)", "varbinary", "unhex(md5(bytes))", "unhex(md5(bytes))", "of bytes: md5(to_utf8(x))"),
    Form("sha1(bytes)", "varbinary", "unhex(sha1(bytes))", "unhex(sha1(bytes))"),
    Form("sha256(bytes)", "varbinary", "unhex(sha256(bytes))", "unhex(sha2(bytes, 256))"),
    Form(
        "url_encode(text)",
        "varchar",
        "replace(replace(replace(url_encode(text), '%20', '+'), '~', '%7E'), '%2A', '*')",
        "url_encode(text)",
    ),
    Form("url_decode(text)", "varchar", "url_decode(replace(text, '+', ' '))", "url_decode(text)"),
    _raw_url("url_extract_protocol", _PROTOCOL),
    _raw_url("url_extract_host", _HOST),
    Form(
        "url_extract_port(url)",
        "bigint",
        f"TRY_CAST(regexp_extract(url, {_quoted(_PORT)}, 1) AS BIGINT)",
        f"TRY_CAST(regexp_extract(url, {_escaped(_PORT)}, 1) AS BIGINT)",
    ),
    _url("url_extract_path", _PATH),
    _url("url_extract_query", _QUERY),
    _url("url_extract_fragment", _FRAGMENT),
    Form(
        "json_extract_scalar(json, path)",
        "varchar",
        "athena_json_scalar(json, path)",
        note="of text; the path is $, .name, ['name'] and [0]; NULL for objects and lists",
    ),
    Form(
        "json_array_length(json)",
        "bigint",
        "athena_json_length(json)",
        "CAST(json_array_length(json) AS BIGINT)",
        "of text; NULL where it is no list",
    ),
)
"""Functions over text."""
