-- One row per product and age (1 to 20 orders after a purchase; 20 stands for 20 and more): of the shoppers who had
-- not bought it again until then, which share did so at that order. Few cases lean on the share over all products,
-- which counts as 20 cases. Only the history is looked at.
WITH intervals AS (
    SELECT
        l.product_id,
        LEAD(l.order_number) OVER (PARTITION BY l.user_id, l.product_id ORDER BY l.order_number) - l.order_number AS gap,
        t.target_order_number - 1 - l.order_number AS orders_left
    FROM order_products_prior AS l
    JOIN final_targets AS t ON t.user_id = l.user_id
),

ended AS (
    SELECT
        product_id,
        LEAST(COALESCE(gap, orders_left), 20) AS age,
        SUM(CASE WHEN gap IS NULL THEN 0 ELSE 1 END) AS bought,
        COUNT(*) AS waits,
        SUM(GREATEST(COALESCE(gap, orders_left) - 19, 1)) AS orders_waited
    FROM intervals
    WHERE COALESCE(gap, orders_left) > 0
    GROUP BY product_id, LEAST(COALESCE(gap, orders_left), 20)
),

-- Every product has every age, so that waits that ended later are counted at the ages before, too.
ages AS (
    SELECT p.product_id, a.age
    FROM prd_features AS p
    CROSS JOIN (
        VALUES 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20
    ) AS a (age)
),

at_risk AS (
    SELECT
        a.product_id,
        a.age,
        COALESCE(e.bought, 0) AS bought,
        CASE
            WHEN a.age = 20 THEN COALESCE(e.orders_waited, 0)
            ELSE SUM(COALESCE(e.waits, 0)) OVER (
                PARTITION BY a.product_id ORDER BY a.age DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            )
        END AS waiting
    FROM ages AS a
    LEFT JOIN ended AS e ON e.product_id = a.product_id AND e.age = a.age
),

overall AS (
    SELECT age, CAST(SUM(bought) AS DOUBLE) / NULLIF(CAST(SUM(waiting) AS DOUBLE), 0) AS share
    FROM at_risk
    GROUP BY age
)

SELECT
    r.product_id,
    r.age,
    (CAST(r.bought AS DOUBLE) + 20.0e0 * COALESCE(o.share, 0.0e0)) / (CAST(r.waiting AS DOUBLE) + 20.0e0) AS hazard
FROM at_risk AS r
JOIN overall AS o ON o.age = r.age
