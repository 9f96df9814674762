-- Countries: where do visitors come from, and how long do they stay?
-- Tables: session
-- Adapt: apps, days
SELECT
  app_id,
  coalesce(geo_country, '(unknown)') AS country,
  count(*) AS sessions,
  count(DISTINCT user_pseudo_id) AS users,
  round(100.0 * count(*) / sum(count(*)) OVER (PARTITION BY app_id), 1) AS percent_of_sessions,
  round(avg(duration_msec) / 1000, 1) AS seconds_per_session
FROM session
WHERE app_id IN ('shop', 'shop-gtm', 'shop-sensors')
  AND start_date >= current_date - INTERVAL '30' DAY
  AND coalesce(device_ua_device_category, '') <> 'Bot'
GROUP BY 1, 2
ORDER BY app_id, sessions DESC, country
