-- a pattern is found anywhere
SELECT regexp_like('banana', 'n.n'), regexp_like('banana', '^an'), regexp_like('1a 2b', '\d+b'), regexp_like(CAST(NULL AS varchar), 'a');
--> true | false | true | NULL

-- whichever case, and words
SELECT regexp_like('BANANA', '(?i)nan'), regexp_like('a cat', '\bcat\b'), regexp_like('concat', '\bcat\b'), regexp_like('äpfel', '^.pfel$');
--> true | true | false | true

-- the dot does not stand for a line's end
SELECT regexp_like(concat('a', chr(10), 'b'), 'a.b'), regexp_like(concat('a', chr(10), 'b'), '(?s)a.b');
--> false | true

-- what is found, NULL where nothing is
SELECT regexp_extract('1a 2b 14m', '\d+'), regexp_extract('1a 2b 14m', '(\d+)([a-z]+)', 2), regexp_extract('abc', '\d'), regexp_extract('abc', '(x*)b', 1);
--> '1' | 'a' | NULL | ''

-- everything that is found
SELECT regexp_extract_all('1a 2b 14m', '\d+'), regexp_extract_all('1a 2b 14m', '(\d+)([a-z]+)', 2), regexp_extract_all('abc', '\d');
--> ['1', '2', '14'] | ['a', 'b', 'm'] | []

-- replacing, with groups
SELECT regexp_replace('1a 2b 14m', '\d+[ab] '), regexp_replace('1a 2b 14m', '(\d+)([ab]) ', '3c$2 '), regexp_replace('a.b.c', '\.', '\$'), regexp_replace('aaa', 'b', 'x');
--> '14m' | '3ca 3cb 14m' | 'a$b$c' | 'aaa'

-- counting and cutting
SELECT regexp_count('1a 2b 14m', '\s*[a-z]+\s*'), regexp_split('1a 2b 14m', '\s*[a-z]+\s*'), regexp_count('abc', 'x');
--> 3 | ['1', '2', '14', ''] | 0

-- patterns over rows
SELECT name, regexp_extract(name, '[aäü](.)', 1) FROM products ORDER BY product_id;
--> 'Bananen' | 'n'
--> 'Süße Äpfel' | 'ß'
--> 'crème brûlée' | NULL
--> NULL | NULL

-- looking ahead is refused, since DuckDB cannot
SELECT regexp_like(name, 'a(?=n)') FROM products;
--! looking ahead

-- so is referring back
SELECT regexp_like(name, '(a)\1') FROM products;
--! refers back

-- and a group that may be absent
SELECT regexp_extract(name, 'B(x)?a', 1) FROM products;
--! may take no part

-- a replacement's sign must mean a group
SELECT regexp_replace(name, 'a', '$x') FROM products;
--! names groups as
