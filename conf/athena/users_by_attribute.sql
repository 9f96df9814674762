-- Users by attribute: how many customers of each tier are there, and how many of them came lately?
-- Tables: user
-- Adapt: apps, the attribute, the days of lately
SELECT
  app_id,
  coalesce(json_extract_scalar(user_properties_json_str, '$.tier.value'), '(not set)') AS tier,
  count(*) AS users,
  count(user_id) AS with_login,
  count_if(event_timestamp >= current_date - INTERVAL '7' DAY) AS active_last_7_days
FROM "user"
WHERE app_id IN ('shop', 'shop-gtm', 'shop-sensors')
GROUP BY 1, 2
ORDER BY app_id, users DESC, tier
