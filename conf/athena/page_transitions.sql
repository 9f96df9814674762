-- Page transitions: from which page or screen do people go where, within half an hour?
-- Tables: event
-- Adapt: apps, days, the pause that ends a visit, LIMIT
WITH views AS (
  SELECT
    app_id,
    user_pseudo_id,
    session_id,
    event_id,
    event_time_msec,
    split_part(coalesce(page_view_page_url, screen_view_screen_name), '?', 1) AS page
  FROM event
  WHERE app_id IN ('shop', 'shop-gtm', 'shop-sensors')
    AND event_date >= current_date - INTERVAL '30' DAY
    AND event_name IN ('_page_view', '_screen_view', '$pageview', '$AppViewScreen', '$MPViewScreen')
    AND NOT coalesce(is_bot, false)
    AND coalesce(page_view_page_url, screen_view_screen_name) IS NOT NULL
),
pairs AS (
  SELECT
    app_id,
    page,
    lead(page) OVER visit AS next_page,
    lead(event_time_msec) OVER visit - event_time_msec AS pause
  FROM views
  WINDOW visit AS (PARTITION BY app_id, user_pseudo_id, session_id ORDER BY event_time_msec, event_id)
),
moves AS (
  SELECT app_id, page, CASE WHEN pause <= 30 * 60 * 1000 THEN next_page ELSE '(exit)' END AS next_page
  FROM pairs
)
SELECT
  app_id,
  page,
  next_page,
  count(*) AS times,
  round(100.0 * count(*) / sum(count(*)) OVER (PARTITION BY app_id, page), 1) AS percent_of_page
FROM moves
GROUP BY 1, 2, 3
ORDER BY times DESC, app_id, page, next_page
LIMIT 100
