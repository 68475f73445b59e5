-- One row per shopper and product of the history: the days and the recency of the purchases.
-- A product stands at most once in an order, so the sum of the orders' halves holds one bit for each of the last 40
-- orders; sums and differences of its whole parts count the bits that are set.
WITH sums AS (
    SELECT
        l.user_id,
        l.product_id,
        MIN(o.order_day) AS first_day,
        MAX(o.order_day) AS last_day,
        SUM(o.order_half) AS halves,
        SUM(o.order_weight) AS weights,
        COUNT(o.on_target_dow) AS target_dow_orders,
        COUNT(o.near_target_hour) AS target_hour_orders
    FROM order_products_prior AS l
    JOIN final_orders AS o ON o.order_id = l.order_id
    GROUP BY l.user_id, l.product_id
)

SELECT
    user_id,
    product_id,
    first_day,
    last_day,
    halves,
    weights / 1048576.0e0 AS recency,
    CAST(FLOOR(halves * 2) AS BIGINT) AS bought_last_1,
    CAST(FLOOR(halves * 8) - FLOOR(halves * 4) - FLOOR(halves * 2) AS BIGINT) AS bought_last_3,
    CAST(
        FLOOR(halves * 32) - FLOOR(halves * 16) - FLOOR(halves * 8) - FLOOR(halves * 4) - FLOOR(halves * 2) AS BIGINT
    ) AS bought_last_5,
    target_dow_orders,
    target_hour_orders
FROM sums
