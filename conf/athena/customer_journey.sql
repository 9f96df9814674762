-- Customer journey: what did one customer do, on all devices and in all apps? Here the one who ordered last.
-- Tables: event, user
-- Adapt: apps, days; for somebody else, write a user_id in the place of the last subquery
WITH latest_order AS (
  SELECT max_by(user_id, event_timestamp) AS user_id
  FROM event
  WHERE app_id IN ('shop', 'shop-gtm', 'shop-sensors')
    AND event_date >= current_date - INTERVAL '7' DAY
    AND event_name IN ('purchase', 'SubmitOrder')
    AND user_id IS NOT NULL
)
SELECT
  e.event_timestamp,
  e.app_id,
  e.event_name,
  split_part(coalesce(e.page_view_page_url, e.screen_view_screen_name), '?', 1) AS page,
  coalesce(e.event_value, TRY_CAST(json_extract_scalar(e.custom_parameters_json_str, '$.total') AS double)) AS worth,
  e.device_ua_device_category AS device,
  e.geo_city AS city
FROM event e
JOIN "user" u ON u.app_id = e.app_id AND u.user_pseudo_id = e.user_pseudo_id
WHERE e.app_id IN ('shop', 'shop-gtm', 'shop-sensors')
  AND e.event_date >= current_date - INTERVAL '7' DAY
  AND u.user_id = (SELECT user_id FROM latest_order)
ORDER BY e.event_timestamp, e.event_id
LIMIT 1000
