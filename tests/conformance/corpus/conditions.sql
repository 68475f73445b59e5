-- three-valued logic
SELECT NULL AND false, NULL AND true, NULL OR true, NOT CAST(NULL AS boolean), NULL = NULL, 1 <> NULL;
--> false | NULL | true | NULL | NULL | NULL

-- IS DISTINCT FROM is never NULL
SELECT 1 IS DISTINCT FROM NULL, NULL IS DISTINCT FROM NULL, 1 IS NOT DISTINCT FROM 1;
--> true | false | true

-- CASE in both forms
SELECT CASE order_dow WHEN 3 THEN 'three' WHEN 0 THEN 'zero' ELSE 'other' END, CASE WHEN order_dow > 2 THEN 'late' WHEN order_dow >= 0 THEN 'early' END FROM orders ORDER BY order_id;
--> 'other' | 'early'
--> 'three' | 'late'
--> 'three' | 'late'
--> 'zero' | 'early'
--> 'other' | 'late'
--> 'other' | NULL

-- if, coalesce, nullif
SELECT if(order_dow > 2, 'late', 'early'), if(order_dow > 2, 1), coalesce(order_dow, -1), nullif(order_dow, 3) FROM orders WHERE order_id IN (2, 4, 6) ORDER BY order_id;
--> 'late' | 1 | 3 | NULL
--> 'early' | NULL | 0 | 0
--> 'early' | NULL | -1 | NULL

-- IN and BETWEEN with NULL
SELECT 1 IN (1, NULL), 2 IN (1, NULL), 2 NOT IN (1, NULL), NULL BETWEEN 1 AND 2, 2 BETWEEN 1 AND 3, 2 BETWEEN 3 AND 1;
--> true | NULL | NULL | NULL | true | false

-- LIKE, where a backslash is a letter like any other
SELECT 'a\b' LIKE 'a\b', 'banana' LIKE 'b_n%', 'BANANA' LIKE 'b%', 'a%b' LIKE 'a#%b' ESCAPE '#', 'axb' LIKE 'a#%b' ESCAPE '#', NULL LIKE 'a', 'a' NOT LIKE 'b';
--> true | true | false | true | false | NULL | true

-- LIKE takes a pattern from a column
SELECT name FROM products WHERE name LIKE concat('%', 'ü', '%') OR 'Bananen' LIKE name ORDER BY 1;
--> 'Bananen'
--> 'Süße Äpfel'

-- try gives NULL for what fails
SELECT try(1 / 0), try(CAST('x' AS bigint)), try(9223372036854775807 + 1), try(ARRAY[1, 2][3]), try(7 % 0), try(6 / 2);
--> NULL | NULL | NULL | NULL | NULL | 3

-- try over rows
SELECT n, try(18 / n), try(9223372036854775800 + n) FROM numbers WHERE n >= 0 ORDER BY n;
--> 0 | NULL | 9223372036854775800
--> 1 | 18 | 9223372036854775801
--> 9 | 2 | NULL

-- EXISTS as a value
SELECT EXISTS (SELECT 1 FROM orders WHERE user_id = 9), EXISTS (SELECT 1 FROM orders WHERE user_id = 1);
--> false | true
