-- Abandoned carts: in how many sessions was something put in the cart and nothing ordered after it, and what was it worth?
-- Tables: event, item
-- Adapt: apps that send session ids, days (of both tables), the two events
WITH added AS (
  SELECT
    e.app_id,
    e.user_pseudo_id,
    e.session_id,
    min(e.event_time_msec) AS at_msec,
    sum(i.price * coalesce(i.quantity, 1)) AS worth
  FROM event e
  JOIN item i ON i.app_id = e.app_id AND i.event_id = e.event_id
  WHERE e.app_id IN ('shop', 'shop-gtm', 'shop-sensors')
    AND i.app_id IN ('shop', 'shop-gtm', 'shop-sensors')
    AND e.event_date >= current_date - INTERVAL '30' DAY
    AND i.event_date >= current_date - INTERVAL '30' DAY
    AND e.event_name = 'add_to_cart'
    AND NOT coalesce(e.is_bot, false)
  GROUP BY 1, 2, 3
),
ordered AS (
  SELECT app_id, user_pseudo_id, session_id, max(event_time_msec) AS at_msec
  FROM event
  WHERE app_id IN ('shop', 'shop-gtm', 'shop-sensors')
    AND event_date >= current_date - INTERVAL '30' DAY
    AND event_name = 'purchase'
  GROUP BY 1, 2, 3
),
carts AS (
  SELECT a.app_id, date(from_unixtime(a.at_msec / 1000)) AS cart_day, a.worth, o.at_msec IS NULL AS is_abandoned
  FROM added a
  LEFT JOIN ordered o
    ON o.app_id = a.app_id AND o.user_pseudo_id = a.user_pseudo_id AND o.session_id = a.session_id AND o.at_msec >= a.at_msec
)
SELECT
  app_id,
  cart_day,
  count(*) AS carts,
  count_if(is_abandoned) AS abandoned,
  round(100.0 * count_if(is_abandoned) / count(*), 1) AS abandoned_percent,
  round(sum(CASE WHEN is_abandoned THEN worth ELSE 0 END), 2) AS worth_abandoned
FROM carts
GROUP BY 1, 2
ORDER BY 1, 2
