-- One row per shopper, over the orders of the history: how many, over how many days, how far apart.
SELECT
    user_id,
    MAX(order_number) AS user_orders,
    SUM(days_since_prior_order) AS user_period,
    AVG(days_since_prior_order) AS user_mean_days_since_prior
FROM orders
WHERE eval_set = 'prior'
GROUP BY user_id
