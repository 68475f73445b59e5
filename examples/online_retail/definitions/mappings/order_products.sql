-- shop.order_products: exactly one row for each source line; a line with a dropped_reason is counted and left out.
-- Lines of the same invoice and article are one line of the layout, which has no quantity: load merges and counts them.
-- add_to_cart_order is left out: the source has no such column, and the order of its rows is no promise.
-- reordered: 1 when an earlier order of the same shopper has the article.
WITH lines AS (
    -- Every source line, read once, with its fate. The three mappings of this example share this part word for word.
    SELECT
        CAST(invoice AS varchar) AS order_id,
        -- Exports write the id as 13085.0 because the column has blanks.
        CAST(CAST("customer id" AS double) AS bigint) AS user_id,
        -- The same article is written 85123A and 85123a, 47503J with and without a space behind it.
        UPPER(TRIM(CAST(stockcode AS varchar))) AS product_id,
        REPLACE(REPLACE(TRIM(CAST(description AS varchar)), '   ', ' '), '  ', ' ') AS product_name,
        CAST(CAST(invoicedate AS varchar) AS timestamp) AS placed_at,
        -- The first reason that holds. What kind of line it is comes before who bought it, so that
        -- 'no customer id' counts sales that a customer id would have saved.
        CASE
            WHEN invoice LIKE 'C%' THEN 'cancelled invoice'
            WHEN invoice LIKE 'A%' THEN 'accounting entry'
            WHEN quantity <= 0 THEN 'stock correction'
            WHEN UPPER(TRIM(stockcode)) LIKE 'TEST%' THEN 'test product'
            WHEN UPPER(TRIM(stockcode)) LIKE 'GIFT%' THEN 'gift voucher'
            WHEN UPPER(TRIM(stockcode)) IN ('POST', 'DOT', 'C2', 'C3') THEN 'postage or carriage'
            WHEN UPPER(TRIM(stockcode)) IN ('BANK CHARGES', 'AMAZONFEE', 'CRUK') THEN 'fee'
            WHEN UPPER(TRIM(stockcode)) IN ('M', 'D', 'S', 'B', 'ADJUST', 'ADJUST2')
                THEN 'manual entry, discount, sample or adjustment'
            WHEN "customer id" IS NULL THEN 'no customer id'
        END AS dropped_reason
    FROM landing.online_retail
),
invoices AS (
    SELECT order_id, user_id, MIN(placed_at) AS placed_at
    FROM lines
    WHERE dropped_reason IS NULL
    GROUP BY order_id, user_id
),
numbered AS (
    SELECT order_id, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY placed_at, order_id) AS order_number
    FROM invoices
)
SELECT
    lines.order_id,
    lines.product_id,
    CASE
        WHEN lines.dropped_reason IS NOT NULL THEN NULL
        WHEN numbered.order_number
            > MIN(numbered.order_number) OVER (PARTITION BY lines.user_id, lines.product_id, lines.dropped_reason)
            THEN 1
        ELSE 0
    END AS reordered,
    lines.dropped_reason
FROM lines
LEFT JOIN numbered ON numbered.order_id = lines.order_id
