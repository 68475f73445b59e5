-- a division of decimals
SELECT p / 3 FROM numbers;
--! divides decimals

-- a double as a text
SELECT CAST(x AS varchar) FROM numbers;
--! decimal\(18, 2\)

-- a time as a text
SELECT CAST(t AS varchar) FROM days;
--! date_format

-- a text beside a number
SELECT order_id FROM orders WHERE eval_set = 1;
--! CAST one side

-- a text beside a date
SELECT id FROM days WHERE d > '2024-06-01';
--! CAST one side

-- a number of arguments that no form takes
SELECT split_part('a,b', ',') FROM orders;
--! split_part\(text, delimiter, index\), not with 2 arguments

-- a function that there is not
SELECT date_format(d, '%Y'), day_nam(d) FROM days;
--! no function day_nam

-- one that engines do not agree on
SELECT json_extract('{}', '$.a');
--! json_extract_scalar

-- try around what is not arithmetic
SELECT try(coalesce(1 / order_number, 2)) FROM orders;
--! try\(\) takes arithmetic

-- a comparison with all of a subquery
SELECT order_id FROM orders WHERE order_id >= ALL (SELECT order_id FROM orders);
--! max\(\)

-- a type with a zone
SELECT CAST('2024-01-01' AS timestamp with time zone);
--! not part of the portable dialect

-- a frame of groups
SELECT sum(order_id) OVER (ORDER BY user_id GROUPS 1 PRECEDING) FROM orders;
--! ROWS or RANGE

-- a format written by a column
SELECT date_format(d, eval_set) FROM days, orders;
--! written as a text

-- a JSON path with a star
SELECT json_extract_scalar('{}', '$.*');
--! JSON path

-- a unit that engines do not share
SELECT date_trunc('decade', d) FROM days;
--! no unit of time

-- counting distinct values over a window
SELECT approx_distinct(order_id) OVER () FROM orders;
--! over a window

-- a number joined to a text
SELECT order_id || eval_set FROM orders;
--! CAST it to varchar

-- a number in a list of texts
SELECT order_id FROM orders WHERE order_id IN ('1', '2');
--! CAST one side

-- an array as a text
SELECT CAST(tags AS varchar) FROM tags;
--! array_join

-- an array among texts
SELECT concat_ws(',', tags) FROM tags;
--! array_join
