-- arrays count from 1
SELECT ARRAY[5, 6, 7][1], element_at(ARRAY[5, 6, 7], 3), element_at(ARRAY[5, 6, 7], -1), element_at(ARRAY[5, 6, 7], 4), element_at(CAST(NULL AS array(bigint)), 1);
--> 5 | 7 | 7 | NULL | NULL

-- a subscript outside is an error
SELECT tags[5] FROM tags WHERE id = 1;
--! [Aa]rray|index

-- so is one below 1
SELECT tags[0] FROM tags WHERE id = 1;
--! start at 1|negative|index

-- sizes, and of NULL
SELECT cardinality(tags), cardinality(counts) FROM tags ORDER BY id;
--> 3 | 2
--> 0 | 0
--> NULL | NULL
--> 2 | 1

-- what an array contains, NULL where it cannot be told
SELECT contains(tags, 'bio'), contains(tags, 'x') FROM tags ORDER BY id;
--> true | false
--> false | false
--> NULL | NULL
--> NULL | true

-- sorted, distinct, turned around
SELECT array_sort(ARRAY[3, NULL, 1, 2]), array_distinct(ARRAY[3, 1, NULL, 3, NULL]), reverse(ARRAY[1, 2, NULL]), array_sort(tags) FROM tags WHERE id = 1;
--> [1, 2, 3, NULL] | [3, 1, NULL] | [NULL, 2, 1] | ['bio', 'bio', 'rot']

-- the greatest and the least, NULL where one is
SELECT array_max(ARRAY[3, 1, 2]), array_min(ARRAY[3, 1, 2]), array_max(ARRAY[3, NULL]), array_min(tags) FROM tags WHERE id = 1;
--> 3 | 1 | NULL | 'bio'

-- joined to a text
SELECT array_join(tags, '+'), array_join(tags, '+', '?'), array_join(ARRAY[1, 2, NULL], ',') FROM tags ORDER BY id;
--> 'bio+rot+bio' | 'bio+rot+bio' | '1,2'
--> '' | '' | '1,2'
--> NULL | NULL | '1,2'
--> 'x' | 'x+?' | '1,2'

-- where something is
SELECT array_position(tags, 'rot'), array_position(tags, 'none'), array_remove(tags, 'bio') FROM tags ORDER BY id;
--> 2 | 0 | ['rot']
--> 0 | 0 | []
--> NULL | NULL | NULL
--> 0 | 0 | ['x', NULL]

-- arrays as sets
SELECT array_union(ARRAY[1, 2, 2], ARRAY[3, 1]), array_intersect(ARRAY[1, 2, 2, NULL], ARRAY[2, NULL]), array_except(ARRAY[1, 2, 3, 3], ARRAY[1]);
--> [1, 2, 3] | [2, NULL] | [2, 3]

-- arrays that overlap
SELECT arrays_overlap(ARRAY[1, 2], ARRAY[2, 3]), arrays_overlap(ARRAY[1], ARRAY[2]), arrays_overlap(ARRAY[1, NULL], ARRAY[2]), arrays_overlap(ARRAY[1, NULL], ARRAY[1]);
--> true | false | NULL | true

-- joined, flattened, repeated
SELECT concat(ARRAY[1], ARRAY[2, 3]), ARRAY[1] || ARRAY[2], flatten(ARRAY[ARRAY[1, 2], NULL, ARRAY[3]]), repeat('a', 3), repeat(1, 0);
--> [1, 2, 3] | [1, 2] | [1, 2, 3] | ['a', 'a', 'a'] | []

-- sequences go up or down
SELECT sequence(1, 4), sequence(3, 1), sequence(1, 10, 4), sequence(5, 1, -2), sequence(2, 2);
--> [1, 2, 3, 4] | [3, 2, 1] | [1, 5, 9] | [5, 3, 1] | [2]

