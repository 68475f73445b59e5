-- letters, not bytes
SELECT length('añb€'), upper('crème'), lower('ÄPFEL'), reverse('añb'), length(name) FROM products WHERE product_id = 11;
--> 4 | 'CRÈME' | 'äpfel' | 'bña' | 10

-- an accent of its own is a character
SELECT length(concat('e', chr(769))), codepoint(substr(reverse(concat('e', chr(769))), 1, 1)), reverse(CAST(NULL AS varchar));
--> 2 | 769 | NULL

-- parts of a text
SELECT substr('banana', 2, 3), substr('banana', -2), substring('banana', 5), substring('banana' FROM 2 FOR 2), substring('banana', 2, 100);
--> 'ana' | 'na' | 'na' | 'an' | 'anana'

-- parts outside of a text are empty
SELECT substr('banana', 0), substr('banana', 0, 2), substr('banana', 7), substr('banana', -7), substr('banana', -7, 3), substr('banana', 2, 0), substr('banana', 2, -1);
--> '' | '' | '' | '' | '' | '' | ''

-- parts of columns
SELECT substr(name, 1, 4), substr(name, -4, 2) FROM products ORDER BY product_id;
--> 'Bana' | 'an'
--> 'Süße' | 'pf'
--> 'crèm' | 'ûl'
--> NULL | NULL

-- joining texts, NULL as soon as one is
SELECT 'a' || 'b', concat('a', 'b', 'c'), concat('a', NULL), 'a' || NULL, concat_ws('-', 'a', NULL, 'b'), concat_ws(',', 'x');
--> 'ab' | 'abc' | NULL | NULL | 'a-b' | 'x'

-- blanks of every kind
SELECT trim('  a b '), ltrim('  a'), rtrim('a  '), length(trim(concat(chr(9), ' a', chr(10), chr(8195)))), trim(BOTH 'x' FROM 'xxaxx'), trim(LEADING 'x' FROM 'xxax'), trim(TRAILING 'x' FROM 'xaxx');
--> 'a b' | 'a' | 'a' | 1 | 'a' | 'ax' | 'xa'

-- finding and replacing
SELECT strpos('banana', 'nan'), strpos('banana', 'x'), position('an' IN 'banana'), strpos('Süße', 'e'), replace('banana', 'an', 'o'), replace('banana', 'na'), starts_with('banana', 'ban'), starts_with('banana', 'na');
--> 3 | 0 | 2 | 4 | 'booa' | 'ba' | true | false

-- the empty text
SELECT strpos('abc', ''), length(''), '' = ' ', coalesce('', 'x'), trim(' ');
--> 1 | 0 | false | '' | ''

-- filling up and cutting off
SELECT lpad('7', 3, '0'), rpad('7', 3, '0'), lpad('banana', 3, 'x'), rpad('ab', 5, 'xy'), lpad('ü', 3, 'äö');
--> '007' | '700' | 'ban' | 'abxyx' | 'äöü'

-- characters and their numbers
SELECT chr(65), chr(8364), codepoint('A'), codepoint('€'), translate('banana', 'an', 'oi'), translate('añb', 'ñ', '');
--> 'A' | '€' | 65 | 8364 | 'boioio' | 'ab'

-- cutting into parts
SELECT split('a,b,,c', ','), split('a.b', '.'), split('', ','), split(CAST(NULL AS varchar), ',');
--> ['a', 'b', '', 'c'] | ['a', 'b'] | [''] | NULL

-- one part, NULL beyond the last
SELECT split_part('a,b,c', ',', 2), split_part('a,b,c', ',', 4), split_part('a|b', '|', 1), split_part('abc', ',', 1);
--> 'b' | NULL | 'a' | 'abc'

-- the part before the first is an error
SELECT split_part(name, 'a', 0) FROM products;
--! greater than zero

-- a backslash and a quote are letters
SELECT 'a\n', length('a\n'), 'it''s', '100%';
--> 'a\n' | 3 | 'it''s' | '100%'

-- bytes
SELECT to_hex(to_utf8('aé')), from_utf8(from_hex('61C3A9')), to_base64(to_utf8('hello')), from_utf8(from_base64('aGVsbG8=')), X'0AFF';
--> '61C3A9' | 'aé' | 'aGVsbG8=' | 'hello' | X'0AFF'

-- digests
SELECT to_hex(md5(to_utf8('hello'))), to_hex(sha1(to_utf8('hello'))), to_hex(sha256(to_utf8('')));
--> '5D41402ABC4B2A76B9719D911017C592' | 'AAF4C61DDCC5E8A2DABEDE0F3B482CD9AEA9434D' | 'E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855'

-- comparing texts
SELECT 'a' < 'b', 'Z' < 'a', 'a' < 'ä', 'a' = 'A', '10' < '9';
--> true | true | true | false | true

-- a letter becomes one letter
SELECT upper('süße Grüße'), lower('İ'), upper(name) FROM products WHERE product_id = 11;
--> 'SÜßE GRÜßE' | 'i' | 'SÜßE ÄPFEL'

-- filling up with nothing is an error
SELECT lpad(name, 20, '') FROM products;
--! [Pp]adding
