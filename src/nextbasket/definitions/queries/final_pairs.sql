-- One row per shopper and product of the history: the days and the recency of the purchases.
SELECT
    l.user_id,
    l.product_id,
    MIN(o.order_day) AS first_day,
    MAX(o.order_day) AS last_day,
    SUM(CASE WHEN o.order_age <= 1 THEN 1 ELSE 0 END) AS bought_last_1,
    SUM(CASE WHEN o.order_age <= 3 THEN 1 ELSE 0 END) AS bought_last_3,
    SUM(CASE WHEN o.order_age <= 5 THEN 1 ELSE 0 END) AS bought_last_5,
    SUM(o.order_half) AS halves,
    SUM(o.order_weight) AS weights,
    SUM(o.on_target_dow) AS target_dow_orders,
    SUM(o.near_target_hour) AS target_hour_orders
FROM order_products_prior AS l
JOIN final_orders AS o ON o.order_id = l.order_id
GROUP BY l.user_id, l.product_id
