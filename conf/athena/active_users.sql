-- Active users: how many users came on each day (DAU), and in the 7 (WAU) and 30 days (MAU) that end with it?
-- Tables: event
-- Adapt: apps, days (read are 29 days more than shown, for the first day's MAU)
WITH active AS (
  SELECT DISTINCT app_id, user_pseudo_id, event_date AS active_day
  FROM event
  WHERE app_id IN ('shop', 'shop-gtm', 'shop-sensors')
    AND event_date >= current_date - INTERVAL '59' DAY
    AND NOT coalesce(is_bot, false)
),
shown AS (
  SELECT DISTINCT app_id, active_day AS shown_day
  FROM active
  WHERE active_day >= current_date - INTERVAL '30' DAY
),
counted AS (
  SELECT
    shown.app_id,
    shown.shown_day,
    count(DISTINCT CASE WHEN active_day = shown_day THEN user_pseudo_id END) AS daily,
    count(DISTINCT CASE WHEN active_day >= shown_day - INTERVAL '6' DAY THEN user_pseudo_id END) AS weekly,
    count(DISTINCT user_pseudo_id) AS monthly
  FROM shown
  JOIN active
    ON active.app_id = shown.app_id
    AND active_day BETWEEN shown_day - INTERVAL '29' DAY AND shown_day
  GROUP BY 1, 2
)
SELECT app_id, shown_day, daily, weekly, monthly, round(100.0 * daily / monthly, 1) AS stickiness_percent
FROM counted
ORDER BY app_id, shown_day
