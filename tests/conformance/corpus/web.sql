-- JSON values by their path
SELECT json_extract_scalar('{"a": {"b": [1, "x", true]}}', '$.a.b[1]'), json_extract_scalar('{"a": {"b": [1, "x", true]}}', '$.a.b[0]'), json_extract_scalar('{"a": {"b": [1, "x", true]}}', '$.a.b[2]');
--> 'x' | '1' | 'true'

-- objects, lists, nothing, NULL and what is no JSON give NULL
SELECT json_extract_scalar('{"a": {"b": 1}}', '$.a'), json_extract_scalar('{"a": [1]}', '$.a'), json_extract_scalar('{"a": 1}', '$.z'), json_extract_scalar('{"a": null}', '$.a'), json_extract_scalar('not json', '$.a'), json_extract_scalar(NULL, '$.a');
--> NULL | NULL | NULL | NULL | NULL | NULL

-- keys with dots and blanks, and a text that looks like a list
SELECT json_extract_scalar('{"a b": {"c.d": "é"}}', '$["a b"]["c.d"]'), json_extract_scalar('{"a": "[1]"}', '$.a'), json_extract_scalar('"x"', '$');
--> 'é' | '[1]' | 'x'

-- the length of a JSON list
SELECT json_array_length('[1, [2, 3], {}]'), json_array_length('[]'), json_array_length('{"a": 1}'), json_array_length('x');
--> 3 | 0 | NULL | NULL

-- JSON over rows
SELECT order_id, json_extract_scalar(concat('{"n": ', CAST(order_number AS varchar), '}'), '$.n') FROM orders WHERE order_id < 3 ORDER BY 1;
--> 1 | '1'
--> 2 | '2'

-- the parts of an address
SELECT url_extract_protocol(u), url_extract_host(u), url_extract_port(u), url_extract_path(u), url_extract_query(u), url_extract_fragment(u) FROM (VALUES 'https://me@www.example.org:8443/a/b%20c?x=1&y=2#top', 'http://example.org', '/only/a/path') AS t (u) ORDER BY u;
--> '' | '' | NULL | '/only/a/path' | '' | ''
--> 'http' | 'example.org' | NULL | '' | '' | ''
--> 'https' | 'www.example.org' | 8443 | '/a/b c' | 'x=1&y=2' | 'top'

-- escaping for addresses
SELECT url_encode('a b&c/é~*'), url_decode('a+b%26c%2F%C3%A9'), url_decode(url_encode('100% + 1'));
--> 'a+b%26c%2F%C3%A9%7E*' | 'a b&c/é' | '100% + 1'

-- JSON numbers keep their digits
SELECT json_extract_scalar('{"a": 12345678901234567890, "b": -7, "c": 0.5}', '$.a'), json_extract_scalar('{"b": -7, "c": 0.5}', '$.b'), json_extract_scalar('{"c": 0.5}', '$.c');
--> '12345678901234567890' | '-7' | '0.5'
