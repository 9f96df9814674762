-- Exit pages: after which pages and screens do people leave? The exit rate is exits by views of the page.
-- Tables: event, session
-- Adapt: apps, days (of both tables), LIMIT
WITH views AS (
  SELECT app_id, split_part(coalesce(page_view_page_url, screen_view_screen_name), '?', 1) AS page, count(*) AS views
  FROM event
  WHERE app_id IN ('shop', 'shop-gtm', 'shop-sensors')
    AND event_date >= current_date - INTERVAL '30' DAY
    AND event_name IN ('_page_view', '_screen_view', '$pageview', '$AppViewScreen', '$MPViewScreen')
    AND NOT coalesce(is_bot, false)
  GROUP BY 1, 2
),
exits AS (
  SELECT app_id, split_part(exit_page_url, '?', 1) AS page, count(*) AS exits
  FROM session
  WHERE app_id IN ('shop', 'shop-gtm', 'shop-sensors')
    AND start_date >= current_date - INTERVAL '30' DAY
    AND coalesce(device_ua_device_category, '') <> 'Bot'
  GROUP BY 1, 2
)
SELECT v.app_id, v.page, v.views, e.exits, round(100.0 * e.exits / v.views, 1) AS exit_percent
FROM exits e
JOIN views v ON v.app_id = e.app_id AND v.page = e.page
ORDER BY e.exits DESC, v.app_id, v.page
LIMIT 100