-- slices
SELECT slice(ARRAY[1, 2, 3, 4], 2, 2), slice(ARRAY[1, 2, 3, 4], -2, 2), slice(ARRAY[1, 2], 2, 5), slice(ARRAY[1, 2], 3, 1), slice(ARRAY[1, 2], 1, 0);
--> [2, 3] | [3, 4] | [2] | [] | []

-- functions of each element
SELECT transform(ARRAY[1, 2, NULL], x -> x * 10), filter(ARRAY[1, 2, 3], x -> x % 2 = 1), filter(tags, t -> t <> 'rot'), transform(tags, t -> upper(t)) FROM tags WHERE id = 1;
--> [10, 20, NULL] | [1, 3] | ['bio', 'bio'] | ['BIO', 'ROT', 'BIO']

-- functions that see the row around them
SELECT id, transform(ARRAY[1, 2], x -> x + id), filter(ARRAY[1, 2, 3], x -> x > id) FROM tags WHERE id < 3 ORDER BY id;
--> 1 | [2, 3] | [2, 3]
--> 2 | [3, 4] | [3]

-- whether any, all or none match, NULL where it cannot be told
SELECT any_match(ARRAY[1, 2], x -> x > 1), any_match(ARRAY[1, NULL], x -> x > 1), all_match(ARRAY[1, 2], x -> x > 0), all_match(ARRAY[1, NULL], x -> x > 0), none_match(ARRAY[1, 2], x -> x > 5), any_match(CAST(ARRAY[] AS array(bigint)), x -> x > 1), all_match(CAST(ARRAY[] AS array(bigint)), x -> x > 1);
--> true | NULL | true | NULL | true | false | true

-- reduce
SELECT reduce(ARRAY[5, 20, 50], 0, (s, x) -> s + x, s -> s), reduce(ARRAY[1, 2, 3], 1, (s, x) -> s * x, s -> s * 10), reduce(ARRAY['a', 'b'], '', (s, x) -> s || x, s -> concat('<', s, '>'));
--> 75 | 60 | '<ab>'

-- a row for each element
SELECT id, t FROM tags CROSS JOIN UNNEST(tags) AS u (t) ORDER BY id, t;
--> 1 | 'bio'
--> 1 | 'bio'
--> 1 | 'rot'
--> 4 | 'x'
--> 4 | NULL

-- with its place
SELECT id, t, n FROM tags CROSS JOIN UNNEST(tags) WITH ORDINALITY AS u (t, n) ORDER BY id, n;
--> 1 | 'bio' | 1
--> 1 | 'rot' | 2
--> 1 | 'bio' | 3
--> 4 | 'x' | 1
--> 4 | NULL | 2

-- and rows without elements are kept by a left join
SELECT id, t FROM tags LEFT JOIN UNNEST(tags) AS u (t) ON true WHERE id > 1 ORDER BY id, t;
--> 2 | NULL
--> 3 | NULL
--> 4 | 'x'
--> 4 | NULL

-- arrays side by side, the shorter filled up
SELECT a, b, n FROM UNNEST(ARRAY[1, 2], ARRAY['x']) WITH ORDINALITY AS t (a, b, n) ORDER BY n;
--> 1 | 'x' | 1
--> 2 | NULL | 2

-- an array of rows gives their fields
SELECT n, s FROM UNNEST(ARRAY[ROW(1, 'a'), ROW(2, 'b')]) AS t (n, s) ORDER BY n;
--> 1 | 'a'
--> 2 | 'b'

-- counting elements
SELECT t, count(*) FROM tags CROSS JOIN UNNEST(tags) AS u (t) GROUP BY t ORDER BY 2 DESC, 1;
--> 'bio' | 2
--> 'rot' | 1
--> 'x' | 1
--> NULL | 1

-- an array compared and in an order
SELECT ARRAY[1, 2] = ARRAY[1, 2], ARRAY[1, 2] = ARRAY[2, 1], ARRAY[1, 2] < ARRAY[1, 3], ARRAY[1] <> ARRAY[2];
--> true | false | true | true
