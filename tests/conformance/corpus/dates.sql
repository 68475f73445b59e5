-- the parts of a date and of a time
SELECT year(d), quarter(d), month(d), week(d), day(d), day_of_month(d), day_of_year(d), doy(d) FROM days ORDER BY id;
--> 2024 | 1 | 1 | 5 | 31 | 31 | 31 | 31
--> 2024 | 4 | 12 | 52 | 29 | 29 | 364 | 364
--> NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL

-- the parts of a time
SELECT hour(t), minute(t), second(t), millisecond(t), year(t), date(t) FROM days ORDER BY id;
--> 23 | 30 | 0 | 0 | 2024 | DATE '2024-01-31'
--> 0 | 15 | 30 | 250 | 2024 | DATE '2024-12-29'
--> NULL | NULL | NULL | NULL | NULL | NULL

-- Monday is 1 and Sunday 7
SELECT day_of_week(d), dow(t), extract(day_of_week FROM d), day_of_week(DATE '2024-01-01'), dow(DATE '2024-01-07') FROM days WHERE id < 3 ORDER BY id;
--> 3 | 3 | 3 | 1 | 7
--> 7 | 7 | 7 | 1 | 7

-- weeks belong to the year of their Thursday
SELECT week(DATE '2024-12-30'), year_of_week(DATE '2024-12-30'), yow(DATE '2021-01-03'), week_of_year(DATE '2021-01-03');
--> 1 | 2025 | 2020 | 53

-- extract
SELECT extract(year FROM d), extract(month FROM d), extract(day FROM d), extract(hour FROM t), extract(doy FROM d) FROM days WHERE id = 1;
--> 2024 | 1 | 31 | 23 | 31

-- a truncated date stays a date
SELECT date_trunc('month', d), date_trunc('week', d), date_trunc('quarter', d), date_trunc('year', d), date_trunc('hour', t), date_trunc('day', t) FROM days WHERE id < 3 ORDER BY id;
--> DATE '2024-01-01' | DATE '2024-01-29' | DATE '2024-01-01' | DATE '2024-01-01' | TIMESTAMP '2024-01-31 23:00:00' | TIMESTAMP '2024-01-31 00:00:00'
--> DATE '2024-12-01' | DATE '2024-12-23' | DATE '2024-10-01' | DATE '2024-01-01' | TIMESTAMP '2024-12-29 00:00:00' | TIMESTAMP '2024-12-29 00:00:00'

-- adding to dates and times
SELECT date_add('day', 1, d), date_add('month', 1, d), date_add('year', -1, d), date_add('hour', -1, t), date_add('week', id, d) FROM days WHERE id < 3 ORDER BY id;
--> DATE '2024-02-01' | DATE '2024-02-29' | DATE '2023-01-31' | TIMESTAMP '2024-01-31 22:30:00' | DATE '2024-02-07'
--> DATE '2024-12-30' | DATE '2025-01-29' | DATE '2023-12-29' | TIMESTAMP '2024-12-28 23:15:30.250000' | DATE '2025-01-12'

-- whole units gone by
SELECT date_diff('day', DATE '2024-02-28', DATE '2024-03-01'), date_diff('day', TIMESTAMP '2024-01-01 23:00:00', TIMESTAMP '2024-01-02 22:00:00'), date_diff('hour', TIMESTAMP '2024-01-01 10:30:00', TIMESTAMP '2024-01-01 12:00:00'), date_diff('week', DATE '2024-01-01', DATE '2024-01-14'), date_diff('second', TIMESTAMP '2024-01-01 00:00:00', TIMESTAMP '2024-01-01 00:01:40');
--> 2 | 0 | 1 | 1 | 100

-- whole months and years, forwards and back
SELECT date_diff('month', DATE '2024-01-15', DATE '2024-03-14'), date_diff('month', DATE '2024-03-14', DATE '2024-01-15'), date_diff('year', DATE '2020-02-29', DATE '2024-02-28'), date_diff('quarter', DATE '2024-01-01', DATE '2024-12-31'), date_diff('month', DATE '2024-01-31', d) FROM days WHERE id = 2;
--> 1 | -1 | 3 | 3 | 10

-- a month from its last day is over on the next one's last
SELECT date_diff('month', DATE '2024-01-31', DATE '2024-02-29'), date_diff('month', DATE '2024-01-31', DATE '2024-02-28'), date_diff('month', d, DATE '2024-02-29') FROM days WHERE id = 1;
--> 1 | 0 | 1

