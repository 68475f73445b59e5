-- counting
SELECT count(*), count(order_dow), count(DISTINCT order_dow), count_if(order_number > 1) FROM orders;
--> 6 | 5 | 4 | 3

-- aggregates of no rows
SELECT count(*), sum(order_id), max(eval_set), array_agg(order_id), bool_and(order_id > 0) FROM orders WHERE order_id > 99;
--> 0 | NULL | NULL | NULL | NULL

-- sums and means skip NULLs
SELECT sum(order_number), avg(order_dow), sum(days_since_prior_order), avg(days_since_prior_order) FROM orders;
--> 10 | 2.8e0 | 51e0 | 17e0

-- a sum beyond bigint is an error
SELECT sum(x) FROM (VALUES 9223372036854775807, 1) AS t (x);
--! overflow|out of range|Could not cast|can't be cast

-- least and greatest of texts, dates and truths
SELECT min(eval_set), max(eval_set) FROM orders;
--> 'prior' | 'train'

-- means and sums of decimals keep their digits
SELECT sum(price), avg(price), min(price), max(price) FROM products;
--> 4.68 | 1.56 | 0.99 | 2.49

-- a mean of decimals is rounded, halves up
SELECT avg(x) FROM (VALUES 0.01, 0.02) AS t (x);
--> 0.02

-- decimals of several lengths, beside NULL and integers
SELECT avg(x), sum(x), avg(coalesce(x, 1.125)) FROM (VALUES 0.01, 12.5, NULL) AS t (x);
--> 6.26 | 12.51 | 4.545

-- truths
SELECT bool_and(order_number > 0), bool_or(order_number > 2), every(order_number > 1) FROM orders;
--> true | true | false

-- max_by and min_by keep a NULL value
SELECT max_by(days_since_prior_order, order_id), min_by(order_id, order_number), max_by(order_id, days_since_prior_order) FROM orders WHERE user_id = 3 OR order_id IN (2, 3);
--> NULL | 6 | 3

-- max_by leaves out rows where what it compares is NULL
SELECT max_by(v, k) FROM (VALUES ('a', 1), ('b', NULL)) AS t (v, k);
--> 'a'

-- any_value and arbitrary are deterministic here
SELECT any_value(eval_set), arbitrary(order_dow) FROM orders WHERE user_id = 1;
--> 'prior' | 2

-- spread
SELECT stddev(order_number), stddev_samp(order_number), stddev_pop(order_number), variance(order_number), var_samp(order_number), var_pop(order_number) FROM orders;
--> 0.816496580928e0 | 0.816496580928e0 | 0.7453559925e0 | 0.666666666667e0 | 0.666666666667e0 | 0.555555555556e0

-- the spread of one value
SELECT stddev(order_id), stddev_pop(order_id), variance(order_id) FROM orders WHERE order_id = 1;
--> NULL | 0e0 | NULL

-- going together
SELECT corr(order_id, user_id), covar_pop(order_id, user_id), covar_samp(order_id, user_id) FROM orders;
--> 0.916515138991e0 | 1.16666666667e0 | 1.4e0

-- geometric mean and bits
SELECT geometric_mean(x), bitwise_and_agg(x), bitwise_or_agg(x) FROM (VALUES 2, 8, 4) AS t (x);
--> 4e0 | 0 | 14

-- approximate counts and percentiles are exact here
SELECT approx_distinct(user_id), approx_percentile(order_id, 0.5), approx_percentile(days_since_prior_order, 0.9) FROM orders;
--> 3 | 3 | 30e0

-- several percentiles at once
SELECT approx_percentile(n, ARRAY[0.1, 0.5, 1.0]) FROM (VALUES 1, 2, 3, 4, 5, 6, 7, 8, 9, 10) AS t (n);
--> [1, 5, 10]

-- a FILTER on each aggregate
SELECT count(*) FILTER (WHERE reordered = 1), sum(product_id) FILTER (WHERE order_id = 1), max_by(product_id, order_id) FILTER (WHERE reordered = 0), approx_distinct(product_id) FILTER (WHERE order_id < 3) FROM lines;
--> 2 | 21 | 12 | 3

-- array_agg in an order, NULLs kept
SELECT array_agg(order_dow ORDER BY order_id DESC), array_agg(order_dow ORDER BY order_dow), array_agg(order_dow ORDER BY order_dow DESC NULLS FIRST, order_id) FROM orders;
--> [NULL, 6, 0, 3, 3, 2] | [0, 2, 3, 3, 6, NULL] | [NULL, 6, 3, 3, 2, 0]

-- array_agg in groups, with a filter, and of distinct values
SELECT user_id, array_agg(order_id ORDER BY order_id) FILTER (WHERE order_number > 1), array_agg(DISTINCT eval_set ORDER BY eval_set) FROM orders GROUP BY user_id ORDER BY user_id;
--> 1 | [2, 3] | ['prior', 'train']
--> 2 | [5] | ['prior', 'test']
--> 3 | NULL | ['prior']

-- map_agg leaves NULL keys out
SELECT map_agg(order_dow, order_id) FROM orders WHERE order_id IN (1, 4, 6);
--> {0: 4, 2: 1}

-- listagg joins texts in an order
SELECT user_id, listagg(eval_set, '/') WITHIN GROUP (ORDER BY order_id DESC) FROM orders GROUP BY user_id ORDER BY user_id;
--> 1 | 'train/prior/prior'
--> 2 | 'test/prior'
--> 3 | 'prior'

-- HAVING
SELECT user_id, count(*) FROM orders GROUP BY user_id HAVING count(*) > 1 ORDER BY user_id;
--> 1 | 3
--> 2 | 2

-- GROUP BY an expression, by its place, and NULL as a group
SELECT order_dow > 2, count(*) FROM orders GROUP BY 1 ORDER BY 1;
--> false | 2
--> true | 3
--> NULL | 1

-- ROLLUP gives subtotals and the total
SELECT user_id, eval_set, count(*), grouping(user_id, eval_set) FROM orders WHERE user_id < 3 GROUP BY ROLLUP (user_id, eval_set) ORDER BY 4, 1, 2;
--> 1 | 'prior' | 2 | 0
--> 1 | 'train' | 1 | 0
--> 2 | 'prior' | 1 | 0
--> 2 | 'test' | 1 | 0
--> 1 | NULL | 3 | 1
--> 2 | NULL | 2 | 1
--> NULL | NULL | 5 | 3

-- CUBE gives every combination
SELECT order_id, product_id, count(*) FROM lines WHERE order_id < 2 GROUP BY CUBE (order_id, product_id) ORDER BY 1, 2;
--> 1 | 10 | 1
--> 1 | 11 | 1
--> 1 | NULL | 2
--> NULL | 10 | 1
--> NULL | 11 | 1
--> NULL | NULL | 2

-- GROUPING SETS gives those that are named
SELECT user_id, order_number, count(*), grouping(user_id), grouping(order_number) FROM orders GROUP BY GROUPING SETS ((user_id), (order_number), ()) ORDER BY 4, 5, 1, 2;
--> 1 | NULL | 3 | 0 | 1
--> 2 | NULL | 2 | 0 | 1
--> 3 | NULL | 1 | 0 | 1
--> NULL | 1 | 3 | 1 | 0
--> NULL | 2 | 2 | 1 | 0
--> NULL | 3 | 1 | 1 | 0
--> NULL | NULL | 6 | 1 | 1

-- nothing goes together with a constant
SELECT corr(order_id, 1), covar_pop(order_id, 1), corr(order_id, user_id) FILTER (WHERE order_id = 1) FROM orders;
--> NULL | 0e0 | NULL
