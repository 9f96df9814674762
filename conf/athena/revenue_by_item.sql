-- Revenue by item: what sells, how many pieces, and for how much?
-- Tables: item
-- Adapt: apps, days, the event of an order, LIMIT; a Sensors Data app sends no items
SELECT
  app_id,
  item_id,
  max_by(name, event_timestamp) AS latest_name,
  currency,
  count(DISTINCT event_id) AS orders,
  sum(coalesce(quantity, 1)) AS pieces,
  round(sum(price * coalesce(quantity, 1)), 2) AS revenue
FROM item
WHERE app_id IN ('shop', 'shop-gtm', 'shop-sensors')
  AND event_date >= current_date - INTERVAL '30' DAY
  AND event_name = 'purchase'
GROUP BY app_id, item_id, currency
ORDER BY revenue DESC, app_id, item_id
LIMIT 100
