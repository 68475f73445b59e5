-- integers divide to an integer, towards zero
SELECT 7 / 2, -7 / 2, 7 / -2, n / 2 FROM numbers ORDER BY n;
--> 3 | -3 | -3 | -3
--> 3 | -3 | -3 | 0
--> 3 | -3 | -3 | 0
--> 3 | -3 | -3 | 4
--> 3 | -3 | -3 | NULL

-- one after the other
SELECT 100 / 7 / 2, 100 / (7 / 2), 7 / 2 * 2, 2 * 7 / 4;
--> 7 | 33 | 6 | 3

-- an integer divided by zero is an error
SELECT 1 / n FROM numbers;
--! division by zero

-- a double divided by zero is infinite or no number
SELECT 1e0 / 0, -1e0 / 0, 0e0 / 0, x / 0 FROM numbers WHERE n = 9;
--> Infinity | -Infinity | NaN | Infinity

-- the remainder has the sign of what is divided
SELECT 7 % 3, -7 % 3, 7 % -3, mod(-7, 3), -7.5e0 % 2, mod(n, 4) FROM numbers WHERE n = -7;
--> 1 | -1 | 1 | -1 | -1.5e0 | -3

-- the remainder of an integer by zero is an error
SELECT n % 0 FROM numbers;
--! division by zero

-- the remainder of a double by zero is no number
SELECT 5e0 % 0, x % 0 FROM numbers WHERE n = 1;
--> NaN | NaN

-- halves are rounded away from zero
SELECT round(2.5e0), round(-2.5e0), round(0.5e0), round(1.5e0), round(x) FROM numbers WHERE n = -7;
--> 3e0 | -3e0 | 1e0 | 2e0 | -3e0

-- rounding to digits rounds the double that is there
SELECT round(0.285e0, 2), round(1.005e0, 2), round(2.345e0, 1), round(1234.5e0, -2);
--> 0.28e0 | 1e0 | 2.3e0 | 1200e0

-- decimals round to decimals
SELECT round(1.25, 1), round(-1.25, 1), round(p, 1) FROM numbers WHERE n = 1;
--> 1.3 | -1.3 | 1.3

-- integers round to tens
SELECT round(25, -1), round(-25, -1), round(n) FROM numbers WHERE n = 9;
--> 30 | -30 | 9

-- up, down and off
SELECT ceil(2.1e0), ceiling(-2.1e0), floor(-2.1e0), truncate(-2.9e0), truncate(2.9e0), abs(-7), abs(-2.5e0);
--> 3e0 | -2e0 | -3e0 | -2e0 | 2e0 | 7 | 2.5e0

-- signs
SELECT sign(n), sign(x) FROM numbers ORDER BY n;
--> -1 | -1e0
--> 0 | 0e0
--> 1 | 1e0
--> 1 | 1e0
--> NULL | NULL

-- roots and powers
SELECT sqrt(16e0), cbrt(27e0), power(2, 10), pow(2e0, -1), exp(0e0), power(0e0, 0e0);
--> 4e0 | 3e0 | 1024e0 | 0.5e0 | 1e0 | 1e0

-- logarithms
SELECT ln(e()), log2(8), log10(1000), log(2, 8), ln(1);
--> 1e0 | 3e0 | 3e0 | 3e0 | 0e0

-- outside of their domain
SELECT sqrt(-1e0), ln(0e0), ln(-1e0), log10(0), log2(-1), acos(2e0);
--> NaN | -Infinity | NaN | -Infinity | NaN | NaN

-- angles
SELECT sin(0e0), cos(0e0), tan(0e0), asin(1e0), acos(1e0), atan(1e0), atan2(1e0, 1e0), degrees(pi()), radians(180e0);
--> 0e0 | 1e0 | 0e0 | 1.57079632679e0 | 0e0 | 0.785398163397e0 | 0.785398163397e0 | 180e0 | 3.14159265359e0

-- hyperbolic ones
SELECT sinh(0e0), cosh(0e0), tanh(0e0);
--> 0e0 | 1e0 | 0e0

-- what is no number
SELECT is_nan(nan()), is_nan(1e0), is_infinite(infinity()), is_finite(1e0), is_finite(nan()), is_finite(-infinity()), is_nan(CAST(NULL AS double));
--> true | false | true | true | false | false | NULL

-- bits
SELECT bitwise_and(12, 10), bitwise_or(12, 10), bitwise_xor(12, 10), bitwise_not(12), bitwise_and(-1, 255);
--> 8 | 14 | 6 | -13 | 255

-- buckets
SELECT width_bucket(5.35e0, 0.024e0, 10.06e0, 5), width_bucket(-1e0, 0e0, 10e0, 5), width_bucket(10e0, 0e0, 10e0, 5), width_bucket(0e0, 0e0, 10e0, 5);
--> 3 | 0 | 6 | 1

-- an integer overflow is an error
SELECT n + 9223372036854775807 FROM numbers WHERE n = 9;
--! [Oo]verflow|out of range

-- decimals add, subtract and multiply exactly
SELECT 0.1 + 0.2, 1.10 * 1.1, 5.00 - 0.01, p * 2, p + p FROM numbers WHERE n = 9;
--> 0.3 | 1.210 | 4.99 | 20.20 | 20.20

-- a decimal beside a double is a double
SELECT 0.5 * 2e0, p * x FROM numbers WHERE n = 1;
--> 1e0 | 0.625e0

-- greatest and least are NULL as soon as one is
SELECT greatest(1, 3, 2), least(1, 3, 2), greatest(1, NULL), least('b', 'a'), greatest(DATE '2024-01-01', DATE '2024-02-01');
--> 3 | 1 | NULL | 'a' | DATE '2024-02-01'

-- minus a minus
SELECT -(-n), - -n, +n FROM numbers WHERE n = 9;
--> 9 | 9 | 9

-- the remainder of decimals
SELECT -7.5 % 2, 7.25 % -2.0, mod(p, 1) FROM numbers WHERE n = 9;
--> -1.5 | 1.25 | 0.10
