-- Sessions and engagement by channel: which channels bring visits, and how much do visitors look at?
-- Tables: session
-- Adapt: apps, days; engaged is what is no bounce
SELECT
  app_id,
  coalesce(session_channel_group, '(unknown)') AS channel,
  count(*) AS sessions,
  count(DISTINCT user_pseudo_id) AS users,
  round(100.0 * count_if(NOT is_bounce) / count(*), 1) AS engaged_percent,
  round(avg(page_view_count), 1) AS views_per_session,
  round(avg(engagement_time_msec) / 1000, 1) AS engaged_seconds_per_session,
  round(avg(duration_msec) / 1000, 1) AS seconds_per_session
FROM session
WHERE app_id IN ('shop', 'shop-gtm', 'shop-sensors')
  AND start_date >= current_date - INTERVAL '30' DAY
  AND coalesce(device_ua_device_category, '') <> 'Bot'
GROUP BY 1, 2
ORDER BY app_id, sessions DESC, channel
