-- shop.orders: one row for each invoice of a known shopper with at least one line that is kept.
-- order_dow: 0 is Sunday, 6 is Saturday. days_since_prior_order: calendar days, not capped (Instacart stops at 30;
-- here two of five gaps are longer, and the length says much), empty for a shopper's first order.
-- eval_set is left out: load makes each shopper's latest order the one to predict.
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
    -- A few invoices carry two times, a minute or two apart: the earlier one counts.
    SELECT order_id, user_id, MIN(placed_at) AS placed_at
    FROM lines
    WHERE dropped_reason IS NULL
    GROUP BY order_id, user_id
),
numbered AS (
    -- A shopper may have two invoices in the same minute; the invoice number decides between them.
    SELECT
        order_id,
        user_id,
        placed_at,
        ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY placed_at, order_id) AS order_number,
        LAG(placed_at) OVER (PARTITION BY user_id ORDER BY placed_at, order_id) AS prior_placed_at
    FROM invoices
)
SELECT
    order_id,
    user_id,
    order_number,
    DAY_OF_WEEK(placed_at) % 7 AS order_dow,
    HOUR(placed_at) AS order_hour_of_day,
    -- Dates, not times: engines disagree on whether 23 hours over midnight are a day.
    DATE_DIFF('day', CAST(prior_placed_at AS date), CAST(placed_at AS date)) AS days_since_prior_order
FROM numbered
