-- UNION removes repeated rows, NULLs too
SELECT order_dow FROM orders UNION SELECT 9 ORDER BY 1;
--> 0
--> 2
--> 3
--> 6
--> 9
--> NULL

-- UNION ALL keeps them
SELECT count(*) FROM (SELECT order_dow FROM orders UNION ALL SELECT order_dow FROM orders) AS t;
--> 12

-- INTERSECT counts NULL as a value
SELECT order_dow FROM orders INTERSECT SELECT x FROM (VALUES 3, 5, NULL) AS t (x) ORDER BY 1;
--> 3
--> NULL

-- EXCEPT takes away
SELECT user_id FROM orders EXCEPT SELECT user_id FROM orders WHERE eval_set = 'test' ORDER BY 1;
--> 1
--> 3

-- INTERSECT binds tighter than UNION
SELECT x FROM (VALUES 1) AS a (x) UNION SELECT x FROM (VALUES 2, 3) AS b (x) INTERSECT SELECT x FROM (VALUES 3, 4) AS c (x) ORDER BY 1;
--> 1
--> 3

-- ALL keeps how often
SELECT x FROM (VALUES 1, 1, 2) AS a (x) EXCEPT ALL SELECT x FROM (VALUES 1) AS b (x) ORDER BY 1;
--> 1
--> 2

-- INTERSECT ALL keeps the smaller number
SELECT x FROM (VALUES 1, 1, 1, 2) AS a (x) INTERSECT ALL SELECT x FROM (VALUES 1, 1, 3) AS b (x) ORDER BY 1;
--> 1
--> 1

-- columns of a set operation have the first one's names and the wider type
SELECT max(n) FROM (SELECT 1 AS n UNION ALL SELECT 2.5e0) AS t;
--> 2.5e0

-- DISTINCT
SELECT DISTINCT user_id, eval_set FROM orders WHERE user_id < 3 ORDER BY 1, 2;
--> 1 | 'prior'
--> 1 | 'train'
--> 2 | 'prior'
--> 2 | 'test'

-- VALUES alone
VALUES (1, 'a'), (2, NULL);
--> 1 | 'a'
--> 2 | NULL

-- WITH names a query, and a later one may use an earlier
WITH a AS (SELECT 1 AS x UNION ALL SELECT 2), b (y) AS (SELECT x * 10 FROM a) SELECT y FROM b ORDER BY y;
--> 10
--> 20

-- a WITH hides a table of the same name
WITH orders AS (SELECT 7 AS order_id) SELECT order_id FROM orders;
--> 7

-- WITH RECURSIVE counts on
WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 4) SELECT sum(n), max(n) FROM t;
--> 10 | 4

-- LIMIT and OFFSET
SELECT order_id FROM orders ORDER BY order_id OFFSET 2 LIMIT 2;
--> 3
--> 4

-- FETCH FIRST
SELECT order_id FROM orders ORDER BY order_id DESC FETCH FIRST 2 ROWS ONLY;
--> 6
--> 5

-- NULLs come last, ascending
SELECT order_dow FROM orders ORDER BY order_dow;
--> 0
--> 2
--> 3
--> 3
--> 6
--> NULL

-- and last, descending
SELECT order_dow FROM orders ORDER BY order_dow DESC;
--> 6
--> 3
--> 3
--> 2
--> 0
--> NULL

-- unless told
SELECT order_dow FROM orders ORDER BY order_dow DESC NULLS FIRST LIMIT 2;
--> NULL
--> 6

-- texts are ordered by their code points
SELECT s FROM (VALUES 'b', 'A', 'a', 'Ä', 'B', '') AS t (s) ORDER BY s;
--> ''
--> 'A'
--> 'B'
--> 'a'
--> 'b'
--> 'Ä'

-- an order by an expression and an alias
SELECT order_id, -order_number AS k FROM orders WHERE user_id = 1 ORDER BY k, order_id;
--> 3 | -3
--> 2 | -2
--> 1 | -1
