-- Devices and browsers: with what do people come?
-- Tables: event
-- Adapt: apps, days
WITH used AS (
  SELECT
    app_id,
    coalesce(device_ua_device_category, '(unknown)') AS device,
    coalesce(device_ua_os, '(unknown)') AS operating_system,
    coalesce(device_ua_browser, '(unknown)') AS browser,
    user_pseudo_id
  FROM event
  WHERE app_id IN ('shop', 'shop-gtm', 'shop-sensors')
    AND event_date >= current_date - INTERVAL '30' DAY
    AND NOT coalesce(is_bot, false)
)
SELECT
  app_id,
  device,
  operating_system,
  browser,
  count(*) AS events,
  count(DISTINCT user_pseudo_id) AS users,
  round(100.0 * count(*) / sum(count(*)) OVER (PARTITION BY app_id), 1) AS percent_of_events
FROM used
GROUP BY 1, 2, 3, 4
ORDER BY app_id, events DESC, device, operating_system, browser
