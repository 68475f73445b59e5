-- The final model's own features beside the baseline's: one row per shopper and product of the history.
WITH pairs AS (
    SELECT
        up.user_id,
        up.product_id,
        up.up_orders,
        t.target_order_number - up.up_last_order AS orders_since,
        CAST(up.up_last_order - up.up_first_order AS DOUBLE)
            / NULLIF(CAST(up.up_orders - 1 AS DOUBLE), 0) AS own_gap_orders,
        u.last_order_day - r.last_day + t.target_gap AS days_since,
        (r.last_day - r.first_day) / NULLIF(CAST(up.up_orders - 1 AS DOUBLE), 0) AS own_gap_days,
        r.bought_last_1,
        r.bought_last_3,
        r.bought_last_5,
        CASE
            WHEN r.halves >= 0.9990234375e0 THEN 10
            WHEN r.halves >= 0.998046875e0 THEN 9
            WHEN r.halves >= 0.99609375e0 THEN 8
            WHEN r.halves >= 0.9921875e0 THEN 7
            WHEN r.halves >= 0.984375e0 THEN 6
            WHEN r.halves >= 0.96875e0 THEN 5
            WHEN r.halves >= 0.9375e0 THEN 4
            WHEN r.halves >= 0.875e0 THEN 3
            WHEN r.halves >= 0.75e0 THEN 2
            WHEN r.halves >= 0.5e0 THEN 1
            ELSE 0
        END AS streak,
        r.recency,
        CASE
            WHEN t.target_dow IS NOT NULL
            THEN CAST(r.target_dow_orders AS DOUBLE) / CAST(up.up_orders AS DOUBLE)
        END AS dow_share,
        CASE
            WHEN t.target_hour IS NOT NULL
            THEN CAST(r.target_hour_orders AS DOUBLE) / CAST(up.up_orders AS DOUBLE)
        END AS hour_share,
        t.target_dow,
        t.target_hour,
        t.target_gap,
        t.user_median_gap,
        u.user_basket_last_3,
        u.user_reorder_share_last_5,
        u.user_last_basket
    FROM up_features AS up
    JOIN final_pairs AS r ON r.user_id = up.user_id AND r.product_id = up.product_id
    JOIN final_targets AS t ON t.user_id = up.user_id
    JOIN final_users AS u ON u.user_id = up.user_id
)

SELECT
    x.user_id,
    x.product_id,
    x.orders_since AS up_orders_since,
    x.own_gap_orders AS up_mean_gap_orders,
    CAST(x.orders_since AS DOUBLE) / NULLIF(x.own_gap_orders, 0) AS up_orders_since_over_gap,
    CAST(x.orders_since AS DOUBLE) / NULLIF(p.prod_mean_gap_orders, 0) AS up_orders_since_over_prod_gap,
    x.days_since AS up_days_since,
    x.own_gap_days AS up_mean_gap_days,
    x.days_since / NULLIF(x.own_gap_days, 0) AS up_days_since_over_gap,
    h.hazard AS prod_reorder_hazard,
    x.bought_last_1 AS up_bought_last_1,
    x.bought_last_3 AS up_bought_last_3,
    x.bought_last_5 AS up_bought_last_5,
    x.streak AS up_streak,
    x.recency AS up_recency,
    x.dow_share AS up_target_dow_share,
    x.hour_share AS up_target_hour_share,
    w.prod_dow_lift AS prod_target_dow_lift,
    x.target_dow,
    x.target_hour,
    x.target_gap,
    x.target_gap / NULLIF(x.user_median_gap, 0) AS target_gap_over_usual,
    x.user_basket_last_3,
    x.user_last_basket,
    x.user_reorder_share_last_5,
    p.prod_mean_gap_orders,
    p.aisle_reorder_ratio,
    p.department_reorder_ratio
FROM pairs AS x
JOIN final_products AS p ON p.product_id = x.product_id
LEFT JOIN final_hazards AS h
    ON h.product_id = x.product_id AND h.age = LEAST(x.orders_since, 20)
LEFT JOIN final_product_dows AS w
    ON w.product_id = x.product_id AND w.order_dow = x.target_dow
