-- One row per shopper with a history: the coming order's number, weekday, hour and gap. Where its header is known it
-- tells (the training build's header is the train order's); else the shopper's usual ones do: the median gap, the
-- most frequent weekday and hour (the smaller of two equally frequent ones).
WITH history AS (
    SELECT user_id, order_number, order_dow, order_hour_of_day, days_since_prior_order
    FROM orders
    WHERE eval_set = 'prior'
),

shoppers AS (
    SELECT user_id, MAX(order_number) AS last_order_number
    FROM history
    GROUP BY user_id
),

headers AS (
    SELECT user_id, order_dow, order_hour_of_day, days_since_prior_order
    FROM (
        SELECT
            user_id,
            order_dow,
            order_hour_of_day,
            days_since_prior_order,
            ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY order_number DESC) AS place
        FROM orders
        WHERE eval_set = 'train'
    ) AS targets
    WHERE place = 1
),

usual_gaps AS (
    SELECT user_id, AVG(days_since_prior_order) AS usual_gap
    FROM (
        SELECT
            user_id,
            days_since_prior_order,
            ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY days_since_prior_order) AS place,
            COUNT(*) OVER (PARTITION BY user_id) AS gaps
        FROM history
        WHERE days_since_prior_order IS NOT NULL
    ) AS ordered
    WHERE 2 * place BETWEEN gaps AND gaps + 2
    GROUP BY user_id
),

usual_dows AS (
    SELECT user_id, order_dow AS usual_dow
    FROM (
        SELECT
            user_id,
            order_dow,
            ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY orders_then DESC, order_dow) AS place
        FROM (
            SELECT user_id, order_dow, COUNT(*) AS orders_then
            FROM history
            WHERE order_dow IS NOT NULL
            GROUP BY user_id, order_dow
        ) AS counted
    ) AS ranked
    WHERE place = 1
),

usual_hours AS (
    SELECT user_id, order_hour_of_day AS usual_hour
    FROM (
        SELECT
            user_id,
            order_hour_of_day,
            ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY orders_then DESC, order_hour_of_day) AS place
        FROM (
            SELECT user_id, order_hour_of_day, COUNT(*) AS orders_then
            FROM history
            WHERE order_hour_of_day IS NOT NULL
            GROUP BY user_id, order_hour_of_day
        ) AS counted
    ) AS ranked
    WHERE place = 1
)

SELECT
    s.user_id,
    s.last_order_number + 1 AS target_order_number,
    COALESCE(h.order_dow, d.usual_dow) AS target_dow,
    COALESCE(h.order_hour_of_day, t.usual_hour) AS target_hour,
    COALESCE(h.days_since_prior_order, g.usual_gap) AS target_gap,
    g.usual_gap AS user_median_gap
FROM shoppers AS s
LEFT JOIN headers AS h ON h.user_id = s.user_id
LEFT JOIN usual_gaps AS g ON g.user_id = s.user_id
LEFT JOIN usual_dows AS d ON d.user_id = s.user_id
LEFT JOIN usual_hours AS t ON t.user_id = s.user_id
