-- an inner join repeats rows for each match
SELECT o.order_id, l.product_id FROM orders o JOIN lines l ON o.order_id = l.order_id WHERE o.user_id = 1 ORDER BY 1, 2;
--> 1 | 10
--> 1 | 11
--> 2 | 10
--> 2 | 12
--> 3 | 10

-- a left join keeps rows without a match
SELECT o.order_id, count(l.product_id) FROM orders o LEFT JOIN lines l ON o.order_id = l.order_id GROUP BY 1 ORDER BY 1;
--> 1 | 2
--> 2 | 2
--> 3 | 1
--> 4 | 1
--> 5 | 0
--> 6 | 1

-- a right join keeps rows of the right side
SELECT l.order_id, p.product_id FROM lines l RIGHT JOIN products p ON l.product_id = p.product_id AND l.reordered = 1 ORDER BY 2, 1;
--> 2 | 10
--> 3 | 10
--> NULL | 11
--> NULL | 12
--> NULL | 13

-- a full join keeps both sides
SELECT a.n, b.n FROM (VALUES 1, 2) AS a (n) FULL JOIN (VALUES 2, 3) AS b (n) ON a.n = b.n ORDER BY a.n, b.n;
--> 1 | NULL
--> 2 | 2
--> NULL | 3

-- a cross join pairs everything
SELECT a.n, b.s FROM (VALUES 1, 2) AS a (n) CROSS JOIN (VALUES 'x', 'y') AS b (s) ORDER BY 1, 2;
--> 1 | 'x'
--> 1 | 'y'
--> 2 | 'x'
--> 2 | 'y'

-- USING gives the shared column once
SELECT order_id, user_id, product_id FROM orders JOIN lines USING (order_id) WHERE user_id > 1 ORDER BY 1;
--> 4 | 2 | 10
--> 6 | 3 | 12

-- NULL joins nothing
SELECT count(*) FROM orders a JOIN orders b ON a.order_dow = b.order_dow;
--> 7

-- IS NOT DISTINCT FROM joins NULL with NULL
SELECT count(*) FROM orders a JOIN orders b ON a.order_dow IS NOT DISTINCT FROM b.order_dow;
--> 8

-- a table joins itself on an inequality
SELECT a.order_id, b.order_id FROM orders a JOIN orders b ON a.user_id = b.user_id AND a.order_number < b.order_number ORDER BY 1, 2;
--> 1 | 2
--> 1 | 3
--> 2 | 3
--> 4 | 5

-- three tables
SELECT o.user_id, p.name, count(*) AS n FROM orders o JOIN lines l ON l.order_id = o.order_id JOIN products p ON p.product_id = l.product_id GROUP BY o.user_id, p.name ORDER BY n DESC, 1, 2 LIMIT 3;
--> 1 | 'Bananen' | 3
--> 1 | 'Süße Äpfel' | 1
--> 1 | 'crème brûlée' | 1

-- IN with a subquery
SELECT order_id FROM orders WHERE order_id IN (SELECT order_id FROM lines WHERE product_id = 12) ORDER BY 1;
--> 2
--> 6

-- NOT IN a list with NULL is never true
SELECT count(*) FROM orders WHERE order_id NOT IN (SELECT order_dow FROM orders);
--> 0

-- EXISTS looks at the outer row
SELECT p.product_id FROM products p WHERE NOT EXISTS (SELECT 1 FROM lines l WHERE l.product_id = p.product_id);
--> 13

-- a scalar subquery of the outer row
SELECT o.order_id, (SELECT count(*) FROM lines l WHERE l.order_id = o.order_id) AS n FROM orders o ORDER BY 1 LIMIT 2;
--> 1 | 2
--> 2 | 2

-- a scalar subquery without rows is NULL
SELECT (SELECT name FROM products WHERE product_id = 99), (SELECT max(order_id) FROM orders);
--> NULL | 6

-- a lateral subquery sees the row beside it
SELECT t.a, u.b FROM (VALUES 1, 2) AS t (a) CROSS JOIN LATERAL (SELECT t.a * 10 AS b) AS u ORDER BY 1;
--> 1 | 10
--> 2 | 20

-- the comma is a cross join
SELECT count(*) FROM orders o, lines l WHERE o.order_id = l.order_id AND l.reordered = 1;
--> 2

-- a row of values is compared as a whole
SELECT order_id FROM orders WHERE (user_id, order_number) IN ((1, 2), (2, 1)) ORDER BY 1;
--> 2
--> 4
