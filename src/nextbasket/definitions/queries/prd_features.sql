-- One row per product: how often it was bought, and by how many shoppers a first and a second time.
SELECT
    product_id,
    COUNT(order_id) AS prod_orders,
    SUM(reordered) AS prod_reorders,
    SUM(CASE WHEN purchase_sequence = 1 THEN 1 ELSE 0 END) AS prod_first_orders,
    SUM(CASE WHEN purchase_sequence = 2 THEN 1 ELSE 0 END) AS prod_second_orders
FROM (
    SELECT
        product_id,
        order_id,
        reordered,
        RANK() OVER (PARTITION BY user_id, product_id ORDER BY order_number) AS purchase_sequence
    FROM order_products_prior
) AS purchases
GROUP BY product_id
