-- Bots: how many percent of each day's events did bots send, and who says that they are bots?
-- Tables: event
-- Adapt: apps, days
SELECT
  app_id,
  event_date AS event_day,
  count(*) AS events,
  count_if(is_bot) AS bot_events,
  round(100.0 * count_if(is_bot) / count(*), 1) AS bot_percent,
  count(DISTINCT CASE WHEN is_bot THEN user_pseudo_id END) AS bots,
  array_join(array_sort(array_agg(DISTINCT bot_source) FILTER (WHERE is_bot)), ', ') AS sources
FROM event
WHERE app_id IN ('shop', 'shop-gtm', 'shop-sensors')
  AND event_date >= current_date - INTERVAL '30' DAY
GROUP BY 1, 2
ORDER BY 1, 2
