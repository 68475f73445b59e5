-- One row per shopper, over the lines of the history: how much, how varied, how often again.
SELECT
    user_id,
    COUNT(product_id) AS user_total_products,
    COUNT(DISTINCT product_id) AS user_distinct_products,
    CAST(SUM(reordered) AS DOUBLE)
        / NULLIF(CAST(SUM(CASE WHEN order_number > 1 THEN 1 ELSE 0 END) AS DOUBLE), 0) AS user_reorder_ratio
FROM order_products_prior
GROUP BY user_id
