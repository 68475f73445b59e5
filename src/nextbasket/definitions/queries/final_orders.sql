-- One row per order of the history: on which day of the shopper's life here it was placed, how many orders ago that
-- is, and how much it is like the coming order in weekday and hour.
-- order_day counts days from the shopper's first order; order_weight is 0.9 to the power of the age, in whole units of
-- 2^-20, so that sums are exact whatever the order they are added in; order_half is 2^-age (ages to 40). The two marks
-- at the end are 1 or NULL, to be counted.
WITH history AS (
    SELECT
        order_id,
        user_id,
        order_number,
        order_dow,
        order_hour_of_day,
        CASE
            WHEN COUNT(days_since_prior_order) OVER (PARTITION BY user_id) > 0
                OR COUNT(order_id) OVER (PARTITION BY user_id) = 1
            THEN COALESCE(
                SUM(days_since_prior_order) OVER (
                    PARTITION BY user_id ORDER BY order_number ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
                ),
                0.0e0
            )
        END AS order_day
    FROM orders
    WHERE eval_set = 'prior'
)

SELECT
    h.order_id,
    h.user_id,
    h.order_number,
    h.order_day,
    u.target_order_number - h.order_number AS order_age,
    ROUND(1048576 * POWER(0.9e0, u.target_order_number - h.order_number - 1)) AS order_weight,
    CASE
        WHEN u.target_order_number - h.order_number <= 40
        THEN POWER(0.5e0, u.target_order_number - h.order_number)
        ELSE 0.0e0
    END AS order_half,
    CASE WHEN h.order_dow = u.target_dow THEN 1 END AS on_target_dow,
    CASE
        WHEN ABS(h.order_hour_of_day - u.target_hour) <= 2 OR ABS(h.order_hour_of_day - u.target_hour) >= 22
        THEN 1
    END AS near_target_hour
FROM history AS h
JOIN final_targets AS u ON u.user_id = h.user_id
