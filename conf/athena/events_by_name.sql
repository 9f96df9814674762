-- Events by name: what is measured at all, how often, and of how many users?
-- Tables: event
-- Adapt: apps, days
SELECT
  app_id,
  event_name,
  count(*) AS events,
  count(DISTINCT user_pseudo_id) AS users,
  max(event_timestamp) AS latest
FROM event
WHERE app_id IN ('shop', 'shop-gtm', 'shop-sensors')
  AND event_date >= current_date - INTERVAL '30' DAY
GROUP BY 1, 2
ORDER BY app_id, events DESC, event_name
