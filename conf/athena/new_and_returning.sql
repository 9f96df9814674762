-- New and returning: how many of a day's users were there for the first time, and how do the two differ?
-- Tables: session, user
-- Adapt: apps, days
SELECT
  s.app_id,
  s.start_date,
  CASE WHEN u.first_visit_date = s.start_date THEN 'new' ELSE 'returning' END AS kind,
  count(DISTINCT s.user_pseudo_id) AS users,
  count(*) AS sessions,
  round(avg(s.page_view_count), 1) AS views_per_session,
  round(100.0 * count_if(s.is_bounce) / count(*), 1) AS bounce_percent
FROM session s
JOIN "user" u ON u.app_id = s.app_id AND u.user_pseudo_id = s.user_pseudo_id
WHERE s.app_id IN ('shop', 'shop-gtm', 'shop-sensors')
  AND s.start_date >= current_date - INTERVAL '30' DAY
  AND coalesce(s.device_ua_device_category, '') <> 'Bot'
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