-- intervals
SELECT d + INTERVAL '1' DAY, d - INTERVAL '1' MONTH, t + INTERVAL '90' MINUTE, d + INTERVAL '1' YEAR FROM days WHERE id = 1;
--> DATE '2024-02-01' | DATE '2023-12-31' | TIMESTAMP '2024-02-01 01:00:00' | DATE '2025-01-31'

-- a leap day
SELECT date_add('year', 1, DATE '2024-02-29'), date_add('month', -1, DATE '2024-03-31'), last_day_of_month(DATE '2024-02-10'), last_day_of_month(d) FROM days WHERE id = 2;
--> DATE '2025-02-28' | DATE '2024-02-29' | DATE '2024-02-29' | DATE '2024-12-31'

-- reading dates of any form
SELECT date_parse('29.02.2024', '%d.%m.%Y'), date_parse('2024-02-29 13:05:09', '%Y-%m-%d %H:%i:%s'), date_parse('3/7/2024', '%c/%e/%Y'), date_parse('20240229', '%Y%m%d'), date_parse('7 March 2024', '%e %M %Y');
--> TIMESTAMP '2024-02-29 00:00:00' | TIMESTAMP '2024-02-29 13:05:09' | TIMESTAMP '2024-03-07 00:00:00' | TIMESTAMP '2024-02-29 00:00:00' | TIMESTAMP '2024-03-07 00:00:00'

-- a text that is no such date is an error
SELECT date_parse(eval_set, '%Y-%m-%d') FROM orders;
--! pars|PARSE|CANNOT

-- writing dates in any form
SELECT date_format(t, '%d.%m.%Y %H:%i'), date_format(t, '%Y%m%d'), date_format(d, '%W, %e %M %y'), date_format(t, '%h:%i %p'), date_format(d, 'day %j') FROM days WHERE id = 1;
--> '31.01.2024 23:30' | '20240131' | 'Wednesday, 31 January 24' | '11:30 PM' | 'day 031'

-- short names, and hours without a zero
SELECT date_format(t, '%a %b %c'), date_format(t, '%k:%i:%s'), date_format(t, '%T'), date_format(t, '%l') FROM days WHERE id = 2;
--> 'Sun Dec 12' | '0:15:30' | '00:15:30' | '12'

-- ISO texts and seconds
SELECT to_iso8601(d), to_iso8601(t), to_unixtime(t), to_unixtime(TIMESTAMP '1970-01-01 00:00:01.500') FROM days WHERE id = 2;
--> '2024-12-29' | '2024-12-29T00:15:30.250' | 1735431330.25e0 | 1.5e0

-- comparing dates
SELECT count(*) FROM days WHERE d >= DATE '2024-06-01' AND t < TIMESTAMP '2024-12-29 01:00:00' AND d BETWEEN DATE '2024-01-01' AND DATE '2024-12-31';
--> 1

-- days in a row
SELECT x FROM UNNEST(sequence(DATE '2024-02-28', DATE '2024-03-01')) AS t (x) ORDER BY x;
--> DATE '2024-02-28'
--> DATE '2024-02-29'
--> DATE '2024-03-01'

-- months in a row
SELECT sequence(DATE '2024-01-01', DATE '2024-03-15', INTERVAL '1' MONTH);
--> [DATE '2024-01-01', DATE '2024-02-01', DATE '2024-03-01']

-- before 1970
SELECT to_unixtime(TIMESTAMP '1969-12-31 23:59:59.500'), date_diff('day', DATE '1969-12-30', DATE '1970-01-02'), day_of_week(DATE '1900-01-01'), millisecond(TIMESTAMP '1969-12-31 23:59:59.750');
--> -0.5e0 | 3 | 1 | 750

-- one date less another is an interval in Athena
SELECT d - DATE '2024-01-01' FROM days;
--! date_diff

-- a number added to a date says no unit
SELECT d + 1 FROM days;
--! date_add

-- a two-digit year cannot be read
SELECT date_parse('29.02.24', '%d.%m.%y');
--! %y in a date's format

-- whole units back
SELECT date_diff('hour', TIMESTAMP '2024-01-01 12:00:00', TIMESTAMP '2024-01-01 10:30:00'), date_diff('day', DATE '2024-03-01', DATE '2024-02-28'), date_diff('minute', t, TIMESTAMP '2024-01-31 23:29:01') FROM days WHERE id = 1;
--> -1 | -2 | 0

-- a text with half a time is none
SELECT TRY_CAST('2024' AS timestamp), TRY_CAST('10:00' AS timestamp), TRY_CAST(s AS timestamp) FROM (VALUES '2024-05') AS t (s);
--> NULL | NULL | NULL
