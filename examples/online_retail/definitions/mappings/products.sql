-- shop.products: one row for each article that a known shopper bought.
-- Names change over the year (RED SPOTTY CHARLOTTE BAG became RED RETROSPOT CHARLOTTE BAG): the one on most lines is
-- taken, among equals the one used last, then the first in the alphabet, so that the answer is always the same.
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
names AS (
    SELECT product_id, product_name, COUNT(*) AS uses, MAX(placed_at) AS last_used
    FROM lines
    WHERE dropped_reason IS NULL
    GROUP BY product_id, product_name
),
ranked AS (
    SELECT
        product_id,
        product_name,
        ROW_NUMBER() OVER (
            PARTITION BY product_id
            ORDER BY
                CASE WHEN product_name IS NULL OR product_name = '' THEN 1 ELSE 0 END,
                uses DESC,
                last_used DESC,
                product_name
        ) AS place
    FROM names
)
SELECT product_id, NULLIF(product_name, '') AS product_name
FROM ranked
WHERE place = 1
