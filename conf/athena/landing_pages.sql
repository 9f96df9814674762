-- Landing pages: on which pages and screens do sessions begin, and how many of those bounce?
-- Tables: session
-- Adapt: apps, days, LIMIT
SELECT
  app_id,
  split_part(entry_page_url, '?', 1) AS landing_page,
  count(*) AS sessions,
  count_if(is_bounce) AS bounces,
  round(100.0 * count_if(is_bounce) / count(*), 1) AS bounce_percent,
  round(avg(page_view_count), 1) AS views_per_session
FROM session
WHERE app_id IN ('shop', 'shop-gtm', 'shop-sensors')
  AND start_date >= current_date - INTERVAL '30' DAY
  AND coalesce(device_ua_device_category, '') <> 'Bot'
  AND entry_page_url IS NOT NULL
GROUP BY 1, 2
ORDER BY sessions DESC, app_id, landing_page
LIMIT 100
