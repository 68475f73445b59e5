-- ranks
SELECT order_id, rank() OVER (ORDER BY order_number), dense_rank() OVER (ORDER BY order_number), row_number() OVER (PARTITION BY user_id ORDER BY order_id DESC) FROM orders ORDER BY order_id;
--> 1 | 1 | 1 | 3
--> 2 | 4 | 2 | 2
--> 3 | 6 | 3 | 1
--> 4 | 1 | 1 | 2
--> 5 | 4 | 2 | 1
--> 6 | 1 | 1 | 1

-- shares
SELECT order_id, percent_rank() OVER (ORDER BY order_number), cume_dist() OVER (ORDER BY user_id), ntile(4) OVER (ORDER BY order_id) FROM orders ORDER BY order_id;
--> 1 | 0e0 | 0.5e0 | 1
--> 2 | 0.6e0 | 0.5e0 | 1
--> 3 | 1e0 | 0.5e0 | 2
--> 4 | 0e0 | 0.833333333333e0 | 2
--> 5 | 0.6e0 | 0.833333333333e0 | 3
--> 6 | 0e0 | 1e0 | 4

-- neighbours
SELECT order_id, lag(order_id) OVER w, lead(order_id, 1, 0) OVER w, lag(order_dow, 2) OVER w FROM orders WINDOW w AS (PARTITION BY user_id ORDER BY order_id) ORDER BY order_id;
--> 1 | NULL | 2 | NULL
--> 2 | 1 | 3 | NULL
--> 3 | 2 | 0 | 2
--> 4 | NULL | 5 | NULL
--> 5 | 4 | 0 | NULL
--> 6 | NULL | 0 | NULL

-- first, last and nth, with the frame that is the default and with all
SELECT order_id, first_value(order_id) OVER w, last_value(order_id) OVER w, nth_value(order_id, 2) OVER (PARTITION BY user_id ORDER BY order_id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM orders WINDOW w AS (PARTITION BY user_id ORDER BY order_id) ORDER BY order_id;
--> 1 | 1 | 1 | 2
--> 2 | 1 | 2 | 2
--> 3 | 1 | 3 | 2
--> 4 | 4 | 4 | 5
--> 5 | 4 | 5 | 5
--> 6 | 6 | 6 | NULL

-- IGNORE NULLS looks further
SELECT order_id, last_value(days_since_prior_order) IGNORE NULLS OVER (ORDER BY order_id), lag(days_since_prior_order) IGNORE NULLS OVER (ORDER BY order_id) FROM orders ORDER BY order_id;
--> 1 | NULL | NULL
--> 2 | 7e0 | NULL
--> 3 | 14e0 | 7e0
--> 4 | 14e0 | 14e0
--> 5 | 30e0 | 14e0
--> 6 | 30e0 | 30e0

-- a running sum, and one over peers
SELECT order_id, sum(order_number) OVER (ORDER BY order_id ROWS UNBOUNDED PRECEDING), sum(order_number) OVER (ORDER BY user_id) FROM orders ORDER BY order_id;
--> 1 | 1 | 6
--> 2 | 3 | 6
--> 3 | 6 | 6
--> 4 | 7 | 9
--> 5 | 9 | 9
--> 6 | 10 | 10

-- a moving frame of rows
SELECT order_id, sum(order_id) OVER (ORDER BY order_id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING), count(*) OVER (ORDER BY order_id ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING) FROM orders ORDER BY order_id;
--> 1 | 3 | 0
--> 2 | 6 | 1
--> 3 | 9 | 2
--> 4 | 12 | 2
--> 5 | 15 | 2
--> 6 | 11 | 2

-- a frame by value
SELECT order_id, count(*) OVER (ORDER BY order_id RANGE BETWEEN 2 PRECEDING AND CURRENT ROW) FROM orders ORDER BY order_id;
--> 1 | 1
--> 2 | 2
--> 3 | 3
--> 4 | 3
--> 5 | 3
--> 6 | 3

-- windows order NULLs last
SELECT order_id, row_number() OVER (ORDER BY order_dow, order_id), row_number() OVER (ORDER BY order_dow DESC, order_id) FROM orders ORDER BY order_id;
--> 1 | 2 | 4
--> 2 | 3 | 2
--> 3 | 4 | 3
--> 4 | 1 | 5
--> 5 | 5 | 1
--> 6 | 6 | 6

-- aggregates as windows
SELECT order_id, max_by(eval_set, order_id) OVER (PARTITION BY user_id), count_if(order_number > 1) OVER (), avg(order_number) OVER (PARTITION BY user_id), any_value(order_id) OVER (PARTITION BY user_id) FROM orders ORDER BY order_id;
--> 1 | 'train' | 3 | 2e0 | 1
--> 2 | 'train' | 3 | 2e0 | 1
--> 3 | 'train' | 3 | 2e0 | 1
--> 4 | 'test' | 3 | 1.5e0 | 4
--> 5 | 'test' | 3 | 1.5e0 | 4
--> 6 | 'prior' | 3 | 1e0 | 6

-- an aggregate inside of a window
SELECT user_id, count(*) AS n, rank() OVER (ORDER BY count(*) DESC) FROM orders GROUP BY user_id ORDER BY user_id;
--> 1 | 3 | 1
--> 2 | 2 | 2
--> 3 | 1 | 3

-- a share of the whole, with a filter
SELECT user_id, CAST(count(*) AS double) / sum(count(*)) OVER () FROM orders WHERE user_id < 3 GROUP BY user_id ORDER BY user_id;
--> 1 | 0.6e0
--> 2 | 0.4e0

-- a window of array_agg
SELECT order_id, array_agg(order_id) OVER (PARTITION BY user_id ORDER BY order_id) FROM orders WHERE user_id = 1 ORDER BY order_id;
--> 1 | [1]
--> 2 | [1, 2]
--> 3 | [1, 2, 3]

-- the newest row of each
SELECT user_id, order_id FROM (SELECT user_id, order_id, row_number() OVER (PARTITION BY user_id ORDER BY order_number DESC) AS r FROM orders) AS t WHERE r = 1 ORDER BY 1;
--> 1 | 3
--> 2 | 5
--> 3 | 6
