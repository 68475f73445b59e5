-- a map from its keys and values
SELECT map(ARRAY['a', 'b'], ARRAY[1, 2]), map(ARRAY[1], ARRAY['x'])[1], counts FROM tags WHERE id = 1;
--> {'a': 1, 'b': 2} | 'x' | {'a': 1, 'b': 2}

-- a key that is there, one that is not
SELECT element_at(counts, 'a'), element_at(counts, 'z') FROM tags ORDER BY id;
--> 1 | NULL
--> NULL | NULL
--> NULL | NULL
--> NULL | NULL

-- a subscript that is not there is an error
SELECT counts['z'] FROM tags WHERE id = 1;
--! [Kk]ey

-- and one that is
SELECT counts['b'], cardinality(counts), array_sort(map_keys(counts)), array_sort(map_values(counts)) FROM tags WHERE id = 1;
--> 2 | 2 | ['a', 'b'] | [1, 2]

-- entries and back
SELECT map_from_entries(ARRAY[ROW('x', 1), ROW('y', 2)]), cardinality(map_entries(counts)), map_from_entries(map_entries(counts)) FROM tags WHERE id = 1;
--> {'x': 1, 'y': 2} | 2 | {'a': 1, 'b': 2}

-- what a map keeps
SELECT map_filter(counts, (k, v) -> v > 1 AND k <> 'c') FROM tags ORDER BY id;
--> {'b': 2}
--> {}
--> NULL
--> {}

-- the same key twice is an error
SELECT map(ARRAY[eval_set, eval_set], ARRAY[1, 2]) FROM orders;
--! unique|[Dd]uplicate

-- a row for each entry
SELECT id, k, v FROM tags CROSS JOIN UNNEST(counts) AS u (k, v) ORDER BY id, k;
--> 1 | 'a' | 1
--> 1 | 'b' | 2
--> 4 | 'c' | 3

-- a row's fields
SELECT place.city, tags.place.zip, place FROM tags ORDER BY id;
--> 'Wien' | 1010 | (city: 'Wien', zip: 1010)
--> 'Graz' | NULL | (city: 'Graz', zip: NULL)
--> NULL | NULL | NULL
--> NULL | 8010 | (city: NULL, zip: 8010)

-- a row from values, named or not
SELECT ROW(1, 'a'), CAST(ROW(1, 'a') AS ROW(x bigint, y varchar)), CAST(ROW(1, 'a') AS ROW(x bigint, y varchar)).y;
--> (field0: 1, field1: 'a') | (x: 1, y: 'a') | 'a'

-- rows in a subquery
SELECT r.x + 1, r.y FROM (SELECT CAST(ROW(order_id, eval_set) AS ROW(x bigint, y varchar)) AS r FROM orders WHERE order_id = 3) AS t;
--> 4 | 'train'

-- a row's field has a name
SELECT ROW(1, 'a')[1];
--! by its number
