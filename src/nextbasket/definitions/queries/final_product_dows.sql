-- One row per product and weekday: the share of its purchases on that weekday over the same share of all products,
-- so 1 where the weekday does not matter. Few purchases lean on 1, which counts as 50 purchases.
WITH counts AS (
    SELECT product_id, order_dow, COUNT(order_id) AS lines_then
    FROM order_products_prior
    WHERE order_dow IS NOT NULL
    GROUP BY product_id, order_dow
),

dows AS (
    SELECT order_dow, CAST(SUM(lines_then) AS DOUBLE) AS lines_then
    FROM counts
    GROUP BY order_dow
),

everything AS (
    SELECT SUM(lines_then) AS all_lines FROM dows
),

products_sold AS (
    SELECT product_id, CAST(SUM(lines_then) AS DOUBLE) AS all_lines
    FROM counts
    GROUP BY product_id
)

SELECT
    p.product_id,
    d.order_dow,
    (COALESCE(CAST(c.lines_then AS DOUBLE), 0.0e0) + 50.0e0 * d.lines_then / e.all_lines)
        / ((p.all_lines + 50.0e0) * d.lines_then / e.all_lines) AS prod_dow_lift
FROM products_sold AS p
CROSS JOIN dows AS d
CROSS JOIN everything AS e
LEFT JOIN counts AS c ON c.product_id = p.product_id AND c.order_dow = d.order_dow
