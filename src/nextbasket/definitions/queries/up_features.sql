-- One row per shopper and product of the history: how often, when first, when last, how early in the cart.
SELECT
    user_id,
    product_id,
    COUNT(order_id) AS up_orders,
    AVG(CAST(add_to_cart_order AS DOUBLE)) AS up_average_cart_position,
    MIN(order_number) AS up_first_order,
    MAX(order_number) AS up_last_order
FROM order_products_prior
GROUP BY user_id, product_id
