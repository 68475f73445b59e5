-- The baseline's features: one row per shopper and product of the history, the 18 values in the order a features
-- line has them. Ratios are numbers with fractions, and NULL where what they divide by is zero or missing.
SELECT
    up.user_id,
    up.product_id,
    up.up_orders,
    u1.user_mean_days_since_prior,
    u1.user_period,
    u2.user_distinct_products,
    u2.user_reorder_ratio,
    u2.user_total_products,
    up.up_average_cart_position,
    up.up_first_order,
    u1.user_orders,
    up.up_last_order,
    p.prod_orders,
    CAST(p.prod_second_orders AS DOUBLE) / NULLIF(CAST(p.prod_first_orders AS DOUBLE), 0) AS prod_reorder_probability,
    1.0e0 + CAST(p.prod_reorders AS DOUBLE) / NULLIF(CAST(p.prod_first_orders AS DOUBLE), 0) AS prod_reorder_times,
    CAST(p.prod_reorders AS DOUBLE) / NULLIF(CAST(p.prod_orders AS DOUBLE), 0) AS prod_reorder_ratio,
    CAST(u2.user_total_products AS DOUBLE) / NULLIF(CAST(u1.user_orders AS DOUBLE), 0) AS user_average_basket,
    CAST(up.up_orders AS DOUBLE) / NULLIF(CAST(u1.user_orders AS DOUBLE), 0) AS up_order_rate,
    u1.user_orders - up.up_last_order AS up_orders_since_last_order,
    CAST(up.up_orders AS DOUBLE)
        / NULLIF(CAST(u1.user_orders - up.up_first_order + 1 AS DOUBLE), 0) AS up_order_rate_since_first_order
FROM up_features AS up
JOIN user_features_1 AS u1 ON u1.user_id = up.user_id
JOIN user_features_2 AS u2 ON u2.user_id = up.user_id
JOIN prd_features AS p ON p.product_id = up.product_id
