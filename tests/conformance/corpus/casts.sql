-- fractions become integers by rounding, halves away from zero
SELECT CAST(2.5e0 AS bigint), CAST(-2.5e0 AS bigint), CAST(2.5 AS integer), CAST(-0.5 AS bigint), CAST(x AS integer) FROM numbers WHERE n = -7;
--> 3 | -3 | 3 | -1 | -3

-- texts become numbers
SELECT CAST('12' AS bigint), CAST('-7' AS integer), CAST('1.5' AS double), CAST('1e3' AS double), CAST('1.25' AS decimal(5, 2));
--> 12 | -7 | 1.5e0 | 1000e0 | 1.25

-- a text with a fraction is no integer
SELECT CAST(s AS bigint) FROM (VALUES '1.5') AS t (s);
--! convert|cast|CAST

-- nor does try_cast take it for one
SELECT TRY_CAST('1.5' AS bigint), TRY_CAST('x' AS integer), TRY_CAST('7' AS integer), TRY_CAST('' AS double), TRY_CAST(300 AS tinyint), TRY_CAST('1e3' AS bigint);
--> NULL | NULL | 7 | NULL | NULL | NULL

-- a number too large is an error
SELECT CAST(n AS tinyint) FROM (VALUES 9000) AS t (n);
--! range|overflow|OVERFLOW

-- truths
SELECT CAST('true' AS boolean), CAST('F' AS boolean), CAST(1 AS boolean), CAST(0 AS boolean), CAST(true AS bigint), CAST(false AS varchar), TRY_CAST('yes' AS boolean);
--> true | false | true | false | 1 | 'false' | NULL

-- numbers become texts
SELECT CAST(12 AS varchar), CAST(-1.50 AS varchar), CAST(p AS varchar), CAST(n AS varchar) FROM numbers WHERE n = 9;
--> '12' | '-1.50' | '10.10' | '9'

-- dates and times from texts and back
SELECT CAST('2024-02-29' AS date), CAST('2024-02-29 12:30:00' AS timestamp), CAST(DATE '2024-02-29' AS varchar), CAST(TIMESTAMP '2024-02-29 23:59:59.999' AS date), CAST(DATE '2024-02-29' AS timestamp);
--> DATE '2024-02-29' | TIMESTAMP '2024-02-29 12:30:00' | '2024-02-29' | DATE '2024-02-29' | TIMESTAMP '2024-02-29 00:00:00'

-- what is no whole date is none
SELECT TRY_CAST('2024' AS date), TRY_CAST('2024-02-30' AS date), TRY_CAST('2024-02-29 10:00:00' AS date), TRY_CAST('29.02.2024' AS date), TRY_CAST('2024-2-9' AS date);
--> NULL | NULL | NULL | NULL | DATE '2024-02-09'

-- decimals are rounded to their digits
SELECT CAST(1.255 AS decimal(5, 2)), CAST(-1.255 AS decimal(5, 2)), CAST(7 AS decimal(5, 2)), CAST(0.125e0 AS decimal(5, 2));
--> 1.26 | -1.26 | 7.00 | 0.13

-- a decimal too large is an error
SELECT CAST(p AS decimal(3, 2)) FROM numbers WHERE n = 9;
--! range|overflow|OVERFLOW|convert|cast|precision|represented

-- NULL has every type
SELECT CAST(NULL AS bigint), CAST(NULL AS varchar), CAST(NULL AS date), coalesce(NULL, 5);
--> NULL | NULL | NULL | 5

-- arrays are cast element by element
SELECT CAST(ARRAY['1', '2'] AS array(bigint)), CAST(ARRAY[1, NULL] AS array(varchar));
--> [1, 2] | ['1', NULL]
