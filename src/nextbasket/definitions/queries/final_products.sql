-- One row per product: how many orders lie between two purchases, and how its aisle and department fare.
WITH gaps AS (
    SELECT
        product_id,
        CAST(SUM(up_last_order - up_first_order) AS DOUBLE)
            / NULLIF(CAST(SUM(up_orders - 1) AS DOUBLE), 0) AS prod_mean_gap_orders
    FROM up_features
    GROUP BY product_id
),

aisles AS (
    SELECT
        c.aisle_id,
        CAST(SUM(p.prod_reorders) AS DOUBLE) / NULLIF(CAST(SUM(p.prod_orders) AS DOUBLE), 0) AS aisle_reorder_ratio
    FROM prd_features AS p
    JOIN products AS c ON c.product_id = p.product_id
    WHERE c.aisle_id IS NOT NULL
    GROUP BY c.aisle_id
),

departments AS (
    SELECT
        c.department_id,
        CAST(SUM(p.prod_reorders) AS DOUBLE) / NULLIF(CAST(SUM(p.prod_orders) AS DOUBLE), 0) AS department_reorder_ratio
    FROM prd_features AS p
    JOIN products AS c ON c.product_id = p.product_id
    WHERE c.department_id IS NOT NULL
    GROUP BY c.department_id
)

SELECT
    p.product_id,
    g.prod_mean_gap_orders,
    a.aisle_reorder_ratio,
    d.department_reorder_ratio
FROM prd_features AS p
LEFT JOIN gaps AS g ON g.product_id = p.product_id
LEFT JOIN products AS c ON c.product_id = p.product_id
LEFT JOIN aisles AS a ON a.aisle_id = c.aisle_id
LEFT JOIN departments AS d ON d.department_id = c.department_id
