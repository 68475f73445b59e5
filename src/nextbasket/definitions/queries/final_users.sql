-- One row per shopper: the day of the last order, and the baskets of late beside those of always.
WITH baskets AS (
    SELECT
        o.user_id,
        o.order_id,
        o.order_age,
        o.order_day,
        COUNT(l.product_id) AS products,
        SUM(l.reordered) AS reorders
    FROM final_orders AS o
    JOIN order_products_prior AS l ON l.order_id = o.order_id
    GROUP BY o.user_id, o.order_id, o.order_age, o.order_day
)

SELECT
    user_id,
    MAX(order_day) AS last_order_day,
    CAST(SUM(CASE WHEN order_age <= 3 THEN products END) AS DOUBLE)
        / NULLIF(CAST(COUNT(CASE WHEN order_age <= 3 THEN order_id END) AS DOUBLE), 0) AS user_basket_last_3,
    CAST(SUM(CASE WHEN order_age <= 5 THEN reorders END) AS DOUBLE)
        / NULLIF(CAST(SUM(CASE WHEN order_age <= 5 THEN products END) AS DOUBLE), 0) AS user_reorder_share_last_5,
    MAX(CASE WHEN order_age = 1 THEN products END) AS user_last_basket
FROM baskets
GROUP BY user_id
